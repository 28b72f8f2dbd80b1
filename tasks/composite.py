"""Put a cut-out look into a scene: framed, leaning to its light, grounded by shadow, wrapped, grained, labelled.

Blending is in linear light. Where a pixel is all person or all backdrop the answer is exact without it, so only the
band along the edge is computed in floating point; that is what makes a frame cost tens of milliseconds.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from schemas.base import FORMAT_PIXELS, Format
from schemas.scene import Scene
from tasks.errors import UnusablePhotograph
from tasks.imaging.colour import apply_gains, light_match, to_linear, to_srgb
from tasks.imaging.framing import Placement, crop_backdrop, figure_box, place_person
from tasks.imaging.label import draw_label
from tasks.imaging.pictures import F32, U8, Composited, CutLook, TwinReference
from tasks.imaging.shadow import floor_shadow

VERSION = "composite-1"
"""Part of the recipe: raise it when pixels change."""
WRAP = 0.05
"""Most of the backdrop's light that bleeds over a person's edge."""
GRAIN = 0.9
"""Standard deviation of the film grain laid over the whole frame, in 8-bit steps."""


@dataclass(frozen=True)
class PreparedBackdrop:
    """All that a scene and a format give, before any person: made once, used for every twin and garment.

    image: frame-sized sRGB; glow: the same, blurred, linear light at a quarter size; grain: int8 steps to add.
    """

    scene: Scene
    format: Format
    image: U8
    glow: F32
    grain: U8
    gains: F32


def _grain(width: int, height: int) -> U8:
    """Grain as uint8 around 128, the same for every frame of a size; slightly soft, as film is."""
    noise = np.random.default_rng(1839).standard_normal((height, width), dtype=np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), 0.6)
    noise *= GRAIN / float(noise.std())
    steps: U8 = np.clip(np.rint(noise) + 128, 0, 255).astype(np.uint8)
    return steps


def prepare_backdrop(scene: Scene, backdrop: U8, format: Format) -> PreparedBackdrop:
    """Crop, scale and blur a backdrop (sRGB uint8 H x W x 3) for one format."""
    image = crop_backdrop(backdrop, scene, format)
    height, width = image.shape[:2]
    small = to_linear(cv2.resize(image, (width // 4, height // 4), interpolation=cv2.INTER_AREA))
    glow = cv2.GaussianBlur(small, (0, 0), 0.012 * height / 4 * 4)
    return PreparedBackdrop(scene, format, image, glow, _grain(width, height), light_match(scene))


def _bled(rgba: U8) -> U8:
    """Colours without the studio ground: where a pixel is partly ground, the colour of the figure beside it.

    Outside the figure the colours continue too, so that scaling mixes nothing foreign in.
    """
    alpha = rgba[..., 3]
    solid = cv2.erode((alpha >= 250).astype(np.uint8), np.ones((3, 3), np.uint8))
    weight = solid.astype(np.float32)
    inside = np.dstack([rgba[..., :3].astype(np.float32) * weight[..., None], weight])
    near, far = cv2.blur(inside, (7, 7)), cv2.blur(inside, (31, 31))
    spread = near + 1e-3 * far
    colour = spread[..., :3] / np.maximum(spread[..., 3:], 1e-6)
    partly = (solid == 0) & (spread[..., 3] > 1e-6)
    bled = rgba[..., :3].copy()
    bled[partly] = np.clip(colour[partly] + 0.5, 0, 255).astype(np.uint8)
    return bled


def _placed(picture: np.ndarray, placement: Placement, size: tuple[int, int]) -> np.ndarray:
    """A picture of the look's size in the frame; area-averaged when it shrinks."""
    matrix, source = placement.matrix(), picture
    matrix[:, 2] += (placement.scale - 1) / 2
    if placement.scale < 0.7:
        source = cv2.resize(picture, None, fx=placement.scale, fy=placement.scale, interpolation=cv2.INTER_AREA)
        matrix[0, 0], matrix[1, 1] = (placement.scale * picture.shape[i] / source.shape[i] for i in (1, 0))
        matrix[:, 2] = placement.offset
    mode = cv2.BORDER_REPLICATE if picture.ndim == 3 else cv2.BORDER_CONSTANT
    kind = cv2.INTER_CUBIC if picture.ndim == 3 else cv2.INTER_LINEAR
    return np.asarray(cv2.warpAffine(source, matrix, size, flags=kind, borderMode=mode))


