"""A garment's whole flow beside the same stage functions called in a loop: same inputs, same threads, turn by turn."""

import asyncio
import hashlib
import json
import os
import statistics
import threading
import time
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import cv2

from benchmarks.measures import Result
from benchmarks.services import circumstances
from console.cli.twins import read_scenes, read_twins, reader
from flows.context import Services, Shelf
from flows.routes import work_on
from infra.bootstrap.imaging import Imaging, open_imaging
from infra.fetching import ImageReader
from infra.marking.certificates import make_development_chain
from infra.models.draft import DraftGenerator
from infra.postgres.fence import PostgresFence
from infra.postgres.ledger import PostgresLedger
from infra.prefect.runner import FlowRunner
from infra.settings import Settings
from infra.store.local import LocalStore
from schemas.base import Format
from schemas.consent import Granted
from schemas.garment import Garment
from schemas.grant import Scope
from schemas.scene import Scene
from schemas.twin import Twin
from tasks.composite import PreparedBackdrop, composite_prepared, prepare_backdrop
from tasks.dress import only_a_preview
from tasks.errors import ChecksFailed
from tasks.generate import generate_look
from tasks.imaging.load import load_backdrop, load_photograph, load_twin
from tasks.imaging.pictures import U8, CutLook, GarmentCutout, GeneratedLook, GenerateRequest, TwinReference
from tasks.judge import with_nearest
from tasks.library import take_in_scene, take_in_twin
from tasks.measure import measure
from tasks.ports import Generator, InboxRow, ShouldStop
from tasks.segment import segment

PACK = Path(__file__).parent.parent / "samples" / "pack"
FORMATS: tuple[Format, ...] = ("4:5", "1:1", "9:16")
WORKERS = os.cpu_count() or 2
GPU_SECONDS = 2.0


class GpuLike:
    """A draft that keeps a device busy for so long per look, one look at a time, and costs no more CPU than that."""

    name = "gpu-like-1"
    commercial_use = True

    def __init__(self) -> None:
        self._device, self._draft = threading.Lock(), DraftGenerator()

    def generate(self, requests: Sequence[GenerateRequest], should_stop: ShouldStop) -> list[GeneratedLook]:
        looks = self._draft.generate(requests, should_stop)
        with self._device:
            time.sleep(GPU_SECONDS * len(requests))
        return looks


@dataclass(frozen=True)
class Inputs:
    twins: list[tuple[Twin, Path]]
    scenes: list[tuple[Scene, Path]]
    formats: tuple[Format, ...]
    garments: list[dict[str, Any]]

    def garment(self, number: int) -> Garment:
        """Another photograph each time, so that no stage cache helps."""
        given = self.garments[number % len(self.garments)]
        content = {key: given[key] for key in ("brand", "category", "title")}
        image = PACK / "garments" / given["image"]
        return Garment.model_validate(
            content
            | {
                "sku": f"SKU-{number}", "version": 1, "images": [{"uri": image.as_uri(), "sha256": given["sha256"]}],
                "markets": sorted({scene.market for scene, _ in self.scenes}), "channels": ["web"],
                "formats": list(self.formats),
            }
        )  # fmt: skip


def inputs(*, small: bool) -> Inputs:
    garments = json.loads((PACK / "garments" / "garments.json").read_text())
    twins, scenes = read_twins(PACK / "twins"), read_scenes(PACK / "scenes")
    if small:
        return Inputs(twins[:2], scenes[:1], FORMATS[:2], garments)
    return Inputs(twins[:8], scenes[:3], FORMATS, garments)


def measured(home: Path, url: str, api_url: str, *, small: bool) -> list[Result]:
    cv2.setNumThreads(1)  # as the dresser does
    return asyncio.run(_measured(home, url, api_url, inputs(small=small), 1 if small else 3))


async def _measured(home: Path, url: str, api_url: str, given: Inputs, turns: int) -> list[Result]:
    settings = Settings(home=home)
    make_development_chain(settings.folder("keys"))
    pixels = await asyncio.to_thread(open_imaging, settings)
    generators: dict[str, Generator] = {**pixels.generators, "gpu": GpuLike()}
    imaging = Imaging(generators, pixels.segmenter, pixels.understand, pixels.judge, pixels.marker)
    async with _house(home, url, imaging, given) as services:
        pair = Pair(services, FlowRunner(api_url), Bare(imaging, given, LocalStore(home / "bare")), given)
        await pair.turn(0, "draft")  # both have read their files and loaded their models after this
        draft = [await pair.turn(number, "draft") for number in range(1, turns + 1)]
        gpu = [await pair.turn(turns + number, "gpu") for number in range(1, max(2, turns))]
    return _results(draft, gpu, given)


