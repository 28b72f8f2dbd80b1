"""Light on a warped garment and its shadow on the body: soft and large, so that the photograph's own colour stays.

All fields are float32, one over the box of the garment; light is a factor around 1 on sRGB values 0..255.
"""

import cv2
import numpy as np

from tasks.imaging.pictures import F32

LIGHT = np.array([-0.30, -0.45, -0.84], np.float32)
"""Towards the light in camera space, x right, y down, z away from the viewer: above, a little from image left."""
QUARTER = 4


def _quarter(field: F32) -> F32:
    size = (max(1, field.shape[1] // QUARTER), max(1, field.shape[0] // QUARTER))
    return np.asarray(cv2.resize(field, size, interpolation=cv2.INTER_AREA), np.float32)


def _full(field: F32, shape: tuple[int, int]) -> F32:
    return np.asarray(cv2.resize(field, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR), np.float32)


def blur(field: F32, sigma: float) -> F32:
    """Gaussian, at a quarter of the size where it is wide enough not to be seen."""
    if sigma < 2.5 * QUARTER:
        return np.asarray(cv2.GaussianBlur(field, (0, 0), sigma), np.float32)
    return _full(np.asarray(cv2.GaussianBlur(_quarter(field), (0, 0), sigma / QUARTER), np.float32), field.shape[:2])


def rounded(cover: F32, span: float, amount: float = 0.17) -> F32:
    """Light on a panel that is rounded like a cushion over `cover`: brighter towards the light, darker away from it."""
    small = _quarter(cover)
    deep = cv2.distanceTransform((np.pad(small, 1) > 0.5).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
    reach = max(2.0, 0.34 * span / QUARTER)
    t = np.clip(deep / reach, 0, 1)
    height = reach * np.sqrt(np.maximum(t * (2 - t), 0)).astype(np.float32)
    height = cv2.GaussianBlur(height, (0, 0), max(1.0, 0.035 * span / QUARTER))
    slope_y, slope_x = np.gradient(height)
    slope_y *= 0.35
    length = np.sqrt(1 + slope_x**2 + slope_y**2)
    light = (-slope_x * LIGHT[0] - slope_y * LIGHT[1] - LIGHT[2]) / length
    field = 1 + amount * (light / -LIGHT[2] - 1)
    return _full(cv2.GaussianBlur(field.astype(np.float32), (0, 0), 1.2), cover.shape[:2])


def over_body(normals: F32, keep: F32, span: float, amount: float = 0.16) -> F32:
    """Light on the body below (unit normals in camera space), softened as cloth would.

    `keep` 0..1 says where cloth lies on the body; where it hangs free the body does not show.
    """
    facing = np.maximum(normals @ LIGHT, 0).astype(np.float32)
    known = (np.abs(normals).sum(axis=2) > 0.1).astype(np.float32)
    sigma = 0.055 * span
    light = blur(facing * known, sigma) / np.maximum(blur(known, sigma), 1e-3)
    weight = blur(keep * known, sigma)
    middle = float(np.median(light[keep * known > 0.5])) if (keep * known > 0.5).any() else 1.0
    return np.asarray(1 + amount * (light / max(middle, 1e-3) - 1) * weight, np.float32)


def level(light: F32, cover: F32) -> F32:
    """The light with a median of 1 on the garment, so that shading never moves its colour."""
    inside = light[cover > 0.9]
    return light if not inside.size else np.asarray(light / np.float32(np.median(inside)), np.float32)


def apply_light(colours: F32, light: F32) -> F32:
    """Colours times light, in sRGB values 0..255, float32."""
    return np.asarray(np.clip(colours * light[..., None], 0, 255), np.float32)


def cast(cover: F32, span: float, strength: float = 0.34) -> F32:
    """Shadow of the garment on what lies behind it, 0..1: below its hems and beside its edges, soft."""
    shift = np.array([[1, 0, 0.008 * span], [0, 1, 0.030 * span]], np.float32)
    moved = cv2.warpAffine(cover, shift, (cover.shape[1], cover.shape[0]))
    wide = blur(np.asarray(moved, np.float32), 0.030 * span)
    tight = blur(cover, 0.008 * span)
    shadow = strength * (0.75 * wide + 0.25 * tight)
    return np.asarray(np.where(shadow < 0.006, 0, shadow), np.float32)
