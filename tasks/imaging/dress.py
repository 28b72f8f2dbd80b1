"""Dress a twin in a garment: the draft's whole picture, from laid panels to the finished look."""

from dataclasses import dataclass

import cv2
import numpy as np

from schemas.twin import PARTS
from tasks.imaging.body import Body
from tasks.imaging.fit import fit
from tasks.imaging.layers import arms_in_front, strands, undress
from tasks.imaging.panels import Fit, Panel
from tasks.imaging.pictures import F32, U8, GarmentCutout, GeneratedLook, TwinReference
from tasks.imaging.shade import apply_light, blur, cast, level, over_body, rounded
from tasks.imaging.studio import GROUND, over_ground
from tasks.imaging.warp import Box, coverage, fill_outside, warp_panel

MARGIN = 40
FINEST = 1.15
"""Garment pixels per twin pixel above which the cut-out is shrunk before it is warped, against moire."""


@dataclass(frozen=True)
class Cloth:
    """A garment made ready to be warped: filled colours, shrunk by `shrink`."""

    colours: U8
    shrink: float


@dataclass(frozen=True)
class Laid:
    """The garment on the twin within a box: colours 0..255, cover 0..1, and the part that lies behind the body."""

    box: Box
    colours: F32
    cover: F32
    sleeves: F32
    behind_colours: F32
    behind: F32


def ready(garment: GarmentCutout, scale: float) -> Cloth:
    shrink = min(1.0, FINEST * scale)
    rgba = garment.rgba
    if shrink < 1.0:
        size = (max(8, round(rgba.shape[1] * shrink)), max(8, round(rgba.shape[0] * shrink)))
        filled = fill_outside(rgba)
        return Cloth(
            np.asarray(cv2.resize(filled, size, interpolation=cv2.INTER_AREA), np.uint8), size[0] / rgba.shape[1]
        )
    return Cloth(fill_outside(rgba), 1.0)


def _light(panel: Panel, cover: F32, body: Body, box: Box) -> F32:
    span = body.span
    light = rounded(cover, span if panel.name in ("torso", "skirt") else 0.55 * span)
    normals = body.twin.normals
    if normals is not None and panel.name == "torso":
        rows = np.arange(box.top, box.bottom, dtype=np.float32)
        hip = float(body.joint("hip.L")[1])
        fade = np.clip((hip - 0.25 * span - rows) / (0.35 * span), 0, 1).astype(np.float32)
        light = light * over_body(normals[box.slices], np.repeat(fade[:, None], box.shape[1], 1), span)
    return light


def lay(body: Body, cloth: Cloth, fitted: Fit) -> Laid:
    """Warp and light every panel, over one another in order."""
    height, width = body.twin.parts.shape
    box = Box.around([panel.target for panel in fitted.panels], MARGIN, width, height)
    colours = np.zeros((*box.shape, 3), np.float32)
    behind_colours, behind, sleeves = colours.copy(), np.zeros(box.shape, np.float32), np.zeros(box.shape, np.float32)
    cover = np.zeros(box.shape, np.float32)
    light_all = np.ones(box.shape, np.float32)
    for panel in fitted.panels:
        own = coverage([panel.target], box)
        warped = warp_panel(cloth.colours, cloth.shrink, panel, box)
        if panel.behind:
            behind_colours, behind = apply_light(warped.astype(np.float32), np.full(box.shape, 0.80, np.float32)), own
            continue
        light = _light(panel, own, body, box)
        if panel.name.startswith("sleeve"):
            light_all *= 1 - 0.16 * blur(own, 0.035 * body.span) * (1 - own)
            sleeves = np.maximum(sleeves, own)
        share = np.where(own > 0, own / np.maximum(own + cover * (1 - own), 1e-4), 0)
        colours += (warped - colours) * share[..., None]
        light_all += (light - light_all) * share
        cover = np.maximum(cover, own)
    union = coverage([*(panel.target for panel in fitted.panels if not panel.behind), *fitted.gaps], box)
    between = (union > 0) & (cover < 0.999)
    if between.any():
        near = cv2.GaussianBlur(colours * cover[..., None], (0, 0), 5.0)
        known = cv2.GaussianBlur(cover, (0, 0), 5.0)
        fill = near / np.maximum(known, 1e-3)[..., None]
        colours[between] = (colours * cover[..., None] + fill * (1 - cover)[..., None])[between]
    return Laid(box, apply_light(colours, level(light_all, union)), union, sleeves, behind_colours, behind)


