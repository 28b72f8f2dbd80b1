"""On real PostgreSQL: withdrawals against open publishes, killed publishers, re-grants and facts in every order."""

import asyncio
import itertools
import multiprocessing
import os
import signal
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import TYPE_CHECKING

import asyncpg
import pytest

from schemas.consent import Withdrawn
from schemas.envelope import SIGNATURE_HEADER, check_routing, parse_event
from tasks import protocol
from tasks.decide import may_serve
from tasks.errors import ServiceUnavailable
from tasks.ports import ConsentFact, Intent, PublishOutcome, PublishRequest
from tests.protocol.made import (
    DAY,
    GRANT,
    NOW,
    TALENT,
    cell,
    granted,
    narrowed,
    request,
    say,
    withdrawn,
)

if TYPE_CHECKING:
    from infra.postgres.ledger import PostgresLedger

LATER = NOW + timedelta(minutes=2)


@pytest.fixture
async def other(postgres_url: str, ledger: "PostgresLedger") -> "AsyncIterator[asyncpg.Connection]":
    """A second session on the same database, as another process would have."""
    connection = await asyncpg.connect(postgres_url)
    yield connection
    await connection.close()


async def publish(ledger: "PostgresLedger", of: PublishRequest | None = None) -> PublishOutcome:
    wanted = of or request()
    intent = await ledger.begin_publish(wanted)
    assert isinstance(intent, Intent), intent
    return await ledger.finish_publish(intent, wanted)


async def served(ledger: "PostgresLedger", asset_id: str) -> bool:
    row = await ledger.serve_row(asset_id)
    return row.asset is not None and row.consent is not None and may_serve(row.asset, row.consent, row.at).permitted


async def sweep(ledger: "PostgresLedger") -> None:
    await ledger.reap()
    await ledger.plan_withdrawals()
    await ledger.expire()
    for target in await ledger.next_targets(100):
        await ledger.record_revoked(target.object_id, {"object_id": target.object_id, "atomic_create": True})
    await ledger.seal(lambda payload: "signed")
    for withdrawal_id in await ledger.completable():
        await ledger.complete(withdrawal_id, "receipt", {})


async def test_a_withdrawal_that_meets_an_open_publish_waits_for_it_and_takes_its_object_too(
    ledger: "PostgresLedger", other: asyncpg.Connection
) -> None:
    await say(ledger, granted())
    intent = await ledger.begin_publish(request())
    assert isinstance(intent, Intent)
    finishing = other.transaction()  # tx3 of a publisher, held open at its last statement
    await finishing.start()
    await other.execute("select 1 from talents where talent_id = $1 for share", TALENT)
    await other.execute("update objects set state = 'PUBLISHED' where object_id = $1", intent.object_id)
    withdrawing = asyncio.create_task(say(ledger, withdrawn()))
    done, _ = await asyncio.wait([withdrawing], timeout=0.5)
    assert not done, "the withdrawal did not wait for the publish"
    await finishing.commit()
    await withdrawing
    await ledger.plan_withdrawals()
    assert [each.object_id for each in await ledger.next_targets(10)] == [intent.object_id]


async def test_a_publish_that_meets_an_open_withdrawal_waits_and_is_refused(
    ledger: "PostgresLedger", other: asyncpg.Connection
) -> None:
    await say(ledger, granted())
    wanted = request()
    intent = await ledger.begin_publish(wanted)
    assert isinstance(intent, Intent)
    withdrawing = other.transaction()
    await withdrawing.start()
    await other.execute("update talents set fence = fence + 1 where talent_id = $1", TALENT)
    finishing = asyncio.create_task(ledger.finish_publish(intent, wanted))
    done, _ = await asyncio.wait([finishing], timeout=0.5)
    assert not done, "the publish did not wait for the withdrawal"
    await withdrawing.commit()
    outcome = await finishing
    assert outcome.state == "REVOKING"
    assert outcome.decision is not None
    assert outcome.decision.reasons[0].code == "fence_raised"


async def test_a_publisher_that_idles_in_its_transaction_is_sent_away(
    ledger: "PostgresLedger", other: asyncpg.Connection
) -> None:
    await say(ledger, granted())

    async def idle() -> None:
        async with ledger._db.publish() as connection:
            await connection.execute("select 1 from talents where talent_id = $1 for share", TALENT)
            await asyncio.sleep(1.5)
            await connection.execute("select 1")

    with pytest.raises(ServiceUnavailable):
        await idle()
    await asyncio.wait_for(say(ledger, withdrawn()), 10)


