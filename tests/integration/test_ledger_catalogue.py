"""What pages and lists read: previews that equal what happens, cells that say why, evidence that verifies."""

from datetime import timedelta
from typing import TYPE_CHECKING

from tasks.decide import may_make
from tasks.ports import Intent
from tests.protocol.made import DAY, GRANT, NOW, TALENT, cell, granted, request, say, withdrawn

if TYPE_CHECKING:
    from infra.postgres.ledger import PostgresLedger


async def publish(ledger: "PostgresLedger", *skus: str, grant_id: str = GRANT, fence: int = 1) -> list[str]:
    made = []
    for sku in skus:
        wanted = request(cell(sku), fence=fence, grant_id=grant_id)
        intent = await ledger.begin_publish(wanted)
        assert isinstance(intent, Intent), intent
        await ledger.finish_publish(intent, wanted)
        made.append(wanted.asset_id)
    return made


async def test_a_preview_changes_nothing_and_tells_what_the_withdrawal_then_does(ledger: "PostgresLedger") -> None:
    await say(ledger, granted(), granted(1, grant_id="gr-2", on_withdrawal="run_off", run_off_days=3))
    going = await publish(ledger, "SKU-1", fence=2)
    running_off = await publish(ledger, "SKU-2", grant_id="gr-2", fence=2)
    one = await ledger.preview_withdrawal(TALENT, GRANT, "stop_new")
    assert (list(one.take_down), [asset for asset, _ in one.stays], one.stops) == (going, running_off, (GRANT,))
    everything = await ledger.preview_withdrawal(TALENT, None, "run_off")
    assert list(everything.take_down) == going
    assert [asset for asset, _ in everything.run_off] == running_off
    assert await ledger.fence(TALENT) == 2
    await say(ledger, withdrawn(None, effect="run_off"))
    (withdrawal_id,) = await ledger.plan_withdrawals()
    facts = await ledger.receipt_facts(withdrawal_id)
    assert [(kept["asset_id"], kept["until"]) for kept in facts["kept"]] == [(running_off[0], NOW + 3 * DAY)]
    assert [target.asset_id for target in await ledger.next_targets(10)] == going


async def test_a_cell_tells_why_it_is_empty_and_then_what_fills_it(ledger: "PostgresLedger") -> None:
    await say(ledger, granted())
    planned, blocked = cell("SKU-1"), cell("SKU-1", scene="berlin", territory="DE")
    view = await ledger.view(TALENT)
    rows = [(each, may_make(each.use, view, NOW), None) for each in (planned, blocked)]
    await ledger.record_decisions("run-1", rows)
    await ledger.record_decisions("run-1", rows)  # a retry says nothing twice
    async with ledger.lease_outbox(10) as out:
        assert len([row for row in out if b"likeness.asset.blocked" in row.value]) == 1
    states = {row["scene"]: row["state"] for row in await ledger.cells("SKU-1")}
    assert states == {"stockholm": "planned", "berlin": "blocked"}
    await ledger.record_rejections("run-1", [(planned, "r1", {"sharpness": 0.1})])
    assert [row["state"] for row in await ledger.cells("SKU-1") if row["scene"] == "stockholm"] == ["rejected"]
    await publish(ledger, "SKU-1")
    assert [row["state"] for row in await ledger.cells("SKU-1") if row["scene"] == "stockholm"] == ["PUBLISHED"]
    counts = await ledger.counts()
    assert (counts["published"], counts["blocked"], counts["rejected"]) == (1, 1, 1)


async def test_a_store_without_atomic_create_is_looked_at_again_before_anything_is_complete(
    ledger: "PostgresLedger",
) -> None:
    ledger._longest_put = timedelta(0)
    await say(ledger, granted())
    await publish(ledger, "SKU-1")
    await say(ledger, withdrawn())
    (withdrawal_id,) = await ledger.plan_withdrawals()
    (target,) = await ledger.next_targets(10)
    await ledger.record_revoked(target.object_id, {"atomic_create": False})
    await ledger.seal(lambda payload: "signed")
    assert await ledger.completable() == []
    (due,) = await ledger.due_second_looks(10)
    await ledger.record_second_look(due.object_id, {"outcome": "returned"})
    (due,) = await ledger.due_second_looks(10)
    await ledger.record_second_look(due.object_id, {"outcome": "held"})
    await ledger.seal(lambda payload: "signed")
    assert await ledger.due_second_looks(10) == []
    assert await ledger.completable() == [withdrawal_id]


async def test_the_gate_knows_how_current_consent_is_only_when_every_partition_was_read(
    ledger: "PostgresLedger",
) -> None:
    await ledger.expect_partitions("likeness.consent", [0, 1])
    await ledger.store_watermark("likeness.consent", 0, NOW)
    assert (await ledger.serve_row("as-none")).consent_current_as_of is None
    await ledger.store_watermark("likeness.consent", 1, NOW - DAY)
    assert (await ledger.serve_row("as-none")).consent_current_as_of == NOW - DAY
    await ledger.store_watermark("likeness.consent", 1, NOW - 2 * DAY)  # time never goes back
    assert (await ledger.serve_row("as-none")).consent_current_as_of == NOW - DAY
