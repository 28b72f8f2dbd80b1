"""The dresser: claims garments from the inbox and runs their flows here, warm. One process per GPU."""

import asyncio
import logging
import os
import signal
import socket
import threading
from contextlib import suppress

from infra.embedded.ready import say_ready
from infra.prefect.environment import prepare
from infra.settings import Settings

log = logging.getLogger("dresser")
AT_ONCE = 2
"""Garments in work at the same time: while one is judged or published, the other keeps the cores busy."""
IDLE_SECONDS = 1.0


async def dress_for_ever(settings: Settings) -> None:
    """Prefect reads its address when it is imported, so all that imports it is imported here."""
    from flows.context import Services, open_services, serving
    from flows.routes import work_on
    from flows.watch_withdrawal import watch_withdrawal
    from infra.prefect.mirror import mirror_withdrawals
    from infra.prefect.runner import FlowRunner
    from tasks.errors import TransientError

    runner = FlowRunner(settings.prefect.api_url)
    lease_seconds = settings.limits.inbox_lease_seconds

    async def one_hand(services: Services) -> None:
        while True:
            services.fence.inbox.clear()
            try:
                reachable = await runner.reachable()
                claim = await services.ledger.claim(services.worker, lease_seconds) if reachable else None
                if claim is not None:
                    await work_on(claim, services, runner, lease_seconds)
                    continue
                if not reachable:
                    log.error("alert: Prefect does not answer; garments wait in the inbox, withdrawals do not")
            except TransientError as error:
                log.error("alert: %s", error)
            with suppress(TimeoutError):
                await asyncio.wait_for(services.fence.inbox.wait(), IDLE_SECONDS)

    async with open_services(settings, worker=f"{socket.gethostname()}:{os.getpid()}") as services:
        log.info("dresser ready")
        say_ready(settings)
        with serving(services):
            async with asyncio.TaskGroup() as group:
                group.create_task(mirror_withdrawals(services.ledger.withdrawals, watch_withdrawal, runner))
                for _ in range(AT_ONCE):
                    group.create_task(one_hand(services))


def main() -> None:
    """The event loop runs beside the main thread: in it, Prefect would take SIGTERM for its own."""
    settings = Settings.load()
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s %(message)s")
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
