"""Shadows on the floor: darkness where the soles touch it, and a soft cast shadow away from the light.

All work is done at a quarter of the frame's size: a shadow has no detail, and full-size blurs cost twenty times more.
"""

import cv2
import numpy as np

from schemas.scene import Light
from tasks.imaging.pictures import F32

_QUARTER = 4
CONTACT = 0.78
"""Share of light taken away right under a sole."""
CAST = 0.62
"""Share of light taken away by the cast shadow at the feet; it fades with distance."""
FLATNESS = 0.20
"""How tall a figure's shadow lies on the floor, as a share of the figure, seen from a standing camera."""


def _blur(picture: F32, x: float, y: float) -> F32:
    blurred: F32 = cv2.GaussianBlur(picture, (0, 0), max(x, 0.3), sigmaY=max(y, 0.3), borderType=cv2.BORDER_REPLICATE)
    return blurred


def _soles(alpha: F32, feet: float, tall: float) -> F32:
    """Alpha of what stands on the floor: full at the lowest pixels of each column, gone 4 % of the figure above."""
    rows = np.arange(alpha.shape[0], dtype=np.float32)[:, None]
    near_floor = np.clip(1 - (feet - rows) / (0.045 * tall), 0, 1)
    lowest = np.where((alpha * near_floor) > 0.2, rows, -1).max(axis=0)
    below = np.clip(1 - np.abs(rows - lowest[None, :]) / (0.012 * tall), 0, 1)
    soles: F32 = (below * (lowest[None, :] >= 0)).astype(np.float32) * near_floor
    return soles


def _contact(alpha: F32, feet: float, tall: float) -> F32:
    soles = _soles(alpha, feet, tall)
    tight = _blur(soles, 0.006 * tall, 0.0035 * tall)
    wide = _blur(soles, 0.030 * tall, 0.010 * tall)
    pool = _blur(soles, 0.075 * tall, 0.020 * tall)
    dark: F32 = np.clip(1.7 * tight + 1.5 * wide + 1.6 * pool, 0, 1)
    return dark


def _cast(alpha: F32, feet: float, tall: float, middle: float, light: Light) -> F32:
    """The silhouette laid on the floor: sheared away from the light, flattened, blurred more the farther it lies."""
    aside, up = light.direction
    lean = float(np.clip(-aside / max(abs(up), 0.35), -1.6, 1.6)) * 0.45
    flat = FLATNESS * float(np.clip(1.25 - 0.5 * abs(up), 0.6, 1.2))
    rows = np.arange(alpha.shape[0], dtype=np.float32)[:, None]
    fading = alpha * np.clip(1 - (feet - rows) / (0.75 * tall), 0, 1)
    # frame (x, y) of figure point (u, v): x = u + lean * (feet - v), y = feet - flat * (feet - v)
    matrix = np.array([[1, -lean, lean * feet], [0, flat, feet * (1 - flat)]], np.float32)
    laid = cv2.warpAffine(fading, matrix, (alpha.shape[1], alpha.shape[0]), flags=cv2.INTER_AREA)
    softness = 0.35 + float(np.clip(light.softness, 0, 1))
    near, far = _blur(laid, 0.010 * tall * softness, 0.004 * tall), _blur(laid, 0.045 * tall * softness, 0.016 * tall)
    away = np.clip((feet - rows) / (flat * tall * 0.5 + 1e-6), 0, 1)
    cast: F32 = near * (1 - away) + far * away
    return cast


def floor_shadow(person: F32, light: Light) -> F32:
    """Share of light (0..1, float32) that reaches each pixel of a frame where a person with this alpha stands.

    `person` is H x W in the frame; the result has its size. Nobody there: all ones.
    """
    height, width = person.shape
    small = cv2.resize(person, (width // _QUARTER, height // _QUARTER), interpolation=cv2.INTER_AREA)
    rows, columns = np.flatnonzero((small > 0.25).any(axis=1)), np.flatnonzero((small > 0.25).any(axis=0))
    if not len(rows):
        return np.ones((height, width), np.float32)
    feet, tall = float(rows[-1]) + 0.5, float(rows[-1] - rows[0] + 1)
    strength = float(np.clip(light.intensity, 0.5, 1.5)) * (1.15 - 0.4 * float(np.clip(light.softness, 0, 1)))
    cast = CAST * strength * _cast(small, feet, tall, float(columns.mean()), light)
    contact = CONTACT * _contact(small, feet, tall)
    light_left = np.clip((1 - contact) * (1 - cast), 0.2, 1).astype(np.float32)
    full: F32 = cv2.resize(light_left, (width, height), interpolation=cv2.INTER_LINEAR)
    return full
