"""The ledger publishes under consent, and the gate sees withdrawals, narrowing and expiry at once."""

from typing import TYPE_CHECKING

import pytest

from tasks.decide import may_serve
from tasks.ports import Intent, PublishOutcome
from tests.protocol.made import GRANT, TALENT, cell, granted, narrowed, request, say, withdrawn

if TYPE_CHECKING:
    from infra.postgres.ledger import PostgresLedger


async def publish(ledger: "PostgresLedger", of=None) -> PublishOutcome:  # type: ignore[no-untyped-def]
    of = of or request()
    intent = await ledger.begin_publish(of)
    assert isinstance(intent, Intent), intent
    return await ledger.finish_publish(intent, of)


async def served(ledger: "PostgresLedger", asset_id: str) -> bool:
    row = await ledger.serve_row(asset_id)
    return row.asset is not None and row.consent is not None and may_serve(row.asset, row.consent, row.at).permitted


async def test_an_asset_is_published_once_and_found_by_the_gate(ledger: "PostgresLedger") -> None:
    await say(ledger, granted())
    outcome = await publish(ledger)
    assert outcome.state == "PUBLISHED"
    assert await served(ledger, outcome.asset_id)
    again = await ledger.begin_publish(request())
    assert isinstance(again, PublishOutcome)
    assert again.state == "already"


async def test_a_withdrawal_closes_the_gate_before_the_sweep_starts(ledger: "PostgresLedger") -> None:
    await say(ledger, granted())
    outcome = await publish(ledger)
    recorded = await ledger.withdraw(TALENT, GRANT, "take_down", "asked", by="op", effective_at=None)
    assert recorded.effect == "applied"
    assert not await served(ledger, outcome.asset_id)
    assert (await ledger.find_live(outcome.asset_id)) is not None  # nothing was swept yet


async def test_narrowing_bites_at_the_gate_and_the_sweep_follows(ledger: "PostgresLedger") -> None:
    await say(ledger, granted())
    sweden, japan = request(), request(cell(scene="tokyo", territory="JP"))
    for each in (sweden, japan):
        await publish(ledger, each)
    await say(ledger, narrowed(scope={"territories": ("JP",)}))
    assert not await served(ledger, sweden.asset_id)
    assert await served(ledger, japan.asset_id)
    assert await ledger.expire() == 1
    swept = await ledger.asset(sweden.asset_id)
    assert swept is not None
    assert (swept.state, swept.cause) == ("REVOKING", "narrowed")


@pytest.mark.parametrize("scope", [{"channels": ("social",)}, {"brands": ()}, {"edits": ("clothing",)}])
async def test_what_the_grant_does_not_name_is_refused_at_tx1(ledger: "PostgresLedger", scope: dict) -> None:  # type: ignore[type-arg]
    await say(ledger, granted(scope=scope))
    refused = await ledger.begin_publish(request())
    assert isinstance(refused, PublishOutcome)
    assert refused.state == "REVOKING"
    assert refused.decision is not None
    assert refused.decision.outcome == "deny"


async def test_a_withdrawal_of_everything_is_planned_swept_and_completed(ledger: "PostgresLedger") -> None:
    await say(ledger, granted())
    outcome = await publish(ledger)
    reference = await ledger.reserve_object(
        "twin_reference", talent_id=TALENT, twin_id="tw-ada", fence=1, name="front.png", sha256="b" * 64, size=1,
        content_type="image/png",
    )  # fmt: skip
    assert reference is not None
    assert await ledger.confirm_object(reference)
    await say(ledger, withdrawn(None))
    (withdrawal_id,) = await ledger.plan_withdrawals()
    assert await ledger.completable() == []
    targets = await ledger.next_targets(10)
    assert {each.object_id for each in targets} == {outcome.object_id, reference.object_id}
    for each in targets:
        await ledger.record_revoked(each.object_id, {"object_id": each.object_id, "atomic_create": True})
    assert await ledger.completable() == []  # its evidence is not sealed yet
    assert await ledger.seal(lambda payload: "signed") == 2
    assert await ledger.completable() == [withdrawal_id]
    facts = await ledger.receipt_facts(withdrawal_id)
    assert len(facts["targets"]) == 2
    await ledger.complete(withdrawal_id, "receipt", {})
    seen = await ledger.withdrawal(withdrawal_id)
    assert seen is not None
    assert (seen["status"], seen["total"], seen["done"], seen["receipt"]) == ("complete", 2, 2, "receipt")
