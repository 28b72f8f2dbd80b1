"""Colour arithmetic: sRGB and linear light, CIELAB, CIEDE2000, palettes, and the small light match of a composite.

sRGB transfer: IEC 61966-2-1. CIELAB with the D65 white. CIEDE2000: Sharma, Wu and Dalal, "The CIEDE2000
color-difference formula: implementation notes, supplementary test data, and mathematical observations",
Color Research and Application 30 (2005) 21-30.
"""

from functools import lru_cache

import cv2
import numpy as np

from schemas.scene import Scene
from tasks.imaging.pictures import F32, U8

LIGHT_LIMIT = 0.05
"""No channel of a person is ever scaled by more than this (linear light): garment and skin must stay true."""
_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_WHITE = np.array([0.95047, 1.0, 1.08883])
LUMA = np.array([0.2126729, 0.7151522, 0.0721750], np.float32)


@lru_cache(maxsize=1)
def _linear_table() -> F32:
    value = np.arange(256) / 255.0
    table: F32 = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4).astype(np.float32)
    return table


@lru_cache(maxsize=1)
def _srgb_table() -> U8:
    value = np.arange(4096) / 4095.0
    encoded = np.where(value <= 0.0031308, value * 12.92, 1.055 * value ** (1 / 2.4) - 0.055)
    table: U8 = np.rint(encoded * 255).astype(np.uint8)
    return table


def to_linear(srgb: U8) -> F32:
    """uint8 sRGB of any shape to float32 linear light in 0..1."""
    linear: F32 = _linear_table()[srgb]
    return linear


def to_srgb(linear: F32) -> U8:
    """float32 linear light of any shape to uint8 sRGB; darker than 1/4095 is rounded."""
    index = (np.clip(linear, 0.0, 1.0) * 4095.0 + 0.5).astype(np.uint16)
    srgb: U8 = _srgb_table()[index]
    return srgb


def to_lab(srgb: U8) -> F32:
    """uint8 sRGB (..., 3) to float32 CIELAB (..., 3), L in 0..100."""
    xyz = to_linear(srgb).astype(np.float64) @ _TO_XYZ.T / _WHITE
    cubed = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz * (29 / 6) ** 2 / 3 + 4 / 29)
    x, y, z = cubed[..., 0], cubed[..., 1], cubed[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1).astype(np.float32)


def ciede2000(first: F32, second: F32, *, lightness: float = 1.0) -> F32:
    """CIEDE2000 between CIELAB arrays (..., 3). `lightness` is k_L: 2 is usual for textiles, whose folds vary in L."""
    a, b = first.astype(np.float64), second.astype(np.float64)
    mean_chroma7 = ((np.hypot(a[..., 1], a[..., 2]) + np.hypot(b[..., 1], b[..., 2])) / 2) ** 7
    g = 0.5 * (1 - np.sqrt(mean_chroma7 / (mean_chroma7 + 25.0**7)))
    a1, a2 = (1 + g) * a[..., 1], (1 + g) * b[..., 1]
    c1, c2 = np.hypot(a1, a[..., 2]), np.hypot(a2, b[..., 2])
    h1, h2 = np.degrees(np.arctan2(a[..., 2], a1)) % 360, np.degrees(np.arctan2(b[..., 2], a2)) % 360
    grey = c1 * c2 == 0
    dh = np.where(grey, 0.0, (h2 - h1 + 180) % 360 - 180)
    mean_h = np.where(np.abs(h1 - h2) <= 180, (h1 + h2) / 2, (h1 + h2 + np.where(h1 + h2 < 360, 360, -360)) / 2)
    mean_h = np.radians(np.where(grey, h1 + h2, mean_h))
    dl, dc = b[..., 0] - a[..., 0], c2 - c1
    dhh = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(dh) / 2)
    l50, mean_c = ((a[..., 0] + b[..., 0]) / 2 - 50) ** 2, (c1 + c2) / 2
    t = 1 - 0.17 * np.cos(mean_h - np.pi / 6) + 0.24 * np.cos(2 * mean_h)
    t = t + 0.32 * np.cos(3 * mean_h + np.radians(6)) - 0.20 * np.cos(4 * mean_h - np.radians(63))
    sl, sc, sh = 1 + 0.015 * l50 / np.sqrt(20 + l50), 1 + 0.045 * mean_c, 1 + 0.015 * mean_c * t
    turn = np.radians(60) * np.exp(-(((np.degrees(mean_h) - 275) / 25) ** 2))
    rt = -np.sin(turn) * 2 * np.sqrt(mean_c**7 / (mean_c**7 + 25.0**7))
    kl, kc, kh = dl / (lightness * sl), dc / sc, dhh / sh
    delta: F32 = np.sqrt(np.maximum(kl**2 + kc**2 + kh**2 + rt * kc * kh, 0)).astype(np.float32)
    return delta


def palette(lab: F32, count: int = 5) -> tuple[F32, F32]:
    """Main colours of CIELAB points N x 3: centres `count` x 3 and their shares, by k-means from fixed seeds.

    Seeds spread over the points ordered by lightness, so the same points always give the same palette.
    """
    points = np.ascontiguousarray(lab.reshape(-1, 3), np.float32)
    count = max(1, min(count, len(points)))
    order = np.argsort(points[:, 0], kind="stable")
    seeds = (np.arange(len(points)) * count // max(1, len(points))).astype(np.int32)
    labels = np.empty((len(points), 1), np.int32)
    labels[order, 0] = seeds
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 12, 0.5)
    _, labels, centres = cv2.kmeans(points, count, labels, stop, 1, cv2.KMEANS_USE_INITIAL_LABELS)
    shares: F32 = (np.bincount(labels.ravel(), minlength=count) / len(points)).astype(np.float32)
    return centres.astype(np.float32), shares


def kelvin_gains(kelvin: float) -> F32:
    """Linear RGB of a black body relative to 5600 K, green = 1; a log-linear fit that is close in 2500..10000 K."""
    octaves = float(np.log2(np.clip(kelvin, 2000, 12000) / 5600.0))
    return np.array([2.0 ** (-0.55 * octaves), 1.0, 2.0 ** (0.85 * octaves)], np.float32)


def light_match(scene: Scene) -> F32:
    """Three linear-light gains, one set for the whole person, that lean its light towards the scene's.

    A tenth of the scene's own colour cast, so that a person belongs, and never more than LIGHT_LIMIT per channel, so
    that neither garment nor skin is falsified.
    """
    cast = kelvin_gains(scene.light.temperature_k) ** 0.1
    warmth = 1.0 + 0.02 * float(np.clip(scene.tone.warmth, -1, 1)) * np.array([1.0, 0.0, -1.0], np.float32)
    exposure = float(np.clip(scene.light.intensity, 0.2, 3.0)) ** 0.15
    gains: F32 = np.clip(cast * warmth * exposure, 1 - LIGHT_LIMIT, 1 + LIGHT_LIMIT).astype(np.float32)
    return gains


def apply_gains(srgb: U8, gains: F32) -> U8:
    """sRGB uint8 H x W x 3 with each channel scaled in linear light: exact, by table."""
    table = np.stack([to_srgb(_linear_table() * gain) for gain in gains], axis=-1).reshape(256, 1, 3)
    scaled: U8 = cv2.LUT(srgb, table)
    return scaled
