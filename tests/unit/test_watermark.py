"""When a partition counts as read to its end: never by a guess, and with a time from before the end was asked for."""

from datetime import UTC, datetime
from typing import Any

from kafka import TopicPartition

from infra.kafka.consumer import LedgerConsumer
from infra.settings import KafkaSettings

PLACES = [TopicPartition("likeness.consent", number) for number in range(3)]
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


class FakeClient:
    """kafka-python's consumer as far as watermarks need it; `asked` is the order of questions."""

    def __init__(self, ends: dict[int, int], positions: dict[int, int]) -> None:
        self._ends, self._positions = ends, positions
        self.asked: list[str] = []

    def assignment(self) -> set[TopicPartition]:
        return {PLACES[number] for number in self._positions}

    def end_offsets(self, places: list[TopicPartition], timeout_ms: int) -> dict[TopicPartition, int]:
        self.asked.append("ends")
        return {place: self._ends[place.partition] for place in places}

    def position(self, place: TopicPartition, timeout_ms: int) -> int:
        return self._positions[place.partition]


async def reached(client: Any, *, unplaced: tuple[int, ...] = ()) -> list[tuple[int, datetime]]:
    async def positions(topic: str) -> dict[int, int]:
        return {}

    async def now() -> datetime:
        client.asked.append("now")
        return NOON

    consumer = LedgerConsumer(KafkaSettings(), "likeness.consent", "group", positions, batch=1, session_ms=6000)
    consumer._consumer = client
    consumer._unplaced |= {PLACES[number] for number in unplaced}
    return sorted(await consumer.read_to_end(now))


async def test_only_partitions_whose_position_is_the_end_are_current() -> None:
    assert await reached(FakeClient({0: 5, 1: 5, 2: 0}, {0: 5, 1: 4, 2: 0})) == [(0, NOON), (2, NOON)]


async def test_partitions_of_other_consumers_are_not_ours_to_vouch_for() -> None:
    assert await reached(FakeClient({0: 0, 1: 0, 2: 0}, {1: 0})) == [(1, NOON)]


async def test_a_partition_that_must_be_read_again_is_not_current() -> None:
    assert await reached(FakeClient({0: 5, 1: 5}, {0: 5, 1: 5}), unplaced=(1,)) == [(0, NOON)]


async def test_the_time_is_from_before_the_end_was_asked_for() -> None:
    client = FakeClient({0: 0}, {0: 0})
    await reached(client)
    assert client.asked == ["now", "ends"]
