"""The flow that holds the store against the ledger: every key that shows a talent must have an Object row, and every
published object its bytes."""

from typing import Any

from prefect import flow

from flows.context import services
from infra.prefect.artifacts import show_table
from tasks.evidence import tombstone_of


@flow(name="reconcile", retries=0, persist_result=False, validate_parameters=False)
async def reconcile() -> dict[str, int]:
    """Counts of keys, of keys that nobody knows, and of objects that lost their bytes or their tombstone."""
    ledger, store = services().ledger, services().store
    known = {key: state async for key, state in ledger.object_states()}
    rows: list[dict[str, Any]] = []
    keys = 0
    async for key in store.keys():
        if key.startswith("scenes/"):  # backdrops show nobody
            continue
        keys += 1
        state = known.pop(key, None)
        if state is None:
            rows.append({"key": key, "problem": "unknown to the ledger"})
        elif state == "REVOKED" and tombstone_of(await store.read(key) or b"") is None:
            rows.append({"key": key, "problem": "revoked, but what lies there is no tombstone"})
    rows += [{"key": key, "problem": f"{state}, but there are no bytes"} for key, state in known.items()
             if state in ("PUBLISHED", "REVOKED")]  # fmt: skip
    await show_table("reconcile", "store", rows or [{"key": "-", "problem": "none"}], "store against ledger")
    return {"keys": keys, "problems": len(rows)}
