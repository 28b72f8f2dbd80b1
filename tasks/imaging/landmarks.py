"""Landmarks of a flat garment, found from the outline of its alpha alone.

Names are those of tasks/imaging/pictures.GarmentCutout; `.L` is the wearer's left, which lies on the right of a front
view. The garment is upright: neck or waist up.
"""

import itertools
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from schemas.base import Category
from tasks.imaging.pictures import F32, Point

Bool = npt.NDArray[np.bool_]
Points = npt.NDArray[np.float64]
SIDES = (("L", 1.0), ("R", -1.0))
UPPER: frozenset[Category] = frozenset({"top", "dress", "outerwear", "jumpsuit"})
ELBOW, LONG = 0.50, 0.64
"""Sleeve length over the width between the armpits, from which a sleeve is called elbow-length and long."""


@dataclass(frozen=True)
class Landmarks:
    """points in pixels of the alpha; sleeve none, short, elbow or long; confidence 0..1; problems in plain words."""

    points: dict[str, Point]
    sleeve: str
    confidence: float
    problems: tuple[str, ...]


@dataclass(frozen=True)
class Shape:
    """The filled outline: mask H x W, contour N x 2 (x, y), bounding box and the axis of symmetry's x."""

    mask: Bool
    contour: Points
    left: int
    right: int
    top: int
    bottom: int
    axis: float

    @property
    def height(self) -> float:
        return float(self.bottom - self.top + 1)

    @property
    def width(self) -> float:
        return float(self.right - self.left + 1)

    def run(self, y: float, x: float | None = None) -> tuple[float, float] | None:
        """Ends of the covered run of row y that holds x (the axis by default) or lies nearest to it."""
        row = np.nonzero(self.mask[int(np.clip(y, 0, len(self.mask) - 1))])[0]
        if not len(row):
            return None
        runs = np.split(row, np.nonzero(np.diff(row) > 1)[0] + 1)
        x = self.axis if x is None else x
        chosen = min(runs, key=lambda r: 0 if r[0] <= x <= r[-1] else min(abs(r[0] - x), abs(r[-1] - x)))
        return float(chosen[0]), float(chosen[-1])

    def runs(self, y: float) -> list[tuple[float, float]]:
        row = np.nonzero(self.mask[int(np.clip(y, 0, len(self.mask) - 1))])[0]
        if not len(row):
            return []
        return [(float(r[0]), float(r[-1])) for r in np.split(row, np.nonzero(np.diff(row) > 1)[0] + 1)]


def shape_of(alpha: F32) -> Shape | None:
    """The largest connected part of alpha > 0.5, its holes filled; None when there is none."""
    mask = (alpha > 0.5).astype(np.uint8)
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not contours:
        return None
    outline = max(contours, key=cv2.contourArea)
    filled = np.zeros_like(mask)
    cv2.drawContours(filled, [outline], -1, 1, -1)
    x, y, w, h = cv2.boundingRect(outline)
    return Shape(
        filled > 0, outline.reshape(-1, 2).astype(np.float64), x, x + w - 1, y, y + h - 1, _axis(filled > 0, y, h)
    )


def _axis(mask: Bool, top: int, height: int) -> float:
    """x about which the garment is most nearly mirrored."""
    small = cv2.resize(
        mask.astype(np.float32), None, fx=(s := 120 / max(mask.shape)), fy=s, interpolation=cv2.INTER_AREA
    )
    columns = np.nonzero(small.sum(0) > 0.5)[0]
    middle = (columns[0] + columns[-1]) / 2
    best, score = middle, -1.0
    for candidate in np.arange(middle - 10, middle + 10.5, 0.5):
        matrix = np.array([[-1, 0, 2 * candidate], [0, 1, 0]], np.float64)
        mirrored = cv2.warpAffine(small, matrix, (small.shape[1], small.shape[0]))
        overlap = float(np.minimum(small, mirrored).sum() / np.maximum(small, mirrored).sum())
        if overlap > score:
            best, score = candidate, overlap
    return float((best + 0.5) / s - 0.5)


