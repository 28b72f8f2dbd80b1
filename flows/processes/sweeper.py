"""The sweeper: take down what must vanish, prove it. A plain loop that no orchestrator can stop. `python -m …`."""

import asyncio
import logging
import signal
import time

from infra.bootstrap.core import Core, open_core
from infra.embedded.ready import say_ready
from infra.postgres.fence import PostgresFence
from infra.receipts import ReceiptFolder
from infra.settings import Settings
from infra.store.local import LocalStore
from tasks.errors import TransientError
from tasks.sweep import SweepServices, sweep_once

log = logging.getLogger("likeness.sweeper")
POLL_SECONDS = 0.25
AWAY_SECONDS = 1.0
HOUSEKEEPING_SECONDS = 30.0


async def run(settings: Settings) -> None:
    stop, woken = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with open_core(settings) as core, PostgresFence.open(settings.ledger.url, lambda _: woken.set()):
        services = SweepServices(
            core.ledger, core.store, core.signer, core.pseudonym, ReceiptFolder(settings.folder("receipts"))
        )
        say_ready(settings)
        housekept = 0.0
        while not stop.is_set():
            woken.clear()
            if time.monotonic() - housekept > HOUSEKEEPING_SECONDS:
                await clear_leftovers(core)
                housekept = time.monotonic()
            if await round_is_idle(services):
                await wait(woken, POLL_SECONDS)


async def round_is_idle(services: SweepServices) -> bool:
    """One round. The ledger or the store away: wait and try again; whatever is half done is done again."""
    try:
        report = await sweep_once(services)
    except TransientError as error:
        log.warning("round broken off: %s", error.message)
        await asyncio.sleep(AWAY_SECONDS)
        return True
    if not report.idle or report.failed:
        log.info("%s", report)
    for issued in report.issued:
        log.info("withdrawal %s is complete; receipt issued", issued.receipt.withdrawal_id)
    return report.idle


async def clear_leftovers(core: Core) -> None:
    """Parts of files that killed writers left in a local store."""
    if isinstance(core.store, LocalStore):
        try:
            await core.store.clear_incoming()
        except TransientError as error:
            log.warning("leftovers stay for now: %s", error.message)


async def wait(woken: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(woken.wait(), seconds)
    except TimeoutError:
        return


def main() -> None:
    settings = Settings.load()
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    asyncio.run(run(settings))


if __name__ == "__main__":
    main()
