"""Images broken on purpose are caught, each by the measure that is meant for it; a good image passes all."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import cv2
import pytest

from schemas.base import FORMATS, Format
from tasks.composite import composite
from tasks.imaging.pictures import U8, Composited, CutLook
from tasks.judge import MEASURES, THRESHOLDS, with_nearest
from tasks.measure import measure
from tests.fakes.broken import BREAKAGES, Breakage
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


@pytest.mark.parametrize("format", [f for f in FORMATS if f != "9:16"])
def test_a_good_image_passes_every_check(format: Format) -> None:
    assert failing(compose(format=format), format=format) == set()


@pytest.mark.parametrize("breakage", BREAKAGES, ids=lambda breakage: breakage.name)
def test_an_image_broken_on_purpose_is_caught_by_the_measure_meant_for_it(breakage: Breakage) -> None:
    frame, look = breakage.spoil(LOOK, compose, TWIN)
    assert breakage.noticed_by & failing(frame, look)


def test_another_face_in_the_same_outline_is_caught() -> None:
    look = draw_look(draw_twin(other_face=True))
    assert "face_difference" in failing(compose(look), look)


def test_an_image_enlarged_more_than_twice_is_a_preview() -> None:
    assert failing(compose(format="9:16"), format="9:16") == {"scale"}


def test_a_shifted_hue_is_caught_on_the_garment() -> None:
    assert "garment_delta_e" in failing(repainted(shifted_hue))


def test_a_lost_print_is_caught() -> None:
    plain = GARMENT.rgba.copy()
    plain[..., :3] = (168, 40, 52)
    look = draw_look(TWIN, dataclasses.replace(GARMENT, rgba=plain))
    assert {"palette_delta_e", "print_detail"} & failing(compose(look), look)


def test_a_label_that_says_something_else_is_caught() -> None:
    other = composite(LOOK, draw_scene("AI-genererat foto"), BACKDROP, "4:5", TWIN)
    assert "label_match" in failing(other)


def test_a_floating_person_is_caught() -> None:
    floating = dataclasses.replace(TWIN, ground_y=TWIN.ground_y + 60)
    row = measure(compose(), LOOK, floating, GARMENT, SCENE, "4:5")
    assert row["feet_gap"] > 0.04


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