def find_landmarks(alpha: F32, category: Category) -> Landmarks:
    """Landmarks of the garment in `alpha` (H x W, 0..1). Never raises: what cannot be found is a problem."""
    shape = shape_of(alpha)
    if shape is None:
        return Landmarks({}, "none", 0.0, ("there is no garment in the picture",))
    if category in UPPER:
        return _upper(shape, category)
    return _skirt(shape) if category == "skirt" else _legs(shape, category)


# ---------------------------------------------------------------- tops, dresses, outerwear, jumpsuits
def _upper(shape: Shape, category: Category) -> Landmarks:
    problems: list[str] = []
    pits = {side: _armpit(shape, sign) for side, sign in SIDES}
    sleeved = any(pit is not None for pit in pits.values())
    points: dict[str, Point] = {}
    for side, sign in SIDES:
        pit, other = pits[side], pits["R" if side == "L" else "L"]
        if pit is None and other is not None:  # as on the other side, mirrored onto the outline
            run = shape.run(other[1])
            pit = ((run[1] if sign > 0 else run[0]) if run else 2 * shape.axis - other[0], other[1])
            problems.append("only one armpit shows: a sleeve may lie on the body")
        points[f"armpit.{side}"] = pit if pit is not None else _bare_armpit(shape, sign)
    chest = points["armpit.L"][0] - points["armpit.R"][0]
    if chest < 0.12 * shape.width:
        problems.append("the chest is narrower than a garment's can be")
    points |= _neck(shape, chest, min(points["armpit.L"][1], points["armpit.R"][1]))
    lengths = []
    for side, sign in SIDES:
        sleeve, length = _sleeve(shape, side, sign, points, chest, sleeved=sleeved)
        points |= sleeve
        lengths.append(length)
    kind = _sleeve_kind(lengths)
    if kind == "none":  # a notch of one side that carries no sleeve was no armpit of one
        problems = [problem for problem in problems if not problem.startswith("only one armpit")]
    if kind != "none" and min(lengths) < 0.4 * max(lengths):
        problems.append("the sleeves are of different length: one may be folded")
    points |= _trunk(shape, points) if category != "jumpsuit" else _legs_below(shape, points, problems)
    return Landmarks(points, kind, _confidence(shape, problems), tuple(problems))


def _armpit(shape: Shape, sign: float) -> Point | None:
    """The deepest notch of one side between the cuff and the hem; None where no sleeve stands off the trunk."""
    best, depth = None, 0.018 * max(shape.height, shape.width)
    for start, end, far, amount in _defects(shape):
        x, y = shape.contour[far]
        first, last = shape.contour[start], shape.contour[end]
        outward = (x - shape.axis) * sign
        share = (y - shape.top) / shape.height
        spans = abs(first[1] - last[1]) > 0.10 * shape.height or abs(first[0] - last[0]) > 0.10 * shape.width
        upper = first if first[1] < last[1] else last
        stands_off = (upper[0] - x) * sign > 0.04 * shape.width
        if outward > 0.06 * shape.width and 0.08 < share < 0.72 and spans and stands_off and amount > depth:
            best, depth = (float(x), float(y)), amount
    return best


def _defects(shape: Shape) -> list[tuple[int, int, int, float]]:
    """Concavities of the outline: indices of start, end and deepest point, and depth in pixels."""
    contour = shape.contour.astype(np.int32)[:, None]
    hull = cv2.convexHull(contour, returnPoints=False)
    try:
        found = cv2.convexityDefects(contour, np.sort(hull.reshape(-1, 1), axis=0)[::-1])
    except cv2.error:  # an outline that crosses itself by a pixel has no ordered hull
        return []
    if found is None:
        return []
    rows = np.asarray(found).reshape(-1, 4)
    return [(int(a), int(b), int(c), float(d) / 256) for a, b, c, d in rows]


