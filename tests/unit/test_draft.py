"""The draft dresses a mannequin: what a garment may change, must cover and must keep."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from infra.models.draft import DraftGenerator
from schemas.base import CATEGORIES
from schemas.twin import PARTS
from tasks.errors import ChecksFailed, Interrupted, UnusablePhotograph, UnusableTwin
from tasks.generate import check_look, generate_look
from tasks.imaging.pictures import GeneratedLook, GenerateRequest
from tasks.imaging.studio import over_ground
from tests.fakes.mannequin import JOINTS, garment, mannequin


def never() -> bool:
    return False


def wear(category: str, stripes: bool = False) -> tuple[GenerateRequest, GeneratedLook]:
    request = GenerateRequest(mannequin(), garment(category, stripes=stripes))
    return request, generate_look(request, DraftGenerator(), never)


def shown(look: GeneratedLook) -> np.ndarray:  # type: ignore[type-arg]
    assert look.garment_alpha is not None
    return look.garment_alpha > 0.5


@pytest.mark.parametrize("category", CATEGORIES)
def test_every_category_is_worn_and_leaves_the_rest_of_the_twin_untouched(category: str) -> None:
    request, look = wear(category)
    assert shown(look).sum() > 0.05 * (request.twin.rgba[..., 3] > 0).sum()
    free = look.covered == 0
    assert (look.image[free] == over_ground(request.twin.rgba)[free]).all()
    head = request.twin.parts == PARTS["head"]
    assert (look.covered[head] == 0).mean() > 0.97


@pytest.mark.parametrize("category", CATEGORIES)
def test_the_garment_keeps_the_colour_of_its_photograph(category: str) -> None:
    request, look = wear(category)
    inside = cv2.erode(shown(look).astype(np.uint8), np.ones((9, 9), np.uint8)).astype(bool)
    lab = cv2.cvtColor(look.image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[inside]
    one = np.full((1, 1, 3), request.garment.rgba[300, 200, :3], np.float32) / 255
    assert np.linalg.norm(np.median(lab, axis=0) - cv2.cvtColor(one, cv2.COLOR_RGB2LAB)[0, 0]) < 2.0


@pytest.mark.parametrize("category", CATEGORIES)
def test_the_same_request_gives_the_same_bytes(category: str) -> None:
    _, first = wear(category, stripes=True)
    _, second = wear(category, stripes=True)
    assert first.image.tobytes() == second.image.tobytes()
    assert first.garment_alpha is not None
    assert second.garment_alpha is not None
    assert first.garment_alpha.tobytes() == second.garment_alpha.tobytes()


@pytest.mark.parametrize("category", ["top", "dress", "trousers", "jumpsuit"])
def test_nobody_is_made_slimmer(category: str) -> None:
    request, look = wear(category)
    assert look.silhouette is not None
    body = cv2.erode((request.twin.body_parts > 0).astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    assert (look.silhouette[body] > 0.98).all()


def test_a_top_hides_the_base_clothing_down_to_its_hem_and_ends_at_the_hip() -> None:
    request, look = wear("top")
    rows = np.flatnonzero(shown(look).any(axis=1))
    assert JOINTS["hip.L"][1] - 30 < rows[-1] < JOINTS["hip.L"][1] + 60
    cloth = request.twin.parts == PARTS["clothing"]
    cloth[rows[-1] - 4 :] = False
    hidden = shown(look) | (look.covered > 0)
    assert hidden[cloth].all()


def test_shorts_do_not_show_under_a_short_skirt() -> None:
    request = GenerateRequest(mannequin(), garment("skirt"))
    marks = dict(request.garment.landmarks)
    rgba = request.garment.rgba.copy()
    rgba[180:, :, 3] = 0
    marks |= {"hem.L": (302.0, 179.0), "hem.R": (98.0, 179.0)}
    look = generate_look(
        replace(request, garment=replace(request.garment, rgba=rgba, landmarks=marks)), DraftGenerator(), never
    )
    below = np.flatnonzero(shown(look).any(axis=1))[-1] + 3
    assert below < 398
    legs = (request.twin.parts == PARTS["clothing"]) & (request.twin.body_parts > 0)
    legs[:below] = False
    colours = look.image[legs].astype(int)
    assert len(colours)
    assert (colours[:, 0] > colours[:, 2] + 20).mean() > 0.98  # skin, not the grey cloth


def test_hair_hangs_before_the_garment() -> None:
    request, look = wear("top")
    strand = request.twin.parts == PARTS["hair"]
    strand[:165] = False
    strand = cv2.erode(strand.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    assert strand.any()
    assert not shown(look)[strand].any()


def test_a_long_sleeve_covers_the_arm_and_leaves_the_hand() -> None:
    request, look = wear("outerwear")
    forearm = np.isin(request.twin.parts, [PARTS["forearm.L"], PARTS["forearm.R"]])
    hand = np.isin(request.twin.parts, [PARTS["hand.L"], PARTS["hand.R"]])
    forearm[int(JOINTS["wrist.L"][1]) - 10 :] = False  # the mannequin's round limb ends
    assert shown(look)[forearm].mean() > 0.97
    assert shown(look)[hand].mean() < 0.5


def test_trousers_fill_both_legs_without_slivers() -> None:
    request, look = wear("trousers")
    legs = np.isin(request.twin.body_parts, [PARTS[f"{p}.{s}"] for p in ("upperleg", "lowerleg") for s in "LR"])
    legs[: int(JOINTS["hip.L"][1]) + 10] = legs[int(JOINTS["ankle.L"][1]) - 8 :] = False
    assert shown(look)[legs].all()


def test_stop_is_asked_before_every_look() -> None:
    answers = iter([False, True])
    request = GenerateRequest(mannequin(), garment("top"))
    with pytest.raises(Interrupted):
        DraftGenerator().generate([request, request], lambda: next(answers))


@pytest.mark.parametrize("missing", ["armpit.L", "hem.R", "neck.L"])
def test_a_photograph_without_a_needed_landmark_is_refused_by_its_name(missing: str) -> None:
    cut = garment("top")
    cut = replace(cut, landmarks={name: at for name, at in cut.landmarks.items() if name != missing})
    with pytest.raises(UnusablePhotograph, match=missing.split(".")[0]):
        DraftGenerator().generate([GenerateRequest(mannequin(), cut)], never)


def test_landmarks_upside_down_are_refused() -> None:
    cut = garment("top")
    flipped = {name: (x, 620 - y) for name, (x, y) in cut.landmarks.items()}
    with pytest.raises(UnusablePhotograph):
        DraftGenerator().generate([GenerateRequest(mannequin(), replace(cut, landmarks=flipped))], never)


def test_an_empty_cut_out_is_refused() -> None:
    cut = garment("top")
    empty = replace(cut, rgba=np.zeros_like(cut.rgba))
    with pytest.raises(UnusablePhotograph):
        DraftGenerator().generate([GenerateRequest(mannequin(), empty)], never)


def test_a_twin_without_joints_is_refused() -> None:
    twin = replace(mannequin(), keypoints={})
    with pytest.raises(UnusableTwin):
        DraftGenerator().generate([GenerateRequest(twin, garment("top"))], never)


def test_a_generator_that_touches_the_uncovered_twin_is_not_believed() -> None:
    request, look = wear("top")
    image = look.image.copy()
    row, column = (int(i[0]) for i in np.nonzero(request.twin.parts == PARTS["head"]))
    image[row, column] ^= 1
    with pytest.raises(ChecksFailed, match="changed"):
        check_look(replace(look, image=image, covered=look.covered), request)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("covered", np.full((640, 480), 2, np.float32)),
        ("covered", np.zeros((10, 10), np.float32)),
        ("silhouette", np.full((640, 480), np.nan, np.float32)),
        ("image", np.zeros((10, 10, 3), np.uint8)),
        ("garment_alpha", np.zeros((640, 480), np.float32)),
    ],
)
def test_a_look_with_impossible_maps_is_not_believed(field: str, value: object) -> None:
    request, look = wear("top")
    with pytest.raises(ChecksFailed):
        check_look(replace(look, **{field: value}), request)
