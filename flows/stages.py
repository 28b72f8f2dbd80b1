"""Every stage as Prefect shows it: name, tags, retries. What a stage does is in `tasks`; arrays lie on the bench.

One task run per garment or per twin, never per image. Only TransientError is tried again here; Interrupted never is,
for it means that consent changed or the lease went, and that is decided anew and not repeated.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, ParamSpec

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.tasks import Task

from flows.context import Candidate, Permitted, all_of, bench, on_pixels
from infra.prefect.artifacts import show_contact_sheet, show_table, tag_run
from schemas.asset import Cell
from schemas.decision import Decision
from tasks import generate
from tasks.composite import PreparedBackdrop, composite_prepared
from tasks.decide import may_make
from tasks.dress import only_a_preview, pack_look, recipe_of, unpack_look
from tasks.errors import Interrupted, TransientError, UnusablePhotograph
from tasks.fetch import fetch
from tasks.imaging.load import load_photograph
from tasks.imaging.pictures import CutLook, GarmentCutout, GenerateRequest, TwinReference
from tasks.judge import Verdict, with_nearest
from tasks.measure import measure
from tasks.plan import plan
from tasks.ports import Marked, PublishRequest
from tasks.publish import keep, publish, recall
from tasks.segment import segment
from tasks.suggest import suggest

P = ParamSpec("P")
Report = dict[str, Any]
"""What a stage tells Prefect: counts and ids, JSON-able and small."""


async def _worth_another_try(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    error = await state.aresult(raise_on_failure=False)
    return isinstance(error, TransientError) and not isinstance(error, Interrupted)


def stage(name: str, *, per_twin: bool = False) -> Callable[[Callable[P, Awaitable[Report]]], Task[P, Any]]:
    """A task that keeps no result, looks up no cache and is tried twice."""
    return task(
        name=name,
        task_run_name=f"{name} {{twin_id}}" if per_twin else name,
        tags=[f"stage:{name.replace(' ', '-')}"],
        retries=1,
        retry_delay_seconds=1,
        retry_condition_fn=_worth_another_try,
        persist_result=False,
        cache_policy=NO_CACHE,
    )


# ---------------------------------------------------------------- per garment, before any twin
@stage("fetch")
async def fetch_photograph() -> Report:
    """The front image's verified bytes, decoded."""
    at_work = bench()
    data, sha256 = await fetch(at_work.claim.garment.front, at_work.services.images)
    at_work.photograph = await on_pixels(load_photograph, data)
    at_work.photograph_sha256 = sha256
    return {"sha256": sha256, "height": at_work.photograph.shape[0], "width": at_work.photograph.shape[1]}


@stage("decide")
async def plan_and_decide() -> Report:
    """The cells, and for each whether consent permits it; every decision is recorded. What is live already is done."""
    at_work = bench()
    ledger, garment = at_work.services.ledger, at_work.claim.garment
    at_work.twins = {twin.twin_id: twin for twin in await ledger.twins()}
    at_work.scenes = {scene.scene: scene for scene in await ledger.scenes()}
    cells = plan(garment, list(at_work.twins.values()), list(at_work.scenes.values()), await ledger.now())
    at_work.counts["planned"] = len(cells)
    live = {asset.asset_id for asset in await ledger.assets(sku=garment.sku, state="PUBLISHED", limit=100_000)}
    for each in await decide(cells):
        if each.asset_id in live:
            at_work.counts["already"] += 1
        else:
            at_work.permitted.setdefault(each.cell.twin_id, []).append(each)
    await tag_run([f"twin:{twin_id}" for twin_id in sorted(at_work.permitted)])
    await show_table("decisions", garment.sku, at_work.decisions, f"{garment.sku}: what consent says of each cell")
    return dict(at_work.counts)


