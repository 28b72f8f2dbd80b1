"""Colour arithmetic against published data, and the limits of the light match."""

import numpy as np
import pytest

from tasks.imaging.colour import LIGHT_LIMIT, apply_gains, ciede2000, light_match, palette, to_lab, to_linear, to_srgb
from tests.fakes.drawn import draw_scene

# Sharma, Wu and Dalal (2005), table 1
SHARMA = [
    ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
    ((50, -1.3802, -84.2814), (50, 0, -82.7485), 1.0000),
    ((50, 0, 0), (50, -1, 2), 2.3669),
    ((50, 2.49, -0.001), (50, -2.49, 0.0009), 7.1792),
    ((50, 2.49, -0.001), (50, -2.49, 0.0011), 7.2195),
    ((50, -0.001, 2.49), (50, 0.0009, -2.49), 4.8045),
    ((50, 2.5, 0), (50, 0, -2.5), 4.3065),
    ((50, 2.5, 0), (73, 25, -18), 27.1492),
    ((50, 2.5, 0), (58, 24, 15), 19.4535),
    ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
    ((90.8027, -2.0831, 1.4410), (91.1528, -1.6435, 0.0447), 1.4441),
    ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
]


@pytest.mark.parametrize(("first", "second", "expected"), SHARMA)
def test_ciede2000_gives_the_published_differences(
    first: tuple[float, ...], second: tuple[float, ...], expected: float
) -> None:
    a, b = np.array(first), np.array(second)
    assert float(ciede2000(a, b)) == pytest.approx(expected, abs=5e-5)
    assert float(ciede2000(b, a)) == pytest.approx(expected, abs=5e-5)


def test_lab_of_white_grey_and_red_is_as_tables_say() -> None:
    lab = to_lab(np.array([[255, 255, 255], [119, 119, 119], [255, 0, 0]], np.uint8))
    assert lab == pytest.approx(np.array([[100, 0, 0], [50.03, 0, 0], [53.24, 80.09, 67.20]]), abs=0.05)


def test_every_encoded_value_survives_linear_light() -> None:
    values = np.arange(256, dtype=np.uint8)
    assert (to_srgb(to_linear(values)) == values).all()


def test_a_palette_finds_two_colours_and_their_shares() -> None:
    pixels = np.array([[200, 30, 40]] * 75 + [[20, 40, 160]] * 25, np.uint8)
    centres, shares = palette(to_lab(pixels), 2)
    assert sorted(shares.tolist()) == [0.25, 0.75]
    assert float(ciede2000(centres[shares.argmax()], to_lab(pixels[:1])[0])) < 0.5


@pytest.mark.parametrize("kelvin", [2200.0, 3000.0, 5600.0, 7500.0, 11000.0])
@pytest.mark.parametrize("intensity", [0.3, 1.0, 2.5])
def test_the_light_match_never_falsifies_a_colour(kelvin: float, intensity: float) -> None:
    gains = light_match(draw_scene(temperature_k=kelvin, intensity=intensity, warmth=1.0 if kelvin < 5000 else -1.0))
    assert (np.abs(gains - 1) <= LIGHT_LIMIT + 1e-6).all()
    steps = np.array([16, 60, 110, 170, 220])
    patches = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(1, -1, 3).astype(np.uint8)
    moved = ciede2000(to_lab(patches), to_lab(apply_gains(patches, gains)))
    assert float(moved.max()) < 4.0
    assert float(moved.mean()) < 2.5


def test_warm_light_warms_and_cold_light_cools() -> None:
    warm, cold = light_match(draw_scene(temperature_k=3000)), light_match(draw_scene(temperature_k=9000))
    assert warm[0] > warm[2]
    assert cold[2] > cold[0]