def _shade(image: U8, light_left: F32) -> None:
    """Darken the backdrop in place by a share of linear light; only the rows that have shadow."""
    rows = np.flatnonzero((light_left[:, ::8] < 0.995).any(axis=1))
    if len(rows):
        part = slice(int(rows[0]), int(rows[-1]) + 1)
        # encoded = linear ** (1 / 2.4) nearly, so scaling the encoded value by left ** (1 / 2.3) scales the light
        gain = cv2.pow(light_left[part], 1 / 2.3)
        image[part] = cv2.multiply(image[part], cv2.merge([gain] * 3), dtype=cv2.CV_8U)


def _blend(behind: U8, person: U8, alpha: F32, glow: F32) -> U8:
    """Person over backdrop. Edge band: linear light, wrapped by the backdrop's glow; elsewhere one or the other."""
    height, width = alpha.shape
    inside = (alpha >= 0.998).astype(np.uint8)
    reach = max(3, round(0.006 * height))
    deep = cv2.erode(inside, np.ones((reach, reach), np.uint8))
    image = behind.copy()
    cv2.copyTo(person, inside, image)
    band = np.flatnonzero((alpha > 0.002) & (deep == 0))
    a = alpha.ravel()[band][:, None]
    light = to_linear(person.reshape(-1, 3)[band])
    back = to_linear(behind.reshape(-1, 3)[band])
    soft = cv2.blur(deep.astype(np.float32), (reach, reach)).ravel()[band][:, None]
    y, x = np.divmod(band, width)
    around = glow[np.minimum(y // 4, glow.shape[0] - 1), np.minimum(x // 4, glow.shape[1] - 1)]
    wrapped = light + WRAP * (1 - soft) ** 2 * (around - light)
    image.reshape(-1, 3)[band] = to_srgb(wrapped * a + back * (1 - a))
    return image


def composite_prepared(look: CutLook, prepared: PreparedBackdrop, twin: TwinReference) -> Composited:
    """One frame in the prepared scene and format. Raises UnusablePhotograph if the look shows nobody.

    The label is drawn last, over everything. `scale` is frame pixels per look pixel: above 2 it is a preview.
    """
    alpha = look.rgba[..., 3].astype(np.float32) / np.float32(255)
    if figure_box(alpha) == (0, 0, 0, 0):
        raise UnusablePhotograph(f"the cut-out look of {twin.twin.twin_id} shows nobody", code="empty_look")
    placement, size = place_person(alpha, prepared.format), FORMAT_PIXELS[prepared.format]
    person = apply_gains(_placed(_bled(look.rgba), placement, size), prepared.gains)
    person_alpha = np.clip(_placed(alpha, placement, size), 0, 1)
    garment_alpha = np.clip(_placed(look.garment_alpha.astype(np.float32), placement, size), 0, 1)
    behind = prepared.image.copy()
    _shade(behind, floor_shadow(person_alpha, prepared.scene.light))
    image = _blend(behind, person, person_alpha, prepared.glow)
    image = _with_grain(image, prepared.grain)
    box = draw_label(image, person_alpha, prepared.scene.label_text)
    return Composited(image, person_alpha, garment_alpha, box, float(placement.scale), placement.offset)


def _with_grain(image: U8, grain: U8) -> U8:
    steps = cv2.merge([grain] * 3)
    grained: U8 = cv2.addWeighted(image, 1.0, steps, 1.0, -128.0)
    return grained


def composite(look: CutLook, scene: Scene, backdrop: U8, format: Format, twin: TwinReference) -> Composited:
    """`composite_prepared` for a single frame, when nothing is prepared."""
    return composite_prepared(look, prepare_backdrop(scene, backdrop, format), twin)
