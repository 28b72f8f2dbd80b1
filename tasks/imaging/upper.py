"""Where tops, dresses and outerwear lie on the twin: trunk, neckline with the inside of the back, sleeves."""

from dataclasses import dataclass, replace

import numpy as np

from tasks.imaging.body import SIDES, SIGN, Body, Side
from tasks.imaging.neckline import front_neckline
from tasks.imaging.outline import Points, arc_length, carry, resample, smooth
from tasks.imaging.panels import (
    CLEARANCE,
    EASE,
    LIMB_ROUND,
    ROUND,
    STEPS,
    Fit,
    Flat,
    Panel,
    Rows,
    around,
    down,
    in_order,
    lengthwise,
    require,
    rim,
    trunk_side,
)


@dataclass(frozen=True)
class Upper:
    """Where the points of an upper garment lie on the twin."""

    scale: float
    length: float
    rows: Rows
    neck: dict[Side, Points]
    shoulder: dict[Side, Points]
    armpit: dict[Side, Points]
    sleeved: bool


def place_upper(body: Body, flat: Flat, sleeved: bool) -> Upper:
    chest = flat.width("armpit")
    require(chest > 20 and flat.middle("armpit")[1] > flat.middle("neck")[1], "neck, armpits and chest do not agree")
    under = {side: body.underarm(side) for side in SIDES}
    under_y = (under["L"][1] + under["R"][1]) / 2
    # where arm and trunk touch they part lower than the armpit lies
    lowest = 0.48 if sleeved else 0.42
    under_y = min(under_y, float(body.joint("shoulder.L")[1] + body.joint("shoulder.R")[1]) / 2 + lowest * body.span)
    width = body.width(under_y + 0.06 * body.span)
    scale = (1 + EASE[flat.garment.category]) * ROUND * width / chest
    length = lengthwise(body, "armpit", width, scale)
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
    armpit_y = float(
        np.clip(neck_y + (v_armpit - v_neck) * scale, under_y + drop[0] * body.span, under_y + drop[1] * body.span)
    )
    rows = Rows(((v_neck, neck_y), (v_armpit, armpit_y), (v_armpit + 100.0, armpit_y + 100.0 * scale)))
    middle_x = float(flat.middle("armpit")[0])
    armpit = {
        side: trunk_side(body, side, np.repeat(flat.at(f"armpit.{side}")[None], 2, 0), middle_x, rows, scale)[0]
        for side in SIDES
    }
    if not sleeved:  # cut close under a bare arm
        for side in SIDES:
            armpit[side][0] = body.edge(side, armpit[side][1]) + SIGN[side] * 1.5
    return Upper(scale, length, rows, neck, shoulder, armpit, sleeved)


def _top_seam(body: Body, a: Points, b: Points) -> Points:
    """From a to b along the shoulder line, just above the body."""
    x = np.linspace(a[0], b[0], STEPS)
    line = body.top(x)
    lift = np.interp(np.linspace(0, 1, STEPS), [0, 1], [a[1] - line[0], b[1] - line[-1]])
    return np.stack([x, line + lift], axis=1)


def sleeve(body: Body, flat: Flat, upper: Upper, side: Side) -> Panel:
    """A sleeve along the arm, bent with it, as wide as its own cloth laid around it and never inside the arm."""
    sections = body.limb_sections("arm", side)
    outer = down(flat.walk(*in_order(side, "shoulder", "cuff_out")), side)
    inner = flat.walk(*in_order(side, "armpit", "cuff_in", inward=True))
    inner = inner[::-1] if side == "L" else inner
    cloth = np.linalg.norm(outer - inner, axis=1) * upper.scale / 2 / LIMB_ROUND
    start = float(np.clip((upper.shoulder[side] - sections.at[0]) @ (sections.at[3] - sections.at[0]), -1e9, 1e9))
    start /= max(float(np.linalg.norm(sections.at[3] - sections.at[0])), 1e-6)
    length = (
        float(np.linalg.norm((flat.at(f"cuff_out.{side}") + flat.at(f"cuff_in.{side}")) / 2 - outer[0])) * upper.length
    )
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
    outside, inside = _soft(outside, 2.6), _soft(inside)
    edge = body.arm_edge(side, outside[1:-1, 1]) + SIGN[side] * clear
    near = fraction[1:-1] < 0.5
    outside[1:-1, 0] = np.where(
        near, np.maximum(outside[1:-1, 0] * SIGN[side], edge * SIGN[side]) * SIGN[side], outside[1:-1, 0]
    )
    hem = down(flat.walk(*in_order(side, "cuff_out", "cuff_in")), side)
    cuff = rim(carry(hem, outside[-1], inside[-1], upper.scale), 0.05)
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


