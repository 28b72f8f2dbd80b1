"""A garment as flat panels: each outline found in the photograph, and where that outline lies on the twin.

A panel's target outline is never inside the body's own, so that nothing of the body or of the base clothing shows
beside the garment and nobody is made slimmer. Lengths are the garment's own, scaled once by its width on this body.
"""

from dataclasses import dataclass, field

import numpy as np

from schemas.base import Category
from tasks.errors import UnusablePhotograph
from tasks.imaging.body import SIGN, Body, Side
from tasks.imaging.outline import Contour, Points, resample, smooth
from tasks.imaging.pictures import GarmentCutout

ROUND = 1.33
"""Half the circumference of a trunk over its width as seen from the front (an ellipse about 0.68 as deep as wide)."""
HANGING = 1.20
"""The same of cloth that hangs free below the hips, which spreads sideways."""
LIMB_ROUND = 1.45
"""The same of a limb, less the fold that a flat sleeve or leg keeps."""
EASE: dict[Category, float] = {
    "top": 0.14, "dress": 0.07, "outerwear": 0.24, "jumpsuit": 0.09, "skirt": 0.03, "trousers": 0.05, "shorts": 0.06,
}  # fmt: skip
"""Room between garment and body, as a share of the body's circumference."""
CLEARANCE = 0.016
"""Least distance of a garment's edge from the body's, as a share of the shoulder span."""
USUAL_WIDTH = {"armpit": 0.171, "waist": 0.163, "hip": 0.216}
"""Width of an adult's trunk from the front over stature, in the middle of the range."""
STEPS = 26
"""Points per piece of an outline."""


@dataclass(frozen=True)
class Panel:
    """Matching outlines (and inner points) in garment and twin pixels. `behind`: lies behind the body."""

    name: str
    source: Points
    target: Points
    source_inner: Points = field(default_factory=lambda: np.zeros((0, 2)))
    target_inner: Points = field(default_factory=lambda: np.zeros((0, 2)))
    behind: bool = False


@dataclass(frozen=True)
class Fit:
    """Panels in the order in which they are laid, twin pixels per garment pixel, and the rows that base clothing is
    kept between (outside of them it is taken off where the garment would not hide it)."""

    panels: tuple[Panel, ...]
    scale: float
    gaps: tuple[Points, ...] = ()
    bare_above: float | None = None
    bare_below: float | None = None
    notes: tuple[str, ...] = ()


INSIDE = frozenset({"neck_c", "waist_c", "hem_c"})
"""Landmarks that need not lie on the contour; the others are moved onto it when they are near."""


@dataclass(frozen=True)
class Flat:
    """The garment as photographed: its contour and its landmarks."""

    garment: GarmentCutout
    contour: Contour

    def at(self, name: str) -> Points:
        if name not in self.garment.landmarks:
            raise UnusablePhotograph(
                f"the photograph does not show where the {self.garment.category}'s {name} is", code="landmark_missing"
            )
        point = np.asarray(self.garment.landmarks[name], np.float64)
        if name in INSIDE:
            return point
        index, far = self.contour.nearest(point)
        return self.contour.line[index] if far <= self.contour.reach else point

    def has(self, *names: str) -> bool:
        return all(name in self.garment.landmarks for name in names)

    def width(self, name: str) -> float:
        return float(np.linalg.norm(self.at(f"{name}.L") - self.at(f"{name}.R")))

    def middle(self, name: str) -> Points:
        return (self.at(f"{name}.L") + self.at(f"{name}.R")) / 2

    def walk(self, *names: str, count: int = STEPS) -> Points:
        """The contour from the first landmark to the last, in clockwise order; through the others in straight lines
        where the contour does not lead there."""
        found = self.contour.between(self.at(names[0]), self.at(names[-1]))
        line = np.stack([self.at(name) for name in names]) if found is None else found
        return resample(line, count)


def down(curve: Points, side: Side) -> Points:
    """Contours run down on the wearer's left and up on the right: this one runs down."""
    return curve if side == "L" else curve[::-1]


