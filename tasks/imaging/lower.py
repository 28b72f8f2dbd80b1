"""Where skirts, trousers and shorts lie on the twin."""

import numpy as np

from tasks.imaging.body import SIDES, SIGN, Body, Side
from tasks.imaging.outline import Points, carry, points, resample, smooth
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
    down_from,
    in_order,
    lengthwise,
    require,
    rim,
    trunk_side,
)


def skirt(body: Body, flat: Flat) -> Fit:
    waist_y = body.waist_y + 0.10 * body.span
    hip_y = float((body.joint("hip.L") + body.joint("hip.R"))[1] / 2)
    ease = 1 + EASE["skirt"]
    scale = ease * ROUND * body.width(waist_y) / flat.width("waist")
    length = lengthwise(body, "waist", body.width(waist_y), scale)
    if flat.has("hip.L", "hip.R"):
        scale = max(scale, 0.94 * ease * ROUND * body.width(hip_y) / flat.width("hip"))
    v_waist, v_hem = flat.middle("waist")[1], flat.middle("hem")[1]
    require(v_hem - v_waist > 10, "the skirt's hem is not below its waist")
    ankle = float((body.joint("ankle.L") + body.joint("ankle.R"))[1] / 2)
    crotch = float(body.crotch[1])
    hem_y = float(np.clip(waist_y + (v_hem - v_waist) * length, crotch + 0.18 * body.span, ankle))
    rows = Rows(((v_waist, waist_y), (v_hem, hem_y)))
    middle_x = float((flat.middle("waist")[0] + flat.middle("hem")[0]) / 2)
    source, target = {}, {}
    for side in SIDES:
        names = (f"waist.{side}", f"hem.{side}")
        source[side] = down(flat.walk(*(names if side == "L" else names[::-1]), count=2 * STEPS), side)
        target[side] = trunk_side(body, side, source[side], middle_x, rows, scale, waist_y)
    top_source, low_source = flat.walk("waist.R", "waist.L"), flat.walk("hem.L", "hem.R", count=2 * STEPS)
    top = carry(top_source, target["R"][0], target["L"][0], 0.5 * scale)
    low = rim(carry(low_source, target["L"][-1], target["R"][-1], scale), 0.02)
    panel = Panel(
        "skirt",
        np.concatenate([p[:-1] for p in (top_source, source["L"], low_source, source["R"][::-1])]),
        np.concatenate([p[:-1] for p in (top, target["L"], low, target["R"][::-1])]),
        *around(source, target, 7),
    )
    return Fit((panel,), scale, bare_below=hem_y)


def legs(
    body: Body, flat: Flat, scale: float, length: float, waist_y: float, band_y: float | None
) -> tuple[list[Panel], float]:
    """Two trouser legs, each with its half of the seat, and the row of their hems. A waistband is held at `band_y`."""
    v_waist, v_crotch = flat.middle("waist")[1], flat.at("crotch")[1]
    v_hem = (flat.middle("hem_out")[1] + flat.middle("hem_in")[1]) / 2
    require(v_waist < v_crotch < v_hem, "waist, crotch and hems are not one below the other")
    crotch = body.crotch + np.array([0.0, 0.03 * body.span])
    ankle = float((body.joint("ankle.L") + body.joint("ankle.R"))[1] / 2) + 0.05 * body.span
    hem_y = float(crotch[1] + (v_hem - v_crotch) * length)
    if (hem_y - crotch[1]) > 0.80 * (ankle - crotch[1]):
        hem_y = ankle
    rows = Rows(((v_waist, waist_y), (v_crotch, float(crotch[1])), (v_hem, hem_y)))
    waist_source = flat.walk("waist.R", "waist.L", count=2 * STEPS + 1)
    centre_source = points(waist_source[STEPS], flat.at("crotch"))
    panels, tops = [], {}
    curves = {side: _leg_curves(body, flat, side, rows, scale, crotch, band_y) for side in SIDES}
    band = carry(waist_source, curves["R"][2][0], curves["L"][2][0], 0.5 * scale)
    tops = {"L": (waist_source[STEPS:], band[STEPS:]), "R": (waist_source[: STEPS + 1][::-1], band[: STEPS + 1][::-1])}
    seat_source = resample(centre_source, STEPS)[::-1]
    seat = resample(points(band[STEPS], crotch), STEPS)[::-1]
    for side in SIDES:
        outer_source, inner_source, outer, inner = curves[side]
        hem_source = down(flat.walk(*in_order(side, "hem_out", "hem_in")), side)
        hem = rim(carry(hem_source, outer[-1], inner[-1], scale), 0.04)
        panels.append(
            Panel(
                f"leg.{side}",
                np.concatenate(
                    [p[:-1] for p in (tops[side][0], outer_source, hem_source, inner_source[::-1], seat_source)]
                ),
                np.concatenate([p[:-1] for p in (tops[side][1], outer, hem, inner[::-1], seat)]),
            )
        )
    return panels, hem_y


def _leg_curves(
    body: Body, flat: Flat, side: Side, rows: Rows, scale: float, crotch: Points, band_y: float | None
) -> tuple[Points, Points, Points, Points]:
    """Outer and inner seam of one leg, in the photograph and on the twin, all running down."""
    sign = SIGN[side]
    names = (f"waist.{side}", f"hem_out.{side}")
    outer_source = down(flat.walk(*(names if side == "L" else names[::-1]), count=3 * STEPS), side)
    top, low = flat.at("crotch"), flat.at(f"hem_in.{side}")
    found = flat.contour.between(low, top) if side == "L" else flat.contour.between(top, low)
    line = points(top, low) if found is None else down_from(top, found)
    inner_source = resample(line, 2 * STEPS)
    y_out, y_in = rows(outer_source[:, 1]), rows(inner_source[:, 1])
    body_outer, body_inner = body.leg_edges(side)
    pick = np.arange(len(body_outer))

    def cloth_half(v: Points) -> Points:
        order_o, order_i = np.argsort(outer_source[:, 1]), np.argsort(inner_source[:, 1])
        x_out = np.interp(v, outer_source[order_o, 1], outer_source[order_o, 0])
        x_in = np.interp(v, inner_source[order_i, 1], inner_source[order_i, 0])
        return np.asarray(np.abs(x_out - x_in) * scale / 2 / LIMB_ROUND, np.float64)

    def edges(y: Points, v: Points) -> tuple[Points, Points]:
        out, inn = np.interp(y, pick, body_outer), np.interp(y, pick, body_inner)
        clear = CLEARANCE * body.span
        centre, half = (out + inn) / 2, np.maximum(np.abs(out - inn) / 2 + clear, cloth_half(v))
        return centre + sign * half, centre - sign * half

    middle_x = float((flat.middle("waist")[0] + flat.at("crotch")[0]) / 2)
    seat = trunk_side(body, side, outer_source, middle_x, rows, scale, band_y)[:, 0]
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
    length = lengthwise(body, measure, body.width(row), scale)
    rise = (flat.at("crotch")[1] - flat.middle("waist")[1]) * length
    waist_y = float(np.clip(body.crotch[1] - rise, body.waist_y - 0.02 * body.span, hip_y - 0.12 * body.span))
    panels, hem_y = legs(body, flat, scale, length, waist_y, waist_y)
    return Fit(tuple(panels), scale, bare_below=hem_y)
