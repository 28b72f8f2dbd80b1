"""Open what a trial needs: models, twins and backdrops from a folder; no service."""

from collections.abc import Sequence
from pathlib import Path
from typing import cast

from console.cli.trial import Bench, preview_of
from console.cli.twins import read_scenes, read_twins, reader
from infra.bootstrap.imaging import open_pixels
from infra.settings import Settings
from schemas.base import CATEGORIES, FORMATS, Category, Format
from tasks.composite import prepare_backdrop
from tasks.errors import NotFound
from tasks.imaging.load import load_backdrop, load_twin

FEW_TWINS = 3
"""Twins that are dressed when nobody says which."""


def check_category(given: str | None) -> Category | None:
    if given is not None and given not in CATEGORIES:
        raise NotFound(f"there is no category {given!r}; it is one of {', '.join(CATEGORIES)}")
    return given


def open_bench(
    settings: Settings,
    generator: str,
    pack: Path,
    twin_ids: Sequence[str],
    scene_names: Sequence[str],
    formats: Sequence[str],
) -> Bench:
    """Raises NotFound for a name that is not there, saying which are."""
    twins = {twin.twin_id: (twin, folder) for twin, folder in read_twins(pack / "twins")}
    scenes = {scene.scene: (scene, folder) for scene, folder in read_scenes(pack / "scenes")}
    chosen_twins = _chosen("twin", twin_ids, list(twins), FEW_TWINS)
    chosen_scenes = _chosen("scene", scene_names, list(scenes), 1)
    chosen_formats = cast("list[Format]", _chosen("format", formats, list(FORMATS), 1))
    pixels = open_pixels(settings.model_copy(update={"generator": generator}))
    return Bench(
        generator=pixels.generators[generator],
        segmenter=pixels.segmenter,
        understand=pixels.understand,
        judge=pixels.judge,
        twins=[load_twin(twin, reader(folder)) for twin, folder in (twins[name] for name in chosen_twins)],
        backdrops=[
            prepare_backdrop(preview_of(scene), load_backdrop((folder / scene.backdrop).read_bytes()), shape)
            for scene, folder in (scenes[name] for name in chosen_scenes)
            for shape in chosen_formats
        ],
    )


def _chosen(kind: str, wanted: Sequence[str], there: list[str], few: int) -> list[str]:
    """The wanted names, also when given with commas between them; all for `all`, the first few for none."""
    names = [name for each in wanted for name in each.split(",") if name]
    if "all" in names:
        return there
    if missing := [name for name in names if name not in there]:
        raise NotFound(f"there is no {kind} {', '.join(missing)}; there are {', '.join(there)}")
    return names or there[:few]