def _bare_armpit(shape: Shape, sign: float) -> Point:
    """Where a sleeveless armhole ends: the outline's point furthest outside the line from shoulder to hem."""
    bottom = _bottom(shape)
    hem = np.array(_corner(shape, sign, shape.top + 0.55 * shape.height, bottom))
    out = (shape.contour[:, 0] - shape.axis) * sign
    high = shape.contour[(out > 0) & (shape.contour[:, 1] < shape.top + 0.14 * shape.height)]
    shoulder = high[np.argmax((high[:, 0] - shape.axis) * sign)] if len(high) else np.array([shape.axis, shape.top])
    line = hem - shoulder
    normal = np.array([line[1], -line[0]]) * sign / (np.linalg.norm(line) + 1e-9)
    span = (shape.contour[:, 1] > shape.top + 0.12 * shape.height) & (
        shape.contour[:, 1] < shape.top + 0.50 * shape.height
    )
    side = shape.contour[span & (out > 0.04 * shape.width)]
    if not len(side):
        return float(shoulder[0]), float(shoulder[1])
    # of points about as far out, the higher one: an armhole ends at its first bulge
    score = (side - shoulder) @ normal - 0.10 * (side[:, 1] - shape.top)
    best = side[np.argmax(score)]
    return float(best[0]), float(best[1])


def _neck(shape: Shape, chest: float, pit_y: float) -> dict[str, Point]:
    """Where collar meets shoulder on both sides, and the middle of the neckline."""
    half = 0.40 * chest
    columns = np.arange(max(0, int(shape.axis - half)), min(shape.mask.shape[1], int(shape.axis + half) + 1))
    band = shape.mask[:, columns]
    tops = np.where(band.any(0), band.argmax(0), shape.bottom).astype(np.float64)
    middle = float(np.median(tops[np.abs(columns - shape.axis) < 0.06 * chest])) if len(columns) else float(shape.top)
    points: dict[str, Point] = {}
    for side, sign in SIDES:
        out = (columns - shape.axis) * sign
        inner = (out > 0.10 * chest) & (out < 0.40 * chest)
        y, x = tops[inner], columns[inner]
        if not len(y):
            points[f"neck.{side}"] = (shape.axis + sign * 0.2 * chest, float(shape.top))
            continue
        # the highest point, leaning outward: straps and collars peak where the neckline ends
        peak = int(np.argmin(y + 0.12 * np.abs(np.abs(x - shape.axis) - 0.22 * chest)))
        points[f"neck.{side}"] = (float(x[peak]), float(y[peak]))
    edge = (points["neck.L"][1] + points["neck.R"][1]) / 2
    limit = edge + 0.75 * max(1.0, pit_y - edge)
    points["neck_c"] = (shape.axis, float(np.clip(max(middle, edge + 0.10 * chest), shape.top, limit)))
    return points


