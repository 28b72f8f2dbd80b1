"""Measure a finished frame: one flat row of finite numbers per image, which the judge holds against thresholds.

The reference is the twin itself, laid into the frame exactly as the look was, and the garment's photograph. All is
measured from the frame's pixels, at about 600 pixels of height, where a person's eye looks at a shop page.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from schemas.base import FORMAT_PIXELS, Format
from schemas.scene import Scene
from schemas.twin import PARTS
from tasks.imaging.colour import apply_gains, ciede2000, light_match, palette, to_lab
from tasks.imaging.framing import figure_box
from tasks.imaging.label import Corner, label_mask, label_match, measured_contrast
from tasks.imaging.phash import fine_print, phash
from tasks.imaging.pictures import F32, U8, Composited, CutLook, GarmentCutout, TwinReference

Row = dict[str, float | int | bool | str]
_WORK_HEIGHT = 675
_LIMBS = {"upperarm", "forearm", "hand", "upperleg", "lowerleg", "foot"}


def _named(names: set[str]) -> npt.NDArray[np.bool_]:
    """A table from part label to whether it is one of these parts; `upperarm` means both of them."""
    table = np.zeros(256, bool)
    table[[label for part, label in PARTS.items() if part.split(".")[0] in names]] = True
    return table


_SKIN, _FACE = _named({"head", "neck"} | _LIMBS), _named({"head"})
_FACE_SIZE = 64


@dataclass(frozen=True)
class _View:
    """Frame and twin round the person, at working size. `tall` is the twin's height there; grey_* are luma 0..255."""

    frame: U8
    grey: U8
    alpha: F32
    garment: F32
    twin: U8
    twin_grey: U8
    twin_alpha: F32
    parts: U8
    covered: F32
    tall: float


def _crop(frame: Composited, twin: TwinReference) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the frame's part that holds both the person and the twin, with some room."""
    height, width = frame.person_alpha.shape
    left, top, right, bottom = figure_box(frame.person_alpha)
    a, b, c, d = (frame.scale * v for v in figure_box(twin.rgba[..., 3], 64))
    x, y = frame.offset
    room = round(0.04 * height)
    left, top = min(left, round(a + x)) - room, min(top, round(b + y)) - room
    right, bottom = max(right, round(c + x)) + room, max(bottom, round(d + y)) + room
    return max(left, 0), max(top, 0), min(right, width), min(bottom, height)


def _view(frame: Composited, look: CutLook, twin: TwinReference, scene: Scene) -> _View:
    """The twin gets the scene's light as the look did: what differs after that is not the light."""
    left, top, right, bottom = _crop(frame, twin)
    k = min(1.0, _WORK_HEIGHT / frame.image.shape[0])
    size = (max(1, round((right - left) * k)), max(1, round((bottom - top) * k)))
    scale, x, y = frame.scale * k, (frame.offset[0] - left) * k, (frame.offset[1] - top) * k

    def placed(picture: Any, kind: int) -> Any:
        """A picture of the look's size where the composite put it; area-averaged when it shrinks."""
        step = (scale - 1) / 2
        matrix = np.array([[scale, 0, x + step], [0, scale, y + step]], np.float32)
        if scale < 0.7 and kind != cv2.INTER_NEAREST:
            picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            matrix = np.array([[1, 0, x], [0, 1, y]], np.float32)
        return cv2.warpAffine(picture, matrix, size, flags=kind)

    def shrunk(picture: Any) -> Any:
        return cv2.resize(picture[top:bottom, left:right], size, interpolation=cv2.INTER_AREA)

    small = shrunk(frame.image)
    stand_in = placed(np.ascontiguousarray(twin.rgba[..., :3]), cv2.INTER_LINEAR)
    stand_in = apply_gains(stand_in, light_match(scene))
    twin_alpha = placed(twin.rgba[..., 3], cv2.INTER_LINEAR).astype(np.float32) / np.float32(255)
    _, above, _, below = figure_box(twin_alpha)
    return _View(
        frame=small,
        grey=cv2.cvtColor(small, cv2.COLOR_RGB2GRAY),
        alpha=shrunk(frame.person_alpha),
        garment=shrunk(frame.garment_alpha),
        twin=stand_in,
        twin_grey=cv2.cvtColor(stand_in, cv2.COLOR_RGB2GRAY),
        twin_alpha=twin_alpha,
        parts=placed(twin.parts, cv2.INTER_NEAREST),
        covered=placed(look.covered.astype(np.float32), cv2.INTER_LINEAR),
        tall=float(max(below - above, 1)),
    )


