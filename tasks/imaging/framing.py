"""Framing: where the person stands in a frame and which part of the backdrop is seen."""

from dataclasses import dataclass

import cv2
import numpy as np

from schemas.base import FORMAT_PIXELS, Format
from schemas.scene import Scene
from tasks.imaging.pictures import F32, U8

PERSON_HEIGHT: dict[Format, float] = {"4:5": 0.83, "1:1": 0.83, "9:16": 0.80, "16:9": 0.84}
"""Height of the figure as a share of the frame's height."""
FEET: dict[Format, float] = {"4:5": 0.935, "1:1": 0.935, "9:16": 0.90, "16:9": 0.94}
"""Where the soles stand, as a share of the frame's height."""
PERSON_WIDTH = 0.90
"""The widest that a figure may be, as a share of the frame's width."""
MOST_ENLARGED = 1.35
"""How much more than needed a backdrop may be enlarged to bring its floor line to the feet."""


@dataclass(frozen=True)
class Placement:
    """Frame pixel = scale * look pixel + offset (x, y)."""

    scale: float
    offset: tuple[float, float]

    def matrix(self) -> F32:
        return np.array([[self.scale, 0, self.offset[0]], [0, self.scale, self.offset[1]]], np.float32)


def figure_box(alpha: F32 | U8, threshold: float = 0.25) -> tuple[int, int, int, int]:
    """Left, top, right, bottom (exclusive) of the figure; all zero if there is none."""
    seen = alpha > threshold
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    if not len(rows):
        return 0, 0, 0, 0
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def place_person(alpha: F32, format: Format) -> Placement:
    """The whole figure, upright and centred, soles on the frame's floor; smaller where it would be too wide."""
    width, height = FORMAT_PIXELS[format]
    left, top, right, bottom = figure_box(alpha)
    scale = min(PERSON_HEIGHT[format] * height / max(bottom - top, 1), PERSON_WIDTH * width / max(right - left, 1))
    x = width / 2 - scale * (left + right) / 2
    return Placement(scale, (float(x), float(FEET[format] * height - scale * bottom)))


def crop_backdrop(backdrop: U8, scene: Scene, format: Format) -> U8:
    """The backdrop at the frame's size, around its centre, its floor line where the soles will stand."""
    width, height = FORMAT_PIXELS[format]
    rows, columns = backdrop.shape[:2]
    feet = FEET[format] * height
    fill = max(width / columns, height / rows)
    floor = scene.floor_y * rows
    scale = max(fill, feet / floor, (height - feet) / max(rows - floor, 1e-6))
    scale = min(scale, MOST_ENLARGED * fill)
    y = float(np.clip(feet - scale * floor, height - scale * rows, 0))
    matrix = np.array([[scale, 0, (width - scale * columns) / 2 + (scale - 1) / 2], [0, scale, y + (scale - 1) / 2]])
    source, shrink = backdrop, 1.0
    if scale < 0.7:
        shrink = scale * 1.2
        source = cv2.resize(backdrop, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
        matrix[:, :2] /= source.shape[1] / columns
    framed: U8 = cv2.warpAffine(
        source, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101
    )
    return framed
