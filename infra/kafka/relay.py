"""The relay: what the ledger's outbox holds goes to Kafka, in order, at least once."""

import asyncio
import logging
from contextlib import ExitStack, suppress
from dataclasses import dataclass

from infra.kafka.consumer import Silence
from infra.kafka.intake import Patience
from infra.kafka.producer import Producer, producing
from infra.settings import Settings
from tasks.errors import TransientError
from tasks.ports import OutboxLedger

log = logging.getLogger(__name__)

IDLE_SECONDS = 0.1
BATCH = 500


@dataclass
class Relay:
    """`woken` is set by whoever hears that the outbox has something new; a poll stands behind it."""

    settings: Settings
    ledger: OutboxLedger
    woken: asyncio.Event
    sent: int = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set. A lost broker or ledger is waited for; rows stay in the outbox meanwhile."""
        silence = Silence("Kafka or the ledger (relay)", self.settings.limits.silence_alert_seconds)
        patience = Patience(stop)
        while not stop.is_set():
            try:
                await self._run_connected(stop, silence, patience)
            except TransientError as error:
                silence.unheard(error.message)
                log.warning("%s; trying again in %.1f s", error.message, patience.seconds)
                await patience.wait()

    async def _run_connected(self, stop: asyncio.Event, silence: Silence, patience: Patience) -> None:
        with ExitStack() as stack:
            producer = await asyncio.to_thread(lambda: stack.enter_context(producing(self.settings.kafka, "relay")))
            log.info("relaying the outbox")
            while not stop.is_set():
                count = await self.once(producer)
                silence.heard()
                patience.reset()
                if count < BATCH:
                    await self._nap(stop)

    async def once(self, producer: Producer) -> int:
        """Send the rows that wait, at most one batch. Raises TransientError, and then none is marked sent."""
        async with self.ledger.lease_outbox(BATCH) as rows:
            if rows:
                await asyncio.to_thread(producer.relay, rows)
        self.sent += len(rows)
        return len(rows)

    async def _nap(self, stop: asyncio.Event) -> None:
        waiting = [asyncio.ensure_future(self.woken.wait()), asyncio.ensure_future(stop.wait())]
        await asyncio.wait(waiting, timeout=IDLE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        for each in waiting:
            each.cancel()
            with suppress(asyncio.CancelledError):
                await each
        self.woken.clear()
