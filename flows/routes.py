"""Event type -> flow: how a claimed garment event becomes a flow run, and what its end means for the inbox row.

claim ──> flow run (created once per attempt, run here, warm) ──> the flow's last stage finishes the claim
             │ PermanentError   finish "failed", dead letter with the reason
             │ TransientError   give back, later again; beyond the limit a dead letter
             │ lease lost       nothing: the row is another worker's now
"""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from prefect.flows import Flow

from flows.context import Bench, Services, at
from flows.discontinue_garment import discontinue_garment
from flows.dress_garment import dress_garment
from infra.prefect.artifacts import Progress
from infra.prefect.runner import FlowRunner, RunRequest
from tasks.errors import LikenessError, PermanentError, TransientError
from tasks.ports import Claim

log = logging.getLogger(__name__)
RETRY_SECONDS = 5.0
IDLE_SECONDS = 1.0


@dataclass(frozen=True)
class Route:
    verb: str
    flow: Flow[..., Any]


ROUTES: Mapping[str, Route] = {
    "likeness.garment.created": Route("dress", dress_garment),
    "likeness.garment.updated": Route("dress", dress_garment),
    "likeness.garment.discontinued": Route("discontinue", discontinue_garment),
}


def request_of(claim: Claim, verb: str) -> RunRequest:
    """One flow run per event and attempt. An earlier attempt's run is closed: its worker is gone."""
    garment, event = claim.garment, f"{claim.source}|{claim.event_id}"
    return RunRequest(
        name=f"{verb} {garment.sku} v{garment.version}",
        parameters={"inbox_id": claim.inbox_id, "sku": garment.sku, "version": garment.version},
        tags=[f"sku:{garment.sku}", f"brand:{garment.brand}"],
        key=f"{event}|{claim.attempt}",
        replaces=f"{event}|{claim.attempt - 1}" if claim.attempt > 1 else None,
    )


async def work_for_ever(services: Services, runner: FlowRunner, lease_seconds: float) -> None:
    """Claim and work, one garment after the other. With Prefect or the ledger away garments wait in the inbox."""
    while True:
        services.fence.inbox.clear()
        try:
            reachable = await runner.reachable()
            claim = await services.ledger.claim(services.worker, lease_seconds) if reachable else None
            if claim is not None:
                await work_on(claim, services, runner, lease_seconds)
                continue
            if not reachable:
                log.error("alert: Prefect does not answer; garments wait in the inbox, withdrawals do not")
        except TransientError as error:
            log.error("alert: %s", error)
        with suppress(TimeoutError):
            await asyncio.wait_for(services.fence.inbox.wait(), IDLE_SECONDS)


async def work_on(claim: Claim, services: Services, runner: FlowRunner, lease_seconds: float) -> None:
    """Run the flow of a claimed event to its end, keeping the lease meanwhile. Raises nothing that the claim's fate
    answers for."""
    route = ROUTES[claim.type]
    bench = Bench(services, claim, run=f"in-{claim.inbox_id}", progress=Progress(claim.garment.sku))
    keeping = asyncio.create_task(keep_lease(bench, lease_seconds))
    try:
        with at(bench):
            await runner.run(route.flow, request_of(claim, route.verb))
    except PermanentError as error:
        await end_badly(bench, error)
    except TransientError as error:
        if not bench.lost.is_set():
            log.warning("%s goes back into the inbox: %s", claim.garment.sku, error)
            await services.ledger.give_back(claim, f"{error.code}: {error.message}", delay_seconds=RETRY_SECONDS)
    except asyncio.CancelledError:
        bench.lost.set()  # threads that still paint stop at their next look
        await services.ledger.give_back(claim, "the dresser was stopped", delay_seconds=0)
        raise
    except Exception as error:  # a defect of ours must not end the process: the row's attempts are counted
        log.exception("%s: a defect", claim.garment.sku)
        await services.ledger.give_back(claim, f"defect: {type(error).__name__}: {error}", delay_seconds=RETRY_SECONDS)
    finally:
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping


async def end_badly(bench: Bench, error: LikenessError) -> None:
    log.warning("%s cannot be dressed: %s: %s", bench.claim.garment.sku, error.code, error.message)
    summary = {**bench.counts, "code": error.code, "message": error.message}
    await bench.services.ledger.finish(bench.claim, "failed", summary)


async def keep_lease(bench: Bench, lease_seconds: float) -> None:
    """Heartbeat, three per lease. A lost lease stops the work; a ledger that is away costs heartbeats, not the work."""
    while True:
        await asyncio.sleep(lease_seconds / 3)
        try:
            if not await bench.services.ledger.heartbeat(bench.claim, lease_seconds):
                log.warning("%s: the lease is lost", bench.claim.garment.sku)
                bench.lost.set()
                return
        except TransientError as error:
            log.warning("%s: no heartbeat: %s", bench.claim.garment.sku, error)