def _soft(curve: Points, sigma: float = 1.6) -> Points:
    out = smooth(curve, sigma)
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
    front_source, back_source = front_neckline(flat)
    (v_neck, y_neck), (v_armpit, y_armpit) = upper.rows.knots[:2]
    drop = float(np.clip((y_armpit - y_neck) / (v_armpit - v_neck), upper.length, 1.3 * upper.scale))
    front = carry(front_source, upper.neck["R"], upper.neck["L"], drop)
    middle_x = float((flat.middle("armpit")[0] + flat.middle(bottom)[0]) / 2)
    sides, sources = {}, {}
    holes = {side: _armhole(flat, upper, side) for side in SIDES}
    seams = {}
    for side in SIDES:
        names = (f"armpit.{side}", f"{bottom}.{side}")
        sources[side] = down(flat.walk(*(names if side == "L" else names[::-1]), count=2 * STEPS), side)
        sides[side] = trunk_side(body, side, sources[side], middle_x, upper.rows, upper.scale)
        if upper.sleeved:
            sides[side][0] = upper.armpit[side]
        else:
            gone = np.clip((sides[side][:, 1] - upper.armpit[side][1]) / (0.35 * body.span), 0, 1)[:, None]
            sides[side] = upper.armpit[side] * [1, 0] * (1 - gone) + sides[side] * [1, 0] * gone + sides[side] * [0, 1]
            floor = body.edge(side, sides[side][:, 1]) + SIGN[side] * 1.5
            sides[side][:, 0] = np.maximum(sides[side][:, 0] * SIGN[side], floor * SIGN[side]) * SIGN[side]
        line = flat.walk(
            *((f"neck.{side}", f"shoulder.{side}") if side == "L" else (f"shoulder.{side}", f"neck.{side}"))
        )
        seams[side] = (down(line, side), _top_seam(body, upper.neck[side], upper.shoulder[side]))
    hem_source = flat.walk(f"{bottom}.L", f"{bottom}.R", count=2 * STEPS)
    hem = rim(carry(hem_source, sides["L"][-1], sides["R"][-1], upper.scale), 0.015)

    def outline(neckline: Points, seam: int, hole: int, side_curves: dict[Side, Points], lower: Points) -> Points:
        left = [seams["L"][seam], holes["L"][hole], side_curves["L"]]
        right = [side_curves["R"][::-1], holes["R"][hole][::-1], seams["R"][seam][::-1]]
        return np.concatenate([piece[:-1] for piece in (neckline, *left, lower, *right)])

    panels = []
    if back_source is not None:
        chord = front_source[[0, -1]]
        whole = carry(
            np.concatenate([chord[:1], back_source, chord[1:]]), upper.neck["R"], upper.neck["L"], 0.18 * drop
        )
        back = whole[1:-1]
        panels.append(
            Panel(
                "back",
                np.concatenate([front_source, back_source[::-1]]),
                np.concatenate([front, back[::-1]]),
                behind=True,
            )
        )
    inner, seen = around(sources, sides, 7)
    source_outline = outline(front_source, 0, 0, sources, hem_source)
    panels.append(Panel("torso", source_outline, outline(front, 1, 1, sides, hem), inner, seen))
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
    return Fit(tuple(panels), upper.scale, gaps(body, panels), bare_above, bare_below)


def gaps(body: Body, panels: list[Panel]) -> tuple[Points, ...]:
    trunk = next(panel.target for panel in panels if panel.name == "torso")
    found = []
    for panel in panels:
        if panel.name.startswith("sleeve"):
            side: Side = "L" if panel.name.endswith("L") else "R"
            armpit_y = panel.target[3 * (STEPS - 1)][1]
            own = trunk[(trunk[:, 0] - body.neck_x) * SIGN[side] > 0]
            own = own[own[:, 1] >= armpit_y - 1]
            inner = panel.target[2 * (STEPS - 1) : 3 * (STEPS - 1) + 1][::-1]
            found.append(armpit_gap(own, inner, side, 0.035 * body.span))
    return tuple(gap for gap in found if gap is not None)


def _length(body: Body, flat: Flat, upper: Upper) -> Rows:
    """The garment's own length, kept within what its category can be."""
    v_hem, v_armpit = flat.middle("hem")[1], flat.middle("armpit")[1]
    y_armpit = float(upper.rows(np.array([v_armpit]))[0])
    own = y_armpit + (v_hem - v_armpit) * upper.length
    hip, knee, ankle = (float((body.joint(f"{n}.L") + body.joint(f"{n}.R"))[1] / 2) for n in ("hip", "knee", "ankle"))
    thigh = knee - hip
    lowest = {"top": float(body.crotch[1]) + 0.04 * body.span, "outerwear": knee + 0.5 * (ankle - knee)}.get(
        flat.garment.category, ankle
    )
    highest = body.waist_y - 0.3 * body.span if flat.garment.category != "dress" else hip + 0.35 * thigh
    end = float(np.clip(own, highest, lowest))
    return Rows((upper.rows.knots[0], (v_armpit, y_armpit), (v_hem, end)))


def armpit_gap(trunk: Points, inner: Points, side: Side, widest: float) -> Points | None:
    """The sliver between a sleeve's inner seam and the trunk's side, from the armpit down to where it is `widest`
    pixels wide: cloth, in truth. Both curves run down from the armpit."""
    order = np.argsort(trunk[:, 1])
    beside = np.interp(inner[:, 1], trunk[order, 1], trunk[order, 0])
    gap = (inner[:, 0] - beside) * SIGN[side]
    stop = int(np.argmax(gap > widest)) if (gap > widest).any() else 0
    if stop < 2:
        return None
    wall = np.stack([beside[: stop + 1] - 2 * SIGN[side], inner[: stop + 1, 1]], axis=1)
    arch = (inner[stop] + wall[stop]) / 2 - np.array([0.0, 0.8 * abs(inner[stop, 0] - wall[stop, 0])])
    return np.concatenate([inner[: stop + 1], arch[None], wall[::-1]])
