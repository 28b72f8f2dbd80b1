"""Services and the bench of the garment in work, in ContextVars: a flow's parameters are JSON-able ids, no more.

Prefect keeps what a task returns until the flow ends, so the stages return counts and ids, and the arrays lie on the
bench, which drops them as soon as they are published.
"""

import asyncio
import os
import threading
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, ParamSpec, TypeVar

from infra.bootstrap.core import open_core
from infra.bootstrap.imaging import Imaging, open_imaging
from infra.fetching import ImageReader
from infra.postgres.fence import PostgresFence
from infra.postgres.ledger import PostgresLedger
from infra.prefect.artifacts import Progress
from infra.settings import Settings
from schemas.asset import Cell
from schemas.base import Format
from schemas.decision import Decision
from schemas.recipe import Recipe
from schemas.scene import Scene
from schemas.twin import Twin
from tasks.composite import PreparedBackdrop, prepare_backdrop
from tasks.errors import Interrupted
from tasks.fetch import ImageSource
from tasks.imaging.pictures import U8, CutLook, GarmentCutout, GeneratedLook, TwinReference
from tasks.library import read_backdrop, read_twin
from tasks.ports import Claim, Generator, Store

COUNTED = ("planned", "blocked", "already", "published", "rejected", "stopped", "retired")
P = ParamSpec("P")
T = TypeVar("T")


class Shelf:
    """Twin references and backdrops at hand in memory. A reference is good only under the fence it was read under."""

    def __init__(self, ledger: PostgresLedger, store: Store, *, twins: int = 8, backdrops: int = 8) -> None:
        self._ledger, self._store = ledger, store
        self._most_twins, self._most_backdrops = twins, backdrops
        self._twins: OrderedDict[str, tuple[int, TwinReference]] = OrderedDict()
        self._backdrops: OrderedDict[str, U8] = OrderedDict()
        self._prepared: OrderedDict[tuple[str, str, Format], PreparedBackdrop] = OrderedDict()

    async def twin(self, twin: Twin, fence: int, pose: str = "standing") -> TwinReference:
        key = f"{twin.twin_id}/{pose}"
        at_hand = self._twins.pop(key, None)
        if at_hand is None or at_hand[0] != fence:
            at_hand = (fence, await read_twin(twin, self._ledger, self._store, pose))
        self._twins[key] = at_hand
        while len(self._twins) > self._most_twins:
            self._twins.popitem(last=False)
        return at_hand[1]

    async def backdrop(self, scene: Scene) -> U8:
        picture = self._backdrops.pop(scene.sha256, None)
        if picture is None:
            picture = await read_backdrop(scene, self._store)
        self._backdrops[scene.sha256] = picture
        while len(self._backdrops) > self._most_backdrops:
            self._backdrops.popitem(last=False)
        return picture

    async def prepared(self, scene: Scene, format: Format) -> PreparedBackdrop:
        """The backdrop cropped, scaled and blurred for one format; the same for every twin and garment."""
        key = (scene.sha256, scene.label_text, format)
        if key not in self._prepared:
            self._prepared[key] = await asyncio.to_thread(prepare_backdrop, scene, await self.backdrop(scene), format)
            while len(self._prepared) > self._most_backdrops * 4:
                self._prepared.popitem(last=False)
        return self._prepared[key]

    def holds(self, talent_id: str) -> bool:
        return any(reference.twin.talent_id == talent_id for _, reference in self._twins.values())

    def forget(self, talent_id: str) -> None:
        """A withdrawal reaches running processes too."""
        for key in [key for key, (_, reference) in self._twins.items() if reference.twin.talent_id == talent_id]:
            del self._twins[key]


@dataclass(frozen=True)
class Services:
    """`pixel_threads` bounds what runs at once on pixels; `frame_budget` the bytes of finished frames held at once."""

    ledger: PostgresLedger
    store: Store
    imaging: Imaging
    images: ImageSource
    fence: PostgresFence
    shelf: Shelf
    generator: str
    worker: str
    gate_url: str
    pixel_threads: asyncio.Semaphore
    frame_budget: int = 512 * 1024 * 1024


@dataclass(frozen=True)
class Permitted:
    """A cell that consent permits, the decision it rests on, and what its pixels will be made of."""

    cell: Cell
    decision: Decision
    decision_id: int
    recipe: Recipe
    asset_id: str