@dataclass(frozen=True)
class Spent:
    wall: float
    cpu: float


class Clock:
    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def spent(self) -> Spent:
        return Spent(time.perf_counter() - self._wall, time.process_time() - self._cpu)


@dataclass(frozen=True)
class Turn:
    """Seconds on the clock and of this process's CPU, and what came of it."""

    flow: Spent
    bare: Spent
    frames: int
    published: int


def _results(draft: list[Turn], gpu: list[Turn], given: Inputs) -> list[Result]:
    size = f"{len(given.twins)} twins x {len(given.scenes)} scenes x {len(given.formats)} formats"
    how = (
        f"{size}, {WORKERS} threads, {len(draft)} garments turn by turn after one to warm up; bare: the stage "
        "functions in a thread pool, files written, without ledger, consent, cache and Prefect"
    )
    ratios = [each.flow.wall / each.bare.wall for each in draft]
    taxes = [1000 * (each.flow.wall - each.bare.wall) / each.frames for each in draft]
    seconds = f"flow {_listed(each.flow.wall for each in draft)} s, bare {_listed(each.bare.wall for each in draft)} s"
    cpu = statistics.median(each.flow.cpu / each.bare.cpu for each in draft)
    seconds += f" (CPU time of this process: ratio {cpu:.2f})"
    done = f"{sum(each.published for each in draft)} of {sum(each.frames for each in draft)} frames passed"
    burnt = f"flow {_listed(each.flow.wall for each in gpu)} s, bare {_listed(each.bare.wall for each in gpu)} s"
    return [
        Result("pipeline_over_bare", statistics.median(ratios), f"{how}; {seconds}; {done}; {circumstances()}"),
        Result("pipeline_tax_ms_per_asset", statistics.median(taxes), f"same runs, per frame: {_listed(taxes)} ms"),
        Result(
            "pipeline_over_bare_gpu_like",
            statistics.median(each.flow.wall / each.bare.wall for each in gpu),
            f"the same with a device that is busy {GPU_SECONDS:.0f} s a look, one look at a time; {burnt}",
        ),
    ]


def _listed(values: Any) -> str:
    return ", ".join(f"{value:.1f}" for value in values)


@dataclass
class Pair:
    """The flow and the bare loop; who goes first changes."""

    services: Services
    runner: FlowRunner
    bare: "Bare"
    given: Inputs

    async def turn(self, number: int, generator: str) -> Turn:
        garment = self.given.garment(number)
        if number % 2:
            bare, passed = await self._bare(garment, generator)
        flow, published = await self._flow(number, garment, generator)
        if not number % 2:
            bare, passed = await self._bare(garment, generator)
        if published != passed:
            raise RuntimeError(f"the flow published {published} images and the bare loop {passed}: not the same work")
        frames = len(self.given.twins) * len(self.given.scenes) * len(self.given.formats)
        return Turn(flow, bare, frames, published)

    async def _bare(self, garment: Garment, generator: str) -> tuple[Spent, int]:
        clock = Clock()
        passed = await asyncio.to_thread(self.bare.dress, garment, generator)
        return clock.spent(), passed

    async def _flow(self, number: int, garment: Garment, generator: str) -> tuple[Spent, int]:
        """From the claimed inbox row to the answer."""
        await accept(self.services.ledger, number, garment)
        claim = await self.services.ledger.claim("bench", 600)
        if claim is None:
            raise RuntimeError("there is nothing to claim")
        services = Services(**{**vars(self.services), "generator": generator})
        clock = Clock()
        await work_on(claim, services, self.runner, 600)
        took = clock.spent()
        rows = (await self.services.ledger.where(garment.sku))["inbox"]
        if rows[0]["state"] not in ("done", "dressed"):
            raise RuntimeError(f"{garment.sku} was not dressed: {rows[0]}")
        return took, len(await self.services.ledger.assets(sku=garment.sku, state="PUBLISHED"))


async def accept(ledger: PostgresLedger, number: int, garment: Garment) -> None:
    raw = json.dumps({"data": garment.model_dump(mode="json")}).encode()
    row = InboxRow(
        "likeness.garments", 0, number, "urn:bench", f"e-{number}", hashlib.sha256(raw).hexdigest(),
        "likeness.garment.created", garment.sku, raw, garment, datetime.now(UTC),
    )  # fmt: skip
    await ledger.accept_garments("intake", [row], [], {("likeness.garments", 0): number + 1})


