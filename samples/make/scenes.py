"""Four locale presets: backdrops drawn in one perspective (camera six metres off, feet at `FLOOR`), with their records.

`python -m samples.make.scenes OUT` writes the backdrops and scenes.json.
"""

import argparse
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from samples.make.fabric import F32, rgb
from samples.make.garments import cloud

Rng = np.random.Generator
SIZE = 2160
FLOOR, HORIZON, DISTANCE = 0.93, 0.48, 6.0
PER_METRE = 0.82 * SIZE / 1.75
"""Pixels per metre where the person stands."""


def linear(text: str) -> F32:
    return (np.asarray(rgb(text), np.float32) ** 2.2).astype(np.float32)


def axes() -> tuple[F32, F32]:
    """x and y of every pixel as fractions of the frame."""
    y, x = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32) / SIZE
    return x, y


def ground_row(behind: float) -> float:
    """The row (fraction) where the floor lies `behind` metres behind the person."""
    return HORIZON + (FLOOR - HORIZON) * DISTANCE / (DISTANCE + behind)


def floor_metres(x: F32, y: F32) -> tuple[F32, F32]:
    """Floor position of each pixel below the horizon: metres to the right, metres behind the person."""
    depth = DISTANCE * (FLOOR - HORIZON) / np.maximum(y - HORIZON, 0.02)
    return ((x - 0.5) * SIZE / PER_METRE * depth / DISTANCE).astype(np.float32), (depth - DISTANCE).astype(np.float32)


def step(x: npt.NDArray[np.floating], low: float, high: float) -> F32:
    t = np.clip((x - low) / (high - low), 0, 1)
    return (t * t * (3 - 2 * t)).astype(np.float32)


