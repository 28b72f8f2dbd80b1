"""What a drafted look costs, and what the judge adds to the measures."""

import json
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.measures import Result
from benchmarks.services import circumstances

MEASURES = ("draft_seconds_per_look", "check_over_bare_256")
PACK = Path(__file__).parent.parent / "samples" / "pack"
IMAGES = 256


def run(*, small: bool = False) -> Iterator[Result]:
    import cv2

    from console.cli.trial_bench import open_bench
    from infra.settings import Settings

    cv2.setNumThreads(1)  # as the dresser does
    twins = ("tw-ada", "tw-bo") if small else ("all",)
    opened = open_bench(Settings(), "draft", PACK, twins, ("stockholm",), ("4:5", "1:1"))
    garments = _garments(opened, 2 if small else 10)
    yield _draft(opened, garments)
    yield _check(opened, garments, 16 if small else IMAGES)


def _garments(opened: Any, count: int) -> list[Any]:
    """Cut-outs of the pack's photographs."""
    from tasks.imaging.load import load_photograph

    folder = PACK / "garments"
    listed = json.loads((folder / "garments.json").read_text())[:count]
    return [opened.understand(load_photograph((folder / g["image"]).read_bytes()), g["category"]) for g in listed]


def _draft(opened: Any, garments: Sequence[Any]) -> Result:
    from tasks.imaging.pictures import GenerateRequest

    requests = [GenerateRequest(twin, garment) for garment in garments for twin in opened.twins]
    opened.generator.generate(requests[:1], _never)
    wall, cpu = zip(
        *(_timed(lambda one=one: opened.generator.generate([one], _never)) for one in requests), strict=True
    )
    height, width = opened.twins[0].rgba.shape[:2]
    detail = (
        f"median of {len(requests)} looks, {len(opened.twins)} twins x {len(garments)} garments, {width} x {height}, "
        f"one thread; CPU time {statistics.median(cpu):.3f} s, slowest look {max(wall):.2f} s; {circumstances()}"
    )
    return Result("draft_seconds_per_look", statistics.median(wall), detail)


@dataclass(frozen=True)
class _Made:
    """All that `measure` takes."""

    frame: Any
    cut: Any
    twin: Any
    garment: Any
    scene: Any
    format: Any


def _check(opened: Any, garments: Sequence[Any], images: int) -> Result:
    """The measures are timed once per image and the judge on their rows, so that both see the same work."""
    from tasks.judge import with_nearest
    from tasks.measure import measure

    made = _frames(opened, garments, min(images, 32))
    rows: list[dict[str, Any]] = []

    def measure_all() -> None:
        for number in range(images):
            one = made[number % len(made)]
            row = measure(one.frame, one.cut, one.twin, one.garment, one.scene, one.format)
            rows.append({**row, "image_id": f"image-{number}"})

    measure(made[0].frame, made[0].cut, made[0].twin, made[0].garment, made[0].scene, made[0].format)
    _, bare = _timed(measure_all)
    opened.judge.judge(with_nearest(rows[:2]))
    judged = [_timed(lambda: opened.judge.judge(with_nearest(rows)))[1] for _ in range(5)]
    added = statistics.median(judged)
    detail = (
        f"CPU time of {images} x measure {bare:.2f} s ({1000 * bare / images:.0f} ms each), and of the judge on their "
        f"rows {added:.2f} s (median of 5, {min(judged):.2f} to {max(judged):.2f}); {len(made)} different frames; "
        f"{circumstances()}"
    )
    return Result("check_over_bare_256", (bare + added) / bare, detail)


def _frames(opened: Any, garments: Sequence[Any], count: int) -> list[_Made]:
    """Frames of looks that can be cut out; those that the segmenter disputes are never measured in the flow either."""
    from tasks.composite import composite_prepared
    from tasks.errors import ChecksFailed
    from tasks.generate import generate_look
    from tasks.imaging.pictures import GenerateRequest
    from tasks.segment import segment

    made: list[_Made] = []
    for garment in garments:
        for twin in opened.twins:
            try:
                look = generate_look(GenerateRequest(twin, garment), opened.generator, _never)
                cut = segment(look, opened.segmenter)
            except ChecksFailed as error:
                print(f"  without {twin.twin.twin_id} in a {garment.category}: {error}", flush=True)
                continue
            for prepared in opened.backdrops:
                frame = composite_prepared(cut, prepared, twin)
                made.append(_Made(frame, cut, twin, garment, prepared.scene, prepared.format))
            if len(made) >= count:
                return made[:count]
    return made


def _never() -> bool:
    return False


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and CPU seconds, the latter of all threads of this process."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu
