"""One picture of everything that was tried: a row per photograph, a column per twin, scene and format."""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from tasks.imaging.pictures import U8

THUMB = 300
STRIP = 46
GAP = 8
INK, PAPER = (34, 34, 38), (247, 246, 243)
COLOURS = {"pass": (34, 120, 70), "fail": (176, 92, 16), "refused": (160, 40, 44)}


@dataclass(frozen=True)
class Shown:
    """`image` sRGB H x W x 3, or None where there is none; `word` is the verdict, `text` why."""

    image: U8 | None
    word: str
    text: str


@dataclass(frozen=True)
class Line:
    """One photograph: the picture itself, its cut-out, and what came of it."""

    name: str
    photograph: U8 | None
    cutout: U8 | None
    shown: Sequence[Shown]


def draw_sheet(lines: Sequence[Line]) -> Image.Image:
    """RGB; at most 60 rows of 12, for a person's eyes."""
    lines = lines[:60]
    columns = 2 + max((min(len(line.shown), 12) for line in lines), default=1)
    sheet = Image.new("RGB", (columns * (THUMB + GAP) + GAP, len(lines) * (THUMB + STRIP + GAP) + GAP), PAPER)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for row, line in enumerate(lines):
        top = GAP + row * (THUMB + STRIP + GAP)
        _place(sheet, line.photograph, GAP, top)
        pen.text((GAP, top + THUMB + 4), _fitted(line.name, 40), INK, font)
        _place(sheet, line.cutout, 2 * GAP + THUMB, top)
        for column, shown in enumerate(line.shown[:12], start=2):
            left = GAP + column * (THUMB + GAP)
            _place(sheet, shown.image, left, top)
            pen.rectangle((left, top + THUMB, left + THUMB, top + THUMB + 4), COLOURS.get(shown.word, INK))
            pen.text((left, top + THUMB + 7), _wrapped(f"{shown.word}: {shown.text}"), INK, font)
    return sheet


def _place(sheet: Image.Image, picture: U8 | None, left: int, top: int) -> None:
    if picture is None:
        return
    thumb = Image.fromarray(picture)
    thumb.thumbnail((THUMB, THUMB), Image.Resampling.LANCZOS)
    at = (left + (THUMB - thumb.width) // 2, top + (THUMB - thumb.height) // 2)
    sheet.paste(thumb.convert("RGB"), at, thumb.getchannel("A") if thumb.mode == "RGBA" else None)


def _fitted(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _wrapped(text: str, width: int = 44) -> str:
    return _fitted(text[:width] + ("\n" + text[width:] if len(text) > width else ""), 2 * width)