def _eroded(mask: Any, pixels: int) -> Any:
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * pixels + 1, 2 * pixels + 1))
    return cv2.erode(mask.astype(np.uint8), kernel) > 0


def _dilated(mask: Any, pixels: int) -> Any:
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * pixels + 1, 2 * pixels + 1))
    return cv2.dilate(mask.astype(np.uint8), kernel) > 0


def _sample(pixels: U8, most: int = 4000) -> U8:
    """At most `most` pixels of N x 3, evenly taken."""
    return pixels[:: max(1, len(pixels) // most)]


def _garment_colour(view: _View, garment: GarmentCutout) -> Row:
    """CIEDE2000 (k_L = 2, textiles) between the garment in the frame and in its photograph.

    garment_delta_e: the medians or, for patterns, the photograph's main colour to the nearest in the frame.
    palette_delta_e: every main colour of the one to the nearest of the other, weighted by share, the worse way round.
    """
    shown = view.frame[_eroded(view.garment > 0.9, 1)]
    shrink = min(1.0, 400 / max(garment.rgba.shape[:2]))
    small = cv2.resize(garment.rgba, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    wanted = small[..., :3][_eroded(small[..., 3] > 240, 2)]
    if len(shown) < 50 or len(wanted) < 50:
        return {"garment_delta_e": 100.0, "palette_delta_e": 100.0, "chroma_ratio": 0.0, "print_detail": 0.0}
    seen, true = to_lab(_sample(shown)), to_lab(_sample(wanted))
    (a, share_a), (b, share_b) = palette(seen), palette(true)
    pairs = ciede2000(a[:, None], b[None, :], lightness=2)
    middle = ciede2000(np.median(seen, axis=0), np.median(true, axis=0), lightness=2)
    main = min(float(middle), float(pairs[:, share_b.argmax()].min()))
    both = (float((pairs.min(axis=1) * share_a).sum()), float((pairs.min(axis=0) * share_b).sum()))
    return {
        "garment_delta_e": main,
        "palette_delta_e": max(both),
        "chroma_ratio": _ratio(
            np.hypot(seen[:, 1], seen[:, 2]).mean() + 4, np.hypot(true[:, 1], true[:, 2]).mean() + 4
        ),
        "print_detail": _print_detail(seen, true),
    }


def _ratio(value: Any, reference: Any) -> float:
    return float(value) / max(float(reference), 1e-6)


def _print_detail(seen: F32, true: F32) -> float:
    """How much the garment's colours vary, frame over photograph: about 1 when a print survives, near 0 if not.

    Spread of CIELAB a and b round their median, with a floor that makes plain garments compare as equal.
    """
    spread = [float(np.abs(lab[:, 1:] - np.median(lab[:, 1:], axis=0)).mean()) + 5.0 for lab in (seen, true)]
    return spread[0] / spread[1]


def _silhouette(view: _View) -> Row:
    """The person against the twin: overlap and edge distance where nothing was covered, and body that is missing."""
    solid, twin = view.alpha > 0.5, view.twin_alpha > 0.5
    free = ~_dilated((view.covered > 0.02) | (view.garment > 0.02), 3)
    mine, true = solid & free, twin & free
    union = int((mine | true).sum())
    overlap = int((mine & true).sum()) / union if union else 1.0
    body = _eroded(twin, 2)
    lost = int((body & ~solid).sum()) / max(int(body.sum()), 1)
    return {
        "silhouette_iou": overlap,
        "silhouette_hd95": _edge_distance(solid, twin, free, view.tall),
        "body_lost": lost,
    }


def _edge_distance(mine: Any, true: Any, free: Any, tall: float) -> float:
    """95th percentile of the distance between both outlines in free regions, as a share of the person's height."""
    edges = [(_dilated(mask, 1) & ~mask & free) for mask in (mine, true)]
    if not edges[0].any() or not edges[1].any():
        return 0.0 if not edges[0].any() and not edges[1].any() else 1.0
    away = []
    for edge, other in (edges, edges[::-1]):
        far = cv2.distanceTransform((~other).astype(np.uint8), cv2.DIST_L2, 3)
        away.append(np.quantile(far[edge], 0.95))
    return float(max(away)) / tall


def _skin(view: _View) -> Row:
    """CIEDE2000 between the skin that nothing covers and the same skin of the twin, medians; 0 if none is seen."""
    skin = _SKIN[view.parts] & _bare(view, 1)
    if int(skin.sum()) < 60:
        return {"skin_delta_e": 0.0, "skin_pixels": int(skin.sum())}
    seen, true = to_lab(_sample(view.frame[skin])), to_lab(_sample(view.twin[skin]))
    delta = ciede2000(np.median(seen, axis=0), np.median(true, axis=0))
    return {"skin_delta_e": float(delta), "skin_pixels": int(skin.sum())}


def _face(view: _View) -> Row:
    """The face in the frame against the twin's: 1 - correlation of its features, and mean CIEDE2000.

    Features are what lies between 1/64 and 1/10 of the face's width: eyes, brows, nose and mouth, neither grain nor
    light. Hair and what a garment covers are left out.
    """
    face = _FACE[view.parts] & (view.twin_alpha > 0.95) & (view.covered < 0.02)
    rows, columns = np.flatnonzero(face.any(axis=1)), np.flatnonzero(face.any(axis=0))
    if len(rows) < 8 or len(columns) < 8:
        return {"face_difference": 1.0, "face_delta_e": 100.0}
    box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    size = (_FACE_SIZE, _FACE_SIZE)
    inside = _eroded(cv2.resize(face[box].astype(np.uint8), size, interpolation=cv2.INTER_NEAREST), 4)
    if int(inside.sum()) < 200:
        return {"face_difference": 1.0, "face_delta_e": 100.0}
    pair = [
        cv2.resize(np.ascontiguousarray(p[box]), size, interpolation=cv2.INTER_AREA) for p in (view.frame, view.twin)
    ]
    details = []
    for picture in pair:
        grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
        features = cv2.GaussianBlur(grey, (0, 0), 1.0) - cv2.GaussianBlur(grey, (0, 0), 6.0)
        details.append(features[inside] - features[inside].mean())
    power = float(np.sqrt((details[0] ** 2).sum() * (details[1] ** 2).sum()))
    alike = float((details[0] * details[1]).sum()) / power if power > 1e-6 else 0.0
    delta = ciede2000(to_lab(pair[0][inside]), to_lab(pair[1][inside]))
    return {"face_difference": 1.0 - alike, "face_delta_e": float(delta.mean())}


def _sharpness(view: _View) -> Row:
    """Edge energy of the uncovered person over the twin's own, both seen at half the working size."""
    free = _bare(view, 2)
    energy = []
    for picture in (view.grey, view.twin_grey):
        edges = np.abs(cv2.Laplacian(cv2.GaussianBlur(picture, (0, 0), 0.8).astype(np.float32), cv2.CV_32F))
        energy.append(float(np.sqrt((edges[free] ** 2).mean())) if int(free.sum()) > 60 else 0.0)
    return {"sharpness": _ratio(energy[0] + 0.3, energy[1] + 0.3)}


def _bare(view: _View, inset: int) -> Any:
    """Where the frame must show the twin's own pixels."""
    return _eroded((view.alpha > 0.95) & (view.twin_alpha > 0.95) & (view.covered < 0.02), inset)


def _exposure(view: _View) -> Row:
    """Mean luma of the bare person over the twin's, and the share of clipped pixels round the person."""
    bare = _bare(view, 0)
    ratio = _ratio(view.grey[bare].mean() + 1, view.twin_grey[bare].mean() + 1) if bare.any() else 1.0
    red, green, blue = cv2.split(view.frame)
    darkest, lightest = cv2.min(cv2.min(red, green), blue), cv2.max(cv2.max(red, green), blue)
    return {
        "exposure": ratio,
        "clipped_white": float((darkest >= 254).mean()),
        "clipped_black": float((lightest <= 2).mean()),
        "brightness": float(view.grey.mean()) / 255,
    }


def _edges(view: _View) -> Row:
    """halo: share of the outline that is clearly lighter or darker than both sides; holes: gaps inside the figure."""
    alpha = view.alpha
    band = (alpha > 0.15) & (alpha < 0.85)
    grey = view.grey.astype(np.float32)
    inner, outer = _eroded(alpha > 0.9, 2), ~_dilated(alpha > 0.1, 2)
    sides = []
    for side in (inner, outer):
        weight = cv2.blur(side.astype(np.float32), (13, 13))
        sides.append((cv2.blur(grey * side, (13, 13)) / np.maximum(weight, 1e-4), weight > 0.02))
    known = band & sides[0][1] & sides[1][1]
    low, high = np.minimum(sides[0][0], sides[1][0]), np.maximum(sides[0][0], sides[1][0])
    outside = np.maximum(grey - high, low - grey)[known]
    halo = float((outside > 22).mean()) if int(known.sum()) > 30 else 0.0
    return {"halo": halo, "holes": _holes(view)}


def _holes(view: _View) -> float:
    """Area enclosed by the person but not person, that the twin does not have either, over the person's area."""
    solid, twin = (view.alpha > 0.5).astype(np.uint8), view.twin_alpha > 0.75
    _, labels = cv2.connectedComponents(1 - np.pad(solid, 1))
    inside = labels[1:-1, 1:-1]
    outer = labels[0, 0]
    hole = (inside != outer) & (inside != 0) & (twin | (view.garment > 0.75))
    return float(hole.sum()) / max(int(solid.sum()), 1)


def _placement(frame: Composited, look: CutLook, twin: TwinReference) -> Row:
    """Is the whole person in the frame, whole in the look already, and standing on the floor?"""
    height, width = frame.person_alpha.shape
    left, top, right, bottom = figure_box(frame.person_alpha)
    margin = min(left, top, width - right, height - bottom) / min(width, height)
    edge = np.concatenate([look.rgba[0, :, 3], look.rgba[-1, :, 3], look.rgba[:, 0, 3], look.rgba[:, -1, 3]])
    floor = frame.offset[1] + frame.scale * twin.ground_y
    return {
        "margin": margin if right else 0.0,
        "cut_by_look": float((edge > 127).mean()),
        "person_height": (bottom - top) / height,
        "feet_gap": abs(bottom - floor) / height,
        "scale": frame.scale * max(1.0, look.source_scale),
    }


def _label(frame: Composited, scene: Scene) -> Row:
    mask = label_mask(scene.label_text, frame.image.shape[1], frame.image.shape[0])
    patch = Corner(*frame.label_box).of(frame.image)
    legible = measured_contrast(patch, mask) if patch.shape[:2] == mask.shape else 1.0
    return {"label_match": label_match(frame.image, frame.label_box, scene.label_text), "label_contrast": legible}


def measure(
    frame: Composited, look: CutLook, twin: TwinReference, garment: GarmentCutout, scene: Scene, format: Format
) -> Row:
    """One row. Every number is finite; the thresholds are in tasks.judge."""
    view = _view(frame, look, twin, scene)
    height, width = frame.image.shape[:2]
    row: Row = {"scene": scene.scene, "format": format, "twin": twin.twin.twin_id, "generator": look.generator}
    row |= _garment_colour(view, garment) | _silhouette(view) | _skin(view) | _face(view)
    row |= _sharpness(view) | _exposure(view) | _edges(view) | _placement(frame, look, twin)
    row |= _label(frame, scene)
    row |= {"width": width, "height": height, "right_size": int((width, height) == FORMAT_PIXELS[format])}
    tiny = cv2.resize(frame.image, (64, 64), interpolation=cv2.INTER_AREA)
    row |= {"phash": phash(tiny), "fine_print": fine_print(tiny)}
    return {name: _finite(value) for name, value in row.items()}


def _finite(value: float | int | bool | str) -> float | int | bool | str:
    """No NaN leaves this module: the judge would read it as missing. A huge number fails every upper bound."""
    if isinstance(value, float) and not np.isfinite(value):
        return 1e9
    return float(value) if isinstance(value, np.floating) else value
