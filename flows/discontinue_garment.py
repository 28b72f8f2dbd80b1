"""The flow that takes down a garment's images because the garment is no longer made or sold."""

from typing import Any

from prefect import flow

from flows.context import bench
from flows.stages import Report, stage
from tasks.errors import Interrupted


@stage("discontinue")
async def discontinue() -> Report:
    """Every live asset of the SKU goes to the sweep; the ledger then answers the event."""
    at_work = bench()
    garment = at_work.claim.garment
    at_work.counts["retired"] = await at_work.services.ledger.discontinue(garment.sku)
    if not await at_work.services.ledger.finish(at_work.claim, "dressed", at_work.counts):
        raise Interrupted(f"{garment.sku}: the lease is lost, another worker answers", code="lease_lost")
    return {"retired": at_work.counts["retired"]}


@flow(name="discontinue garment", retries=0, persist_result=False, validate_parameters=False)
async def discontinue_garment(inbox_id: int, sku: str, version: int) -> dict[str, Any]:
    """Parameters name the inbox row; the garment itself is on the bench."""
    return await discontinue()  # type: ignore[no-any-return]  # Prefect's task types give Any
