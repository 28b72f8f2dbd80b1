"""Garment events in the inbox: once, one SKU at a time, by lease, answered once."""

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tasks.errors import LikenessError, ServiceUnavailable
from tasks.ports import DeadLetter, InboxRow
from tests.protocol.made import inbox_row

if TYPE_CHECKING:
    from infra.postgres.ledger import PostgresLedger

TOPIC = "likeness.garments"


async def take_in(ledger: "PostgresLedger", *rows: InboxRow, dead: tuple[DeadLetter, ...] = ()) -> int:
    positions: dict[tuple[str, int], int] = {}
    for row in [*rows, *dead]:
        slot = (row.topic, row.partition)
        positions[slot] = max(positions.get(slot, 0), row.offset + 1)
    return await ledger.accept_garments("g", rows, dead, positions)


async def said(ledger: "PostgresLedger", topic: str = "likeness.assets") -> list[dict[str, Any]]:
    async with ledger.lease_outbox(1000) as rows:
        return [json.loads(row.value) for row in rows if row.topic == topic]


async def test_a_record_below_the_ledgers_own_offset_is_skipped(ledger: "PostgresLedger") -> None:
    assert await take_in(ledger, inbox_row("e1", offset=5)) == 1
    assert await ledger.positions("g", TOPIC) == {0: 6}
    assert await take_in(ledger, inbox_row("e0", "SKU-0", offset=3), inbox_row("e2", "SKU-2", offset=6)) == 1
    assert await ledger.positions("g", TOPIC) == {0: 7}


async def test_the_same_event_again_has_no_effect_and_other_bytes_are_a_dead_letter(ledger: "PostgresLedger") -> None:
    first = inbox_row("e1", offset=0)
    assert await take_in(ledger, first, replace(first, offset=1)) == 1
    assert await take_in(ledger, replace(first, offset=2)) == 0
    assert await take_in(ledger, inbox_row("e1", title="Other", offset=3)) == 0
    (letter,) = await ledger.dead_letters()
    assert (letter["code"], letter["offset"]) == ("same_id_other_bytes", 3)
    answers = [event["type"] for event in await said(ledger)]
    assert answers == ["likeness.garment.accepted"]


async def test_two_dressers_never_work_on_the_same_sku(ledger: "PostgresLedger") -> None:
    await take_in(ledger, *(inbox_row(f"e{n}", f"SKU-{n % 3}", offset=n, title=f"t{n}") for n in range(12)))
    claims = await asyncio.gather(*(ledger.claim(f"w{n}", 30) for n in range(8)))
    skus = [claim.garment.sku for claim in claims if claim is not None]
    assert sorted(skus) == ["SKU-0", "SKU-1", "SKU-2"]


async def test_an_older_version_is_superseded_and_answered_once(ledger: "PostgresLedger") -> None:
    await take_in(ledger, inbox_row("e2", version=2, offset=0), inbox_row("e1", version=1, offset=1))
    claim = await ledger.claim("w", 30)
    assert claim is not None
    assert claim.garment.version == 2
    assert await ledger.finish(claim, "dressed", {"published": 3})
    assert await ledger.claim("w", 30) is None
    answers = {event["data"]["in_answer_to"]["id"]: event["data"] for event in await said(ledger)
               if event["type"] == "likeness.garment.dressed"}  # fmt: skip
    assert answers["e1"]["outcome"] == "superseded"
    assert answers["e2"]["published"] == 3


async def test_a_lost_lease_can_neither_extend_nor_finish(ledger: "PostgresLedger") -> None:
    await take_in(ledger, inbox_row("e1"))
    slow = await ledger.claim("slow", 0)
    quick = await ledger.claim("quick", 30)
    assert slow is not None
    assert quick is not None
    assert quick.inbox_id == slow.inbox_id
    assert not await ledger.heartbeat(slow, 30)
    assert not await ledger.finish(slow, "dressed", {})
    assert await ledger.heartbeat(quick, 30)
    assert await ledger.finish(quick, "dressed", {})
    assert not await ledger.finish(quick, "dressed", {})


async def test_work_that_keeps_failing_becomes_a_dead_letter_and_is_answered(ledger: "PostgresLedger") -> None:
    await take_in(ledger, inbox_row("e1"))
    for _ in range(3):
        claim = await ledger.claim("w", 30)
        assert claim is not None
        await ledger.give_back(claim, "the model was away", delay_seconds=0)
    assert await ledger.claim("w", 30) is None
    (letter,) = await ledger.dead_letters()
    assert (letter["code"], letter["attempts"]) == ("attempts_exhausted", 3)
    assert [event["type"] for event in await said(ledger)] == ["likeness.garment.accepted", "likeness.garment.failed"]


async def test_an_event_that_kills_its_worker_each_time_is_given_up(ledger: "PostgresLedger") -> None:
    await take_in(ledger, inbox_row("e1"), inbox_row("e2", "SKU-2", offset=1))
    taken = [await ledger.claim("w", 0) for _ in range(3)]
    assert {claim.event_id for claim in taken if claim} == {"e1"}
    after = await ledger.claim("w", 30)
    assert after is not None
    assert after.event_id == "e2"
    assert (await ledger.where("SKU-1"))["inbox"][0]["state"] == "failed"


async def test_unsent_rows_stay_when_sending_fails(ledger: "PostgresLedger") -> None:
    await take_in(ledger, inbox_row("e1"))
    with pytest.raises(LikenessError, match="broker away"):
        async with ledger.lease_outbox(10):
            raise ServiceUnavailable("broker away")
    assert len(await said(ledger)) == 1
    assert await said(ledger) == []