async def test_a_regrant_revives_nothing(ledger: "PostgresLedger") -> None:
    await say(ledger, granted())
    before = await publish(ledger)
    await say(ledger, withdrawn(2), granted(3))
    assert not await served(ledger, before.asset_id)
    after = request(cell("SKU-2"), fence=3, grant_version=3)
    assert (await publish(ledger, after)).state == "PUBLISHED"
    await sweep(ledger)
    assert await served(ledger, after.asset_id)
    gone = await ledger.asset(before.asset_id)
    assert gone is not None
    assert (gone.state, gone.cause) == ("REVOKED", "withdrawn")


async def test_what_was_superseded_and_swept_before_the_plan_is_still_told_in_the_receipt(
    ledger: "PostgresLedger",
) -> None:
    await say(ledger, granted())
    before = await publish(ledger)
    await say(ledger, withdrawn(2), granted(3))
    await publish(ledger, request(fence=3, grant_version=3))  # the same cell: the former image is superseded
    (target,) = await ledger.next_targets(10)
    await ledger.record_revoked(target.object_id, {"object_id": target.object_id, "atomic_create": True})
    (withdrawal_id,) = await ledger.plan_withdrawals()
    facts = await ledger.receipt_facts(withdrawal_id)
    assert [each["object_id"] for each in facts["targets"]] == [before.object_id]


async def test_a_late_withdrawal_bites(ledger: "PostgresLedger") -> None:
    await say(ledger, granted(1))
    first = await publish(ledger)
    await say(ledger, granted(3))
    third = request(cell("SKU-2"), fence=2, grant_version=3)
    assert (await publish(ledger, third)).state == "PUBLISHED"
    await say(ledger, withdrawn(2))  # older than what is current, newer than the first image's grant version
    assert not await served(ledger, first.asset_id)
    assert await served(ledger, third.asset_id)


async def test_a_withdrawal_before_its_grant_is_kept_as_a_floor(ledger: "PostgresLedger") -> None:
    (early,) = await say(ledger, withdrawn(2))
    assert early.effect == "applied"
    (late,) = await say(ledger, granted(1))
    assert (late.effect, late.next_free_version) == ("dead_on_arrival", 3)
    refused = await ledger.begin_publish(request(fence=2))
    assert isinstance(refused, PublishOutcome)
    assert refused.decision is not None
    assert refused.decision.outcome == "deny"


FACTS: list[ConsentFact] = [
    granted(1),
    narrowed(3, scope={"territories": ("SE",)}),
    withdrawn(2, effect="run_off"),
    withdrawn(None, effective_at=NOW - 20 * DAY),
    granted(1, grant_id="gr-ada-2"),
]


async def test_any_order_of_facts_and_repetitions_gives_the_same_consent(ledger: "PostgresLedger") -> None:
    seen = set()
    for number, order in enumerate(itertools.islice(itertools.permutations(FACTS), 0, 120, 7)):
        talent = f"tal-{number}"
        told = [fact.model_copy(update={"talent_id": talent}) for fact in order]
        await say(ledger, *told, *told[:2])
        view = await ledger.view(talent)
        seen.add(view.model_dump_json().replace(talent, "tal"))
    assert len(seen) == 1


async def test_facts_from_three_partitions_at_once_merge_without_loss(ledger: "PostgresLedger") -> None:
    async def partition(number: int, facts: list[ConsentFact]) -> None:
        for offset, fact in enumerate(facts):
            raw = fact.model_dump_json().encode()
            for _ in range(2):  # each record comes twice
                await ledger.accept_consent(
                    "g", fact, None, ("likeness.consent", number, offset + 1), source="urn:test",
                    event_id=f"{number}-{offset}", digest="", raw=raw,
                )  # fmt: skip

    await asyncio.gather(partition(0, FACTS[:2]), partition(1, FACTS[2:4]), partition(2, FACTS[4:] + FACTS[:1]))
    standing = protocol.Standing(TALENT)
    for fact in FACTS:
        standing = protocol.record(standing, fact).standing
    assert await ledger.view(TALENT) == protocol.view(standing)
    assert await ledger.positions("g", "likeness.consent") == {0: 2, 1: 2, 2: 2}


async def test_the_same_number_with_other_content_puts_the_talent_on_hold(ledger: "PostgresLedger") -> None:
    await say(ledger, granted(1))
    live = await publish(ledger)
    (told,) = await say(ledger, narrowed(1, scope={"channels": ("web",)}))
    assert (told.effect, told.next_free_version) == ("conflict", 2)
    assert (await ledger.view(TALENT)).on_hold
    assert await served(ledger, live.asset_id)  # a hold never takes live images down
    await ledger.release(TALENT, by="op", reason="the narrowing is right")
    assert not (await ledger.view(TALENT)).on_hold


