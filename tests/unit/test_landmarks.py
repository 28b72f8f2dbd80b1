"""Landmarks on drawn outlines whose true points are known."""

import cv2
import numpy as np
import pytest

from tasks.imaging.landmarks import find_landmarks
from tasks.imaging.pictures import F32, Point


def filled(*points: Point, size: tuple[int, int] = (600, 500)) -> F32:
    alpha = np.zeros(size, np.uint8)
    cv2.fillPoly(alpha, [np.array(points, np.int32)], 255)
    return (alpha / 255).astype(np.float32)


TEE = filled(
    (205, 60), (295, 60), (340, 75), (412, 168), (372, 215), (345, 180), (345, 500), (155, 500), (155, 180), (128, 215),
    (88, 168), (160, 75),
)  # fmt: skip
TANK = filled((190, 60), (220, 60), (225, 130), (275, 130), (280, 60), (310, 60), (320, 160), (350, 210), (350, 500),
              (150, 500), (150, 210), (180, 160))  # fmt: skip
TROUSERS = filled((180, 50), (320, 50), (345, 220), (350, 560), (275, 560), (252, 260), (248, 260), (225, 560),
                  (150, 560), (155, 220))  # fmt: skip
SKIRT = filled((190, 80), (310, 80), (400, 500), (100, 500))


def near(found: Point, true: Point, within: float = 14) -> bool:
    return float(np.hypot(found[0] - true[0], found[1] - true[1])) <= within


@pytest.mark.parametrize(
    ("name", "true"),
    [
        ("armpit.L", (345, 180)), ("armpit.R", (155, 180)), ("hem.L", (345, 500)), ("hem.R", (155, 500)),
        ("cuff_out.L", (412, 168)), ("cuff_in.L", (372, 215)), ("cuff_out.R", (88, 168)), ("cuff_in.R", (128, 215)),
        ("neck.L", (295, 60)), ("neck.R", (205, 60)),
    ],
)  # fmt: skip
def test_a_tees_points_are_found(name: str, true: Point) -> None:
    within = 24 if name.startswith("cuff") else 14  # the corner of a short, flared sleeve is a matter of degree
    assert near(find_landmarks(TEE, "top").points[name], true, within), find_landmarks(TEE, "top").points[name]


def test_the_wearers_left_is_the_pictures_right() -> None:
    points = find_landmarks(TEE, "top").points
    assert all(points[name][0] > points[name[:-1] + "R"][0] for name in points if name.endswith(".L"))


def test_short_sleeves_are_told_from_none_and_long() -> None:
    long = filled((205, 60), (295, 60), (340, 75), (470, 420), (425, 440), (345, 190), (345, 500), (155, 500),
                  (155, 190), (75, 440), (30, 420), (160, 75))  # fmt: skip
    kinds = [find_landmarks(alpha, "top").sleeve for alpha in (TANK, TEE, long)]
    assert kinds == ["none", "short", "long"]


def test_a_sleeveless_top_has_no_cuffs_and_armpits_below_its_armholes() -> None:
    points = find_landmarks(TANK, "top").points
    assert not any(name.startswith("cuff") for name in points)
    assert near(points["armpit.L"], (350, 210), 40)


@pytest.mark.parametrize(
    ("name", "true"),
    [("waist.L", (320, 50)), ("waist.R", (180, 50)), ("crotch", (250, 260)), ("hem_out.L", (350, 560)),
     ("hem_in.L", (275, 560)), ("hem_in.R", (225, 560)), ("hem_out.R", (150, 560))],
)  # fmt: skip
def test_trousers_points_are_found(name: str, true: Point) -> None:
    assert near(find_landmarks(TROUSERS, "trousers").points[name], true, 20)


@pytest.mark.parametrize(("name", "true"), [("waist.L", (310, 80)), ("hem.L", (400, 500)), ("hem.R", (100, 500))])
def test_a_skirts_points_are_found(name: str, true: Point) -> None:
    assert near(find_landmarks(SKIRT, "skirt").points[name], true)


def test_a_lopsided_outline_inspires_less_confidence() -> None:
    torn = TEE.copy()
    torn[300:, 250:] = 0
    assert find_landmarks(torn, "top").confidence < find_landmarks(TEE, "top").confidence - 0.2


def test_an_empty_picture_has_no_landmarks_and_says_so() -> None:
    found = find_landmarks(np.zeros((50, 50), np.float32), "dress")
    assert (found.points, found.confidence) == ({}, 0.0)
    assert found.problems
