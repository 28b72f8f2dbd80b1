"""A garment as flat panels: each outline found in the photograph, and where that outline lies on the twin.

A panel's target outline is never inside the body's own, so that nothing of the body or of the base clothing shows
beside the garment and nobody is made slimmer. Lengths are the garment's own, scaled once by its width on this body.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from schemas.base import Category
from tasks.errors import UnusablePhotograph
from tasks.imaging.body import SIDES, SIGN, Body, Side
from tasks.imaging.outline import Contour, Points, arc_length, carry, points, resample, smooth
from tasks.imaging.pictures import GarmentCutout

ROUND = 1.33
"""Half the circumference of a trunk over its width as seen from the front (an ellipse about 0.68 as deep as wide)."""
HANGING = 1.10
"""The same of cloth that hangs free below the hips, which spreads sideways."""
LIMB_ROUND = 1.45
"""The same of a limb, less the fold that a flat sleeve or leg keeps."""
EASE: dict[Category, float] = {
    "top": 0.09, "dress": 0.07, "outerwear": 0.16, "jumpsuit": 0.08, "skirt": 0.03, "trousers": 0.05, "shorts": 0.06,
}  # fmt: skip
"""Room between garment and body, as a share of the body's circumference."""
CLEARANCE = 0.016
"""Least distance of a garment's edge from the body's, as a share of the shoulder span."""
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
    bare_above: float | None = None
    bare_below: float | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Flat:
    """The garment as photographed: its contour, its landmarks and its upright axis."""

    garment: GarmentCutout
    contour: Contour

    def at(self, name: str) -> Points:
        if name not in self.garment.landmarks:
            raise UnusablePhotograph(
                f"the photograph does not show where the {self.garment.category}'s {name} is", code="landmark_missing"
            )
        return np.asarray(self.garment.landmarks[name], np.float64)

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


def flatten(garment: GarmentCutout) -> Flat:
    return Flat(garment, Contour.of(garment.rgba[..., 3]))


def _require(condition: bool, message: str) -> None:
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
        return np.where(v > source[-1], target[-1] + (v - source[-1]) * last, inside)


def trunk_side(body: Body, side: Side, curve: Points, middle_x: float, rows: Rows, scale: float) -> Points:
    """A side seam that runs down, on the twin: the garment's own width around the body, never inside the body."""
    y = rows(curve[:, 1])
    hip = float((body.joint("hip.L") + body.joint("hip.R"))[1] / 2)
    free = np.clip((y - hip) / (1.2 * body.span), 0, 1)
    half = np.abs(curve[:, 0] - middle_x) * scale / (ROUND + (HANGING - ROUND) * free)
    sign = SIGN[side]
    own = body.centre(y) + sign * half
    least = body.edge(side, y) + sign * (CLEARANCE * body.span + 1.2)
    x = np.maximum(own * sign, least * sign) * sign
    return np.stack([smooth(x, 1.5), y], axis=1)


# ---------------------------------------------------------------- upper body
@dataclass(frozen=True)
class Upper:
    """Where the points of an upper garment lie on the twin."""

    scale: float
    rows: Rows
    neck: dict[Side, Points]
    shoulder: dict[Side, Points]
    armpit: dict[Side, Points]
    sleeved: bool


