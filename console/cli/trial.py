"""Try a photograph: the same stages as the flow, on files, with nothing published and no service needed."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from PIL import Image

from console.cli.contact_sheet import Line, Shown
from schemas.base import Category
from schemas.scene import Scene
from tasks.composite import PreparedBackdrop, composite_prepared
from tasks.dress import only_a_preview
from tasks.errors import LikenessError
from tasks.fetch import MAX_IMAGE_BYTES
from tasks.generate import generate_look
from tasks.imaging.load import load_photograph
from tasks.imaging.pictures import U8, GarmentCutout, GenerateRequest, TwinReference
from tasks.judge import Judge, Verdict, with_nearest
from tasks.measure import Row, measure
from tasks.ports import Generator, Segmenter
from tasks.segment import segment

WORDS: dict[str, Category] = {
    "tee": "top", "tshirt": "top", "shirt": "top", "blouse": "top", "cami": "top", "top": "top", "knit": "top",
    "sweater": "top", "hoodie": "top", "cardigan": "top", "polo": "top", "dress": "dress", "gown": "dress",
    "skirt": "skirt", "trousers": "trousers", "pants": "trousers", "jeans": "trousers", "shorts": "shorts",
    "jumpsuit": "jumpsuit", "overall": "jumpsuit", "jacket": "outerwear", "coat": "outerwear", "parka": "outerwear",
    "blazer": "outerwear",
}  # fmt: skip
"""What a file's name says of its category: the word of whoever named it counts for more than a network's guess."""


def category_in_name(photo: Path) -> Category | None:
    """The category that a word of the file's name stands for; None when none does."""
    words = re.split(r"[^a-z]+", photo.stem.lower())
    return next((WORDS[word] for word in words if word in WORDS), None)


@dataclass(frozen=True)
class Bench:
    """Everything a trial needs, opened once."""

    generator: Generator
    segmenter: Segmenter
    understand: Callable[[U8, Category | None], GarmentCutout]
    judge: Judge
    twins: Sequence[TwinReference]
    backdrops: Sequence[PreparedBackdrop]


@dataclass
class Tried:
    """One photograph's outcome: rows of verdicts.json and a line of the contact sheet."""

    verdicts: list[dict[str, Any]] = field(default_factory=list)
    line: Line | None = None


def preview_of(scene: Scene) -> Scene:
    """The scene with a label that says what the image is not."""
    return scene.model_copy(update={"label_text": f"{scene.label_text} · PREVIEW"})


def try_photo(
    photo: Path, category: Category | None, bench: Bench, out: Path, *, stem: str | None = None, steps: bool = False
) -> Tried:
    """Every twin and backdrop of the bench in this photograph's garment. What is wrong is a verdict, never an error.

    `stem` begins the names of the files written, when the photograph's own is taken.
    """
    stem = stem or photo.stem
    try:
        photograph = load_photograph(_read(photo))
    except LikenessError as error:
        return _refused(photo, category, error, None, bench)
    try:
        cutout = bench.understand(photograph, category or category_in_name(photo))
    except LikenessError as error:
        return _refused(photo, category, error, photograph, bench)
    if steps:
        _write_steps(stem, cutout, out)
    made = list(_frames(photo, stem, cutout, bench))
    return _judged(made, bench, out, Line(photo.name, photograph, cutout.rgba, ()), cutout.problems)


@dataclass
class _Made:
    """One frame, or the reason why there is none."""

    row: dict[str, Any]
    name: str
    image: U8 | None = None
    measures: Row | None = None
    error: LikenessError | None = None


def _frames(photo: Path, stem: str, cutout: GarmentCutout, bench: Bench) -> Iterator[_Made]:
    for twin in bench.twins:
        twin_id = twin.twin.twin_id
        look, failed = None, None
        try:
            look = generate_look(GenerateRequest(twin, cutout), bench.generator, lambda: False)
            cut = segment(look, bench.segmenter)
        except LikenessError as error:
            failed = error
        for prepared in bench.backdrops:
            scene, shape = prepared.scene.scene, prepared.format
            row = _row(photo, cutout.category, twin_id, scene, bench.generator.name)
            name = f"{stem}.{twin_id}.{scene}.{shape.replace(':', 'x')}.jpg"
            if failed is not None:
                yield _Made(row, name, error=failed)
                continue
            try:
                frame = composite_prepared(cut, prepared, twin)
                measures = measure(frame, cut, twin, cutout, prepared.scene, shape)
                yield _Made(row, name, frame.image, measures)
            except LikenessError as error:
                yield _Made(row, name, error=error)


