"""The arrays that stages hand on: twin reference, garment cut-out, generated look. Images are sRGB uint8 H x W x C."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from schemas.base import Category
from schemas.twin import Camera, Twin

U8 = npt.NDArray[np.uint8]
F32 = npt.NDArray[np.float32]
Point = tuple[float, float]


@dataclass(frozen=True)
class TwinReference:
    """One pose of a twin, loaded. All maps have the image's size H x W.

    rgba: straight alpha. parts: labels as seen (schemas.twin.PARTS). body_parts: labels of the body below clothes
    and hair. depth: float32 metres from the camera, 0 = none. normals: float32 H x W x 3, camera space, unit, or None.
    """

    twin: Twin
    pose: str
    digest: str
    rgba: U8
    parts: U8
    body_parts: U8
    keypoints: dict[str, Point]
    ground_y: float
    camera: Camera | None = None
    depth: F32 | None = None
    normals: F32 | None = None


@dataclass(frozen=True)
class GarmentCutout:
    """The garment out of its photograph, upright. rgba: straight alpha, edge colours decontaminated.

    landmarks: named points in pixels of `rgba` (`.L` is the wearer's left, image right in a front view).
    sleeve: none, short, elbow or long. rotation: degrees by which the photograph was turned (0, 90, 180, 270).
    """

    rgba: U8
    category: Category
    landmarks: dict[str, Point]
    sleeve: str
    confidence: float
    digest: str
    rotation: int = 0
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class GenerateRequest:
    twin: TwinReference
    garment: GarmentCutout
    seed: int = 0


@dataclass(frozen=True)
class GeneratedLook:
    """A twin wearing a garment, before it is cut out of its plain studio ground.

    image: H x W x 3 on a plain ground. silhouette and garment_alpha: float32 H x W in 0..1 where the generator
    knows them, else None. covered: float32 H x W, where the twin's own pixels were replaced or re-lit (the rest must
    equal the twin). source_scale: pixels of look per pixel of garment photograph, for the resolution limit.
    """

    image: U8
    silhouette: F32 | None
    garment_alpha: F32 | None
    covered: F32
    generator: str
    source_scale: float = 1.0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class CutLook:
    """A generated look cut out: rgba H x W x 4 straight alpha, with the garment's alpha and what was covered."""

    rgba: U8
    garment_alpha: F32
    covered: F32
    generator: str
    source_scale: float = 1.0


@dataclass(frozen=True)
class Composited:
    """A finished frame before marking: image H x W x 3; person_alpha, garment_alpha float32 H x W in the frame;
    label_box (x, y, w, h): the visible label; scale: frame pixels per look pixel; offset: look origin in the frame."""

    image: U8
    person_alpha: F32
    garment_alpha: F32
    label_box: tuple[int, int, int, int]
    scale: float
    offset: tuple[float, float]
    notes: tuple[str, ...] = field(default=())
