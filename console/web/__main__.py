"""`python -m console.web`: the console's process, on loopback only."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn

from console.auth import OperatorSessions, operator_token, require_loopback
from console.web.app import ConsoleServices, create_app
from flows.report_checks import report_folder
from infra.bootstrap.core import open_core
from infra.settings import Settings


def main() -> None:
    settings = Settings.load()
    require_loopback(settings.console.host)
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s %(message)s")

    @asynccontextmanager
    async def services() -> AsyncIterator[ConsoleServices]:
        async with open_core(settings) as core:
            yield ConsoleServices(
                ledger=core.ledger,
                sessions=OperatorSessions(operator_token(settings.folder("keys"))),
                gate_url=settings.gate_url,
                prefect_url=settings.prefect.ui_url,
                receipt_key=core.signer.public_jwk,
                reports=report_folder(settings),
            )

    app = create_app(opener=services)
    uvicorn.run(app, host=settings.console.host, port=settings.console.port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
