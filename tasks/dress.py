"""Dress: what ties the pixel stages together: a cell's recipe, and a cut-out look as bytes for the stage cache.

A look always goes through its packed form, kept or not, so that a frame made from the cache has the same pixels as one
made at once.
"""

import io
import zlib
from dataclasses import dataclass

import numpy as np

from schemas.base import Format
from schemas.recipe import Recipe
from schemas.scene import Scene
from schemas.twin import Twin
from tasks.composite import VERSION as COMPOSITE_VERSION
from tasks.errors import ChecksFailed
from tasks.imaging.load import twin_digest
from tasks.imaging.pictures import F32, CutLook
from tasks.judge import Verdict

POSE = "standing"


def recipe_of(
    scene: Scene,
    format: Format,
    *,
    garment_image: str,
    category: str,
    twin: Twin,
    generator: str,
    segmenter: str,
    pose: str = POSE,
) -> Recipe:
    """All that determines the pixels of one frame, known before a pixel is made."""
    return Recipe(
        garment_image=garment_image,
        category=category,
        twin=twin_digest(twin, pose),
        pose=pose,
        generator=generator,
        segmenter=segmenter,
        scene=scene.sha256,
        label_text=scene.label_text,
        format=format,
        suffix=COMPOSITE_VERSION,
    )


def only_a_preview(verdict: Verdict) -> bool:
    """Nothing is wrong but that it shows more pixels than its photograph has: for signed-in people, never public."""
    return {failure.measure for failure in verdict.failures} == {"scale"}


@dataclass(frozen=True)
class _Box:
    """Where the figure is in the look; outside it everything is zero."""

    rows: slice
    columns: slice


def pack_look(look: CutLook) -> bytes:
    """The look as bytes: alphas in 8 bit, cut to the figure, compressed."""
    layers = np.dstack([look.rgba, _eight_bit(look.garment_alpha), _eight_bit(look.covered)])
    box = _box(layers)
    header = {
        "shape": np.array(layers.shape[:2]),
        "corner": np.array([box.rows.start, box.columns.start]),
        "generator": np.array(look.generator),
        "source_scale": np.array(look.source_scale),
    }
    stream = io.BytesIO()
    np.savez(stream, allow_pickle=False, layers=np.ascontiguousarray(layers[box.rows, box.columns]), **header)
    return zlib.compress(stream.getvalue(), 1)


def unpack_look(data: bytes) -> CutLook:
    """Raises ChecksFailed when `data` is no packed look."""
    try:
        with np.load(io.BytesIO(zlib.decompress(data)), allow_pickle=False) as stored:
            part, (top, left) = stored["layers"], stored["corner"]
            layers = np.zeros((*stored["shape"], part.shape[2]), np.uint8)
            layers[top : top + part.shape[0], left : left + part.shape[1]] = part
            generator, source_scale = str(stored["generator"]), float(stored["source_scale"])
    except (zlib.error, OSError, ValueError, KeyError) as error:
        raise ChecksFailed(f"not a packed look: {error}", code="cache_damaged") from error
    return CutLook(
        rgba=np.ascontiguousarray(layers[..., :4]),
        garment_alpha=_unit(layers[..., 4]),
        covered=_unit(layers[..., 5]),
        generator=generator,
        source_scale=source_scale,
    )


def _box(layers: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> _Box:
    used = layers[..., 3:].max(axis=2) > 0
    rows, columns = np.flatnonzero(used.any(axis=1)), np.flatnonzero(used.any(axis=0))
    if len(rows) == 0:
        return _Box(slice(0, 1), slice(0, 1))
    return _Box(slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1))


def _eight_bit(share: F32) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.rint(np.clip(share, 0, 1) * 255).astype(np.uint8)


def _unit(levels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> F32:
    share: F32 = levels.astype(np.float32) / np.float32(255)
    return share