async def decide(cells: Sequence[Cell]) -> list[Permitted]:
    """Decide and record each cell. Returns what is permitted, in order."""
    at_work = bench()
    ledger = at_work.services.ledger
    views = await ledger.views(sorted({cell.use.talent_id for cell in cells}))
    now = await ledger.now()
    rows: list[tuple[Cell, Decision, str | None]] = []
    for cell in cells:
        decision = may_make(cell.use, views[cell.use.talent_id], now)
        rows.append((cell, decision, None if decision.permitted else suggest(cell, views, now)))
    ids = await ledger.record_decisions(at_work.run, rows)
    at_work.counts["blocked"] += sum(not decision.permitted for _, decision, _ in rows)
    at_work.decisions.extend(_decision_row(*row) for row in rows)
    return [
        _permitted(cell, decision, decision_id)
        for (cell, decision, _), decision_id in zip(rows, ids, strict=True)
        if decision.permitted
    ]


def _permitted(cell: Cell, decision: Decision, decision_id: int) -> Permitted:
    at_work = bench()
    garment = at_work.claim.garment
    recipe = recipe_of(
        at_work.scenes[cell.scene],
        cell.format,
        garment_image=at_work.photograph_sha256,
        category=garment.category,
        twin=at_work.twins[cell.twin_id],
        generator=at_work.generator.name,
        segmenter=at_work.services.imaging.segmenter.name,
    )
    if decision.grant_id is None or decision.grant_version is None:
        raise ValueError("a permit names the grant version that it rests on")
    asset_id = cell.asset_id(recipe.digest(), decision.grant_id, decision.grant_version)
    return Permitted(cell, decision, decision_id, recipe, asset_id)


def _decision_row(cell: Cell, decision: Decision, alternative: str | None) -> Report:
    return {
        "twin": cell.twin_id,
        "scene": cell.scene,
        "format": cell.format,
        "outcome": decision.outcome,
        "grant": "" if decision.grant_id is None else f"{decision.grant_id} v{decision.grant_version}",
        "reasons": "; ".join(f"{reason.code}: {reason.detail}" for reason in decision.reasons),
        "alternative": alternative or "",
    }


@stage("understand")
async def understand_garment() -> Report:
    """Cut the garment out of its photograph and find its landmarks; once per garment."""
    at_work = bench()
    if at_work.photograph is None:
        raise UnusablePhotograph("nothing was fetched")
    understand = at_work.services.imaging.understand
    cutout = await on_pixels(understand, at_work.photograph, at_work.claim.garment.category)
    at_work.cutout, at_work.photograph = cutout, None
    return {"sleeve": cutout.sleeve, "confidence": round(cutout.confidence, 3), "problems": list(cutout.problems)}


# ---------------------------------------------------------------- per twin
@stage("generate", per_twin=True)
async def generate_look(twin_id: str) -> Report:
    """The twin wearing the garment, or its cut-out look out of the stage cache."""
    at_work = bench()
    at_work.check_lease()
    services, first = at_work.services, at_work.permitted[twin_id][0]
    fence = first.decision.fence
    reference = await services.shelf.twin(at_work.twins[twin_id], fence)
    kept = await recall(
        "stage_cache", twin_id=twin_id, name=first.recipe.look_digest(), ledger=services.ledger, store=services.store
    )
    if kept is not None:
        at_work.cut[twin_id] = await on_pixels(unpack_look, kept)
        return {"look": first.recipe.look_digest(), "from": "stage cache"}
    should_stop = at_work.should_stop(first.cell.use.talent_id, fence)
    request = GenerateRequest(reference, at_work.understood, first.recipe.seed)
    at_work.generated[twin_id] = await on_pixels(generate.generate_look, request, at_work.generator, should_stop)
    return {"look": first.recipe.look_digest(), "from": at_work.generator.name}


