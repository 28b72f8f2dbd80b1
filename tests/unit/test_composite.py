"""A composite frames the whole person, keeps colours true, grounds the feet and says what it is."""

import numpy as np
import pytest

from schemas.base import FORMAT_PIXELS, FORMATS, Format
from tasks.composite import composite, composite_prepared, prepare_backdrop
from tasks.errors import Misconfigured, UnusablePhotograph
from tasks.imaging.colour import ciede2000, to_lab
from tasks.imaging.framing import FEET, PERSON_HEIGHT, figure_box
from tasks.imaging.label import find_corner, label_mask, label_match, measured_contrast, undrawable
from tasks.imaging.pictures import Composited, CutLook
from tasks.imaging.shadow import floor_shadow
from tests.fakes.drawn import draw_backdrop, draw_garment, draw_look, draw_scene, draw_twin

TWIN = draw_twin()
LOOK = draw_look(TWIN)
BACKDROP = draw_backdrop()
LABELS = [
    "AI-genererad bild",
    "Image générée par IA – modèle numérique",
    "AI生成画像・デジタルツイン",
    "KI-generiert",
    "Сгенерировано ИИ",
]


def compose(format: Format = "4:5", look: CutLook = LOOK, **light: float) -> Composited:
    return composite(look, draw_scene(**light), BACKDROP, format, TWIN)


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_shows_the_whole_person_standing_on_its_floor(format: Format) -> None:
    frame, (width, height) = compose(format), FORMAT_PIXELS[format]
    assert frame.image.shape == (height, width, 3)
    left, top, right, bottom = figure_box(frame.person_alpha)
    assert min(left, top, width - right) > 0.03 * min(width, height)
    assert (bottom - top) / height == pytest.approx(PERSON_HEIGHT[format], abs=0.01)
    assert bottom / height == pytest.approx(FEET[format], abs=0.01)


def test_a_wide_person_is_made_smaller_not_cropped() -> None:
    wide = np.zeros((300, 900, 4), np.uint8)
    wide[100:250, 50:850] = (120, 90, 80, 255)
    frame = compose("9:16", CutLook(wide, wide[..., 3] / np.float32(255), np.ones((300, 900), np.float32), "draft"))
    left, _, right, _ = figure_box(frame.person_alpha)
    assert left > 20
    assert right < 1060


def test_nobody_to_show_is_an_error_and_not_an_empty_room() -> None:
    nobody = CutLook(np.zeros_like(LOOK.rgba), LOOK.garment_alpha * 0, LOOK.covered, "draft")
    with pytest.raises(UnusablePhotograph):
        compose(look=nobody)


def test_frames_are_the_same_bytes_every_time() -> None:
    assert (compose().image == compose().image).all()


def test_a_prepared_backdrop_gives_the_same_frame() -> None:
    prepared = prepare_backdrop(draw_scene(), BACKDROP, "1:1")
    assert (composite_prepared(LOOK, prepared, TWIN).image == compose("1:1").image).all()


@pytest.mark.parametrize("kelvin", [2800.0, 9000.0])
def test_garment_and_skin_keep_their_colours_in_any_light(kelvin: float) -> None:
    frame = compose(temperature_k=kelvin, intensity=1.6)
    worn = np.median(to_lab(frame.image[frame.garment_alpha > 0.99]), axis=0)
    photographed = np.median(to_lab(draw_garment().rgba[..., :3][draw_garment().rgba[..., 3] > 250]), axis=0)
    assert float(ciede2000(worn, photographed)) < 4.0


def test_no_studio_ground_shines_through_at_the_edge() -> None:
    """A dark person cut from a white ground, put before a dark wall: nothing at the edge may be lighter than both."""
    rgba = LOOK.rgba.copy()
    rgba[..., :3] = 255
    rgba[rgba[..., 3] > 250, :3] = 40
    dark = np.full_like(BACKDROP, 70)
    look = CutLook(rgba, LOOK.garment_alpha, LOOK.covered, "draft")
    frame = composite(look, draw_scene(), dark, "4:5", TWIN)
    edge = (frame.person_alpha > 0.02) & (frame.person_alpha < 0.98)
    x, y, w, h = frame.label_box
    edge[y : y + h, x : x + w] = False
    assert frame.image[edge].max() < 90


def test_the_floor_is_darkest_where_the_feet_touch_it_and_the_wall_is_not_darkened() -> None:
    alpha = compose().person_alpha
    _, top, _, bottom = figure_box(alpha)
    left = floor_shadow(alpha, draw_scene().light)
    beside = left[bottom - 12 : bottom + 6].min()
    assert beside < 0.7
    assert left[: (top + bottom) // 2].min() > 0.99
    assert left[bottom + 60 :].min() > 0.95


def test_the_cast_shadow_falls_away_from_the_light() -> None:
    alpha = compose().person_alpha
    light = draw_scene().light
    _, _, _, bottom = figure_box(alpha)
    rows = slice(bottom - 120, bottom - 10)
    middle = alpha.shape[1] // 2
    from_left = 1 - floor_shadow(alpha, light)[rows]
    from_right = 1 - floor_shadow(alpha, light.model_copy(update={"direction": (0.5, -0.8)}))[rows]
    assert from_left[:, middle:].sum() > 1.2 * from_left[:, :middle].sum()
    assert from_right[:, :middle].sum() > 1.2 * from_right[:, middle:].sum()


@pytest.mark.parametrize("text", LABELS)
@pytest.mark.parametrize("format", FORMATS)
def test_the_label_is_there_and_legible_in_every_language_and_format(text: str, format: Format) -> None:
    frame = composite(LOOK, draw_scene(text), BACKDROP, format, TWIN)
    x, y, w, h = frame.label_box
    assert label_match(frame.image, frame.label_box, text) > 0.9
    patch = frame.image[y : y + h, x : x + w]
    assert measured_contrast(patch, label_mask(text, frame.image.shape[1], frame.image.shape[0])) >= 4.5
    assert frame.person_alpha[y : y + h, x : x + w].mean() < 0.02


@pytest.mark.parametrize("wall", [0, 128, 255])
def test_the_label_is_legible_on_any_wall(wall: int) -> None:
    noisy = (
        np.random.default_rng(1).integers(max(0, wall - 60), min(255, wall + 60) + 1, BACKDROP.shape).astype(np.uint8)
    )
    frame = composite(LOOK, draw_scene(), noisy, "4:5", TWIN)
    x, y, w, h = frame.label_box
    mask = label_mask("AI-genererad bild", 1080, 1350)
    assert measured_contrast(frame.image[y : y + h, x : x + w], mask) >= 4.5


def test_the_label_moves_out_of_the_persons_way() -> None:
    person = np.zeros((1350, 1080), np.float32)
    person[1000:, :500] = 1
    assert find_corner(person, 200, 40).x > 800


def test_a_label_that_cannot_be_drawn_is_refused_naming_the_character() -> None:
    assert undrawable("AI 画像") == ""
    with pytest.raises(Misconfigured, match="ก"):
        composite(LOOK, draw_scene("ภาพ ก"), BACKDROP, "4:5", TWIN)


def test_a_scene_without_label_text_is_refused() -> None:
    with pytest.raises(Misconfigured, match="label"):
        composite(LOOK, draw_scene(" "), BACKDROP, "4:5", TWIN)
