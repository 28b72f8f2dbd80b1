"""A cut-out look goes into the stage cache and comes out with the same pixels."""

import numpy as np
import pytest

from tasks.dress import pack_look, unpack_look
from tasks.errors import ChecksFailed
from tasks.imaging.pictures import CutLook


def a_look() -> CutLook:
    rng = np.random.default_rng(5)
    rgba = np.zeros((64, 48, 4), np.uint8)
    rgba[10:50, 8:30] = rng.integers(1, 255, (40, 22, 4), np.uint8)
    garment = np.zeros((64, 48), np.float32)
    garment[20:40, 10:25] = 0.5
    return CutLook(rgba, garment, np.clip(garment * 2, 0, 1), "draft-1", 1.5)


def test_a_look_comes_out_of_the_cache_as_it_went_in() -> None:
    look = unpack_look(pack_look(a_look()))
    assert (look.rgba == a_look().rgba).all()
    assert np.abs(look.garment_alpha - a_look().garment_alpha).max() <= 0.5 / 255 + 1e-6
    assert (look.covered == a_look().covered).all()
    assert (look.generator, look.source_scale) == ("draft-1", 1.5)


def test_packing_what_was_unpacked_changes_nothing() -> None:
    packed = pack_look(unpack_look(pack_look(a_look())))
    assert packed == pack_look(unpack_look(packed))


def test_an_empty_look_can_be_packed() -> None:
    empty = CutLook(np.zeros((8, 8, 4), np.uint8), np.zeros((8, 8), np.float32), np.zeros((8, 8), np.float32), "g")
    assert not unpack_look(pack_look(empty)).rgba.any()


def test_damaged_bytes_are_no_look() -> None:
    with pytest.raises(ChecksFailed):
        unpack_look(pack_look(a_look())[:-20])
