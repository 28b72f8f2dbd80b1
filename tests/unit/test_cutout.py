"""Understanding a photograph: what is cut out, what is turned upright, and what is refused with which cause."""

from dataclasses import dataclass, field

import cv2
import numpy as np
import pytest

from tasks.errors import UnusablePhotograph
from tasks.imaging.cutout import ADVICE, decontaminate, fill_own_colour, solid, understand
from tasks.imaging.pictures import F32, U8
from tasks.ports import Recognition
from tests.unit.test_landmarks import TANK, TEE

GROUND, CLOTH = (228, 224, 218), (150, 40, 60)


def photograph(alpha: F32 = TEE) -> U8:
    """A red garment of this outline on a pale ground, with a little noise."""
    image = np.where(alpha[..., None] > 0.5, CLOTH, GROUND).astype(np.float32)
    return np.clip(image + np.random.default_rng(1).normal(0, 4, image.shape), 0, 255).astype(np.uint8)


@dataclass
class ByColour:
    """Segmenter and recogniser of a world of red garments."""

    name: str = "by-colour"
    kinds: dict[str, float] = field(default_factory=lambda: {"top": 0.9, "not_garment": 0.02})
    upright_when_tall: bool = False

    def cut_out(self, image: U8) -> F32:
        mask = (image[..., 1].astype(int) < 130).astype(np.float32)
        return cv2.GaussianBlur(mask, (0, 0), 2).astype(np.float32)

    def recognise(self, image: U8) -> Recognition:
        tall = image.shape[0] >= image.shape[1]
        turns = (0.97, 0.01, 0.01, 0.01) if tall or not self.upright_when_tall else (0.01, 0.97, 0.01, 0.01)
        return Recognition(self.kinds, turns)


def refusal(image: U8, seer: ByColour | None = None, category: str | None = "top") -> UnusablePhotograph:
    seer = seer or ByColour()
    with pytest.raises(UnusablePhotograph) as refused:
        understand(image, category, seer, seer)  # type: ignore[arg-type]  # a str that parametrize passes
    assert ADVICE in refused.value.message
    return refused.value


def test_the_cutout_is_the_garment_and_its_landmarks_are_found() -> None:
    found = understand(photograph(), "top", ByColour(), ByColour())
    alpha = found.rgba[..., 3] > 127
    truth = TEE > 0.5
    assert (alpha & truth).sum() / (alpha | truth).sum() > 0.97
    assert found.sleeve == "short"
    assert {"armpit.L", "hem.R", "cuff_in.L"} <= found.landmarks.keys()


def test_edge_colours_are_the_cloths_own() -> None:
    rgba = understand(photograph(), "top", ByColour(), ByColour()).rgba
    rim = (rgba[..., 3] > 20) & (rgba[..., 3] < 235)
    assert rim.any()
    assert float(np.abs(rgba[rim][:, :3].astype(float) - CLOTH).mean()) < 25


def test_a_photograph_on_its_side_is_turned_upright() -> None:
    seer = ByColour(upright_when_tall=True)
    lying = np.ascontiguousarray(np.rot90(photograph(), 3))
    found = understand(lying, "top", seer, seer)
    assert found.rotation == 90
    assert found.rgba.shape[0] > found.rgba.shape[1]
    assert any("turned" in problem for problem in found.problems)


def test_the_category_is_seen_when_nobody_says_it() -> None:
    assert understand(photograph(), None, ByColour(), ByColour()).category == "top"


@pytest.mark.parametrize(
    ("image", "code"),
    [
        (np.full((400, 400, 3), 200, np.uint8), "blank"),
        (photograph()[::4, ::4], "too_small"),
        (photograph(np.zeros((600, 500), np.float32)), "no_garment"),
        (photograph(np.roll(TEE, -280, 1) * (np.arange(500) < 230)), "cut_off"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_cause(image: U8, code: str) -> None:
    assert refusal(np.ascontiguousarray(image)).code == code


def test_an_outline_where_the_picture_has_no_edge_is_no_garment() -> None:
    class Dreamer(ByColour):
        def cut_out(self, image: U8) -> F32:
            return TEE

    assert refusal(photograph(np.zeros((600, 500), np.float32)), Dreamer()).code == "no_garment"


def test_two_garments_are_refused() -> None:
    half = cv2.resize(TEE, (250, 300))
    both = np.zeros((600, 520), np.float32)
    both[100:400, :250], both[100:400, 260:510] = half, half
    assert refusal(photograph(both)).code == "several_garments"


def test_shoes_are_refused_whatever_the_event_says() -> None:
    assert refusal(photograph(), ByColour(kinds={"top": 0.05, "not_garment": 0.93})).code == "not_a_garment"


def test_what_nobody_can_name_is_refused() -> None:
    seer = ByColour(kinds=dict.fromkeys(("top", "dress", "skirt", "trousers"), 0.2))
    assert refusal(photograph(), seer, None).code == "category_unknown"


def test_a_crumpled_heap_is_refused() -> None:
    rng = np.random.default_rng(5)
    heap = np.zeros((600, 500), np.uint8)
    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    radius = 130 + 90 * rng.random(40)
    shape = np.stack([230 + radius * np.cos(angles), 300 + radius * np.sin(angles)], 1)
    cv2.fillPoly(heap, [shape.astype(np.int32)], 255)
    cv2.fillPoly(heap, [np.array([(230, 300), (480, 330), (470, 420), (300, 380)], np.int32)], 255)
    assert refusal(photograph((heap / 255).astype(np.float32))).code == "crumpled"


def test_what_the_network_half_believes_inside_cloth_is_cloth() -> None:
    raw = TEE * 0.95
    raw[250:350, 200:300] = 0.3
    assert solid(raw.astype(np.float32))[300, 250] >= 0.9
    assert solid(np.full((80, 80), 0.3, np.float32)).max() <= 0.3


def test_a_hole_of_the_cloths_colour_is_filled_and_a_view_of_the_ground_is_not() -> None:
    image, alpha = photograph(), TEE.copy()
    alpha[250:300, 200:250] = 0
    alpha[400:450, 200:250] = 0
    image[400:450, 200:250] = GROUND
    filled = fill_own_colour(image, alpha)
    assert filled[275, 225] == 1
    assert filled[425, 225] == 0


def test_a_jacket_whose_sleeves_lie_on_it_is_refused() -> None:
    seer = ByColour(kinds={"outerwear": 0.95})
    assert refusal(photograph(TANK), seer, "outerwear").code == "sleeves_hidden"


def test_decontamination_leaves_the_inside_alone() -> None:
    image = photograph()
    inside = cv2.erode((TEE > 0.5).astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    assert np.array_equal(decontaminate(image, TEE)[inside], image[inside])
