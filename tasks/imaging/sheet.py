"""Contact sheets: many frames on one page, each in a cell of its own with a caption below."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image, ImageDraw

from tasks.errors import NotFound
from tasks.imaging.label import label_font
from tasks.imaging.pictures import U8

_PAPER, _INK, _FAINT = (250, 250, 249), (28, 28, 30), (120, 120, 124)
_GAP = 16


@dataclass(frozen=True)
class Print:
    """One picture (sRGB uint8 H x W x 3) with a caption and a fainter second line."""

    image: U8
    caption: str
    note: str = ""


def contact_sheet(prints: Sequence[Print], *, columns: int = 4, cell: tuple[int, int] = (320, 400)) -> U8:
    """A sheet, sRGB uint8, row by row in the given order; pictures keep their proportions. NotFound without prints."""
    if not prints:
        raise NotFound("no picture to put on a contact sheet")
    columns = max(1, min(columns, len(prints)))
    rows = -(-len(prints) // columns)
    caption = 44
    width, height = columns * (cell[0] + _GAP) + _GAP, rows * (cell[1] + caption + _GAP) + _GAP
    sheet = Image.new("RGB", (width, height), _PAPER)
    draw = ImageDraw.Draw(sheet)
    for index, each in enumerate(prints):
        x = _GAP + (index % columns) * (cell[0] + _GAP)
        y = _GAP + (index // columns) * (cell[1] + caption + _GAP)
        small = _fitted(each.image, cell)
        sheet.paste(Image.fromarray(small), (x + (cell[0] - small.shape[1]) // 2, y + cell[1] - small.shape[0]))
        draw.text((x, y + cell[1] + 4), _cut(each.caption, cell[0], 16), fill=_INK, font=label_font(16))
        draw.text((x, y + cell[1] + 25), _cut(each.note, cell[0], 13), fill=_FAINT, font=label_font(13))
    return np.array(sheet, np.uint8)


def _fitted(image: U8, cell: tuple[int, int]) -> U8:
    scale = min(cell[0] / image.shape[1], cell[1] / image.shape[0])
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    small: U8 = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    return small


def _cut(text: str, width: int, size: int) -> str:
    """Text that fits the width, with an ellipsis where it was cut."""
    font = label_font(size)
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "…") > width:
        text = text[:-1]
    return text + "…"