def place_upper(body: Body, flat: Flat, sleeved: bool) -> Upper:
    chest = flat.width("armpit")
    _require(chest > 20 and flat.middle("armpit")[1] > flat.middle("neck")[1], "neck, armpits and chest do not agree")
    under = {side: body.underarm(side) for side in SIDES}
    under_y = (under["L"][1] + under["R"][1]) / 2
    scale = (1 + EASE[flat.garment.category]) * ROUND * body.width(under_y + 0.06 * body.span) / chest
    neck, shoulder = {}, {}
    for side in SIDES:
        sign = SIGN[side]
        half = max(flat.width("neck") * scale / 2, 1.04 * body.neck_half_width)
        joint = sign * (body.joint(f"shoulder.{side}")[0] - body.neck_x)
        reach = flat.width("shoulder") * scale / 2
        half = min(half, 0.86 * joint)
        reach = float(np.clip(reach, half + 0.06 * body.span, joint + (0.09 if sleeved else 0.02) * body.span))
        neck_x, shoulder_x = body.neck_x + sign * half, body.neck_x + sign * reach
        neck[side] = np.array([neck_x, float(body.top(neck_x)) - 1.5])
        shoulder[side] = np.array([shoulder_x, float(body.top(shoulder_x)) - 2.0])
    neck_y = (neck["L"][1] + neck["R"][1]) / 2
    v_neck, v_armpit = flat.middle("neck")[1], flat.middle("armpit")[1]
    drop = (0.03, 0.22) if sleeved else (-0.04, 0.10)
    armpit_y = float(np.clip(neck_y + (v_armpit - v_neck) * scale, under_y + drop[0] * body.span, under_y + drop[1] * body.span))
    rows = Rows(((v_neck, neck_y), (v_armpit, armpit_y), (v_armpit + 100.0, armpit_y + 100.0 * scale)))
    middle_x = float(flat.middle("armpit")[0])
    armpit = {
        side: trunk_side(body, side, np.repeat(flat.at(f"armpit.{side}")[None], 2, 0), middle_x, rows, scale)[0]
        for side in SIDES
    }
    return Upper(scale, rows, neck, shoulder, armpit, sleeved)


def _neckline(flat: Flat) -> tuple[Points, Points | None]:
    """Front neckline from the right to the left neck point, and the contour behind it where the inside of the back
    shows above the front (else None)."""
    right, left = flat.at("neck.R"), flat.at("neck.L")
    edge = flat.contour.between(right, left, longest=6.0)
    lowest = flat.at("neck_c") if flat.has("neck_c") else None
    if lowest is None:
        return resample(points(right, left) if edge is None else edge, STEPS), None
    off = np.linalg.norm(edge - lowest, axis=1).min() if edge is not None else np.inf
    if edge is not None and off < 0.03 * flat.width("armpit"):
        return resample(edge, STEPS), None
    angle = np.linspace(np.pi, 0, STEPS)
    middle, half = (right + left) / 2, (left - right) / 2
    depth = lowest - middle
    front = middle + np.cos(angle)[:, None] * half + (np.sin(angle) ** 0.9)[:, None] * depth
    return front, None if edge is None else resample(edge, STEPS)


def _top_seam(body: Body, a: Points, b: Points) -> Points:
    """From a to b along the shoulder line, just above the body."""
    x = np.linspace(a[0], b[0], STEPS)
    line = body.top(x)
    lift = np.interp(np.linspace(0, 1, STEPS), [0, 1], [a[1] - line[0], b[1] - line[-1]])
    return np.stack([x, line + lift], axis=1)


def sleeve(body: Body, flat: Flat, upper: Upper, side: Side) -> Panel:
    """A sleeve along the arm, bent with it, as wide as its own cloth laid around it and never inside the arm."""
    sections = body.limb_sections("arm", side)
    outer = down(flat.walk(*_order(side, "shoulder", "cuff_out")), side)
    inner = flat.walk(*_order(side, "armpit", "cuff_in", inward=True))
    inner = inner[::-1] if side == "L" else inner
    cloth = np.linalg.norm(outer - inner, axis=1) * upper.scale / 2 / LIMB_ROUND
    start = float(np.clip((upper.shoulder[side] - sections.at[0]) @ (sections.at[3] - sections.at[0]), -1e9, 1e9))
    start /= max(float(np.linalg.norm(sections.at[3] - sections.at[0])), 1e-6)
    length = float(np.linalg.norm((flat.at(f"cuff_out.{side}") + flat.at(f"cuff_in.{side}")) / 2 - outer[0])) * upper.scale
    wrist = arc_length(body.limb("arm", side))
    under = float(np.argmin(np.linalg.norm(sections.at - upper.armpit[side], axis=1)))
    under = sections.along[int(under)]
    end = float(np.clip(start + length, under + 0.10 * body.span, wrist + 0.05 * body.span))
    if flat.garment.sleeve == "long":
        end = max(end, 0.98 * wrist)
    fraction = np.linspace(0, 1, STEPS)
    clear = CLEARANCE * body.span + 1.0
    at, way, radius, _ = sections.sample(max(start, 0.0) + fraction * (end - max(start, 0.0)))
    outside = at + way * np.maximum(radius + clear, cloth)[:, None]
    at, way, _, radius = sections.sample(under + fraction * (end - under))
    inside = at - way * np.maximum(radius + clear, cloth)[:, None]
    settle = np.clip(fraction / 0.30, 0, 1)[:, None] ** 0.7
    outside = upper.shoulder[side] + (outside - upper.shoulder[side]) * np.where(fraction < 0.06, 0.0, 1.0)[:, None]
    inside = upper.armpit[side] * (1 - settle) + inside * settle
    outside, inside = _soft(outside), _soft(inside)
    hem = down(flat.walk(*_order(side, "cuff_out", "cuff_in")), side)
    cuff = carry(hem, outside[-1], inside[-1], upper.scale)
    armhole_source, armhole = _armhole(flat, upper, side)
    axis_source = (outer + inner)[2:-2] / 2
    axis_target = (outside + inside)[2:-2] / 2
    return Panel(
        f"sleeve.{side}",
        np.concatenate([outer[:-1], hem[:-1], inner[::-1][:-1], armhole_source[::-1][:-1]]),
        np.concatenate([outside[:-1], cuff[:-1], inside[::-1][:-1], armhole[::-1][:-1]]),
        axis_source,
        axis_target,
    )