@dataclass
class Candidate:
    """A finished frame between measuring and publishing."""

    permitted: Permitted
    image: U8
    measures: dict[str, Any]
    preview_only: bool
    checks: dict[str, Any] = field(default_factory=dict)


@dataclass
class Bench:
    """All that one garment's run holds. `lost` is set when the lease went to another worker, or on shutdown."""

    services: Services
    claim: Claim
    run: str
    progress: Progress
    lost: threading.Event = field(default_factory=threading.Event)
    photograph: U8 | None = None
    photograph_sha256: str = ""
    cutout: GarmentCutout | None = None
    twins: dict[str, Twin] = field(default_factory=dict)
    scenes: dict[str, Scene] = field(default_factory=dict)
    permitted: dict[str, list[Permitted]] = field(default_factory=dict)
    generated: dict[str, GeneratedLook] = field(default_factory=dict)
    cut: dict[str, CutLook] = field(default_factory=dict)
    candidates: dict[str, list[Candidate]] = field(default_factory=dict)
    unsettled: list[Cell] = field(default_factory=list)
    published: list[dict[str, str]] = field(default_factory=list)
    decisions: list[dict[str, Any]] = field(default_factory=list)
    checks: list[dict[str, Any]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTED, 0))

    @property
    def generator(self) -> Generator:
        return self.services.imaging.generators[self.services.generator]

    def should_stop(self, talent_id: str, fence: int) -> Callable[[], bool]:
        return lambda: self.lost.is_set() or self.services.fence.raised_beyond(talent_id, fence)

    @property
    def understood(self) -> GarmentCutout:
        if self.cutout is None:
            raise LookupError("the garment's photograph was not cut out yet")
        return self.cutout

    @property
    def preview_only(self) -> bool:
        """A design does not exist yet, and some weights may not be used in commerce: signed-in people only."""
        return self.claim.garment.lifecycle == "design" or not self.generator.commercial_use

    def give_up(self, twin_id: str) -> list[Permitted]:
        """Drop all that was made of this twin. Returns the cells that are without an image now."""
        self.generated.pop(twin_id, None)
        self.cut.pop(twin_id, None)
        self.candidates.pop(twin_id, None)
        return self.permitted.pop(twin_id)

    def check_lease(self) -> None:
        if self.lost.is_set():
            raise Interrupted(f"{self.claim.garment.sku}: the lease is lost, another worker goes on", code="lease_lost")


@asynccontextmanager
async def open_services(settings: Settings, worker: str) -> AsyncIterator[Services]:
    """Ledger, store, models and fence, opened once per process."""
    async with open_core(settings) as core:
        imaging = await asyncio.to_thread(open_imaging, settings)
        shelf = Shelf(core.ledger, core.store)
        async with PostgresFence.open(settings.ledger.url, on_raised=shelf.forget) as fence:
            yield Services(
                ledger=core.ledger,
                store=core.store,
                imaging=imaging,
                images=ImageReader(
                    settings.image_roots, https_hosts=settings.image_hosts, buckets=settings.image_buckets
                ),
                fence=fence,
                shelf=shelf,
                generator=settings.generator,
                worker=worker,
                gate_url=settings.gate_url,
                pixel_threads=asyncio.Semaphore(os.cpu_count() or 2),
            )


_BENCH: ContextVar[Bench] = ContextVar("bench")
_SERVICES: ContextVar[Services] = ContextVar("services")


def bench() -> Bench:
    """The garment in work. Raises LookupError outside `at`."""
    return _BENCH.get()


def services() -> Services:
    return _SERVICES.get()


@contextmanager
def serving(given: Services) -> Iterator[None]:
    token = _SERVICES.set(given)
    try:
        yield
    finally:
        _SERVICES.reset(token)


@contextmanager
def at(given: Bench) -> Iterator[Bench]:
    token = _BENCH.set(given)
    try:
        with serving(given.services):
            yield given
    finally:
        _BENCH.reset(token)


async def on_pixels(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run pixel work in a thread, no more of them at once than there are cores for."""
    async with services().pixel_threads:
        return await asyncio.to_thread(work, *args, **kwargs)


async def all_of(works: Iterable[Awaitable[T]]) -> list[T]:
    """Results in order. When one raises, the others are let finish first, so that nothing goes on behind our back."""
    results = await asyncio.gather(*works, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return [result for result in results if not isinstance(result, BaseException)]
