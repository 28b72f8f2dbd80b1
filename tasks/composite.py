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
WRAP_REACH = 0.006
"""How far it bleeds inwards, as a share of the frame's height."""
GRAIN = 0.9
"""Standard deviation of the film grain laid over the whole frame, in 8-bit steps."""


@dataclass(frozen=True)
class Box:
    """Part of a frame, pixels; right and bottom are exclusive."""

    left: int
    top: int
    right: int
    bottom: int

    def slices(self) -> tuple[slice, slice]:
        return slice(self.top, self.bottom), slice(self.left, self.right)


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
    tile = np.random.default_rng(1839).standard_normal((540, 540), dtype=np.float32)
    tile = cv2.GaussianBlur(tile, (0, 0), 0.6, borderType=cv2.BORDER_REFLECT_101)
    tile *= GRAIN / float(tile.std())
    steps: U8 = np.clip(np.rint(tile) + 128, 0, 255).astype(np.uint8)
    return np.ascontiguousarray(np.tile(steps, (height // 540 + 1, width // 540 + 1))[:height, :width])


def prepare_backdrop(scene: Scene, backdrop: U8, format: Format) -> PreparedBackdrop:
    """Crop, scale and blur a backdrop (sRGB uint8 H x W x 3) for one format."""
    image = crop_backdrop(backdrop, scene, format)
    height, width = image.shape[:2]
    small = to_linear(cv2.resize(image, (width // 4, height // 4), interpolation=cv2.INTER_AREA))
    glow = cv2.GaussianBlur(small, (0, 0), 0.012 * height)
    return PreparedBackdrop(scene, format, image, glow, _grain(width, height), light_match(scene))


def _bled(rgba: U8) -> U8:
    """Colours without the studio ground: where a pixel is partly ground, the colour of the figure beside it.

    Outside the figure the colours continue too, so that scaling mixes nothing foreign in.
    """
    bled = np.ascontiguousarray(rgba[..., :3])
    left, top, right, bottom = figure_box(rgba[..., 3], 1)
    part = np.s_[max(top - 16, 0) : bottom + 16, max(left - 16, 0) : right + 16]
    solid = cv2.erode(cv2.inRange(rgba[..., 3][part], 250, 255), np.ones((3, 3), np.uint8))
    inside = cv2.bitwise_and(bled[part], bled[part], mask=solid)
    reached = cv2.dilate(rgba[..., 3][part], np.ones((9, 9), np.uint8))
    partly = np.flatnonzero((solid == 0) & (reached > 0) & (cv2.blur(solid, (31, 31)) > 0))
    colour, weight = np.zeros((len(partly), 3), np.float32), np.zeros((len(partly), 1), np.float32)
    for reach, share in (
        (3, 1.0),
        (7, 1e-2),
        (31, 1e-5),
    ):  # what is near decides; what is farther only where nothing is near
        sums = cv2.boxFilter(inside, cv2.CV_32F, (reach, reach), normalize=False)
        counts = cv2.boxFilter(solid // 255, cv2.CV_32F, (reach, reach), normalize=False)
        colour += share * sums.reshape(-1, 3)[partly]
        weight += share * counts.reshape(-1, 1)[partly]
    rows, columns = np.divmod(partly, solid.shape[1])
    bled[part][rows, columns] = (colour / weight + 0.5).astype(np.uint8)
    return bled


def _placed(picture: np.ndarray, placement: Placement, box: Box) -> np.ndarray:
    """What a picture of the look's size shows in this box of the frame; area-averaged when it shrinks."""
    step = (placement.scale - 1) / 2
    matrix, source = placement.matrix(), picture
    matrix[:, 2] += (step - box.left, step - box.top)
    if placement.scale < 0.7:
        source = cv2.resize(picture, None, fx=placement.scale, fy=placement.scale, interpolation=cv2.INTER_AREA)
        matrix = np.array([[1, 0, placement.offset[0] - box.left], [0, 1, placement.offset[1] - box.top]], np.float32)
    mode = cv2.BORDER_REPLICATE if picture.ndim == 3 else cv2.BORDER_CONSTANT
    kind = cv2.INTER_CUBIC if picture.ndim == 3 else cv2.INTER_LINEAR
    size = (box.right - box.left, box.bottom - box.top)
    return np.asarray(cv2.warpAffine(source, matrix, size, flags=kind, borderMode=mode))


def _shade(image: U8, light_left: F32) -> None:
    """Darken the backdrop in place by a share of linear light; only the rows that have shadow."""
    rows = np.flatnonzero((light_left[:, ::8] < 0.995).any(axis=1))
    if len(rows):
        part = slice(int(rows[0]), int(rows[-1]) + 1)
        # encoded = linear ** (1 / 2.4) nearly, so scaling the encoded value by left ** (1 / 2.3) scales the light
        gain = cv2.pow(light_left[part], 1 / 2.3)
        image[part] = cv2.multiply(image[part], cv2.merge([gain] * 3), dtype=cv2.CV_8U)


def _blend(image: U8, person: U8, alpha: F32, glow: F32, box: Box) -> None:
    """Person over backdrop, in place, inside the box (`person` and `alpha` have its size).

    Edge band: linear light, wrapped by the backdrop's glow; elsewhere it is one or the other.
    """
    behind = np.ascontiguousarray(image[box.slices()])
    inside = (alpha >= 0.998).astype(np.uint8)
    reach = max(3, round(WRAP_REACH * image.shape[0]))
    deep = cv2.erode(inside, np.ones((reach, reach), np.uint8))
    blended = behind.copy()
    cv2.copyTo(person, inside, blended)
    band = np.flatnonzero((alpha > 0.002) & (deep == 0))
    a = alpha.ravel()[band][:, None]
    light, back = to_linear(person.reshape(-1, 3)[band]), to_linear(behind.reshape(-1, 3)[band])
    depth = cv2.blur(deep.astype(np.float32), (reach, reach)).ravel()[band][:, None]
    y, x = np.divmod(band, alpha.shape[1])
    rows, columns = glow.shape[:2]
    around = glow[np.minimum((y + box.top) // 4, rows - 1), np.minimum((x + box.left) // 4, columns - 1)]
    wrapped = light + np.float32(WRAP) * (1 - depth) ** 2 * (around - light)
    blended.reshape(-1, 3)[band] = to_srgb(wrapped * a + back * (1 - a))
    image[box.slices()] = blended


def _figure_in_frame(alpha: F32, placement: Placement, size: tuple[int, int]) -> Box:
    """The part of the frame that the figure fills, with a little room for interpolation."""
    left, top, right, bottom = figure_box(alpha, 0.0)
    x, y = placement.offset
    return Box(
        max(0, int(placement.scale * left + x) - 4),
        max(0, int(placement.scale * top + y) - 4),
        min(size[0], int(placement.scale * right + x) + 5),
        min(size[1], int(placement.scale * bottom + y) + 5),
    )


def composite_prepared(look: CutLook, prepared: PreparedBackdrop, twin: TwinReference) -> Composited:
    """One frame in the prepared scene and format. Raises UnusablePhotograph if the look shows nobody.

    The label is drawn last, over everything. `scale` is frame pixels per look pixel: above 2 it is a preview.
    """
    alpha = look.rgba[..., 3].astype(np.float32) / np.float32(255)
    if figure_box(alpha) == (0, 0, 0, 0):
        raise UnusablePhotograph(f"the cut-out look of {twin.twin.twin_id} shows nobody", code="empty_look")
    placement, size = place_person(alpha, prepared.format), FORMAT_PIXELS[prepared.format]
    whole, box = Box(0, 0, *size), _figure_in_frame(alpha, placement, size)
    person = apply_gains(_placed(_bled(look.rgba), placement, box), prepared.gains)
    person_alpha = _placed(alpha, placement, whole)
    garment_alpha = _placed(look.garment_alpha.astype(np.float32), placement, whole)
    image = prepared.image.copy()
    _shade(image, floor_shadow(person_alpha, prepared.scene.light))
    _blend(image, person, np.ascontiguousarray(person_alpha[box.slices()]), prepared.glow, box)
    image = _with_grain(image, prepared.grain)
    label_box = draw_label(image, person_alpha, prepared.scene.label_text)
    return Composited(image, person_alpha, garment_alpha, label_box, float(placement.scale), placement.offset)


def _with_grain(image: U8, grain: U8) -> U8:
    steps = cv2.merge([grain] * 3)
    grained: U8 = cv2.addWeighted(image, 1.0, steps, 1.0, -128.0)
    return grained


def composite(look: CutLook, scene: Scene, backdrop: U8, format: Format, twin: TwinReference) -> Composited:
    """`composite_prepared` for a single frame, when nothing is prepared."""
    return composite_prepared(look, prepare_backdrop(scene, backdrop, format), twin)
