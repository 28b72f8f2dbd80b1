"""The flow that shows a withdrawal's progress in Prefect. It only looks: the sweep takes images down without it."""

import asyncio
from typing import Any

from prefect import flow

from flows.context import services
from infra.prefect.artifacts import Progress, show_note
from tasks.errors import NotFound

LOOK_SECONDS = 1.0


@flow(name="watch withdrawal", retries=0, persist_result=False, validate_parameters=False)
async def watch_withdrawal(withdrawal_id: str) -> dict[str, Any]:
    """Ends when the withdrawal is complete. Returns its counts."""
    ledger = services().ledger
    progress = Progress(withdrawal_id)
    await progress.begin("planning what must go")
    while True:
        seen = await ledger.withdrawal(withdrawal_id)
        if seen is None:
            raise NotFound(f"no withdrawal {withdrawal_id}")
        if seen["status"] == "complete":
            break
        await progress.show(seen["done"], seen["total"], f"{seen['done']} of {seen['total']} taken down")
        await asyncio.sleep(LOOK_SECONDS)
    await progress.end("complete")
    await show_note("withdrawal", withdrawal_id, _note(seen), f"{seen['talent_id']}: complete")
    return {"done": seen["done"], "total": seen["total"]}


def _note(seen: dict[str, Any]) -> str:
    return "\n".join([
        f"# Withdrawal {seen['withdrawal_id']}", "",
        f"- talent: {seen['talent_id']}", f"- grant: {seen['grant_id'] or 'everything'}",
        f"- effect: {seen['effect']}", f"- recorded: {seen['recorded_at']}", f"- complete: {seen['completed_at']}",
        f"- taken down: {seen['done']} of {seen['total']}", "",
        f"The signed receipt: `likeness receipt show {seen['withdrawal_id']}`.",
    ])  # fmt: skip
