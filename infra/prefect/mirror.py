"""The mirror: withdrawals of the ledger shown as flow runs. Best effort; a withdrawal never waits for Prefect."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from prefect.flows import Flow

from infra.prefect.runner import FlowRunner, RunRequest
from tasks.errors import LikenessError

log = logging.getLogger(__name__)
LOOK_SECONDS = 1.0


async def mirror_withdrawals(
    withdrawals: Callable[[], Awaitable[Sequence[Mapping[str, Any]]]], watch: Flow[..., Any], runner: FlowRunner
) -> None:
    """For ever: one run of `watch` per withdrawal that was open when it was first seen, or came later."""
    seen: set[str] = set()
    watching: set[asyncio.Task[None]] = set()
    first = True
    while True:
        try:
            for row in await withdrawals():
                if row["withdrawal_id"] in seen:
                    continue
                seen.add(row["withdrawal_id"])
                if first and row["status"] == "complete":
                    continue
                task = asyncio.create_task(_watch(row, watch, runner))
                watching.add(task)
                task.add_done_callback(watching.discard)
            first = False
        except LikenessError as error:
            log.warning("withdrawals are not mirrored: %s", error)
        await asyncio.sleep(LOOK_SECONDS)


async def _watch(row: Mapping[str, Any], watch: Flow[..., Any], runner: FlowRunner) -> None:
    request = RunRequest(
        name=f"withdrawal {row['talent_id']}",
        parameters={"withdrawal_id": row["withdrawal_id"]},
        tags=[f"talent:{row['talent_id']}", f"effect:{row['effect']}"],
        key=f"withdrawal|{row['withdrawal_id']}",
    )
    try:
        await runner.run(watch, request)
    except LikenessError as error:
        log.warning("withdrawal %s is not mirrored: %s", row["withdrawal_id"], error)
