"""A small twin, a scene, and imaging ports that paint blocks: a whole garment's way in a fraction of a second."""

import hashlib
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from PIL import Image

from schemas.base import Category
from schemas.scene import Light, Scene
from schemas.twin import PARTS, Twin, TwinPose
from tasks.errors import Interrupted
from tasks.imaging.pictures import F32, U8, GarmentCutout, GeneratedLook, GenerateRequest
from tasks.imaging.studio import over_ground
from tasks.judge import Verdict
from tasks.ports import Marked, ShouldStop

WIDTH, HEIGHT = 96, 160


def png(pixels: U8) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def a_photograph(shade: int = 120) -> bytes:
    pixels = np.full((200, 200, 3), 240, np.uint8)
    pixels[40:160, 50:150] = (shade, 40, 90)
    return png(pixels)


def a_twin(name: str) -> tuple[Twin, dict[str, bytes]]:
    """A person of blocks: head, torso, legs."""
    parts = np.zeros((HEIGHT, WIDTH), np.uint8)
    parts[10:30, 38:58] = PARTS["head"]
    parts[30:90, 30:66] = PARTS["torso"]
    parts[90:150, 32:46] = PARTS["lowerleg.L"]
    parts[90:150, 50:64] = PARTS["lowerleg.R"]
    rgba = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    rgba[parts > 0] = (190, 150 + sum(name.encode()) % 40, 120, 255)
    files = {"image.png": png(rgba), "parts.png": png(parts), "body.png": png(parts)}
    pose = TwinPose(
        pose="standing", image="image.png", parts="parts.png", body_parts="body.png", width=WIDTH, height=HEIGHT,
        keypoints={"shoulder.L": (64, 34), "shoulder.R": (32, 34)}, ground_y=149.0,
    )  # fmt: skip
    twin = Twin(
        twin_id=f"tw-{name}", talent_id=f"tal-{name}", display_name=name.title(), adult=True, synthetic=True,
        poses=(pose,), sha256={file: hashlib.sha256(data).hexdigest() for file, data in files.items()},
    )  # fmt: skip
    return twin, files


def a_scene(name: str, market: str, shade: int = 200) -> tuple[Scene, bytes]:
    backdrop = png(np.full((240, 400, 3), shade, np.uint8))
    scene = Scene(
        scene=name, title=name.title(), market=market, language="en", backdrop="backdrop.png", width=400, height=240,
        sha256=hashlib.sha256(backdrop).hexdigest(), floor_y=0.9, horizon_y=0.6, light=Light(direction=(0.0, -1.0)),
        label_text="AI image",
    )  # fmt: skip
    return scene, backdrop


class BlockGenerator:
    """Paints the torso in the garment's colour. `before` is called with each request, e.g. to withdraw meanwhile."""

    name = "block-1"
    commercial_use = True

    def __init__(self, before: Callable[[GenerateRequest, ShouldStop], None] | None = None) -> None:
        self.before = before
        self.calls: list[str] = []

    def generate(self, requests: Sequence[GenerateRequest], should_stop: ShouldStop) -> list[GeneratedLook]:
        looks = []
        for request in requests:
            self.calls.append(request.twin.twin.twin_id)
            if self.before is not None:
                self.before(request, should_stop)
            if should_stop():
                raise Interrupted("told to stop")
            looks.append(self._paint(request))
        return looks

    def _paint(self, request: GenerateRequest) -> GeneratedLook:
        worn = (request.twin.parts == PARTS["torso"]).astype(np.float32)
        image = over_ground(request.twin.rgba)
        image[worn > 0] = np.median(request.garment.rgba[..., :3].reshape(-1, 3), axis=0)
        silhouette = (request.twin.rgba[..., 3] > 0).astype(np.float32)
        return GeneratedLook(image, silhouette, worn, worn, self.name)


class GroundSegmenter:
    """Whatever differs from the corner's colour is foreground."""

    name = "ground-1"

    def cut_out(self, image: U8) -> F32:
        away = np.abs(image.astype(np.int16) - image[0, 0].astype(np.int16)).max(axis=2)
        return (away > 8).astype(np.float32)


def understand(photograph: U8, category: Category | None) -> GarmentCutout:
    pixels = photograph[40:160, 50:150, :3]
    rgba = np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)])
    return GarmentCutout(rgba, category or "top", {}, "short", 0.9, hashlib.sha256(rgba.tobytes()).hexdigest())


class PlainMarker:
    def mark(self, image: U8, *, title: str, asset_id: str, scene_label: str, facts: Mapping[str, str]) -> Marked:
        done, encoded = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        data = encoded.tobytes() + asset_id.encode()
        assert done
        return Marked(data, "image/jpeg", hashlib.sha256(data).hexdigest(), image.shape[1], image.shape[0])


class LenientJudge:
    """Passes all but the twins named in `failing`."""

    name = "lenient"

    def __init__(self) -> None:
        self.failing: set[str] = set()
        self.batches: list[int] = []

    def judge(self, rows: Sequence[Mapping[str, Any]]) -> list[Verdict]:
        self.batches.append(len(rows))
        return [Verdict(str(row["image_id"]), row["twin"] not in self.failing) for row in rows]