def blur(image: F32, sigma: float) -> F32:
    """Gaussian blur, computed small where sigma is large."""
    k = max(1, int(sigma / 6))
    if k == 1:
        return cv2.GaussianBlur(image, (0, 0), sigma)
    small = cv2.resize(image, (SIZE // k, SIZE // k), interpolation=cv2.INTER_AREA)
    return cv2.resize(cv2.GaussianBlur(small, (0, 0), sigma / k), (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)


def cyclorama(rng: Rng) -> F32:
    """A seamless studio wall that runs out into the floor, a large soft light from the upper left."""
    x, y = axes()
    pool = np.exp(-(((x - 0.40) / 0.52) ** 2 + ((y - 0.34) / 0.46) ** 2))
    wall = 0.56 + 0.30 * pool
    floor = 0.70 + 0.10 * np.exp(-(((x - 0.46) / 0.42) ** 2 + ((y - 0.97) / 0.14) ** 2))
    sweep = step(y, 0.70, 0.93)
    dip = 1 - 0.060 * np.exp(-(((y - 0.775) / 0.050) ** 2))
    level = (wall * (1 - sweep) + floor * sweep) * dip
    tint = linear("#e9e4de") / linear("#e9e4de").mean()
    image = level[..., None] * (tint * (1 - 0.35 * sweep[..., None]) + 0.35 * sweep[..., None])
    return image * (1 + 0.006 * cloud((SIZE, SIZE), 300, rng))[..., None]


def _planks(x: F32, y: F32, rng: Rng, width: float, colour: str, *, length: float = 2.2) -> F32:
    """Boards that run away from the viewer, in linear light."""
    across, away = floor_metres(x, y)
    board = np.floor(across / width)
    shift = rng.uniform(0, length, 400)[(board.astype(int) + 200) % 400].astype(np.float32)
    part = np.floor((away + shift) / length)
    tone = rng.uniform(0.86, 1.10, (400, 64))[(board.astype(int) + 200) % 400, part.astype(int) % 64].astype(np.float32)
    grain_tile = cloud((1024, 1024), 10, rng, 14.0) * 0.6 + cloud((1024, 1024), 3, rng, 30.0) * 0.5
    u = np.mod(across * 900 + board * 137, 1024).astype(np.float32)
    v = np.mod(away * 260 + part * 311, 1024).astype(np.float32)
    sharp = np.clip(1.3 - away / 5, 0.2, 1)
    grain = cv2.remap(grain_tile, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT) * sharp
    gap = np.minimum(np.mod(across, width), width - np.mod(across, width))
    end = np.minimum(np.mod(away + shift, length), length - np.mod(away + shift, length))
    joint = np.exp(-((gap / 0.003) ** 2)) * 0.5 + np.exp(-((end / 0.005) ** 2)) * 0.4
    return linear(colour) * (tone * (1 + 0.10 * grain) * (1 - joint * sharp))[..., None]


def interior(rng: Rng) -> F32:
    """A bright northern room: panelled wall, tall window at the left, oak boards with its reflection."""
    x, y = axes()
    base = ground_row(2.6)
    wall = _panelled_wall(x, y, base, rng)
    light = (
        0.62
        + 0.55 * np.exp(-(((x + 0.05) / 0.55) ** 2))
        + 0.10 * np.exp(-(((x - 0.45) / 0.3) ** 2 + ((y - 0.35) / 0.4) ** 2))
    )
    wall = wall * light[..., None] * np.array([0.98, 1.0, 1.02], np.float32)
    wall = _window(wall, x, y, rng)
    wall = blur(wall, 5.0)
    floor = _planks(x, y, rng, 0.16, "#c6a47c")
    mirror = cv2.flip(wall, 0)
    move = np.float32([[1, 0, 0], [0, 1, (2 * base - 1) * SIZE]])
    mirror = cv2.warpAffine(mirror, move, (SIZE, SIZE), borderMode=cv2.BORDER_REPLICATE)
    mirror = cv2.GaussianBlur(mirror, (0, 0), sigmaX=14, sigmaY=46)
    floor_light = 0.62 + 0.50 * np.exp(-(((x - 0.02) / 0.50) ** 2))
    floor = floor * floor_light[..., None] * 0.90 + 0.13 * mirror
    floor = floor + _sun_on_floor(x, y)[..., None] * linear("#ffe9c8") * floor * 1.6
    below = step(y, base - 0.0012, base + 0.0012)[..., None]
    seat = 1 - 0.30 * np.exp(-(np.abs(y - base) / 0.010))
    return (wall * (1 - below) + floor * below) * seat[..., None]


def _panelled_wall(x: F32, y: F32, base: float, rng: Rng) -> F32:
    """Painted wall with raised mouldings and a skirting board."""
    wall = np.broadcast_to(linear("#e6e3dc"), (SIZE, SIZE, 3)) * (1 + 0.012 * cloud((SIZE, SIZE), 160, rng))[..., None]
    relief = np.zeros((SIZE, SIZE), np.float32)
    for left, right, top, bottom in (
        (0.31, 0.67, -0.2, 0.555),
        (0.71, 1.07, -0.2, 0.555),
        (0.31, 0.67, 0.60, base - 0.055),
        (0.71, 1.07, 0.60, base - 0.055),
    ):
        edge = np.maximum(np.maximum(left - x, x - right), np.maximum(top - y, y - bottom))
        relief += np.exp(-(((edge - 0.000) / 0.0034) ** 2)) * 0.5 + np.exp(-(((edge + 0.009) / 0.002) ** 2)) * 0.3
    skirting = step(y, base - 0.034, base - 0.032)
    relief += 0.8 * np.exp(-(((y - base + 0.034) / 0.002) ** 2))
    dx, dy = cv2.Sobel(relief, cv2.CV_32F, 1, 0), cv2.Sobel(relief, cv2.CV_32F, 0, 1)
    tone = 1 + np.clip(-0.20 * dx - 0.16 * dy, -0.30, 0.22) + 0.05 * skirting
    return (wall * tone[..., None]).astype(np.float32)


def _window(wall: F32, x: F32, y: F32, rng: Rng) -> F32:
    """A tall window with muntins and a thin curtain; daylight blooms into the room."""
    left, right, bottom = -0.05, 0.215, 0.60
    inside = step(x, left, left + 0.002) * (1 - step(x, right - 0.002, right)) * (1 - step(y, bottom - 0.002, bottom))
    outside = linear("#dfeaf5")[None, None] * (1.9 - 0.8 * y[..., None])
    leaves = blur(np.clip(cloud((SIZE, SIZE), 90, rng) + 0.3, 0, 2), 22.0) * step(y, 0.10, 0.45)
    outside = outside * (1 - 0.22 * np.clip(leaves, 0, 1)[..., None] * np.array([1.0, 0.75, 1.1], np.float32))
    bars = np.zeros_like(x)
    for at in (0.085, 0.207):
        bars = np.maximum(bars, np.exp(-(((x - at) / 0.006) ** 8)))
    for at in (0.10, 0.345, 0.592):
        bars = np.maximum(bars, np.exp(-(((y - at) / 0.006) ** 8)))
    view = outside * (1 - bars[..., None]) + linear("#d8d6d0") * 0.85 * bars[..., None]
    frame = np.exp(-(((x - right - 0.012) / 0.013) ** 8)) * (y < bottom + 0.02) + np.exp(
        -(((y - bottom - 0.010) / 0.011) ** 8)
    ) * (x < right + 0.024)
    wall = wall * (1 - np.clip(frame, 0, 1)[..., None]) + linear("#f2f0ea") * 0.95 * np.clip(frame, 0, 1)[..., None]
    room = wall * (1 - inside[..., None]) + view * inside[..., None]
    fold = 0.5 + 0.5 * np.sin(2 * np.pi * (x * 46 + 0.6 * np.sin(x * 40) + 0.12 * y))
    curtain = (step(x, 0.168, 0.182) * (1 - step(x, 0.268, 0.286 + 0.0)) * (y < ground_row(2.6) - 0.012)).astype(
        np.float32
    )
    sheer = linear("#f3efe7") * (0.72 + 0.34 * fold)[..., None]
    room = room * (1 - 0.86 * curtain[..., None]) + sheer * 0.86 * curtain[..., None]
    return room + 0.16 * blur(room * inside[..., None], 90.0)


def _sun_on_floor(x: F32, y: F32) -> F32:
    """Two slanting panes of sunlight on the boards."""
    across, away = floor_metres(x, y)
    slant = across - 0.62 * away
    pane = step(slant, -1.75, -1.68) * (1 - step(slant, -1.22, -1.15)) + step(slant, -1.05, -0.98) * (
        1 - step(slant, -0.52, -0.45)
    )
    return (pane * step(away, -0.35, -0.2) * (1 - step(away, 1.9, 2.1))).astype(np.float32)


def street(rng: Rng) -> F32:
    """A city street after rain in the evening: lights out of focus, wet paving that carries their reflections."""
    x, y = axes()
    sky = linear("#1c2440") * (1 - step(y, 0, 0.5))[..., None] + linear("#4a3d57") * step(y, 0, 0.55)[..., None]
    far = (sky * 0.9).astype(np.float32)
    far = _buildings(far, rng)
    far = blur(far, 20.0) + _bokeh(rng)
    glow = blur(far, 120.0)
    far = far + 0.22 * glow
    base = ground_row(9.0)
    across, away = floor_metres(x, y)
    paving = _paving(across, away, rng)
    mirror = cv2.warpAffine(
        cv2.flip(far, 0),
        np.float32([[1, 0, 0], [0, 1, (2 * base - 1) * SIZE]]),
        (SIZE, SIZE),
        borderMode=cv2.BORDER_REFLECT,
    )
    mirror = cv2.GaussianBlur(mirror, (0, 0), sigmaX=12, sigmaY=90)
    wet = np.clip(0.55 + 0.35 * cloud((SIZE, SIZE), 170, rng, 0.35), 0.15, 1.0)
    ambient = (
        linear("#5c5668") * 0.62
        + 0.35 * linear("#ffb981") * np.exp(-(((x - 0.42) / 0.4) ** 2 + ((y - 0.93) / 0.16) ** 2))[..., None]
    )
    floor = paving[..., None] * ambient + mirror * (0.34 * wet * (0.6 + 0.6 * paving))[..., None]
    focus = blur(floor, 9.0)
    soft = step(away, 0.6, 3.5)[..., None]
    floor = floor * (1 - soft) + focus * soft
    below = step(y, base - 0.012, base + 0.012)[..., None]
    return far * (1 - below) + floor * below


def _buildings(far: F32, rng: Rng) -> F32:
    """Dark blocks on both sides with lit windows and glowing signs (without letters)."""
    out = far.copy()
    warm = ["#ffcf8a", "#ffdfae", "#ffb066", "#cfe0ff"]
    for side in (-1, 1):
        for k in range(7):
            near = 1 - k / 7
            edge = 0.5 + side * (0.09 + 0.43 * near**1.5)
            other = edge + side * 0.16
            top = 0.44 - 0.50 * near + rng.uniform(-0.04, 0.04)
            a, b = (int(min(edge, other) * SIZE), int(top * SIZE)), (int(max(edge, other) * SIZE), int(0.80 * SIZE))
            shade = linear("#232436") * rng.uniform(0.6, 1.2)
            cv2.rectangle(out, a, b, tuple(float(c) for c in shade), -1)
            for _ in range(26):
                wx, wy = rng.integers(a[0], b[0]), rng.integers(max(a[1], 0) + 5, int(0.62 * SIZE))
                w, h = int(10 + 26 * near), int(14 + 34 * near)
                ink = linear(str(rng.choice(warm))) * rng.uniform(0.25, 1.3)
                cv2.rectangle(out, (int(wx), int(wy)), (int(wx) + w, int(wy) + h), tuple(float(c) for c in ink), -1)
            _sign(out, a, b, near, rng)
        shop = int(0.50 * SIZE), int(0.595 * SIZE)
        for k in range(5):
            x0 = int((0.5 + side * (0.12 + 0.09 * k)) * SIZE)
            ink = linear(str(rng.choice(warm))) * rng.uniform(0.9, 1.9)
            cv2.rectangle(out, (x0 - 70, shop[0] - 8 * k), (x0 + 70, shop[1] + 6 * k), tuple(float(c) for c in ink), -1)
    return out


def _sign(out: F32, a: tuple[int, int], b: tuple[int, int], near: float, rng: Rng) -> None:
    ink = linear(str(rng.choice(["#ff4f6d", "#37c8ff", "#ffe066", "#ff8a3c", "#7dffb0", "#f4f4ff"]))) * rng.uniform(
        1.2, 2.4
    )
    x0, y0 = int(rng.integers(a[0], b[0])), int(rng.uniform(0.18, 0.42) * SIZE)
    cv2.rectangle(
        out, (x0, y0), (x0 + int(24 + 40 * near), y0 + int(90 + 210 * near)), tuple(float(c) for c in ink), -1
    )


def _bokeh(rng: Rng) -> F32:
    """Out-of-focus lights: flat discs with a slightly brighter rim."""
    out = np.zeros((SIZE, SIZE, 3), np.float32)
    inks = ["#ffd9a0", "#ffc27a", "#ff7a5c", "#8fd0ff", "#ff9ec7", "#fff1d6", "#9affc9"]
    for _ in range(95):
        x, y, r = rng.uniform(0, 1), rng.normal(0.47, 0.10), rng.uniform(0.007, 0.024)
        if not 0.05 < y < 0.66:
            continue
        centre, ink = (int(x * SIZE), int(y * SIZE)), linear(str(rng.choice(inks))) * rng.uniform(0.10, 0.65)
        layer = np.zeros((int(2.4 * r * SIZE) + 4,) * 2, np.float32)
        half = layer.shape[0] // 2
        cv2.circle(layer, (half, half), int(r * SIZE), 1.0, -1, cv2.LINE_AA)
        cv2.circle(layer, (half, half), int(r * SIZE), 1.25, 3, cv2.LINE_AA)
        layer = cv2.GaussianBlur(layer, (0, 0), 2.0)
        y0, x0 = centre[1] - half, centre[0] - half
        rows, columns = slice(max(0, y0), min(SIZE, y0 + len(layer))), slice(max(0, x0), min(SIZE, x0 + len(layer)))
        out[rows, columns] += (
            layer[rows.start - y0 : rows.stop - y0, columns.start - x0 : columns.stop - x0, None] * ink
        )
    return out


def _paving(across: F32, away: F32, rng: Rng) -> F32:
    """Stone slabs of 40 x 60 cm, each of its own tone, with joints."""
    row = np.floor(away / 0.4)
    shifted = across + 0.3 * np.mod(row, 2)
    column = np.floor(shifted / 0.6)
    tone = rng.uniform(0.72, 1.08, (64, 64))[row.astype(int) % 64, column.astype(int) % 64].astype(np.float32)
    gx = np.minimum(np.mod(shifted, 0.6), 0.6 - np.mod(shifted, 0.6))
    gy = np.minimum(np.mod(away, 0.4), 0.4 - np.mod(away, 0.4))
    width = 0.006 * (1 + np.clip(away, 0, 20) * 0.15)
    joint = np.maximum(np.exp(-((gx / width) ** 2)), np.exp(-((gy / (2 * width)) ** 2)))
    speck = cv2.GaussianBlur(rng.standard_normal(across.shape).astype(np.float32), (0, 0), 1.6) * 3
    return (tone * (1 - 0.55 * joint) * (1 + 0.05 * speck)).astype(np.float32)


def sunlit_wall(rng: Rng) -> F32:
    """A limewashed wall and a stone floor in low sun, with the shadow of leaves."""
    x, y = axes()
    base = ground_row(1.3)
    shape = (SIZE, SIZE)
    trowel = 0.030 * cloud(shape, 260, rng, 0.6) + 0.022 * cloud(shape, 70, rng, 0.7) + 0.010 * cloud(shape, 14, rng)
    relief = cloud(shape, 30, rng) + 0.5 * cloud(shape, 9, rng)
    bump = cv2.Sobel(relief, cv2.CV_32F, 1, 0) * 0.10 + cv2.Sobel(relief, cv2.CV_32F, 0, 1) * 0.08
    wall = linear("#dcb593") * (1 + trowel + np.clip(bump, -0.12, 0.12) * 0.35)[..., None]
    across, away = floor_metres(x, y)
    floor = linear("#c4a283") * (_paving(across * 0.75, away * 0.5, rng) * 0.55 + 0.48)[..., None]
    below = step(y, base - 0.0010, base + 0.0010)
    ground = wall * (1 - below[..., None]) + floor * below[..., None]
    sun = _leaf_light(rng)
    lit = sun * (1 - below) + blur(np.roll(sun, SIZE // 5, 0), 10.0) * below
    warm, cool = np.array([1.16, 1.02, 0.82], np.float32), np.array([0.46, 0.47, 0.54], np.float32)
    falloff = 1.04 - 0.16 * x - 0.05 * y
    image = ground * (cool + (warm * 1.05 - cool) * lit[..., None]) * falloff[..., None]
    contact = 1 - 0.35 * np.exp(-(np.abs(y - base) / 0.006))
    return image * contact[..., None]


def _leaf_light(rng: Rng) -> F32:
    """How much sun arrives: a slanting window of light broken by fronds, softer the further off the leaf hangs."""
    x, y = axes()
    across = x - 0.30 * y
    beam = step(across, -0.16, -0.08) * (1 - step(across, 0.74, 0.82))
    total = beam.astype(np.float32)
    for sigma, count, size in ((16.0, 3, 0.62), (7.0, 3, 0.50)):
        mask = np.zeros((SIZE, SIZE), np.float32)
        for _ in range(count):
            side = 1 if rng.random() < 0.7 else 0
            root = (rng.uniform(0.80, 1.08) if side else rng.uniform(-0.1, 0.1), rng.uniform(-0.06, 0.40))
            _frond(
                mask, root, rng.uniform(2.5, 3.6) if side else rng.uniform(-0.2, 0.6), size * rng.uniform(0.7, 1.1), rng
            )
        total = total * (1 - 0.80 * blur(mask, sigma))
    return total


def _frond(mask: F32, root: tuple[float, float], angle: float, length: float, rng: Rng) -> None:
    """A palm leaf: a bent rib with long leaflets on both sides."""
    bend = rng.uniform(-0.7, 0.7)
    for k in range(26):
        s = (k + 1) / 27
        a = angle + bend * s
        px = root[0] + length * s * np.cos(angle + bend * s / 2)
        py = root[1] + length * s * np.sin(angle + bend * s / 2)
        for side in (-1, 1):
            b = a + side * (1.05 - 0.45 * s)
            reach = length * 0.42 * np.sin(np.pi * (0.12 + 0.85 * s)) ** 0.8
            tip = np.array([px + reach * np.cos(b), py + reach * np.sin(b)])
            middle = np.array([px, py]) * 0.55 + tip * 0.45
            across = np.array([-np.sin(b), np.cos(b)]) * 0.0075
            points = np.stack([[px, py], middle + across, tip, middle - across]) * SIZE
            cv2.fillPoly(mask, [np.round(points * 16).astype(np.int32)], 1.0, cv2.LINE_AA, 4)


def photograph(image: F32, rng: Rng) -> npt.NDArray[np.uint8]:
    """Soft shoulder for the highlights, vignette, sensor grain; linear light to sRGB uint8."""
    x, y = axes()
    image = image * (1.03 - 0.26 * ((x - 0.5) ** 2 + (y - 0.5) ** 2))[..., None]
    image = np.where(image > 0.7, 0.7 + 0.3 * (1 - np.exp(-(image - 0.7) / 0.3)), np.maximum(image, 0))
    grain = rng.standard_normal((SIZE, SIZE, 1)).astype(np.float32) * 1.1
    return np.clip(image ** (1 / 2.2) * 255 + grain + 0.5, 0, 255).astype(np.uint8)


@dataclass(frozen=True)
class Preset:
    scene: str
    title: str
    market: str
    language: str
    label: str
    draw: Callable[[Rng], F32]
    light: dict[str, Any]
    tone: dict[str, float]
    seed: int


def _light(x: float, y: float, intensity: float, kelvin: float, softness: float) -> dict[str, Any]:
    return {"direction": [x, y], "intensity": intensity, "temperature_k": kelvin, "softness": softness}


PRESETS = (
    Preset("studio", "Studio cyclorama", "US", "en", "AI-generated image", cyclorama,
           _light(-0.55, -0.83, 1.0, 5600, 0.9), {"warmth": 0.0, "contrast": 1.0}, 1),
    Preset("stockholm", "Stockholm apartment", "SE", "sv", "AI-genererad bild", interior,
           _light(-0.88, -0.47, 1.0, 6100, 0.7), {"warmth": 0.05, "contrast": 0.98}, 2),
    Preset("tokyo", "Tokyo street, evening", "JP", "ja", "AI生成画像", street,
           _light(-0.35, -0.60, 0.72, 4300, 0.85), {"warmth": 0.04, "contrast": 1.04}, 3),
    Preset("provence", "Sunlit wall", "FR", "fr", "Image générée par IA", sunlit_wall,
           _light(-0.72, -0.69, 1.1, 4600, 0.35), {"warmth": 0.10, "contrast": 1.03}, 5),
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--only", nargs="*", default=[])
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    records = []
    for preset in PRESETS:
        path = arguments.out / f"{preset.scene}.jpg"
        if not arguments.only or preset.scene in arguments.only:
            rng = np.random.default_rng(preset.seed)
            cv2.imwrite(str(path), photograph(preset.draw(rng), rng)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])
        records.append({
            "scene": preset.scene, "title": preset.title, "market": preset.market, "language": preset.language,
            "backdrop": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "width": SIZE, "height": SIZE,
            "floor_y": FLOOR, "horizon_y": HORIZON, "light": preset.light, "tone": preset.tone, "label_text": preset.label,
        })  # fmt: skip
    (arguments.out / "scenes.json").write_text(json.dumps(records, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
