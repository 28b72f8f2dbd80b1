"""Stored bytes that are no assets: row before bytes, valid only while their fence is, gone with the withdrawal."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tasks.ports import Intent
from tests.protocol.made import NOW, TALENT, granted, say, withdrawn

if TYPE_CHECKING:
    from infra.postgres.ledger import PostgresLedger


async def reserve(ledger: "PostgresLedger", kind: Any = "stage_cache", *, fence: int = 1) -> Intent | None:
    return await ledger.reserve_object(
        kind, talent_id=TALENT, twin_id="tw-ada", fence=fence, name="look-1", sha256="b" * 64, size=1,
        content_type="image/png",
    )  # fmt: skip


async def test_a_cache_is_found_while_its_fence_is_good_and_not_after(ledger: "PostgresLedger") -> None:
    await say(ledger, granted())
    intent = await reserve(ledger)
    assert intent is not None
    assert await ledger.find_object("stage_cache", "tw-ada", "look-1") is None  # its bytes are not there yet
    assert await ledger.confirm_object(intent)
    assert await ledger.find_object("stage_cache", "tw-ada", "look-1") is not None
    await say(ledger, granted(1, grant_id="gr-2"))  # more consent voids nothing
    assert await ledger.find_object("stage_cache", "tw-ada", "look-1") is not None
    await say(ledger, withdrawn(2, grant_id="gr-2"))
    assert await ledger.find_object("stage_cache", "tw-ada", "look-1") is None


async def test_bytes_that_arrive_after_a_withdrawal_are_taken_back(ledger: "PostgresLedger") -> None:
    await say(ledger, granted())
    intent = await reserve(ledger)
    assert intent is not None
    await say(ledger, withdrawn())
    assert not await ledger.confirm_object(intent)
    assert await reserve(ledger) is None
    (target,) = await ledger.next_targets(10)
    assert target.object_id == intent.object_id


async def test_the_twins_own_images_go_with_everything_and_cannot_come_back_without_a_new_grant(
    ledger: "PostgresLedger",
) -> None:
    assert await reserve(ledger, "twin_reference", fence=0) is not None  # before any grant was told
    await say(ledger, granted(), withdrawn(None))
    await ledger.plan_withdrawals()
    assert len(await ledger.next_targets(10)) == 1
    assert await reserve(ledger, "twin_reference", fence=2) is None
    await say(ledger, granted(3, signed_at=NOW.replace(year=NOW.year - 1)))
    assert await reserve(ledger, "twin_reference", fence=3) is None  # signed before the withdrawal
    await say(ledger, granted(4, signed_at=NOW + timedelta(minutes=1)))
    assert await reserve(ledger, "twin_reference", fence=4) is not None


async def test_reserving_again_takes_the_next_key_and_the_former_bytes_go(ledger: "PostgresLedger") -> None:
    await say(ledger, granted())
    first = await reserve(ledger)
    assert first is not None
    assert await ledger.confirm_object(first)
    second = await reserve(ledger)
    assert second is not None
    assert (second.attempt, second.key == first.key) == (2, False)
    assert not await ledger.confirm_object(first)
    assert await ledger.confirm_object(second)
