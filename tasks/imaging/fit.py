"""Fit a garment to a twin: the panels of its category, laid."""

from dataclasses import replace

import numpy as np

from tasks.imaging.body import SIDES, Body
from tasks.imaging.lower import legs, skirt, trousers
from tasks.imaging.panels import (
    Fit,
    Flat,
    Rows,
    flatten,
)
from tasks.imaging.pictures import GarmentCutout
from tasks.imaging.upper import gaps, place_upper, sleeve, torso, upper_garment


def jumpsuit(body: Body, flat: Flat) -> Fit:
    sleeved = flat.garment.sleeve != "none" and flat.has(*(f"cuff_{edge}.{s}" for edge in ("in", "out") for s in SIDES))
    upper = place_upper(body, flat, sleeved)
    v_armpit, v_waist = flat.middle("armpit")[1], flat.middle("waist")[1]
    y_armpit = float(upper.rows(np.array([v_armpit]))[0])
    own = y_armpit + (v_waist - v_armpit) * upper.length
    waist_y = float(np.clip(own, body.waist_y - 0.1 * body.span, body.waist_y + 0.25 * body.span))
    upper = replace(upper, rows=Rows((upper.rows.knots[0], (v_armpit, y_armpit), (v_waist, waist_y))))
    lower, hem_y = legs(body, flat, upper.scale, upper.length, waist_y, None)
    panels = [*lower, *torso(body, flat, upper, "waist")]
    if sleeved:
        panels += [sleeve(body, flat, upper, side) for side in SIDES]
    return Fit(tuple(panels), upper.scale, gaps(body, panels), body.underarm("L")[1] + 0.35 * body.span, hem_y)


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