def down_from(top: Points, curve: Points) -> Points:
    return curve if np.allclose(curve[0], top) else curve[::-1]


def flatten(garment: GarmentCutout) -> Flat:
    return Flat(garment, Contour.of(garment.rgba[..., 3]))


def require(condition: bool, message: str) -> None:
    if not condition:
        raise UnusablePhotograph(message, code="implausible_landmarks")


@dataclass(frozen=True)
class Rows:
    """Which row of the twin each row of the photograph comes to lie on: straight between knots, on beyond them."""

    knots: tuple[tuple[float, float], ...]

    def __call__(self, v: Points) -> Points:
        source, target = np.array(self.knots).T
        inside = np.interp(v, source, target)
        first = (target[1] - target[0]) / (source[1] - source[0])
        last = (target[-1] - target[-2]) / (source[-1] - source[-2])
        inside = np.where(v < source[0], target[0] + (v - source[0]) * first, inside)
        return np.asarray(np.where(v > source[-1], target[-1] + (v - source[-1]) * last, inside), np.float64)


def trunk_side(
    body: Body, side: Side, curve: Points, middle_x: float, rows: Rows, scale: float, band_y: float | None = None
) -> Points:
    """A side seam that runs down, on the twin: the garment's own width around the body, never inside the body.

    A waistband at row `band_y` holds the cloth to the body there.
    """
    y = rows(curve[:, 1])
    hip = float((body.joint("hip.L") + body.joint("hip.R"))[1] / 2)
    free = np.clip((y - hip) / (1.2 * body.span), 0, 1)
    half = np.abs(curve[:, 0] - middle_x) * scale / (ROUND + (HANGING - ROUND) * free)
    sign = SIGN[side]
    own = body.centre(y) + sign * half
    least = body.edge(side, y) + sign * (CLEARANCE * body.span + 1.2)
    if band_y is not None:
        held = np.clip(1 - (y - band_y) / (0.30 * body.span), 0, 1) ** 1.5
        own = own * (1 - held) + np.minimum(own * sign, least * sign) * sign * held
    x = np.maximum(own * sign, least * sign) * sign
    return np.stack([smooth(x, 1.5), y], axis=1)


def lengthwise(body: Body, measure: str, width: float, scale: float) -> float:
    """Twin pixels per garment pixel along the garment: a larger size is wider far more than it is longer."""
    usual = USUAL_WIDTH[measure] * body.stature
    return float(scale * np.clip(usual / width, 0.6, 1.2) ** 0.75)


def around(source: dict[Side, Points], target: dict[Side, Points], every: int) -> tuple[Points, Points]:
    """Matching inner points between two sides that run down: cloth around a body is seen from the front in its middle
    and turns away at its edges, so that a print keeps its shape."""
    flat = np.array([-0.7, -0.35, 0.0, 0.35, 0.7])
    seen = flat * (ROUND - (ROUND - 1) * np.abs(flat) ** 1.5)
    rows = slice(0, None, every)
    pairs = ((source["R"][rows], source["L"][rows], flat), (target["R"][rows], target["L"][rows], seen))
    inner = [np.concatenate([a + (b - a) * (1 + u) / 2 for u in us]) for a, b, us in pairs]
    return inner[0], inner[1]


def rim(curve: Points, amount: float) -> Points:
    """An open end of a tube seen from slightly above: bulged by `amount` of its width to the left of its direction as
    walked outer to inner on the wearer's left, that is away from the body of the garment."""
    chord = curve[-1] - curve[0]
    normal = np.array([-chord[1], chord[0]])
    normal = normal if normal[1] > 0 else -normal
    t = np.linspace(0, 1, len(curve))[:, None]
    return curve + normal * amount * 4 * t * (1 - t)


def in_order(side: Side, first: str, second: str, inward: bool = False) -> tuple[str, str]:
    """Two landmarks of one side as the contour meets them; `inward`: it meets the second first on the left."""
    forward = (side == "L") != inward
    a, b = f"{first}.{side}", f"{second}.{side}"
    return (a, b) if forward else (b, a)