def _judged(made: list[_Made], bench: Bench, out: Path, line: Line, problems: Sequence[str]) -> Tried:
    rows = [{**each.measures, "image_id": each.name} for each in made if each.measures is not None]
    verdicts: dict[str, Verdict] = {}
    if rows:
        verdicts = {verdict.image_id: verdict for verdict in bench.judge.judge(with_nearest(rows))}
    tried, shown = Tried(), []
    for each in made:
        word, reasons = _said(each, verdicts.get(each.name), problems)
        if each.image is not None:
            Image.fromarray(each.image).save(out / each.name, quality=92)
        image = None if each.image is None else str((out / each.name).resolve())
        tried.verdicts.append({**each.row, "verdict": word, "reasons": reasons, "image": image})
        shown.append(Shown(each.image, word, f"{each.row['twin_id']} {'; '.join(reasons)}"))
    tried.line = replace(line, shown=shown)
    return tried


def _said(each: _Made, verdict: Verdict | None, problems: Sequence[str]) -> tuple[str, list[str]]:
    if each.error is not None:
        return "refused", [f"{each.error.code}: {each.error.message}"]
    if verdict is None or verdict.passed:
        return "pass", []
    failures = [f"{f.sentence} ({f.measure} {_number(f.value)}, {f.limit})" for f in verdict.failures]
    if only_a_preview(verdict):
        return "pass", [f"as a preview only: {failures[0]}"]
    return "fail", failures + [f"noticed in the photograph: {problem}" for problem in problems]


def _number(value: float | None) -> str:
    return "missing" if value is None else f"{value:.3g}"


def _refused(
    photo: Path, category: Category | None, error: LikenessError, photograph: U8 | None, bench: Bench
) -> Tried:
    """One row per twin and scene that the photograph was tried for, so that a list of them is complete."""
    reasons = [f"{error.code}: {error.message}"]
    cells = sorted({(twin.twin.twin_id, each.scene.scene) for twin in bench.twins for each in bench.backdrops})
    rows = [
        {**_row(photo, category, twin_id, scene, bench.generator.name), "verdict": "refused", "reasons": reasons,
         "image": None}
        for twin_id, scene in cells
    ]  # fmt: skip
    return Tried(rows, Line(photo.name, photograph, None, [Shown(None, "refused", "; ".join(reasons))]))


def _row(photo: Path, category: Category | None, twin_id: str, scene: str, generator: str) -> dict[str, Any]:
    return {"photo": str(photo), "category": category, "twin_id": twin_id, "scene": scene, "generator": generator}


def _read(photo: Path) -> bytes:
    if not photo.is_file():
        raise LikenessError(f"{photo} is not a file", code="not_a_file")
    if photo.stat().st_size > MAX_IMAGE_BYTES:
        raise LikenessError(f"{photo} is larger than {MAX_IMAGE_BYTES // 1_048_576} MB", code="too_large")
    try:
        return photo.read_bytes()
    except OSError as error:
        raise LikenessError(f"{photo} cannot be read: {error.strerror}", code="not_readable") from None


def _write_steps(stem: str, cutout: GarmentCutout, out: Path) -> None:
    Image.fromarray(cutout.rgba).save(out / f"{stem}.cutout.png")
    found = {
        "category": cutout.category, "landmarks": cutout.landmarks, "sleeve": cutout.sleeve,
        "confidence": cutout.confidence, "rotation": cutout.rotation, "problems": list(cutout.problems),
    }  # fmt: skip
    (out / f"{stem}.landmarks.json").write_text(json.dumps(found, indent=1, default=float))