@stage("cut out", per_twin=True)
async def cut_out_look(twin_id: str) -> Report:
    """The person out of the generated look; kept for the next backdrop under a row of its own."""
    at_work = bench()
    look = at_work.generated.pop(twin_id, None)
    if look is None:
        return {"from": "stage cache"}
    services, first = at_work.services, at_work.permitted[twin_id][0]
    packed = await on_pixels(lambda: pack_look(segment(look, services.imaging.segmenter)))
    at_work.cut[twin_id] = await on_pixels(unpack_look, packed)
    kept = await keep(
        "stage_cache",
        packed,
        name=first.recipe.look_digest(),
        talent_id=first.cell.use.talent_id,
        twin_id=twin_id,
        fence=first.decision.fence,
        content_type="application/octet-stream",
        ledger=services.ledger,
        store=services.store,
    )
    return {"bytes": len(packed), "kept": kept}


@stage("composite", per_twin=True)
async def composite_frames(twin_id: str) -> Report:
    """Every scene and format of the look, each measured as soon as it is made."""
    at_work = bench()
    cut, cells, cutout = at_work.cut.pop(twin_id), at_work.permitted[twin_id], at_work.understood
    fence = cells[0].decision.fence
    reference = await at_work.services.shelf.twin(at_work.twins[twin_id], fence)
    should_stop = at_work.should_stop(cells[0].cell.use.talent_id, fence)

    async def one(each: Permitted) -> Candidate:
        if should_stop():
            raise Interrupted(f"{twin_id}: consent changed", code="fence_raised")
        backdrop = await at_work.services.shelf.prepared(at_work.scenes[each.cell.scene], each.cell.format)
        return await on_pixels(_make_frame, each, cut, backdrop, reference, cutout, preview_only=at_work.preview_only)

    at_work.candidates[twin_id] = await all_of(one(each) for each in cells)
    return {"frames": len(cells)}


def _make_frame(
    each: Permitted,
    cut: CutLook,
    backdrop: PreparedBackdrop,
    reference: TwinReference,
    cutout: GarmentCutout,
    *,
    preview_only: bool,
) -> Candidate:
    frame = composite_prepared(cut, backdrop, reference)
    measures = measure(frame, cut, reference, cutout, backdrop.scene, backdrop.format)
    return Candidate(each, frame.image, measures, preview_only)


@stage("publish", per_twin=True)
async def publish_looks(twin_id: str) -> Report:
    """Mark and publish what passed. Publishing asks consent again, under the talent's lock."""
    at_work = bench()
    at_work.check_lease()
    outcomes = await all_of(_publish_and_clear(twin_id, each) for each in at_work.candidates.get(twin_id, []))
    del at_work.candidates[twin_id]
    return {"twin": twin_id, **{outcome: outcomes.count(outcome) for outcome in sorted(set(outcomes))}}


async def _publish_and_clear(twin_id: str, candidate: Candidate) -> str:
    """Off the bench only once it is settled: what a ledger or store that was away left open is tried again."""
    at_work = bench()
    outcome = await _publish_one(candidate)
    at_work.candidates[twin_id] = [each for each in at_work.candidates[twin_id] if each is not candidate]
    at_work.counts[outcome] += outcome != "stopped"  # counted when it is decided anew
    return outcome


async def _publish_one(candidate: Candidate) -> str:
    """published, already or stopped."""
    at_work = bench()
    services, each = at_work.services, candidate.permitted
    scene = at_work.scenes[each.cell.scene]
    facts = {"generator": at_work.generator.name, "recipe": each.recipe.digest(), "brand": each.cell.use.brand}
    marked = await on_pixels(
        services.imaging.marker.mark,
        candidate.image,
        title=at_work.claim.garment.title,
        asset_id=each.asset_id,
        scene_label=scene.label_text,
        facts=facts,
    )
    outcome = await publish(_request(candidate, marked), marked.data, services.ledger, services.store)
    if outcome.state == "REVOKING":
        at_work.unsettled.append(each.cell)
        return "stopped"
    shown = {"asset_id": each.asset_id, "twin_id": each.cell.twin_id, "scene": scene.scene, "format": each.cell.format}
    at_work.published.append(shown)
    return "published" if outcome.state == "PUBLISHED" else "already"