def _sleeve(
    shape: Shape, side: str, sign: float, points: dict[str, Point], chest: float, *, sleeved: bool
) -> tuple[dict[str, Point], float]:
    """Shoulder and cuff of one side, and the sleeve's length over the chest's width (0: no sleeve)."""
    pit, neck = np.array(points[f"armpit.{side}"]), np.array(points[f"neck.{side}"])
    out = (shape.contour[:, 0] - pit[0]) * sign
    arm_side = _arc(shape, pit, neck)
    reach = max(0.0, float(((arm_side[:, 0] - pit[0]) * sign).max())) if sleeved else 0.0
    upper = shape.contour[(out > -0.10 * chest) & (shape.contour[:, 1] < pit[1]) & (out < 0.12 * chest)]
    x_shoulder = pit[0] - sign * 0.03 * chest
    on_top = (
        upper[np.argsort(np.abs(upper[:, 0] - x_shoulder) + 0.25 * (upper[:, 1] - shape.top))] if len(upper) else upper
    )
    shoulder = on_top[0] if len(on_top) else np.array([x_shoulder, neck[1] + 0.25 * (pit[1] - neck[1])])
    found: dict[str, Point] = {f"shoulder.{side}": (float(shoulder[0]), float(shoulder[1]))}
    if reach < 0.10 * chest:
        return found, 0.0
    root = (shoulder + pit) / 2
    arm = arm_side[(arm_side[:, 0] - pit[0]) * sign > 0.02 * chest]
    arm = arm[np.linalg.norm(arm - root, axis=1) > 0.10 * chest]
    if not len(arm):
        return found, 0.0
    distance = np.linalg.norm(arm - root, axis=1)
    far = arm[distance > 0.88 * distance.max()].mean(0)
    direction = (far - root) / (np.linalg.norm(far - root) + 1e-9)
    along = (arm - root) @ direction
    across = (arm - root) @ np.array([-direction[1], direction[0]]) * sign
    width = 0.5 * float(np.linalg.norm(shoulder - pit))
    end = along > along.max() - max(0.35 * width, 0.06 * along.max())
    near = arm[end]
    a, b = near[np.argmin(across[end])], near[np.argmax(across[end])]
    found[f"cuff_out.{side}"], found[f"cuff_in.{side}"] = (float(a[0]), float(a[1])), (float(b[0]), float(b[1]))
    return found, float(along.max()) / max(chest, 1.0)


def _arc(shape: Shape, pit: Points, neck: Points) -> Points:
    """The outline from armpit to neck around the sleeve: the way that does not lead over the hem."""
    contour = shape.contour
    a = int(np.argmin(((contour - pit) ** 2).sum(1)))
    b = int(np.argmin(((contour - neck) ** 2).sum(1)))
    low, high = min(a, b), max(a, b)
    ways = contour[low : high + 1], np.concatenate([contour[high:], contour[: low + 1]])
    bottom = _bottom(shape)
    near_hem = [
        bool(((np.abs(w[:, 0] - shape.axis) < 0.05 * shape.width) & (w[:, 1] > bottom - 3)).any()) for w in ways
    ]
    if near_hem[0] != near_hem[1]:
        return ways[0] if near_hem[1] else ways[1]
    return min(ways, key=len)


def _sleeve_kind(lengths: list[float]) -> str:
    longest = max(lengths)
    if longest <= 0:
        return "none"
    return "short" if longest < ELBOW else "elbow" if longest < LONG else "long"


def _trunk(shape: Shape, points: dict[str, Point]) -> dict[str, Point]:
    """Waist and hem of a garment that ends in one tube."""
    pit_y = (points["armpit.L"][1] + points["armpit.R"][1]) / 2
    bottom = _bottom(shape)
    found: dict[str, Point] = {}
    for side, sign in SIDES:
        found[f"hem.{side}"] = _corner(shape, sign, pit_y + 0.35 * (bottom - pit_y), bottom)
    rows = np.linspace(pit_y + 0.25 * (bottom - pit_y), pit_y + 0.62 * (bottom - pit_y), 24)
    runs = [(y, run) for y in rows if (run := _trunk_run(shape, y, points))]
    chest = points["armpit.L"][0] - points["armpit.R"][0]
    if runs:
        usual = pit_y + min(0.62 * (bottom - pit_y), 0.62 * chest)
        y, run = min(runs, key=lambda item: (item[1][1] - item[1][0]) + 0.25 * abs(item[0] - usual))
        found["waist.R"], found["waist.L"] = (run[0], float(y)), (run[1], float(y))
    hem_y = (found["hem.L"][1] + found["hem.R"][1]) / 2
    found["hem_c"] = (shape.axis, float(max(hem_y, _lowest(shape, shape.axis))))
    return found


def _trunk_run(shape: Shape, y: float, points: dict[str, Point]) -> tuple[float, float] | None:
    """The trunk's run of a row, cut off where a sleeve touches it."""
    run = shape.run(y)
    if run is None:
        return None
    chest = points["armpit.L"][0] - points["armpit.R"][0]
    slack = 0.10 * chest + 0.55 * max(0.0, y - points["armpit.L"][1])
    return max(run[0], points["armpit.R"][0] - slack), min(run[1], points["armpit.L"][0] + slack)


