"""Contact sheets show every picture whole, in order, with its caption."""

import numpy as np
import pytest

from tasks.errors import NotFound
from tasks.imaging.pictures import U8
from tasks.imaging.sheet import Print, contact_sheet


def block(colour: tuple[int, int, int], width: int, height: int) -> U8:
    return np.full((height, width, 3), colour, np.uint8)


def test_every_picture_is_there_in_order_and_in_proportion() -> None:
    prints = [
        Print(block((200, 0, 0), 1080, 1350), "Ada, studio 日本"),
        Print(block((0, 0, 200), 1920, 1080), "Bo, a caption that is far too long for the cell it stands under", "4:5"),
    ]
    sheet = contact_sheet(prints, columns=2, cell=(160, 200))
    red = np.argwhere((sheet == (200, 0, 0)).all(axis=2))
    blue = np.argwhere((sheet == (0, 0, 200)).all(axis=2))
    assert len(red) == 160 * 200
    assert len(blue) == 160 * 90
    assert red[:, 1].max() < blue[:, 1].min()


def test_rows_are_filled_before_a_new_one_starts() -> None:
    one = Print(block((9, 9, 9), 100, 100), "x")
    assert contact_sheet([one] * 5, columns=2).shape[0] > contact_sheet([one] * 4, columns=2).shape[0]
    assert contact_sheet([one] * 4, columns=2).shape == contact_sheet([one] * 3, columns=2).shape


def test_a_sheet_of_nothing_is_an_error() -> None:
    with pytest.raises(NotFound):
        contact_sheet([])