def _request(candidate: Candidate, marked: Marked) -> PublishRequest:
    each, worker = candidate.permitted, bench().services.worker
    if each.decision.grant_id is None or each.decision.grant_version is None:
        raise ValueError("a permit names the grant version that it rests on")
    return PublishRequest(
        cell=each.cell,
        asset_id=each.asset_id,
        grant_id=each.decision.grant_id,
        grant_version=each.decision.grant_version,
        fence=each.decision.fence,
        decision_id=each.decision_id,
        recipe=each.recipe.model_dump(mode="json"),
        recipe_digest=each.recipe.digest(),
        phash=str(candidate.measures["phash"]),
        measures=candidate.measures,
        checks=candidate.checks,
        sha256=marked.sha256,
        size=len(marked.data),
        content_type=marked.content_type,
        width=marked.width,
        height=marked.height,
        worker=worker,
        preview_only=candidate.preview_only,
    )


# ---------------------------------------------------------------- per garment, after the twins
@stage("judge")
async def judge_frames() -> Report:
    """One run of the suite over one row per frame. What failed leaves the bench, recorded with its measures."""
    at_work = bench()
    at_work.check_lease()
    measured = {each.permitted.asset_id: each for twin in at_work.candidates.values() for each in twin}
    if not measured:
        return {"frames": 0}
    rows = with_nearest([{**each.measures, "image_id": asset_id} for asset_id, each in measured.items()])
    verdicts = await on_pixels(at_work.services.imaging.judge.judge, rows)
    rejected = []
    for verdict in verdicts:
        candidate = measured[verdict.image_id]
        candidate.checks = verdict.as_checks()
        at_work.checks.append(_check_row(candidate, verdict))
        if only_a_preview(verdict):
            candidate.preview_only = True
        elif not verdict.passed:
            at_work.candidates[candidate.permitted.cell.twin_id].remove(candidate)
            rejected.append((candidate.permitted.cell, candidate.permitted.recipe.digest(), candidate.checks))
    await at_work.services.ledger.record_rejections(at_work.run, rejected)
    at_work.counts["rejected"] += len(rejected)
    return {"frames": len(measured), "rejected": len(rejected)}


def _check_row(candidate: Candidate, verdict: Verdict) -> Report:
    cell = candidate.permitted.cell
    failed = "; ".join(f"{each.sentence} ({each.measure} {each.value}, {each.limit})" for each in verdict.failures)
    numbers = {name: round(value, 3) for name, value in candidate.measures.items() if isinstance(value, float)}
    word = "pass" if verdict.passed else f"{'preview' if only_a_preview(verdict) else 'fail'}: {failed}"
    return {"twin": cell.twin_id, "scene": cell.scene, "format": cell.format, "verdict": word, **numbers}


@stage("retire")
async def retire_older_version() -> Report:
    """The older version's assets go now that the new ones are published; never when nothing took their place."""
    at_work = bench()
    at_work.check_lease()
    if not at_work.published and not at_work.counts["already"]:
        return {"retired": 0}
    garment = at_work.claim.garment
    at_work.counts["retired"] = await at_work.services.ledger.retire_older(garment.sku, garment.version)
    return {"retired": at_work.counts["retired"]}


@stage("answer")
async def answer(outcome: str) -> Report:
    """What operations look at, and the ledger's own word that the garment is done: the answer event."""
    at_work = bench()
    garment, gate_url = at_work.claim.garment, at_work.services.gate_url
    await show_table("checks", garment.sku, at_work.checks, f"{garment.sku}: the measures of each image")
    await show_contact_sheet(garment.sku, garment.title, gate_url, at_work.published)
    await at_work.progress.end(outcome)
    at_work.check_lease()
    if not await at_work.services.ledger.finish(at_work.claim, outcome, at_work.counts):
        raise Interrupted(f"{garment.sku}: the lease is lost, another worker answers", code="lease_lost")
    return dict(at_work.counts)
