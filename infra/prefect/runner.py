"""Run a flow warm in this process, under a flow run that Prefect knows and that is created once per key."""

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

import httpx
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.actions import FlowRunCreate
from prefect.client.schemas.objects import FlowRun
from prefect.concurrency.asyncio import ConcurrencySlotAcquisitionError
from prefect.exceptions import Abort, CrashedRun, PrefectException
from prefect.flow_engine import run_flow
from prefect.flows import Flow
from prefect.states import Crashed, Pending, to_state_create

from tasks.errors import ServiceUnavailable

UNREACHABLE = (httpx.HTTPError, OSError, PrefectException, Abort, CrashedRun, ConcurrencySlotAcquisitionError)
"""What the client raises when the server, and not the flow, is at fault."""


@dataclass(frozen=True)
class RunRequest:
    """`key`: one flow run per key, for ever. `replaces`: the key of an earlier attempt whose worker is gone."""

    name: str
    parameters: dict[str, Any]
    tags: Sequence[str]
    key: str
    replaces: str | None = None


class FlowRunner:
    """Implements "create the flow run, then run it here". No deployment is registered, so that the Prefect UI offers
    no start button for work that only an inbox row may start."""

    def __init__(self, api_url: str) -> None:
        self._api_url = api_url.rstrip("/")
        self._flow_ids: dict[str, UUID] = {}

    async def reachable(self, timeout: float = 2.0) -> bool:
        """Asked before a garment is claimed: with the server away, a flow would hang and not fail."""
        try:
            async with httpx.AsyncClient(timeout=timeout) as client:
                return (await client.get(f"{self._api_url}/health")).status_code == 200
        except (httpx.HTTPError, OSError):
            return False

    async def run(self, flow: Flow[..., Any], request: RunRequest) -> Any:
        """What the flow returns. Raises what the flow raises, or ServiceUnavailable when Prefect is to blame."""
        try:
            async with get_client() as client:
                if request.replaces is not None:
                    await self._close(client, flow, request.replaces)
                run = await self._create(client, flow, request)
                if run.state is not None and (run.state.is_final() or run.state.is_running()):
                    await client.set_flow_run_state(run.id, Pending(message="taken up again"), force=True)
            running = cast(Awaitable[Any], run_flow(flow, flow_run=run, parameters=request.parameters))
            return await running
        except UNREACHABLE as error:
            raise ServiceUnavailable(f"Prefect: {type(error).__name__}: {error}", code="prefect_unavailable") from error

    async def _create(self, client: PrefectClient, flow: Flow[..., Any], request: RunRequest) -> FlowRun:
        body = FlowRunCreate(
            flow_id=await self._flow_id(client, flow),
            name=request.name,
            parameters=request.parameters,
            tags=list(request.tags),
            state=to_state_create(Pending()),
            idempotency_key=request.key,
        )
        answer = await client.request("POST", "/flow_runs/", json=body.model_dump(mode="json", exclude_unset=True))
        return FlowRun.model_validate(answer.json())

    async def _flow_id(self, client: PrefectClient, flow: Flow[..., Any]) -> UUID:
        if flow.name not in self._flow_ids:
            self._flow_ids[flow.name] = await client.create_flow(flow)
        return self._flow_ids[flow.name]

    async def _close(self, client: PrefectClient, flow: Flow[..., Any], key: str) -> None:
        """A run whose worker died stays RUNNING for ever unless somebody says otherwise. Creating it under its own key
        gives it back if it is there."""
        earlier = await self._create(client, flow, RunRequest(name=key, parameters={}, tags=(), key=key))
        if earlier.state is None or not earlier.state.is_final():
            message = "its worker went away; the garment is dressed by a later attempt"
            await client.set_flow_run_state(earlier.id, Crashed(message=message), force=True)