def _order(side: Side, first: str, second: str, inward: bool = False) -> tuple[str, str]:
    """Two landmarks of one side in the contour's direction. `inward`: the contour meets the second first on the left."""
    forward = (side == "L") != inward
    a, b = f"{first}.{side}", f"{second}.{side}"
    return (a, b) if forward else (b, a)


def _soft(curve: Points) -> Points:
    out = smooth(curve, 1.6)
    out[0], out[-1] = curve[0], curve[-1]
    return out


def _armhole(flat: Flat, upper: Upper, side: Side) -> tuple[Points, Points]:
    """From shoulder to armpit in both frames."""
    a, b = flat.at(f"shoulder.{side}"), flat.at(f"armpit.{side}")
    found = None
    if not upper.sleeved:
        found = flat.contour.between(*((a, b) if side == "L" else (b, a)))
    if found is None:
        bend = np.array([-SIGN[side] * 0.10, 0.0]) * np.linalg.norm(b - a)
        t = np.linspace(0, 1, STEPS)[:, None]
        source = a + (b - a) * t + bend * (4 * t * (1 - t)) * (0.6 if upper.sleeved else 1.0)
    else:
        source = down(resample(found, STEPS), side)
    return source, carry(source, upper.shoulder[side], upper.armpit[side], upper.scale)


