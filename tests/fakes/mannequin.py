"""A drawn mannequin and drawn garments, exact and small: what the draft is tried on without the sample pack."""

from typing import cast

import cv2
import numpy as np
import numpy.typing as npt

from schemas.base import Category
from schemas.twin import PARTS, Twin
from tasks.imaging.pictures import U8, GarmentCutout, Point, TwinReference

WIDTH, HEIGHT = 480, 640
SKIN, CLOTH, HAIR = (196, 150, 122), (120, 122, 126), (40, 30, 26)
JOINTS: dict[str, Point] = {
    "shoulder.L": (286, 150), "shoulder.R": (194, 150), "elbow.L": (312, 232), "elbow.R": (168, 232),
    "wrist.L": (326, 304), "wrist.R": (154, 304), "hip.L": (268, 320), "hip.R": (212, 320),
    "knee.L": (270, 448), "knee.R": (210, 448), "ankle.L": (272, 568), "ankle.R": (208, 568),
}  # fmt: skip


def _bone(labels: U8, part: str, a: Point, b: Point, thickness: int) -> None:
    ends = [(round(x), round(y)) for x, y in (a, b)]
    cv2.line(labels, ends[0], ends[1], PARTS[part], thickness, cv2.LINE_8)


def _body() -> U8:
    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    for side in "LR":
        at = {name.split(".")[0]: point for name, point in JOINTS.items() if name.endswith(side)}
        sign = 1 if side == "L" else -1
        _bone(labels, f"upperleg.{side}", at["hip"], at["knee"], 44)
        _bone(labels, f"lowerleg.{side}", at["knee"], at["ankle"], 30)
        _bone(labels, f"foot.{side}", at["ankle"], (at["ankle"][0] + 4 * sign, at["ankle"][1] + 22), 26)
        _bone(labels, f"hand.{side}", at["wrist"], (at["wrist"][0] + 4 * sign, at["wrist"][1] + 26), 16)
        _bone(labels, f"forearm.{side}", at["elbow"], at["wrist"], 20)
        _bone(labels, f"upperarm.{side}", at["shoulder"], at["elbow"], 26)
    trunk = [(200, 140), (280, 140), (282, 190), (272, 262), (290, 322), (240, 352), (190, 322), (208, 262), (198, 190)]
    cv2.fillPoly(labels, [np.array(trunk, np.int32)], PARTS["torso"])
    cv2.rectangle(labels, (224, 108), (256, 142), PARTS["neck"], -1)
    cv2.ellipse(labels, (240, 76), (30, 40), 0, 0, 360, PARTS["head"], -1)
    return labels


def mannequin(name: str = "mannequin") -> TwinReference:
    body = _body()
    parts = body.copy()
    rows = np.arange(HEIGHT)[:, None]
    trunk = np.isin(body, [PARTS[part] for part in ("torso", "upperleg.L", "upperleg.R")])
    parts[trunk & (rows > 170) & (rows < 400)] = PARTS["clothing"]
    cv2.ellipse(parts, (240, 56), (34, 26), 0, 180, 360, PARTS["hair"], -1)
    cv2.line(parts, (212, 60), (212, 205), PARTS["hair"], 8)
    rgba = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    rgba[parts > 0] = (*SKIN, 255)
    rgba[parts == PARTS["clothing"]] = (*CLOTH, 255)
    rgba[parts == PARTS["hair"]] = (*HAIR, 255)
    twin = Twin(twin_id=name, talent_id=name, display_name=name, adult=True, synthetic=True, poses=(), sha256={})
    return TwinReference(twin, "standing", "0" * 64, rgba, parts, body, dict(JOINTS), 600.0)


def _both(**right_half: Point) -> dict[str, Point]:
    """Landmarks of both sides from those of the wearer's left (image right) of a garment drawn around x = 200."""
    left = {f"{name}.L": point for name, point in right_half.items()}
    return left | {f"{name}.R": (400 - x, y) for name, (x, y) in right_half.items()}


SHAPES: dict[str, tuple[str, dict[str, Point], list[str]]] = {
    "top": ("short", _both(neck=(240, 60), shoulder=(290, 78), cuff_out=(372, 150), cuff_in=(336, 184),
            armpit=(300, 150), waist=(296, 250), hem=(298, 350)) | {"neck_c": (200, 96)},
            ["neck", "shoulder", "cuff_out", "cuff_in", "armpit", "waist", "hem"]),
    "outerwear": ("long", _both(neck=(240, 60), shoulder=(290, 78), cuff_out=(392, 318), cuff_in=(352, 330),
            armpit=(300, 150), waist=(298, 250), hem=(302, 350)) | {"neck_c": (200, 130)},
            ["neck", "shoulder", "cuff_out", "cuff_in", "armpit", "waist", "hem"]),
    "dress": ("none", _both(neck=(236, 50), shoulder=(268, 56), armpit=(286, 130), waist=(262, 230), hip=(290, 300),
            hem=(330, 470)) | {"neck_c": (200, 100)}, ["neck", "shoulder", "armpit", "waist", "hip", "hem"]),
    "skirt": ("none", _both(waist=(266, 60), hip=(292, 130), hem=(320, 320)) | {"waist_c": (200, 60)},
            ["waist", "hip", "hem"]),
    "trousers": ("none", _both(waist=(270, 40), hip=(290, 110), hem_out=(316, 470), hem_in=(262, 474))
            | {"crotch": (200, 160)}, ["waist", "hip", "hem_out", "hem_in"]),
    "shorts": ("none", _both(waist=(270, 40), hip=(290, 110), hem_out=(306, 260), hem_in=(216, 264))
            | {"crotch": (200, 160)}, ["waist", "hip", "hem_out", "hem_in"]),
    "jumpsuit": ("none", _both(neck=(236, 40), shoulder=(270, 48), armpit=(286, 110), waist=(270, 210), hip=(286, 270),
            hem_out=(310, 580), hem_in=(256, 584)) | {"neck_c": (200, 80), "crotch": (200, 310)},
            ["neck", "shoulder", "armpit", "waist", "hip", "hem_out", "hem_in"]),
}  # fmt: skip


def garment(category: str, colour: tuple[int, int, int] = (150, 60, 110), stripes: bool = False) -> GarmentCutout:
    """A flat garment in one colour, or with a darker stripe every 40 rows."""
    sleeve, marks, order = SHAPES[category]
    left = [marks[f"{name}.L"] for name in order]
    right = [marks[f"{name}.R"] for name in order[::-1]]
    low = [marks["crotch"]] if "crotch" in marks else []
    top = [marks["neck_c"]] if "neck_c" in marks else []
    outline: npt.NDArray[np.int32] = np.array([*left, *low, *right, *top], np.int32)
    rgba = np.zeros((620, 400, 4), np.uint8)
    rgba[..., :3] = colour
    if stripes:
        rgba[(np.arange(620) // 20) % 2 == 0, :, :3] = tuple(value // 2 for value in colour)
    cv2.fillPoly(alpha := np.zeros((620, 400), np.uint8), [outline], 255)
    rgba[..., 3] = alpha
    return GarmentCutout(rgba, cast("Category", category), dict(marks), sleeve, 1.0, "1" * 64)
