"""Images broken on purpose are caught, each by the measure that is meant for it; a good image passes all."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest

from schemas.base import FORMATS, Format
from tasks.composite import composite
from tasks.imaging.pictures import U8, Composited, CutLook
from tasks.judge import MEASURES, THRESHOLDS, with_nearest
from tasks.measure import measure
from tests.fakes.drawn import draw_backdrop, draw_garment, draw_look, draw_scene, draw_twin
from tests.fakes.judge import PlainJudge

TWIN, GARMENT, SCENE, BACKDROP = draw_twin(), draw_garment(), draw_scene(), draw_backdrop()
LOOK = draw_look(TWIN)


def compose(look: CutLook = LOOK, format: Format = "4:5") -> Composited:
    return composite(look, SCENE, BACKDROP, format, TWIN)


def row_of(frame: Composited, look: CutLook = LOOK, format: Format = "4:5") -> dict[str, Any]:
    return with_nearest([{"image_id": "x", **measure(frame, look, TWIN, GARMENT, SCENE, format)}])[0]


def failing(frame: Composited, look: CutLook = LOOK, format: Format = "4:5") -> set[str]:
    verdict = PlainJudge().judge([row_of(frame, look, format)])[0]
    return {failure.measure for failure in verdict.failures}


def repainted(change: Callable[[U8], U8]) -> Composited:
    """The finished frame with other pixels under the label, the label kept."""
    frame = compose()
    image = change(frame.image.copy())
    x, y, w, h = frame.label_box
    image[y : y + h, x : x + w] = frame.image[y : y + h, x : x + w]
    return dataclasses.replace(frame, image=image)


def shifted_hue(image: U8) -> U8:
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
    hsv[..., 0] = (hsv[..., 0].astype(int) + 12) % 180
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)


def slimmed(share: float) -> CutLook:
    height, width = LOOK.covered.shape
    matrix = np.array([[1 - share, 0, share * width / 2], [0, 1, 0]], np.float32)

    def squeeze(picture: Any) -> Any:
        return cv2.warpAffine(picture, matrix, (width, height), flags=cv2.INTER_LINEAR)

    return CutLook(squeeze(LOOK.rgba), squeeze(LOOK.garment_alpha), squeeze(LOOK.covered), "draft")


def with_hole() -> CutLook:
    rgba = LOOK.rgba.copy()
    cv2.circle(rgba, (200, 300), 12, (0, 0, 0, 0), -1)
    return dataclasses.replace(LOOK, rgba=rgba)


def cropped() -> CutLook:
    rgba = LOOK.rgba.copy()
    return CutLook(rgba[80:], LOOK.garment_alpha[80:], LOOK.covered[80:], "draft")


@pytest.mark.parametrize("format", [f for f in FORMATS if f != "9:16"])
def test_a_good_image_passes_every_check(format: Format) -> None:
    assert failing(compose(format=format), format=format) == set()


def test_an_image_enlarged_more_than_twice_is_a_preview() -> None:
    assert failing(compose(format="9:16"), format="9:16") == {"scale"}


def test_a_shifted_hue_is_caught_on_the_garment() -> None:
    assert "garment_delta_e" in failing(repainted(shifted_hue))


def test_another_garments_colour_is_caught() -> None:
    green = GARMENT.rgba.copy()
    green[..., :3] = green[..., [1, 0, 2]]
    look = draw_look(TWIN, dataclasses.replace(GARMENT, rgba=green))
    assert "garment_delta_e" in failing(compose(look), look)


def test_a_lost_print_is_caught() -> None:
    plain = GARMENT.rgba.copy()
    plain[..., :3] = (168, 40, 52)
    look = draw_look(TWIN, dataclasses.replace(GARMENT, rgba=plain))
    assert {"palette_delta_e", "print_detail"} & failing(compose(look), look)


@pytest.mark.parametrize("share", [0.05, 0.08])
def test_a_slimmed_body_is_caught(share: float) -> None:
    look = slimmed(share)
    assert {"silhouette_iou", "silhouette_hd95", "body_lost"} & failing(compose(look), look)


@pytest.mark.parametrize("sigma", [2.5, 4.0])
def test_blur_is_caught(sigma: float) -> None:
    assert "sharpness" in failing(repainted(lambda image: cv2.GaussianBlur(image, (0, 0), sigma)))


def test_a_hole_is_caught() -> None:
    look = with_hole()
    assert "holes" in failing(compose(look), look)


def test_another_face_is_caught() -> None:
    look = draw_look(draw_twin(other_face=True))
    assert "face_difference" in failing(compose(look), look)


def test_other_skin_is_caught() -> None:
    rgba = LOOK.rgba.copy()
    bare = LOOK.covered < 0.5
    rgba[bare, :3] = np.clip(rgba[bare, :3] * np.float32([0.8, 0.82, 0.84]), 0, 255).astype(np.uint8)
    look = dataclasses.replace(LOOK, rgba=rgba)
    assert {"skin_delta_e", "exposure"} <= failing(compose(look), look)


def test_overexposure_is_caught() -> None:
    bright = repainted(lambda image: cv2.convertScaleAbs(image, alpha=1.35, beta=10))
    assert {"exposure", "clipped_white"} & failing(bright)


def test_a_removed_label_is_caught() -> None:
    frame = compose()
    x, y, w, h = frame.label_box
    image = frame.image.copy()
    image[y : y + h, x : x + w] = image[y - h : y, x : x + w]
    assert {"label_match", "label_contrast"} <= failing(dataclasses.replace(frame, image=image))


def test_a_label_that_says_something_else_is_caught() -> None:
    other = composite(LOOK, draw_scene("AI-genererat foto"), BACKDROP, "4:5", TWIN)
    assert "label_match" in failing(other)


def test_a_person_cropped_in_the_look_is_caught() -> None:
    look = cropped()
    assert "cut_by_look" in failing(compose(look), look)


def test_a_person_cropped_by_the_frame_is_caught() -> None:
    frame = compose()
    down = np.array([[1, 0, 0], [0, 1, 150]], np.float32)
    moved = {
        name: cv2.warpAffine(getattr(frame, name), down, (1080, 1350))
        for name in ("image", "person_alpha", "garment_alpha")
    }
    cut = dataclasses.replace(frame, **moved, offset=(frame.offset[0], frame.offset[1] + 150))
    assert "margin" in failing(cut)


def test_a_floating_person_is_caught() -> None:
    floating = dataclasses.replace(TWIN, ground_y=TWIN.ground_y + 60)
    row = measure(compose(), LOOK, floating, GARMENT, SCENE, "4:5")
    assert row["feet_gap"] > 0.04


def test_a_bright_rim_is_caught() -> None:
    frame = compose()
    edge = cv2.morphologyEx((frame.person_alpha > 0.5).astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((5, 5), np.uint8))
    image = frame.image.copy()
    image[edge > 0] = 250
    assert "halo" in failing(dataclasses.replace(frame, image=image))


def test_a_wrong_size_is_caught() -> None:
    assert "right_size" in failing(compose(format="1:1"), format="4:5")


def test_the_same_image_made_twice_is_caught_and_two_scenes_are_not() -> None:
    first = {"image_id": "a", **measure(compose(), LOOK, TWIN, GARMENT, SCENE, "4:5")}
    wide = {"image_id": "b", **measure(compose(format="16:9"), LOOK, TWIN, GARMENT, SCENE, "16:9")}
    verdicts = PlainJudge().judge(with_nearest([first, wide]))
    assert all(verdict.passed for verdict in verdicts)
    verdicts = PlainJudge().judge(with_nearest([first, {**first, "image_id": "c"}]))
    assert [[failure.measure for failure in verdict.failures] for verdict in verdicts] == [["nearest"], ["nearest"]]


def test_every_measure_is_a_finite_number_even_for_a_black_frame() -> None:
    frame = compose()
    black = dataclasses.replace(
        frame, image=frame.image * 0, person_alpha=frame.person_alpha * 0, garment_alpha=frame.garment_alpha * 0
    )
    row = row_of(black)
    assert all(math.isfinite(float(row[name])) for name in MEASURES)
    assert {"garment_delta_e", "body_lost", "label_match", "margin"} <= failing(black)


def test_each_threshold_says_in_plain_words_what_is_wrong_and_for_whom() -> None:
    for threshold in THRESHOLDS:
        assert threshold.least is not None or threshold.most is not None
        assert threshold.protects in {"customer", "talent", "brand", "public"}
        assert len(threshold.sentence.split()) >= 4
    assert len(set(MEASURES)) == len(MEASURES)