def torso(body: Body, flat: Flat, upper: Upper, bottom: str) -> list[Panel]:
    """The trunk of an upper garment from the neck to its hem (or to `bottom`), the inside of its back first."""
    front_source, back_source = _neckline(flat)
    front = carry(front_source, upper.neck["R"], upper.neck["L"], upper.scale)
    middle_x = float((flat.middle("armpit")[0] + flat.middle(bottom)[0]) / 2)
    sides, sources = {}, {}
    holes = {side: _armhole(flat, upper, side) for side in SIDES}
    seams = {}
    for side in SIDES:
        names = (f"armpit.{side}", f"{bottom}.{side}")
        sources[side] = down(flat.walk(*(names if side == "L" else names[::-1]), count=2 * STEPS), side)
        sides[side] = trunk_side(body, side, sources[side], middle_x, upper.rows, upper.scale)
        sides[side][0] = upper.armpit[side]
        line = flat.walk(*((f"neck.{side}", f"shoulder.{side}") if side == "L" else (f"shoulder.{side}", f"neck.{side}")))
        seams[side] = (down(line, side), _top_seam(body, upper.neck[side], upper.shoulder[side]))
    hem_source = flat.walk(f"{bottom}.L", f"{bottom}.R", count=2 * STEPS)
    hem = carry(hem_source, sides["L"][-1], sides["R"][-1], upper.scale)

    def outline(neckline: Points, seam: int, hole: int, side_curves: dict[Side, Points], lower: Points) -> Points:
        left = [seams["L"][seam], holes["L"][hole], side_curves["L"]]
        right = [side_curves["R"][::-1], holes["R"][hole][::-1], seams["R"][seam][::-1]]
        return np.concatenate([piece[:-1] for piece in (neckline, *left, lower, *right)])

    panels = []
    if back_source is not None:
        back = carry(back_source, upper.neck["R"], upper.neck["L"], 0.8 * upper.scale)
        panels.append(
            Panel(
                "back",
                np.concatenate([front_source, back_source[::-1][1:-1]]),
                np.concatenate([front, back[::-1][1:-1]]),
                behind=True,
            )
        )
    rows = np.linspace(front_source[STEPS // 2, 1], hem_source[STEPS, 1], 9)[1:-1]
    inner = np.stack([np.full_like(rows, middle_x), rows], axis=1)
    y = upper.rows(rows)
    panels.append(
        Panel(
            "torso",
            outline(front_source, 0, 0, sources, hem_source),
            outline(front, 1, 1, sides, hem),
            inner,
            np.stack([body.centre(y), y], axis=1),
        )
    )
    return panels


def upper_garment(body: Body, flat: Flat) -> Fit:
    """Tops, dresses and outerwear."""
    category = flat.garment.category
    sleeved = flat.garment.sleeve != "none" and flat.has(*(f"cuff_{edge}.{s}" for edge in ("in", "out") for s in SIDES))
    upper = place_upper(body, flat, sleeved)
    upper = replace(upper, rows=_length(body, flat, upper))
    panels = torso(body, flat, upper, "hem")
    if sleeved:
        panels += [sleeve(body, flat, upper, side) for side in SIDES]
    hem_y = float(upper.rows(np.array([flat.middle("hem")[1]]))[0])
    neck_y = float(upper.rows(np.array([flat.at("neck_c")[1]]))[0]) if flat.has("neck_c") else upper.neck["L"][1]
    shallow = neck_y < body.underarm("L")[1] + 0.10 * body.span
    bare_above = body.underarm("L")[1] + 0.35 * body.span if category != "outerwear" and shallow else None
    bare_below = hem_y if category == "dress" else None
    return Fit(tuple(panels), upper.scale, bare_above, bare_below)


def _length(body: Body, flat: Flat, upper: Upper) -> Rows:
    """The garment's own length, kept within what its category can be."""
    v_hem, v_armpit = flat.middle("hem")[1], flat.middle("armpit")[1]
    y_armpit = float(upper.rows(np.array([v_armpit]))[0])
    own = y_armpit + (v_hem - v_armpit) * upper.scale
    hip, knee, ankle = (float((body.joint(f"{n}.L") + body.joint(f"{n}.R"))[1] / 2) for n in ("hip", "knee", "ankle"))
    thigh = knee - hip
    lowest = {"top": float(body.crotch[1]) + 0.04 * body.span, "outerwear": knee + 0.5 * (ankle - knee)}.get(flat.garment.category, ankle)
    highest = body.waist_y - 0.3 * body.span if flat.garment.category != "dress" else hip + 0.35 * thigh
    end = float(np.clip(own, highest, lowest))
    return Rows((upper.rows.knots[0], (v_armpit, y_armpit), (v_hem, end)))


# ---------------------------------------------------------------- lower body
def skirt(body: Body, flat: Flat) -> Fit:
    waist_y = body.waist_y + 0.10 * body.span
    hip_y = float((body.joint("hip.L") + body.joint("hip.R"))[1] / 2)
    ease = 1 + EASE["skirt"]
    scale = ease * ROUND * body.width(waist_y) / flat.width("waist")
    if flat.has("hip.L", "hip.R"):
        scale = max(scale, 0.94 * ease * ROUND * body.width(hip_y) / flat.width("hip"))
    v_waist, v_hem = flat.middle("waist")[1], flat.middle("hem")[1]
    _require(v_hem - v_waist > 10, "the skirt's hem is not below its waist")
    ankle = float((body.joint("ankle.L") + body.joint("ankle.R"))[1] / 2)
    crotch = float(body.crotch[1])
    hem_y = float(np.clip(waist_y + (v_hem - v_waist) * scale, crotch + 0.18 * body.span, ankle))
    rows = Rows(((v_waist, waist_y), (v_hem, hem_y)))
    middle_x = float((flat.middle("waist")[0] + flat.middle("hem")[0]) / 2)
    source, target = {}, {}
    for side in SIDES:
        names = (f"waist.{side}", f"hem.{side}")
        source[side] = down(flat.walk(*(names if side == "L" else names[::-1]), count=2 * STEPS), side)
        target[side] = trunk_side(body, side, source[side], middle_x, rows, scale)
    top_source, low_source = flat.walk("waist.R", "waist.L"), flat.walk("hem.L", "hem.R", count=2 * STEPS)
    top = carry(top_source, target["R"][0], target["L"][0], 0.5 * scale)
    low = carry(low_source, target["L"][-1], target["R"][-1], scale)
    panel = Panel(
        "skirt",
        np.concatenate([p[:-1] for p in (top_source, source["L"], low_source, source["R"][::-1])]),
        np.concatenate([p[:-1] for p in (top, target["L"], low, target["R"][::-1])]),
    )
    return Fit((panel,), scale, bare_below=hem_y)


def legs(body: Body, flat: Flat, scale: float, waist_y: float, waist: str = "waist") -> tuple[list[Panel], float]:
    """Two trouser legs, each with its half of the seat, and the row of their hems."""
    v_waist, v_crotch = flat.middle(waist)[1], flat.at("crotch")[1]
    v_hem = (flat.middle("hem_out")[1] + flat.middle("hem_in")[1]) / 2
    _require(v_waist < v_crotch < v_hem, "waist, crotch and hems are not one below the other")
    crotch = body.crotch + np.array([0.0, 0.03 * body.span])
    ankle = float((body.joint("ankle.L") + body.joint("ankle.R"))[1] / 2) + 0.05 * body.span
    hem_y = float(crotch[1] + (v_hem - v_crotch) * scale)
    if (hem_y - crotch[1]) > 0.80 * (ankle - crotch[1]):
        hem_y = ankle
    rows = Rows(((v_waist, waist_y), (v_crotch, float(crotch[1])), (v_hem, hem_y)))
    waist_source = flat.walk(f"{waist}.R", f"{waist}.L", count=2 * STEPS + 1)
    centre_source = points(waist_source[STEPS], flat.at("crotch"))
    panels, tops = [], {}
    curves = {side: _leg_curves(body, flat, side, rows, scale, crotch, waist) for side in SIDES}
    band = carry(waist_source, curves["R"][2][0], curves["L"][2][0], 0.5 * scale)
    tops = {"L": (waist_source[STEPS:], band[STEPS:]), "R": (waist_source[: STEPS + 1][::-1], band[: STEPS + 1][::-1])}
    seat_source = resample(centre_source, STEPS)[::-1]
    seat = resample(points(band[STEPS], crotch), STEPS)[::-1]
    for side in SIDES:
        outer_source, inner_source, outer, inner = curves[side]
        hem_source = down(flat.walk(*_order(side, "hem_out", "hem_in")), side)
        hem = carry(hem_source, outer[-1], inner[-1], scale)
        panels.append(
            Panel(
                f"leg.{side}",
                np.concatenate([p[:-1] for p in (tops[side][0], outer_source, hem_source, inner_source[::-1], seat_source)]),
                np.concatenate([p[:-1] for p in (tops[side][1], outer, hem, inner[::-1], seat)]),
            )
        )
    return panels, hem_y


def _leg_curves(
    body: Body, flat: Flat, side: Side, rows: Rows, scale: float, crotch: Points, waist: str
) -> tuple[Points, Points, Points, Points]:
    """Outer and inner seam of one leg, in the photograph and on the twin, all running down."""
    sign = SIGN[side]
    names = (f"{waist}.{side}", f"hem_out.{side}")
    outer_source = down(flat.walk(*(names if side == "L" else names[::-1]), count=3 * STEPS), side)
    inward = ("crotch", f"hem_in.{side}")
    found = flat.contour.between(*(flat.at(n) for n in (inward[::-1] if side == "L" else inward)))
    line = np.stack([flat.at(n) for n in inward]) if found is None else (found[::-1] if side == "L" else found)
    inner_source = resample(line, 2 * STEPS)
    y_out, y_in = rows(outer_source[:, 1]), rows(inner_source[:, 1])
    body_outer, body_inner = body.leg_edges(side)
    pick = np.arange(len(body_outer))

    def cloth_half(v: Points) -> Points:
        order_o, order_i = np.argsort(outer_source[:, 1]), np.argsort(inner_source[:, 1])
        x_out = np.interp(v, outer_source[order_o, 1], outer_source[order_o, 0])
        x_in = np.interp(v, inner_source[order_i, 1], inner_source[order_i, 0])
        return np.abs(x_out - x_in) * scale / 2 / LIMB_ROUND

    def edges(y: Points, v: Points) -> tuple[Points, Points]:
        out, inn = np.interp(y, pick, body_outer), np.interp(y, pick, body_inner)
        clear = CLEARANCE * body.span
        centre, half = (out + inn) / 2, np.maximum(np.abs(out - inn) / 2 + clear, cloth_half(v))
        return centre + sign * half, centre - sign * half

    middle_x = float((flat.middle(waist)[0] + flat.at("crotch")[0]) / 2)
    seat = trunk_side(body, side, outer_source, middle_x, rows, scale)[:, 0]
    leg = edges(y_out, outer_source[:, 1])[0]
    blend = np.clip((y_out - crotch[1]) / (0.35 * body.span) + 0.5, 0, 1)
    x_out = seat * (1 - blend) + leg * blend
    floor = body.edge(side, y_out) + sign * CLEARANCE * body.span
    x_out = smooth(np.maximum(x_out * sign, floor * sign) * sign, 2.0)
    x_in = np.maximum(edges(y_in, inner_source[:, 1])[1] * sign, crotch[0] * sign) * sign
    x_in = smooth(x_in, 2.0)
    inner = np.stack([x_in, y_in], axis=1)
    inner[0] = crotch
    return outer_source, inner_source, np.stack([x_out, y_out], axis=1), inner


def trousers(body: Body, flat: Flat) -> Fit:
    """Trousers and shorts."""
    hip_y = float((body.joint("hip.L") + body.joint("hip.R"))[1] / 2)
    measure = "hip" if flat.has("hip.L", "hip.R") else "waist"
    row = hip_y if measure == "hip" else body.waist_y + 0.2 * body.span
    scale = (1 + EASE[flat.garment.category]) * ROUND * body.width(row) / flat.width(measure)
    rise = (flat.at("crotch")[1] - flat.middle("waist")[1]) * scale
    waist_y = float(np.clip(body.crotch[1] - rise, body.waist_y - 0.02 * body.span, hip_y - 0.12 * body.span))
    panels, hem_y = legs(body, flat, scale, waist_y)
    return Fit(tuple(panels), scale, bare_below=hem_y)


def jumpsuit(body: Body, flat: Flat) -> Fit:
    sleeved = flat.garment.sleeve != "none" and flat.has(*(f"cuff_{edge}.{s}" for edge in ("in", "out") for s in SIDES))
    upper = place_upper(body, flat, sleeved)
    v_armpit, v_waist = flat.middle("armpit")[1], flat.middle("waist")[1]
    y_armpit = float(upper.rows(np.array([v_armpit]))[0])
    own = y_armpit + (v_waist - v_armpit) * upper.scale
    waist_y = float(np.clip(own, body.waist_y - 0.1 * body.span, body.waist_y + 0.25 * body.span))
    upper = replace(upper, rows=Rows((upper.rows.knots[0], (v_armpit, y_armpit), (v_waist, waist_y))))
    lower, hem_y = legs(body, flat, upper.scale, waist_y)
    panels = [*lower, *torso(body, flat, upper, "waist")]
    if sleeved:
        panels += [sleeve(body, flat, upper, side) for side in SIDES]
    return Fit(tuple(panels), upper.scale, body.underarm("L")[1] + 0.35 * body.span, hem_y)


def fit(body: Body, garment: GarmentCutout) -> Fit:
    """Lay the garment's panels on the body. Raises UnusablePhotograph when its landmarks cannot be right."""
    flat = flatten(garment)
    if garment.category == "skirt":
        return skirt(body, flat)
    if garment.category in ("trousers", "shorts"):
        return trousers(body, flat)
    if garment.category == "jumpsuit":
        return jumpsuit(body, flat)
    return upper_garment(body, flat)