def _bottom(shape: Shape) -> float:
    """The lowest row of the trunk around the axis; sleeves may hang lower."""
    around = shape.mask[:, max(0, int(shape.axis - 0.05 * shape.width)) : int(shape.axis + 0.05 * shape.width) + 1]
    rows = np.nonzero(around.any(1))[0]
    return float(rows[-1]) if len(rows) else float(shape.bottom)


def _lowest(shape: Shape, x: float) -> float:
    column = np.nonzero(shape.mask[:, int(np.clip(x, 0, shape.mask.shape[1] - 1))])[0]
    return float(column[-1]) if len(column) else float(shape.bottom)


def _corner(shape: Shape, sign: float, above: float, bottom: float) -> Point:
    """The hem's corner on one side: the point of the trunk's outline furthest down and out."""
    half = max(1.0, shape.width / 2)
    low = shape.contour[shape.contour[:, 1] >= above]
    run = shape.run(above + 0.8 * (bottom - above))
    if run is not None:  # keep to the trunk where sleeves hang beside it
        spare = 0.30 * (run[1] - run[0])
        low = low[(low[:, 0] > run[0] - spare) & (low[:, 0] < run[1] + spare)]
    if not len(low):
        return (shape.axis + sign * half / 2, bottom)
    score = (low[:, 0] - shape.axis) * sign / half + 1.6 * (low[:, 1] - bottom) / max(1.0, bottom - above)
    best = low[np.argmax(score)]
    return float(best[0]), float(best[1])


# ---------------------------------------------------------------- skirts, trousers, shorts
def _waistband(shape: Shape) -> dict[str, Point]:
    y = shape.top + 0.02 * shape.height
    found: dict[str, Point] = {}
    for side, sign in SIDES:
        high = shape.contour[shape.contour[:, 1] < shape.top + 0.16 * shape.height]
        score = (high[:, 0] - shape.axis) * sign / shape.width - 1.5 * (high[:, 1] - shape.top) / shape.height
        best = high[np.argmax(score)]
        found[f"waist.{side}"] = (float(best[0]), float(best[1]))
    column = np.nonzero(shape.mask[:, int(shape.axis)])[0]
    found["waist_c"] = (shape.axis, float(column[0]) if len(column) else y)
    return found


def _hips(shape: Shape, y: float) -> dict[str, Point]:
    run = shape.run(y) or (float(shape.left), float(shape.right))
    outer = shape.runs(y)
    low, high = (outer[0][0], outer[-1][1]) if outer else run
    return {"hip.R": (low, float(y)), "hip.L": (high, float(y))}


def _skirt(shape: Shape) -> Landmarks:
    problems: list[str] = []
    points = _waistband(shape)
    width = points["waist.L"][0] - points["waist.R"][0]
    points |= _hips(shape, min(shape.top + 0.75 * width, shape.top + 0.45 * shape.height))
    for side, sign in SIDES:
        points[f"hem.{side}"] = _corner(shape, sign, shape.top + 0.5 * shape.height, float(shape.bottom))
    points["hem_c"] = (shape.axis, _lowest(shape, shape.axis))
    if width < 0.15 * shape.width:
        problems.append("the waist is hardly to be seen")
    return Landmarks(points, "none", _confidence(shape, problems), tuple(problems))


def _legs(shape: Shape, category: Category) -> Landmarks:
    problems: list[str] = []
    points = _waistband(shape)
    points |= _leg_points(shape, shape.top, problems, knees=category == "trousers")
    crotch_y = points["crotch"][1]
    points |= _hips(shape, shape.top + 0.72 * (crotch_y - shape.top))
    return Landmarks(points, "none", _confidence(shape, problems), tuple(problems))


