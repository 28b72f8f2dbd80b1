"""What a garment must know of the twin's body in the picture: edges of trunk and legs by row, limb axes and widths."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from schemas.twin import PARTS
from tasks.errors import UnusableTwin
from tasks.imaging.outline import Points, resample, smooth
from tasks.imaging.pictures import TwinReference

Side = Literal["L", "R"]
SIDES: tuple[Side, Side] = ("L", "R")
SIGN: dict[Side, float] = {"L": 1.0, "R": -1.0}
"""The wearer's left is image right."""
NEEDED = tuple(f"{joint}.{side}" for joint in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle") for side in SIDES)
Row = npt.NDArray[np.float64]


def _labels(labels: npt.NDArray[np.uint8], *names: str) -> npt.NDArray[np.bool_]:
    return np.asarray(np.isin(labels, [PARTS[name] for name in names]), np.bool_)


def row_edges(mask: npt.NDArray[np.bool_], side: Side) -> Row:
    """Outermost column of the mask per row towards `side`; rows without any take their neighbours'."""
    height, width = mask.shape
    rows = np.flatnonzero(mask.any(axis=1))
    if not len(rows):
        raise UnusableTwin("a part of the body is missing from the twin's part mask")
    flipped = mask[:, ::-1] if side == "L" else mask
    first = flipped.argmax(axis=1).astype(np.float64)
    edge = width - 1 - first if side == "L" else first
    return np.asarray(np.interp(np.arange(height), rows, edge[rows]), np.float64)


@dataclass(frozen=True)
class Body:
    """Measures of one TwinReference, in its pixels."""

    twin: TwinReference

    def __post_init__(self) -> None:
        missing = [name for name in NEEDED if name not in self.twin.keypoints]
        if missing:
            raise UnusableTwin(f"{self.twin.twin.twin_id}: pose {self.twin.pose} lacks keypoints {', '.join(missing)}")

    def joint(self, name: str) -> Points:
        return np.asarray(self.twin.keypoints[name], np.float64)

    @cached_property
    def span(self) -> float:
        """Between the shoulder joints: the unit in which allowances are given."""
        return float(abs(self.joint("shoulder.L")[0] - self.joint("shoulder.R")[0]))

    @cached_property
    def stature(self) -> float:
        """Height of the standing person: the shoulders are 0.80 of it above the soles, the ankles 0.04."""
        return float(self.joint("ankle.L")[1] - self.joint("shoulder.L")[1]) / 0.76

    @cached_property
    def trunk(self) -> npt.NDArray[np.bool_]:
        """Torso and thighs, with the base clothing over them."""
        arms = ("upperarm", "forearm", "hand")
        limb = _labels(self.twin.parts, *(f"{part}.{side}" for part in arms for side in SIDES))
        worn = (self.twin.parts == PARTS["clothing"]) & ~limb
        below = _labels(self.twin.body_parts, *(f"{part}.{side}" for part in arms for side in SIDES))
        return np.asarray(_labels(self.twin.body_parts, "torso", "upperleg.L", "upperleg.R") | (worn & ~below))

    @cached_property
    def trunk_edges(self) -> dict[Side, Row]:
        legs = _labels(self.twin.body_parts, *(f"{part}.{side}" for part in ("lowerleg", "foot") for side in SIDES))
        whole = self.trunk | legs
        edges = {side: row_edges(whole, side) for side in SIDES}
        # a hand before the hip hides the edge for some rows: close such dents
        window = np.ones((max(3, int(0.35 * self.span)) | 1, 1), np.uint8)
        for side in SIDES:
            outward = (edges[side] * SIGN[side]).astype(np.float32)[:, None]
            edges[side] = smooth(cv2.morphologyEx(outward, cv2.MORPH_CLOSE, window)[:, 0] * SIGN[side], 2.0)
        return edges

    def edge(self, side: Side, y: npt.ArrayLike) -> Row:
        """Outermost x of trunk and legs at rows y."""
        row = self.trunk_edges[side]
        return np.interp(np.asarray(y, np.float64), np.arange(len(row)), row)

    @cached_property
    def centre_row(self) -> Row:
        return smooth((self.trunk_edges["L"] + self.trunk_edges["R"]) / 2, 0.25 * self.span)

    def centre(self, y: npt.ArrayLike) -> Row:
        return np.interp(np.asarray(y, np.float64), np.arange(len(self.centre_row)), self.centre_row)

    def width(self, y: float) -> float:
        return float(self.edge("L", y) - self.edge("R", y))

    @cached_property
    def neck_x(self) -> float:
        rows = np.flatnonzero((self.twin.body_parts == PARTS["neck"]).any(axis=1))
        if not len(rows):
            return float(self.joint("shoulder.L")[0] + self.joint("shoulder.R")[0]) / 2
        columns = np.flatnonzero(self.twin.body_parts[rows[len(rows) // 2]] == PARTS["neck"])
        return float(columns[0] + columns[-1]) / 2

    @cached_property
    def neck_half_width(self) -> float:
        neck = self.twin.body_parts == PARTS["neck"]
        widths = neck.sum(axis=1)
        return float(np.percentile(widths[widths > 4], 30)) / 2 if (widths > 4).any() else 0.18 * self.span

    @cached_property
    def top_row(self) -> Row:
        """Per column the highest row of neck, torso and arms: the shoulder line."""
        names = ("neck", "torso", "upperarm.L", "upperarm.R", "forearm.L", "forearm.R")
        mask = _labels(self.twin.body_parts, *names)
        columns = np.flatnonzero(mask.any(axis=0))
        top = np.interp(np.arange(mask.shape[1]), columns, mask.argmax(axis=0)[columns].astype(np.float64))
        return smooth(top, 1.5)

    def top(self, x: npt.ArrayLike) -> Row:
        return np.interp(np.asarray(x, np.float64), np.arange(len(self.top_row)), self.top_row)

    def underarm(self, side: Side) -> Points:
        """Where arm and trunk part."""
        name = f"underarm.{side}"
        if name in self.twin.keypoints:
            return self.joint(name)
        arm = _labels(self.twin.body_parts, f"upperarm.{side}", f"forearm.{side}")
        shoulder = self.joint(f"shoulder.{side}")
        for y in range(int(shoulder[1] + 0.12 * self.span), int(shoulder[1] + 0.9 * self.span)):
            trunk, limb = np.flatnonzero(self.trunk[y]), np.flatnonzero(arm[y])
            if len(trunk) and len(limb):
                gap = limb.min() - trunk.max() if side == "L" else trunk.min() - limb.max()
                if gap > 2:
                    return np.array([trunk.max() if side == "L" else trunk.min(), y], np.float64)
        return shoulder + np.array([-SIGN[side] * 0.12, 0.42]) * self.span

    @cached_property
    def crotch(self) -> Points:
        if "crotch" in self.twin.keypoints:
            return self.joint("crotch")
        rows = np.flatnonzero((self.twin.body_parts == PARTS["torso"]).any(axis=1))
        y = float(rows[-1])
        return np.array([float(self.centre(y)), y])

    @cached_property
    def waist_y(self) -> float:
        """The narrowest row of the trunk."""
        low, high = self.underarm("L")[1] + 0.35 * self.span, self.joint("hip.L")[1] - 0.15 * self.span
        rows = np.arange(int(low), max(int(high), int(low) + 2))
        widths = smooth(self.edge("L", rows) - self.edge("R", rows), 4.0)
        return float(rows[int(widths.argmin())])

    def arm_edge(self, side: Side, y: npt.ArrayLike) -> Row:
        """Outermost x of shoulder, arm and trunk at rows y."""
        names = ("torso", "neck", f"upperarm.{side}", f"forearm.{side}", f"hand.{side}")
        row = row_edges(_labels(self.twin.body_parts, *names), side)
        return np.asarray(np.interp(np.asarray(y, np.float64), np.arange(len(row)), row), np.float64)

    def leg_edges(self, side: Side) -> tuple[Row, Row]:
        """Outer and inner column of one leg per row, with the base clothing over it."""
        leg = _labels(self.twin.body_parts, *(f"{part}.{side}" for part in ("upperleg", "lowerleg", "foot")))
        leg[int(self.joint(f"ankle.{side}")[1]) :] = False  # the foot widens: below, the ankle's own width goes on
        columns = np.arange(leg.shape[1])[None, :] * SIGN[side] > self.crotch[0] * SIGN[side]
        rows = np.arange(leg.shape[0])[:, None] > self.crotch[1]
        mask = leg | ((self.twin.parts == PARTS["clothing"]) & columns & rows)
        other: Side = "R" if side == "L" else "L"
        return smooth(row_edges(mask, side), 3.0), smooth(row_edges(mask, other), 3.0)

    def limb(self, kind: Literal["arm", "leg"], side: Side) -> Points:
        names = ("shoulder", "elbow", "wrist") if kind == "arm" else ("hip", "knee", "ankle")
        return np.stack([self.joint(f"{name}.{side}") for name in names])

    def limb_sections(self, kind: Literal["arm", "leg"], side: Side, count: int = 40) -> "Sections":
        """The limb cut across its axis at `count` equal steps from its root to a little beyond wrist or ankle."""
        axis = self.limb(kind, side)
        axis = np.concatenate([axis, axis[-1:] + 0.25 * (axis[-1:] - axis[-2:-1])])
        parts = ("upperarm", "forearm", "hand") if kind == "arm" else ("upperleg", "lowerleg", "foot")
        mask = _labels(self.twin.body_parts, *(f"{part}.{side}" for part in parts))
        at = resample(axis, count)
        along = smooth(np.gradient(at, axis=0), 1.5)
        along /= np.linalg.norm(along, axis=1, keepdims=True)
        outward = np.stack([along[:, 1], -along[:, 0]], axis=1)
        outward *= np.where(outward[:, :1] * SIGN[side] < 0, -1.0, 1.0)
        reach = 0.9 * self.span
        filled = mask | self.trunk if kind == "arm" else mask
        return Sections(at, outward, _walk(filled, at, outward, reach), _walk(mask, at, -outward, reach))


def _walk(mask: npt.NDArray[np.bool_], at: Points, way: Points, reach: float) -> Row:
    """How far the mask goes on from each point along its way, in pixels."""
    steps = np.arange(0.0, reach, 1.0)
    xy = np.rint(at[:, None] + way[:, None] * steps[:, None]).astype(int)
    height, width = mask.shape
    inside = (xy[..., 0] >= 0) & (xy[..., 0] < width) & (xy[..., 1] >= 0) & (xy[..., 1] < height)
    on = inside & mask[xy[..., 1].clip(0, height - 1), xy[..., 0].clip(0, width - 1)]
    return np.where(on.all(axis=1), reach, (~on).argmax(axis=1)).astype(np.float64)


@dataclass(frozen=True)
class Sections:
    """Cuts across a limb: points on its axis, unit vectors outward, and half-widths outward and inward (pixels)."""

    at: Points
    outward: Points
    outer: Row
    inner: Row

    @cached_property
    def along(self) -> Row:
        return np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(self.at, axis=0), axis=1))])

    def sample(self, distance: npt.ArrayLike) -> tuple[Points, Points, Row, Row]:
        """Axis point, outward vector, outer and inner half-width at distances along the axis."""
        d = np.asarray(distance, np.float64)
        columns = np.concatenate([self.at, self.outward, self.outer[:, None], self.inner[:, None]], axis=1)
        got = np.stack([np.interp(d, self.along, columns[:, i]) for i in range(6)], axis=-1)
        return got[..., :2], got[..., 2:4], got[..., 4], got[..., 5]
