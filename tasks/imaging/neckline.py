"""Find a garment's front neckline in its photograph, where the inside of the back shows above it.

The opening is looked for in a family of symmetric shapes, from V to square, as wide as the neck points or narrower
where a collar stands inside them; the one that best parts the lining from the front is taken.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from tasks.imaging.outline import Points, resample
from tasks.imaging.panels import STEPS, Flat
from tasks.imaging.pictures import F32

WIDTHS = (1.0, 0.86, 0.72, 0.58, 0.46)
ROUNDNESS = (1.0, 1.35, 2.0, 3.2)
"""1 is a V, 2 an ellipse, more is squarer."""
CLEARER = 0.05
"""How much better than the plain round neck another shape must agree to be believed."""
STANDING = 0.05
"""How far above the neck points, in chest widths, a collar reaches that stands."""


def _shape(roundness: float) -> tuple[Points, Points]:
    """Across (-1..1) and depth (0..1) from the right end over the lowest point to the left end."""
    angle = np.linspace(np.pi, 0, 2 * STEPS + 1)
    across, depth = np.cos(angle), np.sin(angle)
    return np.sign(across) * np.abs(across) ** (2 / roundness), np.abs(depth) ** (2 / roundness)


@dataclass(frozen=True)
class Lining:
    """Where the photograph looks like the inside of the back, in a box around the neck."""

    alike: F32
    left: int
    top: int
    ring: int

    @classmethod
    def seen(cls, flat: Flat, edge: Points, lowest: Points, chest: float) -> "Lining":
        ring = max(3, int(0.045 * chest))
        low = np.floor(np.minimum(edge.min(axis=0), lowest)).astype(int) - 2 * ring
        high = np.ceil(np.maximum(edge.max(axis=0), lowest)).astype(int) + 2 * ring
        left, top = max(0, int(low[0])), max(0, int(low[1]))
        rgba = flat.garment.rgba[top : int(high[1]), left : int(high[0])]
        soft = cv2.GaussianBlur(rgba[..., :3], (0, 0), max(1.0, 0.004 * chest)).astype(np.float32) / 255.0
        lab = cv2.cvtColor(soft, cv2.COLOR_RGB2LAB)
        above = edge[int(np.abs(edge[:, 0] - lowest[0]).argmin())]
        line = above + (lowest - above) * np.linspace(0.25, 0.75, 15)[:, None] - (left, top)
        sample = cv2.remap(lab, line.astype(np.float32)[None], None, cv2.INTER_LINEAR)[0]
        distance = np.linalg.norm(lab - np.median(sample, axis=0), axis=2)
        spread = float(np.median(np.linalg.norm(sample - np.median(sample, axis=0), axis=1)))
        alike = np.exp(-((distance / (5.0 + 2.0 * spread)) ** 2)) * (rgba[..., 3] > 127)
        return cls(np.asarray(alike, np.float32), left, top, ring)

    def agrees(self, opening: Points, back: Points) -> float:
        """How much more alike the lining it is within the opening than just below and beside it, -1..1."""
        corner = np.array([self.left, self.top])
        inside = np.zeros(self.alike.shape, np.uint8)
        whole = np.concatenate([opening, back[::-1]]) - corner
        cv2.fillPoly(inside, [np.rint(whole).astype(np.int32)], 1)
        line = np.zeros_like(inside)
        cv2.polylines(line, [np.rint(opening - corner).astype(np.int32)], False, 1, 2 * self.ring)
        near_in, near_out = (line & inside) > 0, (line & (1 - inside)) > 0
        if not near_in.any() or not near_out.any():
            return -1.0
        return float(self.alike[near_in].mean() - self.alike[near_out].mean())


def front_neckline(flat: Flat) -> tuple[Points, Points | None]:
    """Front neckline from the right to the left neck point, and the contour of the back above it (None if hidden)."""
    right, left = flat.at("neck.R"), flat.at("neck.L")
    edge = flat.contour.between(right, left, longest=6.0)
    if not flat.has("neck_c"):
        return resample(np.stack([right, left]) if edge is None else edge, STEPS), None
    lowest = flat.at("neck_c")
    chest = flat.width("armpit")
    if edge is not None and np.linalg.norm(edge - lowest, axis=1).min() < 0.03 * chest:
        return resample(edge, STEPS), None
    best = _opening(right, left, lowest, edge, 1.0, 2.0)
    if edge is not None:
        lining = Lining.seen(flat, edge, lowest, chest)
        score = max(lining.agrees(best[1], edge), 0.0) + CLEARER
        rise = float(((right + left) / 2 - edge)[:, 1].max())
        for width in WIDTHS if rise > STANDING * chest else WIDTHS[:1]:
            for roundness in ROUNDNESS:
                candidate = _opening(right, left, lowest, edge, width, roundness)
                clear = lining.agrees(candidate[1], edge if candidate[3] is None else candidate[3])
                if clear > score:
                    best, score = candidate, clear
    before, opening, after, back = best
    front = np.concatenate([before, opening, after])
    return resample(front, 2 * STEPS + 1), back


def _opening(
    right: Points, left: Points, lowest: Points, edge: Points | None, width: float, roundness: float
) -> tuple[Points, Points, Points, Points | None]:
    """Contour up to the opening, the opening, contour after it, and the contour behind the opening."""
    none = np.zeros((0, 2))
    middle, half = (right + left) / 2, (left - right) / 2
    start, end, before, after, back = right, left, none, none, edge
    if width < 1.0 and edge is not None:
        unit = half / np.linalg.norm(half)
        across = (edge - middle) @ unit / np.linalg.norm(half)
        i = int(np.argmax(across > -width))
        j = len(across) - 1 - int(np.argmax(across[::-1] < width))
        if 1 < i < j < len(edge) - 2:
            start, end, before, after, back = edge[i], edge[j], edge[:i], edge[j + 1 :], edge[i : j + 1]
    centre, reach = (start + end) / 2, (end - start) / 2
    across_shape, depth_shape = _shape(roundness)
    opening = centre + across_shape[:, None] * reach + depth_shape[:, None] * (lowest - centre)
    return before, opening, after, None if back is None else resample(back, STEPS)