async def test_a_withdrawal_by_hand_goes_out_signed_and_is_a_duplicate_when_read_back(postgres_url: str) -> None:
    from infra.postgres.ledger import PostgresLedger

    async with PostgresLedger.open(postgres_url, sign_fact=lambda raw: f"signed {len(raw)}") as ledger:
        await _withdraw_by_hand(ledger)


async def _withdraw_by_hand(ledger: "PostgresLedger") -> None:
    await say(ledger, granted(1))
    outcome = await ledger.withdraw(TALENT, GRANT, "take_down", "asked", by="op", effective_at=None)
    async with ledger.lease_outbox(10) as rows:
        (row,) = [each for each in rows if each.topic == "likeness.consent"]
    assert row.headers == ((SIGNATURE_HEADER, f"signed {len(row.value)}".encode()),)
    event = parse_event(row.value)
    check_routing(event, row.topic, row.key.encode())
    again = await ledger.record_consent(
        Withdrawn.model_validate(event.data), source=event.source, event_id=event.id, raw=row.value
    )
    assert (again.effect, again.fence) == ("duplicate", outcome.fence)
    assert len(await ledger.withdrawals(TALENT)) == 1


def _publish_and_hang(url: str, ready: "multiprocessing.synchronize.Event") -> None:
    """tx1, then nothing: killed before tx3."""

    async def main() -> None:
        from infra.postgres.ledger import PostgresLedger

        async with PostgresLedger.open(url, publish_lease_seconds=0.2) as ledger:
            assert isinstance(await ledger.begin_publish(request()), Intent)
            ready.set()
            await asyncio.sleep(60)

    asyncio.run(main())


async def test_what_a_killed_publisher_left_is_reaped_and_the_next_attempt_takes_a_new_key(
    ledger: "PostgresLedger", postgres_url: str
) -> None:
    await say(ledger, granted(max_uses=1))
    spawn = multiprocessing.get_context("spawn")
    ready = spawn.Event()
    process = spawn.Process(target=_publish_and_hang, args=(postgres_url, ready))
    process.start()
    assert await asyncio.to_thread(ready.wait, 60)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    await asyncio.to_thread(process.join)
    await asyncio.sleep(0.3)
    assert await ledger.reap() == 1
    (target,) = await ledger.next_targets(10)
    assert (target.state, target.cause, target.attempt) == ("REVOKING", "abandoned", 1)
    intent = await ledger.begin_publish(request())  # the abandoned use was given back
    assert isinstance(intent, Intent)
    assert intent.attempt == 2
    assert intent.key != target.key
    assert (await ledger.finish_publish(intent, request())).state == "PUBLISHED"


async def test_two_publishers_never_take_more_uses_than_granted(ledger: "PostgresLedger") -> None:
    await say(ledger, granted(max_uses=2))
    wanted = [request(cell(f"SKU-{number}")) for number in range(6)]
    begun = await asyncio.gather(*(ledger.begin_publish(each) for each in wanted))
    assert sum(isinstance(each, Intent) for each in begun) == 2
    refused = next(each for each in begun if isinstance(each, PublishOutcome))
    assert refused.decision is not None
    assert "max_uses_reached" in {reason.code for reason in refused.decision.reasons}
    finished = [await ledger.finish_publish(each, of) for each, of in zip(begun, wanted, strict=True)
                if isinstance(each, Intent)]  # fmt: skip
    assert [each.state for each in finished] == ["PUBLISHED", "PUBLISHED"]


async def test_withdrawals_while_many_publish_leave_nothing_live(ledger: "PostgresLedger") -> None:
    await say(ledger, granted())

    async def one(number: int) -> str:
        wanted = request(cell(f"SKU-{number}"))
        intent = await ledger.begin_publish(wanted)
        if isinstance(intent, PublishOutcome):
            return intent.state
        await asyncio.sleep(0.001 * (number % 7))
        return (await ledger.finish_publish(intent, wanted)).state

    async def withdraw() -> None:
        await asyncio.sleep(0.05)
        await say(ledger, withdrawn())

    states, _ = await asyncio.gather(asyncio.gather(*(one(number) for number in range(60))), withdraw())
    assert {"PUBLISHED", "REVOKING"} >= set(states)
    await sweep(ledger)
    await sweep(ledger)
    counts = await ledger.counts()
    assert (counts["published"], counts["withdrawals_open"]) == (0, 0)
    assert {state async for _, state in ledger.object_states()} <= {"REVOKED"}
