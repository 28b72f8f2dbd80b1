"""The two intake loops: garments in batches into the inbox, consent record by record into the ledger's facts.

Every error class has one action. TransientError: wait, then read again from the ledger's positions. PermanentError of a
record: a dead letter. Anything else that one record causes is a defect of ours: the record becomes a dead letter too,
with an alert, because a loop that stops for it would stop consent for everybody.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

from infra.kafka.consumer import LedgerConsumer, Silence
from infra.kafka.reading import ConsentRecord, Record, read_consent, read_garment, refused
from infra.settings import Settings
from schemas.envelope import TOPIC_CONSENT, TOPIC_GARMENTS
from tasks.errors import PermanentError, TransientError
from tasks.ports import DeadLetter, InboxRow, IntakeLedger, SourceKeys

log = logging.getLogger(__name__)

POLL_SECONDS = 0.25
WATERMARK_SECONDS = 1.0
FIRST_WAIT, LONGEST_WAIT = 0.2, 5.0


class InternalError(PermanentError):
    """A record met a defect of ours; its bytes are kept so that it can be replayed once that is mended."""

    code = "internal_error"


@dataclass
class Patience:
    """How long to wait after a failure: longer each time in a row, stopped early by `stop`."""

    stop: asyncio.Event
    seconds: float = FIRST_WAIT

    async def wait(self) -> None:
        try:
            await asyncio.wait_for(self.stop.wait(), self.seconds)
        except TimeoutError:
            self.seconds = min(self.seconds * 2, LONGEST_WAIT)

    def reset(self) -> None:
        self.seconds = FIRST_WAIT


@dataclass
class GarmentIntake:
    """Takes garment records in, a batch per transaction."""

    settings: Settings
    ledger: IntakeLedger
    keys: SourceKeys
    taken: int = 0

    @property
    def group(self) -> str:
        return self.settings.kafka.garments_group

    @property
    def alert_after(self) -> float:
        """Seconds without an answer from the brokers."""
        return self.settings.limits.silence_alert_seconds

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set. Lost services are waited for."""
        await _consume(self, TOPIC_GARMENTS, self.settings.limits.intake_batch, 10_000, stop)

    async def begin(self, consumer: LedgerConsumer) -> None:
        """Nothing to prepare."""

    async def take(self, records: Sequence[Record]) -> None:
        """All of the records in one transaction; one by one when a record cannot be taken."""
        read = [read_garment(record, self.keys) for record in records]
        try:
            await self._accept(records, read)
        except TransientError:
            raise
        except Exception as error:
            if len(records) > 1:
                for record in records:
                    await self.take([record])
                return
            log.critical("alert: garment record %s met a defect", records[0].next_position, exc_info=error)
            await self._accept(records, [records[0].dead(InternalError(f"{type(error).__name__}: {error}"))])

    async def _accept(self, records: Sequence[Record], read: Sequence[InboxRow | DeadLetter]) -> None:
        rows = [each for each in read if isinstance(each, InboxRow)]
        dead = [each for each in read if isinstance(each, DeadLetter)]
        positions = {(record.topic, record.partition): record.offset + 1 for record in records}
        self.taken += await self.ledger.accept_garments(self.group, rows, dead, positions)
        for letter in dead:
            log.warning("dead letter: %s: %s", letter.code, letter.message)

    async def idle(self, consumer: LedgerConsumer) -> None:
        await consumer.ends()


@dataclass
class ConsentIntake:
    """Takes consent records in one by one, and proves that the ledger is current even when nobody says anything."""

    settings: Settings
    ledger: IntakeLedger
    keys: SourceKeys

    @property
    def group(self) -> str:
        return self.settings.kafka.consent_group

    @property
    def alert_after(self) -> float:
        """Seconds without an answer from the brokers; the ledger's consent is as old as that."""
        return self.settings.limits.consent_alert_seconds

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set. Lost services are waited for; meanwhile the watermark ages and the gate shuts."""
        await _consume(self, TOPIC_CONSENT, 100, 6_000, stop)

    async def begin(self, consumer: LedgerConsumer) -> None:
        await self.ledger.expect_partitions(TOPIC_CONSENT, await consumer.partitions())

    async def take(self, records: Sequence[Record]) -> None:
        for record in records:
            read = read_consent(record, self.keys)
            try:
                await self._accept(read)
            except TransientError:
                raise
            except PermanentError as error:
                await self._accept(refused(record, error))
            except Exception as error:
                log.critical("alert: consent record %s met a defect", record.next_position, exc_info=error)
                await self._accept(refused(record, InternalError(f"{type(error).__name__}: {error}")))

    async def _accept(self, read: ConsentRecord) -> None:
        record = read.record
        outcome = await self.ledger.accept_consent(
            self.group,
            read.fact,
            read.dead,
            record.next_position,
            source=read.source,
            event_id=read.event_id,
            digest=record.digest,
            raw=record.value,
            hold_talent=read.hold_talent,
        )
        if read.hold_talent is not None and read.dead is not None:
            log.critical("alert: a withdrawal for %s was refused: %s", read.hold_talent, read.dead.message)
        elif read.dead is not None:
            log.warning("dead letter: %s: %s", read.dead.code, read.dead.message)
        if outcome is not None:
            log.info("%s for %s, fence %d %s", outcome.effect, outcome.talent_id, outcome.fence, outcome.detail)

    async def idle(self, consumer: LedgerConsumer) -> None:
        for partition, at in await consumer.read_to_end(self.ledger.now):
            await self.ledger.store_watermark(TOPIC_CONSENT, partition, at)


async def _consume(
    intake: GarmentIntake | ConsentIntake, topic: str, batch: int, session_ms: int, stop: asyncio.Event
) -> None:
    """Connect and read until told to stop; when the brokers cannot be reached, wait and connect again."""
    silence = Silence(f"Kafka ({topic})", intake.alert_after)
    patience = Patience(stop)

    async def positions(name: str) -> dict[int, int]:
        return await intake.ledger.positions(intake.group, name)

    while not stop.is_set():
        consumer = LedgerConsumer(
            intake.settings.kafka, topic, intake.group, positions, batch=batch, session_ms=session_ms
        )
        try:
            async with consumer:
                await intake.begin(consumer)
                log.info("reading %s as %s", topic, intake.group)
                await _read(intake, consumer, silence, patience, stop)
        except TransientError as error:
            silence.unheard(error.message)
            log.warning("%s; trying again in %.1f s", error.message, patience.seconds)
            await patience.wait()


async def _read(
    intake: GarmentIntake | ConsentIntake,
    consumer: LedgerConsumer,
    silence: Silence,
    patience: Patience,
    stop: asyncio.Event,
) -> None:
    """Poll and take in; about every second, ask the broker whether it is there and how far its topic goes."""
    asked = 0.0
    while not stop.is_set():
        try:
            if records := await consumer.poll(POLL_SECONDS):
                await intake.take(records)
            if time.monotonic() - asked >= WATERMARK_SECONDS:
                await intake.idle(consumer)
                asked = time.monotonic()
                silence.heard()
            patience.reset()
        except TransientError as error:
            silence.unheard(error.message)
            log.warning("%s; reading again from the ledger's position in %.1f s", error.message, patience.seconds)
            consumer.replace()
            await patience.wait()