def _bare(body: Body, fitted: Fit, laid: Laid) -> U8:
    """The twin without the base clothing that this garment would not hide."""
    twin = body.twin
    off = np.zeros(twin.parts.shape, bool)
    if fitted.bare_above is not None:
        off[: int(fitted.bare_above)] = True
    if fitted.bare_below is not None:
        off[int(fitted.bare_below) - 4 :] = True
        off[: int(body.crotch[1])] &= fitted.bare_above is not None
    inside = np.zeros(twin.parts.shape, np.float32)
    inside[laid.box.slices] = laid.cover
    off &= inside < 0.999
    return undress(twin.rgba, twin.parts, twin.body_parts, twin.normals, off)


def _over(colour: F32, alpha: F32, top: F32, cover: F32) -> tuple[F32, F32]:
    """`top` with `cover` over premultiplied colour and its alpha."""
    keep = 1 - cover
    return colour * keep[..., None] + top * cover[..., None], alpha * keep + cover


def dress(twin: TwinReference, garment: GarmentCutout, generator: str) -> GeneratedLook:
    """The twin in the garment, on the studio ground. Raises UnusablePhotograph, UnusableTwin."""
    body = Body(twin)
    fitted = fit(body, garment)
    laid = lay(body, ready(garment, fitted.scale), fitted)
    at = laid.box.slices
    figure = _bare(body, fitted, laid)
    alpha = figure[at][..., 3].astype(np.float32) / 255.0
    colour = figure[at][..., :3].astype(np.float32) * alpha[..., None]
    shadow = cast(laid.cover, body.span)
    head = blur((twin.parts[at] == PARTS["head"]).astype(np.float32), 1.0)
    colour = colour * (1 - shadow * (1 - head))[..., None]
    behind = laid.behind * (1 - alpha)
    colour, alpha = colour + laid.behind_colours * behind[..., None], alpha + behind
    colour, alpha = _over(colour, alpha, laid.colours, laid.cover)
    hair_colour, hair = strands(twin.rgba[at], twin.parts[at])
    sleeve = garment.sleeve if laid.sleeves.any() else "none"
    below = body.underarm("L")[1] + (0.02 if sleeve != "none" else -0.10) * body.span
    arms = arms_in_front(twin.rgba[at], twin.parts[at], sleeve, below - laid.box.top) * (1 - laid.sleeves)
    front_arms = np.minimum(arms, laid.cover)
    colour, alpha = _over(colour, alpha, twin.rgba[at][..., :3].astype(np.float32), front_arms)
    front_hair = np.minimum(hair, np.maximum(laid.cover, laid.behind))
    colour, alpha = _over(colour, alpha, hair_colour, front_hair)
    return _finish(
        twin, figure, fitted, laid, colour, alpha, laid.cover * (1 - front_arms) * (1 - front_hair), generator
    )


def _finish(
    twin: TwinReference, figure: U8, fitted: Fit, laid: Laid, colour: F32, alpha: F32, worn: F32, generator: str
) -> GeneratedLook:
    plain = over_ground(twin.rgba)
    image, own = plain.copy(), twin.rgba[..., 3].astype(np.float32) / 255.0
    silhouette = own.copy()
    rows = np.flatnonzero((figure != twin.rgba).any(axis=(1, 2))) if figure is not twin.rgba else np.zeros(0, int)
    if len(rows):  # base clothing taken off, perhaps beyond the garment's box
        bared = slice(int(rows[0]), int(rows[-1]) + 1)
        image[bared], silhouette[bared] = over_ground(figure[bared]), figure[bared, :, 3].astype(np.float32) / 255.0
    at = laid.box.slices
    ground = np.asarray(GROUND, np.float32)
    image[at] = np.rint(np.clip(colour + ground * (1 - alpha)[..., None], 0, 255)).astype(np.uint8)
    silhouette[at] = np.clip(alpha, 0, 1)
    garment_alpha = np.zeros(silhouette.shape, np.float32)
    garment_alpha[at] = np.clip(worn, 0, 1)
    covered = (image != plain).any(axis=2) | (np.abs(silhouette - own) > 1e-6)
    return GeneratedLook(
        image=image,
        silhouette=silhouette,
        garment_alpha=garment_alpha,
        covered=covered.astype(np.float32),
        generator=generator,
        source_scale=fitted.scale,
        notes=fitted.notes,
    )
