"""Curves on pictures: contours walked between landmarks, resampled, carried from one frame to another.

Points are float64 N x 2 (x, y) in pixels, pixel centres at whole numbers. "Forward" along a garment's contour is
clockwise as seen: over the wearer's right shoulder, the neck, the left shoulder, down, and back along the hem.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from tasks.errors import UnusablePhotograph
from tasks.imaging.pictures import U8

Points = npt.NDArray[np.float64]


def points(*pairs: tuple[float, float] | Points) -> Points:
    return np.asarray(pairs, np.float64).reshape(-1, 2)


def arc_length(curve: Points) -> float:
    return float(np.linalg.norm(np.diff(curve, axis=0), axis=1).sum())


def resample(curve: Points, count: int) -> Points:
    """`count` points at equal arc length, both ends kept."""
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(curve, axis=0), axis=1))])
    at = np.linspace(0.0, along[-1], count)
    return np.stack([np.interp(at, along, curve[:, 0]), np.interp(at, along, curve[:, 1])], axis=1)


def smooth(values: npt.NDArray[np.float64], sigma: float) -> npt.NDArray[np.float64]:
    """Gaussian along the first axis, ends held."""
    radius = max(1, int(3 * sigma + 0.5))
    kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / max(sigma, 1e-6)) ** 2)
    kernel /= kernel.sum()
    columns = values.reshape(len(values), -1)
    padded = np.pad(columns, ((radius, radius), (0, 0)), mode="edge")
    out = np.stack([np.convolve(padded[:, i], kernel, "valid") for i in range(columns.shape[1])], axis=1)
    return out.reshape(values.shape)


def carry(curve: Points, start: Points, end: Points, height_scale: float) -> Points:
    """The curve moved so that it runs from `start` to `end`: its chord is fitted, its departure from the chord is
    scaled by `height_scale` (target pixels per source pixel)."""
    chord, target = curve[-1] - curve[0], end - start
    length = max(float(np.linalg.norm(chord)), 1e-6)
    along_unit, across_unit = chord / length, np.array([-chord[1], chord[0]]) / length
    along = (curve - curve[0]) @ along_unit / length
    across = (curve - curve[0]) @ across_unit * height_scale
    normal = np.array([-target[1], target[0]]) / max(float(np.linalg.norm(target)), 1e-6)
    return np.asarray(start + along[:, None] * target + across[:, None] * normal, np.float64)


@dataclass(frozen=True)
class Contour:
    """The outer contour of a garment, clockwise as seen. `reach` is how far a landmark may lie from it and still count
    as on it."""

    line: Points
    reach: float

    @classmethod
    def of(cls, alpha: U8) -> "Contour":
        """Of the largest piece of alpha > 127. Raises UnusablePhotograph when there is none."""
        found, _ = cv2.findContours((alpha > 127).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        if not found:
            raise UnusablePhotograph("the cut-out is empty: no garment was found in the photograph", code="no_garment")
        line = max(found, key=cv2.contourArea)[:, 0, :].astype(np.float64)
        x, y = line[:, 0], line[:, 1]
        if float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)) < 0:
            line = line[::-1]
        size = float(np.ptp(line, axis=0).max())
        sigma = max(2.0, 0.005 * size)
        lap = int(4 * sigma)
        wrapped = smooth(np.concatenate([line[-lap:], line, line[:lap]]), sigma)[lap:-lap]
        return cls(wrapped, 0.035 * size)

    def nearest(self, point: Points) -> tuple[int, float]:
        distance = np.linalg.norm(self.line - point, axis=1)
        index = int(distance.argmin())
        return index, float(distance[index])

    def between(self, start: Points, end: Points, longest: float = 1.7) -> Points | None:
        """The contour from `start` forward to `end`; None where it does not lead there (a landmark lies inside the
        garment, or the way is more than `longest` times the straight one)."""
        (i, far_i), (j, far_j) = self.nearest(start), self.nearest(end)
        if max(far_i, far_j) > self.reach:
            return None
        walked = self.line[i : j + 1] if i <= j else np.concatenate([self.line[i:], self.line[: j + 1]])
        if len(walked) < 3 or arc_length(walked) > longest * float(np.linalg.norm(end - start)) + 4 * self.reach:
            return None
        return np.concatenate([start[None], walked[1:-1], end[None]])
