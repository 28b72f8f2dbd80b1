"""Ways to spoil a good image on purpose, each with the measures that must notice it.

A breakage takes the look and a way to compose it, and gives the spoilt frame with the look it came from.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from tasks.imaging.pictures import U8, Composited, CutLook, TwinReference

Compose = Callable[[CutLook], Composited]
Spoil = Callable[[CutLook, Compose, TwinReference], tuple[Composited, CutLook]]


@dataclass(frozen=True)
class Breakage:
    """One of `noticed_by` at least must fail."""

    name: str
    spoil: Spoil
    noticed_by: frozenset[str]


def _repaint(change: Callable[[U8, Composited], U8]) -> Spoil:
    """Other pixels in the finished frame; the label is put back."""

    def spoil(look: CutLook, compose: Compose, twin: TwinReference) -> tuple[Composited, CutLook]:
        frame = compose(look)
        image = change(frame.image.copy(), frame)
        x, y, w, h = frame.label_box
        image[y : y + h, x : x + w] = frame.image[y : y + h, x : x + w]
        return dataclasses.replace(frame, image=image), look

    return spoil


def _remake(change: Callable[[CutLook, TwinReference], CutLook]) -> Spoil:
    """Another look, composed as usual."""

    def spoil(look: CutLook, compose: Compose, twin: TwinReference) -> tuple[Composited, CutLook]:
        changed = change(look, twin)
        return compose(changed), changed

    return spoil


def _moved(matrix: Any) -> Callable[[CutLook, TwinReference], CutLook]:
    def change(look: CutLook, twin: TwinReference) -> CutLook:
        height, width = look.covered.shape

        def warp(picture: Any) -> Any:
            return cv2.warpAffine(picture, matrix(width, height), (width, height), flags=cv2.INTER_LINEAR)

        moved = warp(look.rgba), warp(look.garment_alpha), warp(look.covered)
        return CutLook(*moved, look.generator, look.source_scale)

    return change


def _slimmer(share: float) -> Spoil:
    return _remake(_moved(lambda w, h: np.array([[1 - share, 0, share * w / 2], [0, 1, 0]], np.float32)))


def _painted_garment(paint: Callable[[Any, Any], Any]) -> Spoil:
    def change(look: CutLook, twin: TwinReference) -> CutLook:
        rgba, worn = look.rgba.copy(), look.garment_alpha > 0.5
        rgba[worn, :3] = np.clip(paint(rgba[worn, :3].astype(np.float32), worn), 0, 255).astype(np.uint8)
        return dataclasses.replace(look, rgba=rgba)

    return _remake(change)


def _turned_hue(pixels: Any, worn: Any) -> Any:
    """Colours a quarter round the circle: red, green and blue take turns."""
    return pixels[:, [1, 2, 0]]


def _greyed(pixels: Any, worn: Any) -> Any:
    return np.repeat(pixels.mean(axis=1, keepdims=True), 3, axis=1)


def _hole(look: CutLook, twin: TwinReference) -> CutLook:
    rgba = look.rgba.copy()
    rows, columns = np.nonzero(look.garment_alpha > 0.5)
    centre = (int(columns.mean()), int(rows.mean()))
    cv2.circle(rgba, centre, round(0.022 * rgba.shape[0]), (0, 0, 0, 0), -1)
    return dataclasses.replace(look, rgba=rgba)


def _other_face(look: CutLook, twin: TwinReference) -> CutLook:
    """The same head with its features upside down: same skin, same outline, another face."""
    rgba = look.rgba.copy()
    rows, columns = np.nonzero((twin.parts == 1) & (look.covered < 0.02))
    box = np.s_[int(np.quantile(rows, 0.2)) : int(np.quantile(rows, 0.8)),
                int(np.quantile(columns, 0.1)) : int(np.quantile(columns, 0.9))]  # fmt: skip
    rgba[box] = rgba[box][::-1]
    return dataclasses.replace(look, rgba=rgba)


def _other_skin(look: CutLook, twin: TwinReference) -> CutLook:
    rgba, bare = look.rgba.copy(), look.covered < 0.02
    lighter = rgba[bare, :3] * 0.72 + np.float32([255, 240, 225]) * 0.28
    rgba[bare, :3] = lighter.astype(np.uint8)
    return dataclasses.replace(look, rgba=rgba)


def _headless(look: CutLook, twin: TwinReference) -> CutLook:
    """Cut through the head by the look's own upper edge."""
    top = int(np.nonzero((look.rgba[..., 3] > 127).any(axis=1))[0][0])
    cut = top + round(0.06 * look.rgba.shape[0])
    return CutLook(look.rgba[cut:], look.garment_alpha[cut:], look.covered[cut:], look.generator, look.source_scale)


def _lower_in_frame(look: CutLook, compose: Compose, twin: TwinReference) -> tuple[Composited, CutLook]:
    frame = compose(look)
    height, width = frame.person_alpha.shape
    down = round(0.1 * height)
    matrix = np.array([[1, 0, 0], [0, 1, down]], np.float32)
    names = ("image", "person_alpha", "garment_alpha")
    moved = {name: cv2.warpAffine(getattr(frame, name), matrix, (width, height)) for name in names}
    return dataclasses.replace(frame, **moved, offset=(frame.offset[0], frame.offset[1] + down)), look


def _without_label(look: CutLook, compose: Compose, twin: TwinReference) -> tuple[Composited, CutLook]:
    frame = compose(look)
    x, y, w, h = frame.label_box
    image = frame.image.copy()
    image[y : y + h, x : x + w] = image[y - h : y, x : x + w]
    return dataclasses.replace(frame, image=image), look


def _rim(image: U8, frame: Composited) -> U8:
    edge = cv2.morphologyEx((frame.person_alpha > 0.5).astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((5, 5), np.uint8))
    image[edge > 0] = 252
    return image


def _blurred(image: U8, frame: Composited) -> U8:
    soft: U8 = cv2.GaussianBlur(image, (0, 0), 0.0022 * image.shape[0])
    return soft


def _overexposed(image: U8, frame: Composited) -> U8:
    bright: U8 = cv2.convertScaleAbs(image, alpha=1.3, beta=12)
    return bright


def _underexposed(image: U8, frame: Composited) -> U8:
    return (image * 0.7).astype(np.uint8)


def _named(name: str, spoil: Spoil, *noticed_by: str) -> Breakage:
    return Breakage(name, spoil, frozenset(noticed_by))


BREAKAGES: tuple[Breakage, ...] = (
    _named("hue of the garment turned", _painted_garment(_turned_hue), "garment_delta_e", "palette_delta_e"),
    _named("garment turned grey", _painted_garment(_greyed), "garment_delta_e", "palette_delta_e", "chroma_ratio"),
    _named("body slimmed by 5 %", _slimmer(0.05), "silhouette_iou", "silhouette_hd95", "body_lost"),
    _named("body widened by 6 %", _slimmer(-0.06), "silhouette_iou", "silhouette_hd95"),
    _named("hole in the garment", _remake(_hole), "holes", "body_lost"),
    _named("another face", _remake(_other_face), "face_difference"),
    _named("another skin", _remake(_other_skin), "skin_delta_e"),
    _named("head cut off", _remake(_headless), "cut_by_look"),
    _named("feet out of the frame", _lower_in_frame, "margin"),
    _named("label removed", _without_label, "label_match"),
    _named("bright rim", _repaint(_rim), "halo"),
    _named("blurred", _repaint(_blurred), "sharpness"),
    _named("overexposed", _repaint(_overexposed), "exposure", "clipped_white"),
    _named("underexposed", _repaint(_underexposed), "exposure"),
)  # fmt: skip