def _legs_below(shape: Shape, points: dict[str, Point], problems: list[str]) -> dict[str, Point]:
    """Waist, hips, crotch, knees and leg hems of a jumpsuit."""
    pit_y = (points["armpit.L"][1] + points["armpit.R"][1]) / 2
    found = _leg_points(shape, pit_y, problems, knees=True)
    crotch_y = found["crotch"][1]
    rows = np.linspace(pit_y + 0.25 * (crotch_y - pit_y), pit_y + 0.75 * (crotch_y - pit_y), 16)
    runs = [(y, run) for y in rows if (run := _trunk_run(shape, y, points))]
    if runs:
        y, run = min(runs, key=lambda item: item[1][1] - item[1][0])
        found["waist.R"], found["waist.L"] = (run[0], float(y)), (run[1], float(y))
        found["waist_c"] = (shape.axis, float(y))
    return found | _hips(shape, pit_y + 0.85 * (crotch_y - pit_y))


def _leg_points(shape: Shape, top: float, problems: list[str], *, knees: bool) -> dict[str, Point]:
    """Crotch, knees and hems of two legs, from the gap between them."""
    height = shape.bottom - top
    gap = [y for y in range(int(top + 0.12 * height), shape.bottom - 1) if _gap(shape, y) is not None]
    steady = [y for y in gap if sum(1 for other in gap if y <= other < y + 0.08 * height) > 0.06 * height]
    if steady:
        crotch_y = float(steady[0])
        crotch_x = float(np.mean(_gap(shape, steady[0]) or (shape.axis, shape.axis)))
    else:
        problems.append("the legs lie on each other: spread them a little")
        crotch_y, crotch_x = top + (0.62 if height < 1.1 * shape.width else 0.34) * height, shape.axis
    found: dict[str, Point] = {"crotch": (crotch_x, crotch_y)}
    for side, sign in SIDES:
        leg = shape.contour[((shape.contour[:, 0] - crotch_x) * sign > 0) & (shape.contour[:, 1] > crotch_y)]
        if not len(leg):
            leg = shape.contour
        end_y = float(leg[:, 1].max())
        foot = leg[leg[:, 1] > end_y - 0.06 * (end_y - crotch_y) - 2]
        centre = float(foot[:, 0].mean())
        out_score = (leg[:, 0] - centre) * sign / shape.width + 2.2 * (leg[:, 1] - end_y) / max(1.0, end_y - crotch_y)
        in_score = -(leg[:, 0] - centre) * sign / shape.width + 2.2 * (leg[:, 1] - end_y) / max(1.0, end_y - crotch_y)
        outer, inner = leg[np.argmax(out_score)], leg[np.argmax(in_score)]
        found[f"hem_out.{side}"] = (float(outer[0]), float(outer[1]))
        found[f"hem_in.{side}"] = (float(inner[0]), float(inner[1]))
        if knees:
            y = (crotch_y + end_y) / 2
            run = shape.run(y, crotch_x + sign * 0.25 * shape.width)
            found[f"knee.{side}"] = (float(np.mean(run)) if run else centre, y)
    return found


def _gap(shape: Shape, y: float) -> tuple[float, float] | None:
    """The uncovered stretch between the legs in a row, near the axis; None where there is none."""
    runs = shape.runs(y)
    for (_, left), (right, _) in itertools.pairwise(runs):
        if abs((left + right) / 2 - shape.axis) < 0.16 * shape.width and right - left > 2:
            return left, right
    return None


def _confidence(shape: Shape, problems: list[str]) -> float:
    """Symmetry of the outline about its axis, less 0.20 per problem."""
    mask = shape.mask.astype(np.float32)
    matrix = np.array([[-1, 0, 2 * shape.axis], [0, 1, 0]], np.float64)
    mirrored = cv2.warpAffine(mask, matrix, (mask.shape[1], mask.shape[0]))
    symmetry = float(np.minimum(mask, mirrored).sum() / max(1.0, float(np.maximum(mask, mirrored).sum())))
    return float(np.clip(symmetry - 0.20 * len(problems), 0.0, 1.0))
