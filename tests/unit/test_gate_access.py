"""The access log: in order, nothing twice, and an outage costs the oldest entries only."""

from collections.abc import Sequence
from typing import Any

import pytest

from console.gate_access import AccessLog
from tasks.errors import ServiceUnavailable


class Written:
    def __init__(self) -> None:
        self.rows: list[tuple[str, str, str]] = []
        self.away = False
        self.meanwhile: Any = None

    async def log_accesses(self, accesses: Sequence[tuple[str, str, str]]) -> None:
        if self.away:
            raise ServiceUnavailable("away")
        if self.meanwhile:
            self.meanwhile()
        self.rows += accesses


@pytest.fixture
def written() -> Any:
    return Written()


def note(log: AccessLog, *names: str) -> None:
    for name in names:
        log.note(name, "served", "direct")


async def test_accesses_are_written_in_order_and_once(written: Any) -> None:
    log = AccessLog(written)
    note(log, "a", "b")
    await log.flush()
    note(log, "c")
    await log.flush()
    assert [row[0] for row in written.rows] == ["a", "b", "c"]


async def test_what_could_not_be_written_is_written_later(written: Any) -> None:
    log = AccessLog(written)
    note(log, "a")
    written.away = True
    with pytest.raises(ServiceUnavailable):
        await log.flush()
    written.away = False
    await log.flush()
    assert [row[0] for row in written.rows] == ["a"]


async def test_too_long_an_outage_drops_the_oldest_and_counts_them(written: Any) -> None:
    log = AccessLog(written, most_waiting=2)
    note(log, "a", "b", "c")
    await log.flush()
    assert ([row[0] for row in written.rows], log.dropped) == (["b", "c"], 1)


async def test_entries_that_come_during_a_write_are_neither_lost_nor_doubled(written: Any) -> None:
    log = AccessLog(written, most_waiting=3)
    note(log, "a", "b")
    coming = iter([("c", "d"), ()])
    written.meanwhile = lambda: note(log, *next(coming))
    await log.flush()
    assert [row[0] for row in written.rows] == ["a", "b", "c", "d"]


async def test_leaving_writes_what_is_left(written: Any) -> None:
    log = AccessLog(written)
    async with log.writing():
        note(log, "a")
    assert [row[0] for row in written.rows] == ["a"]
