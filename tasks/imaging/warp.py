"""Warp a garment's panels onto the twin: thin-plate splines through matching outlines, edges drawn by coverage.

Bookstein, "Principal Warps: Thin-Plate Splines and the Decomposition of Deformations", IEEE PAMI 11(6), 1989.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from tasks.imaging.outline import Points
from tasks.imaging.panels import Panel
from tasks.imaging.pictures import F32, U8

GRID = 8
"""Pixels between the points at which a spline is evaluated; between them it is interpolated."""
FINE = 4
"""Steps per pixel and axis with which coverage is counted."""


@dataclass(frozen=True)
class Box:
    left: int
    top: int
    right: int
    bottom: int

    @classmethod
    def around(cls, curves: list[Points], margin: int, width: int, height: int) -> "Box":
        low = np.floor(np.min([curve.min(axis=0) for curve in curves], axis=0)).astype(int) - margin
        high = np.ceil(np.max([curve.max(axis=0) for curve in curves], axis=0)).astype(int) + margin + 1
        return cls(max(0, int(low[0])), max(0, int(low[1])), min(width, int(high[0])), min(height, int(high[1])))

    @property
    def shape(self) -> tuple[int, int]:
        return self.bottom - self.top, self.right - self.left

    @property
    def slices(self) -> tuple[slice, slice]:
        return slice(self.top, self.bottom), slice(self.left, self.right)


def fill_outside(rgba: U8) -> U8:
    """The garment's colours, H x W x 3, carried on beyond its edge and into its holes, so that nothing of the
    photograph's ground is ever sampled."""
    solid = cv2.erode((rgba[..., 3] > 200).astype(np.uint8), np.ones((3, 3), np.uint8)).astype(np.float32)
    levels = [(rgba[..., :3].astype(np.float32) * solid[..., None], solid)]
    while min(levels[-1][1].shape) > 2:
        size = (max(1, levels[-1][1].shape[1] // 2), max(1, levels[-1][1].shape[0] // 2))
        levels.append(tuple(cv2.resize(part, size, interpolation=cv2.INTER_AREA) for part in levels[-1]))
    colour, weight = levels[-1]
    known = colour / np.maximum(weight, 1e-4)[..., None]
    for colour, weight in levels[-2::-1]:
        wide = cv2.resize(known, (weight.shape[1], weight.shape[0]), interpolation=cv2.INTER_LINEAR)
        share = np.clip(weight * 4.0, 0.0, 1.0)[..., None] if weight is not solid else weight[..., None]
        known = wide * (1 - share) + colour / np.maximum(weight, 1e-4)[..., None] * share
    return np.asarray(np.rint(np.clip(known, 0, 255)), np.uint8)


def coverage(outlines: list[Points], box: Box) -> F32:
    """Share of each pixel of the box that lies in the union of the outlines, 0..1."""
    height, width = box.shape
    fine = np.zeros((height * FINE, width * FINE), np.uint8)
    for outline in outlines:
        local = (outline - (box.left, box.top) + 0.5) * FINE - 0.5
        cv2.fillPoly(fine, [np.rint(local * 16).astype(np.int32)], 255, lineType=cv2.LINE_8, shift=4)
    small = cv2.resize(fine, (width, height), interpolation=cv2.INTER_AREA)
    share: F32 = small.astype(np.float32) / 255.0
    return share


def _kernel(distance_squared: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return 0.5 * distance_squared * np.log(distance_squared + 1e-12)


@dataclass(frozen=True)
class Spline:
    """A thin-plate spline from twin pixels to garment pixels."""

    anchors: Points
    weights: Points
    unit: float
    origin: Points

    @classmethod
    def through(cls, target: Points, source: Points, stiffness: float = 2e-4) -> "Spline":
        origin, unit = target.mean(axis=0), float(np.ptp(target, axis=0).max()) or 1.0
        anchors = (target - origin) / unit
        count = len(anchors)
        squared = ((anchors[:, None] - anchors[None]) ** 2).sum(axis=2)
        system = np.zeros((count + 3, count + 3))
        system[:count, :count] = _kernel(squared) + stiffness * np.eye(count)
        system[:count, count] = system[count, :count] = 1.0
        system[:count, count + 1 :] = anchors
        system[count + 1 :, :count] = anchors.T
        weights = np.linalg.solve(system, np.concatenate([source, np.zeros((3, 2))]))
        return cls(anchors, weights, unit, origin)

    def __call__(self, at: Points) -> Points:
        local = (at - self.origin) / self.unit
        squared = ((local[:, None] - self.anchors[None]) ** 2).sum(axis=2)
        count = len(self.anchors)
        bent = _kernel(squared) @ self.weights[:count]
        return np.asarray(bent + self.weights[count] + local @ self.weights[count + 1 :], np.float64)


def _unique(target: Points, source: Points) -> tuple[Points, Points]:
    """Without points that lie on one another on the twin, which no spline passes through."""
    _, first = np.unique(np.rint(target * 2).astype(np.int64), axis=0, return_index=True)
    keep = np.sort(first)
    return target[keep], source[keep]


def warp_panel(colours: U8, scale_in: float, panel: Panel, box: Box) -> U8:
    """The garment's colours as they lie on the twin, over the whole box of the panel, H x W x 3 of `box`.

    `colours` is the filled garment, shrunk by `scale_in` against the photograph's cut-out.
    """
    target, source = _unique(
        np.concatenate([panel.target, panel.target_inner]), np.concatenate([panel.source, panel.source_inner])
    )
    spline = Spline.through(target, source)
    inner = Box.around([panel.target], 3, box.right, box.bottom)
    left, top = max(inner.left, box.left), max(inner.top, box.top)
    width, height = inner.right - left, inner.bottom - top
    columns, rows = -(-width // GRID) + 1, -(-height // GRID) + 1
    x, y = np.meshgrid(left + np.arange(columns) * GRID, top + np.arange(rows) * GRID)
    coarse = spline(np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float64)).reshape(rows, columns, 2)
    coarse = ((coarse + 0.5) * scale_in - 0.5).astype(np.float32)
    px, py = np.meshgrid(np.arange(width, dtype=np.float32) / GRID, np.arange(height, dtype=np.float32) / GRID)
    where = cv2.remap(coarse, px, py, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    part = cv2.remap(colours, where, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    out = np.zeros((*box.shape, 3), np.uint8)
    out[top - box.top : top - box.top + height, left - box.left : left - box.left + width] = part
    return out
