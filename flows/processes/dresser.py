"""The dresser: claims garments from the inbox and runs their flows here, warm. One process per GPU."""

import asyncio
import logging
import os
import signal
import socket
import threading
from contextlib import suppress

import cv2

from flows.processes.lifecycle import start_logging
from infra.embedded.ready import say_ready
from infra.prefect.environment import prepare
from infra.settings import Settings

log = logging.getLogger("dresser")
AT_ONCE = 2
"""Garments in work at the same time: while one is judged or published, the other keeps the cores busy."""


async def dress_for_ever(settings: Settings) -> None:
    """Prefect reads its address when it is imported, so all that imports it is imported here."""
    from flows.context import open_services, serving
    from flows.report_checks import report_for_ever
    from flows.routes import work_for_ever
    from flows.watch_withdrawal import watch_withdrawal
    from infra.prefect.mirror import mirror_withdrawals
    from infra.prefect.runner import FlowRunner

    runner = FlowRunner(settings.prefect.api_url)
    async with open_services(settings, worker=f"{socket.gethostname()}:{os.getpid()}") as services:
        log.info("dresser ready")
        say_ready(settings)
        with serving(services):
            async with asyncio.TaskGroup() as group:
                group.create_task(report_for_ever(services.ledger, settings))
                group.create_task(mirror_withdrawals(services.ledger.withdrawals, watch_withdrawal, runner))
                for _ in range(AT_ONCE):
                    group.create_task(work_for_ever(services, runner, settings.limits.inbox_lease_seconds))


def main() -> None:
    """The event loop runs beside the main thread: in it, Prefect would take SIGTERM for its own."""
    settings = Settings.load()
    start_logging(settings)
    for chatty in ("httpx", "great_expectations", "prefect", "numba"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    cv2.setNumThreads(1)  # frames run side by side; threads inside each would only get in their way
    prepare(settings.prefect.api_url, settings.folder("prefect"))
    loop = asyncio.new_event_loop()
    work = loop.create_task(dress_for_ever(settings))

    def until_stopped() -> None:
        with suppress(asyncio.CancelledError):
            loop.run_until_complete(work)

    thread = threading.Thread(target=until_stopped, name="dresser")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(work.cancel))
    thread.start()
    thread.join()
    if not work.cancelled() and (error := work.exception()) is not None:
        raise error


if __name__ == "__main__":
    main()
