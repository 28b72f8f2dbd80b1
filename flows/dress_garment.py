"""The flow that dresses every permitted twin in a garment and publishes what passed."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

from prefect import flow, get_run_logger

from flows import stages
from flows.context import Bench, all_of, bench
from schemas.base import FORMAT_PIXELS
from tasks.errors import Interrupted, PermanentError

ROUNDS = 3
"""Times that cells are decided and made anew when consent changes while they are made."""


@flow(name="dress garment", retries=0, persist_result=False, validate_parameters=False)
async def dress_garment(inbox_id: int, sku: str, version: int) -> Any:
    """Parameters name the inbox row; the garment itself is on the bench. Returns the counts of the answer event."""
    at_work = bench()
    await at_work.progress.begin("fetching")
    await stages.fetch_photograph()
    await stages.plan_and_decide()
    at_work.progress.expect(2 * len(at_work.permitted))
    if at_work.permitted:
        await stages.understand_garment()
    for _ in range(ROUNDS):
        for twin_ids in batches(at_work):
            if await newer_version_came(at_work):
                return await stages.answer("superseded")
            await for_each(twin_ids, make_frames)
            await stages.judge_frames()
            await for_each(twin_ids, publish_frames)
        if not await settle(at_work):
            break
    else:
        raise Interrupted(f"{sku}: consent changed in each of {ROUNDS} rounds", code="consent_restless")
    await stages.retire_older_version()
    return await stages.answer("dressed")


async def make_frames(twin_id: str) -> None:
    """Generate once, cut out once, then every scene and format."""
    await stages.generate_look(twin_id)
    await stages.cut_out_look(twin_id)
    await stages.composite_frames(twin_id)
    await bench().progress.step(f"{twin_id} made")


async def publish_frames(twin_id: str) -> None:
    if bench().candidates.get(twin_id):
        await stages.publish_looks(twin_id)
    await bench().progress.step(f"{twin_id} published")


async def for_each(twin_ids: Sequence[str], work: Callable[[str], Awaitable[None]]) -> None:
    """The work for all these twins at once. What stops one twin is recorded and leaves the others alone."""
    await all_of(_on_its_own(twin_id, work) for twin_id in twin_ids)


async def _on_its_own(twin_id: str, work: Callable[[str], Awaitable[None]]) -> None:
    at_work = bench()
    if twin_id not in at_work.permitted:  # given up in an earlier step
        return
    try:
        await work(twin_id)
    except Interrupted as error:
        at_work.check_lease()
        get_run_logger().warning("%s stops and is decided anew: %s", twin_id, error)
        at_work.unsettled.extend(each.cell for each in at_work.give_up(twin_id))
    except PermanentError as error:
        why = {"code": error.code, "reasons": [error.message]}
        given_up = [(each.cell, each.recipe.digest(), why) for each in at_work.give_up(twin_id)]
        await at_work.services.ledger.record_rejections(at_work.run, given_up)
        at_work.counts["rejected"] += len(given_up)
        get_run_logger().warning("%s has no image: %s: %s", twin_id, error.code, error.message)


async def settle(at_work: Bench) -> bool:
    """Decide anew what consent changed under: blocked cells are recorded, permitted ones go round again."""
    cells, at_work.unsettled, at_work.permitted = at_work.unsettled, [], {}
    if not cells:
        return False
    at_work.counts["stopped"] += len(cells)
    for each in await stages.decide(cells):
        at_work.permitted.setdefault(each.cell.twin_id, []).append(each)
    return bool(at_work.permitted)


def batches(at_work: Bench) -> Iterator[list[str]]:
    """Twins whose finished frames fit the memory budget together; nearly always all of them at once."""
    batch: list[str] = []
    held = 0
    for twin_id, cells in sorted(at_work.permitted.items()):
        size = sum(3 * width * height for width, height in (FORMAT_PIXELS[each.cell.format] for each in cells))
        if batch and held + size > at_work.services.frame_budget:
            yield batch
            batch, held = [], 0
        batch.append(twin_id)
        held += size
    if batch:
        yield batch


async def newer_version_came(at_work: Bench) -> bool:
    """Then the newer version's own run makes the images that count."""
    newest = await at_work.services.ledger.current_version(at_work.claim.garment.sku)
    return newest is not None and newest > at_work.claim.garment.version
