"""`python -m benchmarks.static_gate`: the gate's own app, reading and sending the same, deciding nothing."""

import hashlib
import logging
import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

import uvicorn

from console.gate import Gate, create_app
from console.gate_access import AccessLog
from infra.bootstrap.core import open_core
from infra.settings import Settings
from schemas.asset import AssetRecord
from tasks.ports import GateLedger, Store
from tasks.serve import Answer, Missing, Served, Unavailable


class Nobody:
    """Takes accesses and writes them nowhere."""

    async def log_accesses(self, accesses: Sequence[tuple[str, str, str]]) -> None:
        """Nothing is kept."""


@dataclass
class StaticGate(Gate):
    """Knows its assets from the start and permits all of them for ever."""

    known: dict[str, AssetRecord] | None = None

    async def answer(self, asset_id: str) -> Answer:
        asset = (self.known or {}).get(asset_id)
        if asset is None:
            return Missing(asset_id)
        data = await self.store.read(asset.key)
        if data is None or hashlib.sha256(data).hexdigest() != asset.sha256:
            return Unavailable("bytes_wrong")
        return Served(asset, data, datetime.now(UTC), math.inf)


def static(store: Store, assets: Sequence[AssetRecord]) -> StaticGate:
    nobody: Any = Nobody()
    ledger = cast(GateLedger, nobody)
    return StaticGate(ledger, store, AccessLog(ledger), known={asset.asset_id: asset for asset in assets})


def main() -> None:
    settings = Settings.load()
    logging.basicConfig(level=settings.log_level)

    @asynccontextmanager
    async def opener() -> AsyncIterator[Gate]:
        async with open_core(settings) as core:
            yield static(core.store, await core.ledger.assets(state="PUBLISHED", limit=100_000))

    uvicorn.run(
        create_app(opener), host=settings.gate.host, port=settings.gate.port, log_level="warning", access_log=False,
        server_header=False,
    )  # fmt: skip


if __name__ == "__main__":
    main()
