"""Twin: a talent's digital replica as files: reference images per pose, part masks, keypoints, camera, body."""

from typing import Any, Literal

from schemas.base import Identifier, Schema, Sha256

PARTS: dict[str, int] = {
    "background": 0, "head": 1, "neck": 2, "torso": 3, "upperarm.L": 4, "upperarm.R": 5, "forearm.L": 6,
    "forearm.R": 7, "hand.L": 8, "hand.R": 9, "upperleg.L": 10, "upperleg.R": 11, "lowerleg.L": 12,
    "lowerleg.R": 13, "foot.L": 14, "foot.R": 15, "hair": 16, "clothing": 17,
}  # fmt: skip
"""Labels of the part masks; `.L` is the person's own left. `clothing` is the modest base clothing."""


class Camera(Schema):
    """Pinhole: a world point p (metres) lies at `rotation @ p + translation`; pixel x = focal_px * X / Z + cx."""

    focal_px: float
    cx: float
    cy: float
    rotation: tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float, float]]
    translation: tuple[float, float, float]


class TwinPose(Schema):
    """Files of one pose, relative to the twin's folder; keypoints in pixels of the image."""

    pose: Identifier
    image: str
    parts: str
    body_parts: str
    depth: str | None = None
    normals: str | None = None
    width: int
    height: int
    keypoints: dict[str, tuple[float, float]]
    camera: Camera | None = None
    ground_y: float


class Twin(Schema):
    twin_id: Identifier
    talent_id: Identifier
    display_name: str
    adult: Literal[True]
    height_m: float | None = None
    measurements_cm: dict[str, float] = {}
    skin_tone: str | None = None
    hair: dict[str, Any] = {}
    synthetic: bool = False
    poses: tuple[TwinPose, ...]
    body: str | None = None
    sha256: dict[str, Sha256]
