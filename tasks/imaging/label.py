"""The visible label: text in the scene's language on a quiet plate in a corner, legible by measurement, drawn last.

The font is a subset of Noto Sans CJK JP (SIL Open Font License, fonts/OFL.txt): Latin, Greek, Cyrillic, kana and the
kanji of JIS level 1.
"""

from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from io import BytesIO

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from tasks.errors import Misconfigured
from tasks.imaging.colour import LUMA, to_linear, to_srgb
from tasks.imaging.pictures import F32, U8

LEAST_CONTRAST = 4.5
"""WCAG 2.2, success criterion 1.4.3, between text and what lies behind it."""
_PLATE = np.array([18, 18, 20], np.uint8)
_TEXT_HEIGHT = 0.0215
"""Font size as a share of the frame's shorter side, never below 20 pixels."""
_INSET = 0.022


@lru_cache(maxsize=8)
def label_font(size: int) -> ImageFont.FreeTypeFont:
    """The font of labels and sheets, at this size in pixels."""
    data = resources.files("tasks.imaging").joinpath("fonts", "NotoSansCJKjp-subset.otf").read_bytes()
    return ImageFont.truetype(BytesIO(data), size)


@lru_cache(maxsize=8)
def _missing(size: int) -> bytes:
    """What the font draws for a character that it does not have."""
    return bytes(label_font(size).getmask("\U0010fffd"))


def undrawable(text: str) -> str:
    """The characters of a label that our font cannot draw."""
    return "".join(
        c for c in dict.fromkeys(text) if not c.isspace() and bytes(label_font(24).getmask(c)) == _missing(24)
    )


@lru_cache(maxsize=64)
def label_mask(text: str, width: int, height: int) -> F32:
    """Coverage 0..1 of the label's text with its margins, for a frame of this size. Raises Misconfigured."""
    if not text.strip():
        raise Misconfigured("a scene without label text cannot be published: every image says what it is")
    if missing := undrawable(text):
        raise Misconfigured(f"label text {text!r} has characters that the label font cannot draw: {missing}")
    size = max(20, round(_TEXT_HEIGHT * min(width, height)))
    widest = width * (1 - 2 * _INSET)
    while size > 14 and label_font(size).getlength(text) + 1.2 * size > widest:
        size -= 1
    left, top, right, bottom = label_font(size).getbbox(text, anchor="ls")
    aside, above = round(0.62 * size), round(0.36 * size)
    ascent, descent = round(0.88 * size), round(0.22 * size)
    ascent, descent = max(ascent, -int(top)), max(descent, int(bottom))
    canvas = Image.new("L", (int(right - min(left, 0)) + 2 * aside, ascent + descent + 2 * above), 0)
    ImageDraw.Draw(canvas).text((aside, above + ascent), text, fill=255, font=label_font(size), anchor="ls")
    mask: F32 = np.asarray(canvas, np.float32) / np.float32(255)
    mask.setflags(write=False)
    return mask


@lru_cache(maxsize=64)
def _plate_mask(width: int, height: int) -> F32:
    """Coverage 0..1 of the plate: a rectangle with round corners, anti-aliased."""
    canvas = Image.new("L", (4 * width, 4 * height), 0)
    radius = round(4 * 0.26 * height)
    ImageDraw.Draw(canvas).rounded_rectangle((0, 0, 4 * width - 1, 4 * height - 1), radius=radius, fill=255)
    return np.asarray(canvas.resize((width, height), Image.Resampling.BOX), np.float32) / np.float32(255)


@dataclass(frozen=True)
class Corner:
    x: int
    y: int
    width: int
    height: int

    def of(self, picture: np.ndarray) -> np.ndarray:
        return picture[self.y : self.y + self.height, self.x : self.x + self.width]


def find_corner(person: F32, label_width: int, label_height: int) -> Corner:
    """The corner with least of the person under it; the lower left one when several are free."""
    height, width = person.shape
    inset = round(_INSET * min(width, height))
    left, right = inset, width - inset - label_width
    top, bottom = inset, height - inset - label_height
    corners = [Corner(x, y, label_width, label_height) for y in (bottom, top) for x in (left, right)]
    return min(corners, key=lambda corner: float(corner.of(person).mean()))


def contrast(light: float, dark: float) -> float:
    """WCAG contrast ratio of two relative luminances."""
    high, low = max(light, dark), min(light, dark)
    return (high + 0.05) / (low + 0.05)


def measured_contrast(patch: U8, mask: F32) -> float:
    """Contrast of drawn text (mask over 0.9) against what lies round it inside the plate (mask 0), from pixels.

    The lightest twentieth of the surroundings counts, not the mean.
    """
    luminance = to_linear(patch) @ LUMA
    inner = np.zeros(mask.shape, bool)
    edge = max(2, round(0.2 * mask.shape[0]))
    inner[edge:-edge, edge:-edge] = True
    text, around = luminance[mask > 0.9], luminance[(mask < 0.01) & inner]
    if not len(text) or not len(around):
        return 1.0
    return contrast(float(np.median(text)), float(np.quantile(around, 0.95)))


def draw_label(image: U8, person: F32, text: str) -> tuple[int, int, int, int]:
    """Draw the label into `image` in place; the box (x, y, width, height) where it is.

    The plate is as light as legibility allows: it is darkened until the text's contrast is LEAST_CONTRAST or more.
    """
    mask = label_mask(text, image.shape[1], image.shape[0])
    corner = find_corner(person, mask.shape[1], mask.shape[0])
    behind = to_linear(corner.of(image))
    soft = to_linear(cv2.GaussianBlur(corner.of(image), (0, 0), 4))
    plate = _plate_mask(mask.shape[1], mask.shape[0])[..., None]
    for strength in (0.55, 0.7, 0.82, 0.92, 1.0):
        dark = soft * (1 - strength) + to_linear(_PLATE) * strength
        patch = behind * (1 - plate) + dark * plate
        patch = patch * (1 - mask[..., None]) + np.float32(0.93) * mask[..., None]
        drawn = to_srgb(patch.astype(np.float32))
        if measured_contrast(drawn, mask) >= LEAST_CONTRAST:
            break
    corner.of(image)[:] = drawn
    return corner.x, corner.y, corner.width, corner.height


def label_match(image: U8, box: tuple[int, int, int, int], text: str) -> float:
    """How surely this text stands in the box, -1..1: correlation of the pixels' luminance with the text's shape."""
    corner, mask = Corner(*box), label_mask(text, image.shape[1], image.shape[0])
    patch = corner.of(image)
    if patch.shape[:2] != mask.shape:
        return 0.0
    seen = cv2.cvtColor(np.ascontiguousarray(patch), cv2.COLOR_RGB2GRAY).astype(np.float32)
    seen, wanted = seen - seen.mean(), mask - mask.mean()
    power = float(np.sqrt((seen**2).sum() * (wanted**2).sum()))
    return float((seen * wanted).sum() / power) if power > 1e-6 else 0.0
