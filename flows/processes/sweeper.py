"""The sweeper: take down what must vanish, prove it. A plain loop that no orchestrator can stop."""

import asyncio
import logging
import sys
import time

from flows.processes.lifecycle import run_process
from infra.bootstrap.core import Core
from infra.postgres.fence import PostgresFence
from infra.receipts import ReceiptFolder
from infra.store.local import LocalStore
from tasks.errors import TransientError
from tasks.sweep import SweepServices, sweep_once

log = logging.getLogger("likeness.sweeper")
POLL_SECONDS = 0.25
AWAY_SECONDS = 1.0
HOUSEKEEPING_SECONDS = 30.0


async def work(core: Core, stop: asyncio.Event) -> None:
    """Rounds without a pause while there is work; else until a fence is raised somewhere or the poll comes round."""
    woken = asyncio.Event()
    archive = ReceiptFolder(core.settings.folder("receipts"))
    services = SweepServices(core.ledger, core.store, core.signer, core.pseudonym, archive)
    housekept = 0.0
    async with PostgresFence.open(core.settings.ledger.url, lambda _: woken.set()):
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


if __name__ == "__main__":
    sys.exit(run_process("sweeper", work))
