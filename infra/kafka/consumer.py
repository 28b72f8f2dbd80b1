"""A Kafka consumer whose positions live in the ledger: what was taken in and how far we have read move together.

kafka-python's consumer is synchronous and not safe for threads; every call runs in a thread, one at a time.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from typing import Any

from kafka import ConsumerRebalanceListener, KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from infra.kafka.reading import Record
from infra.kafka.topics import MAX_RECORD_BYTES
from infra.settings import KafkaSettings
from tasks.errors import ServiceUnavailable

log = logging.getLogger(__name__)

Positions = Callable[[str], Awaitable[dict[int, int]]]


class LedgerConsumer:
    """Member of a consumer group on one topic. Use as `async with`.

    `positions(topic)` gives the ledger's next offset per partition. After a rebalance, and after `replace()`, records
    come again from there and nowhere else; Kafka's own committed offsets are not used.
    """

    def __init__(
        self, settings: KafkaSettings, topic: str, group: str, positions: Positions, *, batch: int, session_ms: int
    ) -> None:
        self._settings = settings
        self.topic = topic
        self._group = group
        self._positions = positions
        self._batch = batch
        self._session_ms = session_ms
        self._unplaced: set[TopicPartition] = set()
        self._consumer: Any = None

    async def __aenter__(self) -> "LedgerConsumer":
        """Raises ServiceUnavailable when no broker answers."""
        try:
            self._consumer = await asyncio.to_thread(self._connect)
        except (KafkaError, OSError) as error:
            raise ServiceUnavailable(f"no Kafka broker answers at {self._settings.bootstrap}: {error}") from error
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self._consumer.close, timeout_ms=3000)

    def _connect(self) -> Any:
        consumer = KafkaConsumer(
            **self._settings.client_options(),
            group_id=self._group,
            client_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_poll_records=self._batch,
            max_partition_fetch_bytes=2 * MAX_RECORD_BYTES,
            session_timeout_ms=self._session_ms,
            heartbeat_interval_ms=self._session_ms // 4,
            reconnect_backoff_max_ms=1000,
            request_timeout_ms=15_000,
            allow_auto_create_topics=False,
        )
        consumer.subscribe([self.topic], listener=_Assignments(self._unplaced))
        return consumer

    async def poll(self, seconds: float) -> list[Record]:
        """Records in order per partition, or none within the time. Raises ServiceUnavailable (also from the ledger)."""
        if self._unplaced:
            await self._place()
        try:
            batches = await asyncio.to_thread(self._consumer.poll, timeout_ms=int(seconds * 1000))
        except (KafkaError, OSError) as error:
            raise ServiceUnavailable(f"Kafka: {error}") from error
        # a rebalance within this poll: what it fetched may begin elsewhere than where the ledger stands
        return [_record(each) for place, batch in batches.items() if place not in self._unplaced for each in batch]

    def replace(self) -> None:
        """Read again from the ledger's positions: what was polled last has not been taken in."""
        self._unplaced |= set(self._consumer.assignment())

    async def _place(self) -> None:
        positions = await self._positions(self.topic)
        ends = await self.ends(self._unplaced)
        for place in list(self._unplaced):
            position = positions.get(place.partition, 0)
            if position > ends.get(place, position):
                raise ServiceUnavailable(
                    f"{place.topic}/{place.partition} ends at {ends[place]}, but the ledger has read up to {position}: "
                    "the topic was made anew or lost records",
                    code="topic_went_back",
                )
            if place in self._consumer.assignment():
                if position:
                    self._consumer.seek(place, position)
                else:
                    self._consumer.seek_to_beginning(place)
            self._unplaced.discard(place)

    async def ends(self, places: Iterable[TopicPartition] | None = None) -> dict[TopicPartition, int]:
        """End offsets of the assigned partitions. Raises ServiceUnavailable when the broker is gone (poll does not)."""
        wanted = list(self._consumer.assignment() if places is None else places)
        if not wanted:
            return {}
        try:
            found = await asyncio.to_thread(self._consumer.end_offsets, wanted, timeout_ms=1000)
        except (KafkaError, OSError) as error:
            raise ServiceUnavailable(f"Kafka does not answer: {error}") from error
        return dict(found)

    async def partitions(self) -> set[int]:
        return set(await asyncio.to_thread(self._consumer.partitions_for_topic, self.topic) or ())

    async def read_to_end(self, now: Callable[[], Awaitable[datetime]]) -> list[tuple[int, datetime]]:
        """(partition, ledger time) for each assigned partition that had been read to its end at that time.

        The time is taken before the end is asked for, so nothing that was in the topic then can be missing. Call it
        only when everything polled has been taken in.
        """
        at = await now()
        ends = await self.ends()
        reached: list[tuple[int, datetime]] = []
        for place, end in ends.items():
            if place in self._unplaced:
                continue
            try:
                position = await asyncio.to_thread(self._consumer.position, place, timeout_ms=1000)
            except (KafkaError, OSError, AssertionError):
                log.debug("no position for %s/%d yet", place.topic, place.partition)
                continue
            if position is not None and position >= end:
                reached.append((place.partition, at))
        return reached


class _Assignments(ConsumerRebalanceListener):  # type: ignore[misc]
    """Notes what was assigned; the seeking is done between polls, where waiting for the ledger is allowed."""

    def __init__(self, unplaced: set[TopicPartition]) -> None:
        self._unplaced = unplaced

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        self._unplaced.difference_update(revoked)

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        self._unplaced.update(assigned)


def _record(found: Any) -> Record:
    return Record(found.topic, found.partition, found.offset, found.key, found.value or b"", tuple(found.headers or ()))


class Silence:
    """Says once when a service stops answering for long, and once when it is back."""

    def __init__(self, what: str, limit_seconds: float) -> None:
        self._what = what
        self._limit = limit_seconds
        self._last = time.monotonic()
        self._alerted = False

    def heard(self) -> None:
        if self._alerted:
            log.warning("%s answers again", self._what)
        self._last, self._alerted = time.monotonic(), False

    def unheard(self, why: object) -> None:
        silent = time.monotonic() - self._last
        if silent > self._limit and not self._alerted:
            self._alerted = True
            log.critical("alert: %s has been silent for %.0f s: %s", self._what, silent, why)