@asynccontextmanager
async def _house(home: Path, url: str, imaging: Imaging, given: Inputs) -> AsyncIterator[Services]:
    """The dresser's services, with the twins, scenes and grants in the ledger."""
    async with PostgresLedger.open(url) as ledger:
        store = LocalStore(home / "store")
        shelf = Shelf(ledger, store)
        for twin, folder in given.twins:
            await ledger.record_consent(grant(twin.talent_id), source="urn:bench", event_id=twin.twin_id, raw=b"{}")
            await take_in_twin(twin, reader(folder), ledger, store)
        for scene, folder in given.scenes:
            await take_in_scene(scene, (folder / scene.backdrop).read_bytes(), ledger, store)
        async with PostgresFence.open(url, shelf.forget) as fence:
            yield Services(
                ledger, store, imaging, ImageReader([PACK / "garments"]), fence, shelf, "draft", "bench",
                "http://127.0.0.1:9", asyncio.Semaphore(WORKERS),
            )  # fmt: skip


def grant(talent_id: str) -> Granted:
    now = datetime.now(UTC)
    scope = Scope(
        brands=("*",), garment_categories=("*",), territories=("*",), channels=("*",), formats=("*",), edits=("*",)
    )
    return Granted(
        talent_id=talent_id, grant_id=f"gr-{talent_id}", version=1, signed_at=now - timedelta(seconds=1),
        effective_from=now - timedelta(days=1), effective_to=now + timedelta(days=300), scope=scope,
    )  # fmt: skip


# ---------------------------------------------------------------- the bare loop
@dataclass(frozen=True)
class Frame:
    name: str
    image: U8
    row: dict[str, Any]
    scene: Scene


class Bare:
    """The stage functions and nothing else."""

    def __init__(self, imaging: Imaging, given: Inputs, store: LocalStore) -> None:
        self._imaging, self._store = imaging, store
        self._twins = [load_twin(twin, reader(folder)) for twin, folder in given.twins]
        self._backdrops = [
            prepare_backdrop(scene, load_backdrop((folder / scene.backdrop).read_bytes()), shape)
            for scene, folder in given.scenes
            for shape in given.formats
        ]

    def dress(self, garment: Garment, generator: str) -> int:
        """Images that passed their checks, marked and written."""
        data = Path(garment.front.uri.removeprefix("file://")).read_bytes()
        cutout = self._imaging.understand(load_photograph(data), garment.category)
        with ThreadPoolExecutor(WORKERS) as pool:
            cuts = list(pool.map(lambda twin: self._cut(twin, cutout, generator), self._twins))
            works = [(*each, prepared) for each in cuts if each is not None for prepared in self._backdrops]
            frames = list(pool.map(lambda work: self._frame(garment, cutout, *work), works))
            rows = with_nearest([{**frame.row, "image_id": frame.name} for frame in frames])
            verdicts = self._imaging.judge.judge(rows) if rows else []
            fit = [
                frame
                for frame, verdict in zip(frames, verdicts, strict=True)
                if verdict.passed or only_a_preview(verdict)
            ]
            return sum(pool.map(lambda frame: self._keep(garment, frame, generator), fit))

    def _cut(self, twin: TwinReference, cutout: GarmentCutout, generator: str) -> tuple[TwinReference, CutLook] | None:
        try:
            look = generate_look(GenerateRequest(twin, cutout), self._imaging.generators[generator], lambda: False)
            return twin, segment(look, self._imaging.segmenter)
        except ChecksFailed:  # this twin has no image, here as in the flow
            return None

    def _frame(
        self, garment: Garment, cutout: GarmentCutout, twin: TwinReference, cut: CutLook, prepared: PreparedBackdrop
    ) -> Frame:
        made = composite_prepared(cut, prepared, twin)
        row = measure(made, cut, twin, cutout, prepared.scene, prepared.format)
        shape = prepared.format.replace(":", "x")
        name = f"{garment.sku}.{twin.twin.twin_id}.{prepared.scene.scene}.{shape}"
        return Frame(name, made.image, row, prepared.scene)

    def _keep(self, garment: Garment, frame: Frame, generator: str) -> int:
        facts = {"generator": generator, "recipe": frame.name, "brand": garment.brand}
        marked = self._imaging.marker.mark(
            frame.image, title=garment.title, asset_id=frame.name, scene_label=frame.scene.label_text, facts=facts
        )
        asyncio.run(self._store.create(f"bare/{generator}/{frame.name}.jpg", marked.data, marked.content_type))
        return 1
