"""Fabrics as repeating tiles: albedo (sRGB 0..1 float32) with a height map in centimetres for yarn, ribs and cables."""

import colorsys
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]
Colour = tuple[float, float, float]
PER_CM = 22
"""Tile pixels per centimetre."""


@dataclass(frozen=True)
class Fabric:
    """tile: H x W x 3, relief: H x W in cm, both repeat. thickness in cm; gloss 0..1; crumple 0..1."""

    tile: F32
    relief: F32
    thickness: float = 0.14
    gloss: float = 0.02
    crumple: float = 0.5

    def sample(self, u: F32, v: F32) -> tuple[F32, F32]:
        """Albedo and relief at fabric positions in centimetres."""
        x, y = u * PER_CM, v * PER_CM
        height, width = self.relief.shape
        x, y = np.mod(x, width).astype(np.float32), np.mod(y, height).astype(np.float32)
        grow = (np.pad(self.tile, ((0, 1), (0, 1), (0, 0)), mode="wrap"), np.pad(self.relief, ((0, 1), (0, 1)), "wrap"))
        return cv2.remap(grow[0], x, y, cv2.INTER_LINEAR), cv2.remap(grow[1], x, y, cv2.INTER_LINEAR)


def rgb(text: str) -> Colour:
    """`#rrggbb` as three numbers 0..1."""
    return tuple(int(text[i : i + 2], 16) / 255 for i in (1, 3, 5))  # type: ignore[return-value]


def _blank(colour: Colour, width: float, height: float) -> F32:
    shape = (max(8, round(height * PER_CM)), max(8, round(width * PER_CM)), 3)
    return np.broadcast_to(np.asarray(colour, np.float32), shape).copy()


def weave(tile: F32, rng: np.random.Generator, grain: float = 0.035, slub: float = 0.02) -> Fabric:
    """Plain weave: fine yarn noise in both directions."""
    height, width = tile.shape[:2]
    noise = rng.standard_normal((height, width)).astype(np.float32)
    weft = cv2.blur(noise, (9, 1), borderType=cv2.BORDER_REFLECT) * 2.2
    warp = cv2.blur(rng.standard_normal((height, width)).astype(np.float32), (1, 9)) * 2.2
    long = cv2.blur(rng.standard_normal((height, width)).astype(np.float32), (61, 1)) * 5
    factor = 1 + grain * (weft + warp) * 0.6 + slub * long
    return Fabric((tile * factor[..., None]).astype(np.float32), (0.004 * (weft + warp)).astype(np.float32))


def plain(colour: Colour, rng: np.random.Generator) -> Fabric:
    return weave(_blank(colour, 20, 20), rng)


def stripes(a: Colour, b: Colour, period: float, share: float, rng: np.random.Generator, *, upright: bool) -> Fabric:
    """`b` stripes of `share` of the period (cm) on `a`; across the garment unless `upright`."""
    repeat = max(1, round(20 / period))
    tile = _blank(a, 20, period * repeat)
    at = np.mod(np.arange(tile.shape[0]) / PER_CM / (tile.shape[0] / PER_CM / repeat), 1.0)
    edge = np.clip((share / 2 - np.abs(at - 0.5)) * period * PER_CM + 0.5, 0, 1)[:, None, None]
    tile = (tile * (1 - edge) + np.asarray(b, np.float32) * edge).astype(np.float32)
    fabric = weave(tile, rng)
    if not upright:
        return fabric
    return replace(fabric, tile=fabric.tile.transpose(1, 0, 2).copy(), relief=fabric.relief.T.copy())


def plaid(
    base: Colour, bands: list[tuple[Colour, float, float, float]], size: float, rng: np.random.Generator
) -> Fabric:
    """Tartan of `size` cm: bands (colour, centre 0..1, width cm, strength) run both ways; 2/2 twill where they cross."""
    n = round(size * PER_CM)
    at = np.arange(n) / PER_CM
    line = np.broadcast_to(np.asarray(base, np.float32), (n, 3)).copy()
    for colour, centre, width, strength in bands:
        away = np.abs(np.mod(at - centre * size + size / 2, size) - size / 2)
        amount = strength * np.clip((width / 2 - away) * PER_CM + 0.5, 0, 1)[:, None]
        line = (line * (1 - amount) + np.asarray(colour, np.float32) * amount).astype(np.float32)
    i, j = np.mgrid[0:n, 0:n]
    twill = (0.5 + 0.12 * np.sign(np.sin((i + j) * np.pi / 3)))[..., None].astype(np.float32)
    tile = line[None] * twill + line[:, None] * (1 - twill)
    repeats = (max(1, round(24 / size)),) * 2
    return weave(np.tile(tile, (*repeats, 1)).astype(np.float32), rng)


def dots(a: Colour, b: Colour, pitch: float, radius: float, rng: np.random.Generator) -> Fabric:
    cells = max(1, round(16 / pitch / 2)) * 2
    tile = _blank(a, pitch * cells, pitch * cells)
    step = tile.shape[0] / cells
    for row in range(-1, cells + 1):
        for column in range(-1, cells + 1):
            centre = (int(((column + 0.5 * (row % 2) + 0.25) * step) * 16), int((row + 0.5) * step * 16))
            cv2.circle(tile, centre, int(radius * PER_CM * 16), b, -1, cv2.LINE_AA, 4)
    return weave(tile, rng)


def floral(ground: Colour, petals: list[Colour], leaf: Colour, scale: float, rng: np.random.Generator) -> Fabric:
    """Flowers of five to eight petals with leaves, scattered without overlap over a repeat of 26 cm."""
    tile = _blank(ground, 26, 26)
    n = tile.shape[0]
    placed: list[tuple[float, float, float]] = []
    for _ in range(900):
        x, y, r = rng.uniform(0, n), rng.uniform(0, n), scale * PER_CM * rng.choice([1.0, 0.62, 0.4])
        far = all(
            np.hypot(abs((x - a + n / 2) % n - n / 2), abs((y - b + n / 2) % n - n / 2)) > (r + c) * 1.25
            for a, b, c in placed
        )
        if far:
            placed.append((x, y, r))
    for x, y, r in placed:
        seed = int(rng.integers(1 << 30))
        for dx in (-n, 0, n):
            for dy in (-n, 0, n):
                if -2 * r < x + dx < n + 2 * r and -2 * r < y + dy < n + 2 * r:
                    _flower(tile, x + dx, y + dy, r, petals, leaf, np.random.default_rng(seed))
    return weave(tile, rng)


def _flower(
    tile: F32, x: float, y: float, r: float, petals: list[Colour], leaf: Colour, rng: np.random.Generator
) -> None:
    turn = rng.uniform(0, 360)

    def oval(angle: float, away: float, long: float, wide: float, colour: npt.ArrayLike) -> None:
        a = np.radians(angle)
        centre = (int((x + away * np.cos(a)) * 16), int((y + away * np.sin(a)) * 16))
        axes = (max(8, int(long * 16)), max(8, int(wide * 16)))
        shade = tuple(float(c) for c in np.clip(np.asarray(colour), 0, 1))
        cv2.ellipse(tile, centre, axes, angle, 0, 360, shade, -1, cv2.LINE_AA, 4)

    for k in range(int(rng.integers(2, 4))):
        angle = turn + 70 + 140 * k + rng.uniform(-20, 20)
        oval(angle, r * 1.05, r * 0.55, r * 0.20, np.asarray(leaf) * rng.uniform(0.8, 1.15))
    colour = np.asarray(petals[int(rng.integers(len(petals)))])
    count = int(rng.integers(5, 9))
    for k in range(count):
        oval(turn + 360 * k / count, r * 0.52, r * 0.46, r * 2.1 / count, colour * rng.uniform(0.86, 1.08))
        oval(turn + 360 * k / count, r * 0.34, r * 0.26, r * 1.0 / count, colour * 0.78)
    oval(0, 0, r * 0.22, r * 0.22, (0.93, 0.76, 0.30))


def denim(colour: Colour, rng: np.random.Generator) -> Fabric:
    """Twill of dyed warp over white weft, with uneven dye."""
    tile = _blank(colour, 24, 24)
    n = tile.shape[0]
    i, j = np.mgrid[0:n, 0:n]
    twill = np.sin((i * 0.5 + j) * 2 * np.pi / 6)
    noise = rng.standard_normal((n, n)).astype(np.float32)
    warp = cv2.blur(noise, (1, 13)) * 3
    speck = cv2.GaussianBlur(rng.standard_normal((n, n)).astype(np.float32), (0, 0), 1.0) * 2
    light = np.clip(0.15 + 0.09 * twill + 0.09 * warp + 0.05 * speck, 0, 0.7)[..., None]
    tile = tile * (1 - light) + np.asarray((0.82, 0.85, 0.88), np.float32) * light
    return Fabric(tile.astype(np.float32), (0.006 * twill).astype(np.float32), 0.22, 0.0, 0.45)


def knit(colour: Colour, rng: np.random.Generator, *, cable: bool, gauge: float = 0.42) -> Fabric:
    """Stockinette of `gauge` cm per stitch; with `cable`, plaited columns between purl gutters."""
    width, height = gauge * 48, gauge * 40 * 0.8
    tile = _blank(colour, width, height)
    rows, columns = tile.shape[:2]
    v, u = np.mgrid[0:rows, 0:columns].astype(np.float32)
    u, v = u / columns * 48, v / rows * 40
    across = np.mod(u, 1.0) - 0.5
    stitch = np.cos(2 * np.pi * (v + 0.9 * np.abs(across) * 1.6)) * 0.5 + 0.5
    relief = 0.55 * stitch * (1 - (2 * np.abs(across)) ** 4) + 0.45 * np.sin(np.pi * np.mod(u, 1.0)) ** 0.7
    if cable:
        relief = _cables(relief, u, v)
    relief = relief.astype(np.float32)
    fuzz = cv2.GaussianBlur(rng.standard_normal(relief.shape).astype(np.float32), (0, 0), 1.3) * 2
    tile = tile * (0.80 + 0.24 * relief + 0.035 * fuzz)[..., None]
    return Fabric(tile.astype(np.float32), 0.085 * relief, 0.42, 0.0, 0.35)


def _cables(relief: F32, u: F32, v: F32) -> F32:
    """Two-strand plaits of six stitches, every twelve stitches."""
    at = np.mod(u, 12.0) - 6.0
    inside = np.clip(3.4 - np.abs(at), 0, 1)
    phase = 2 * np.pi * v / 10
    strands = [(1.7 * np.sin(phase), np.cos(phase)), (-1.7 * np.sin(phase), -np.cos(phase))]
    plait = np.zeros_like(relief)
    for centre, over in strands:
        bump = np.clip(1 - ((at - centre) / 1.75) ** 2, 0, 1) ** 0.5 * (0.85 + 0.30 * over)
        plait = np.maximum(plait, bump)
    gutter = np.clip(1 - np.abs(np.abs(at) - 4.0) / 0.6, 0, 1)
    return (relief * (1 - 0.55 * inside - 0.5 * gutter) + inside * (0.25 * relief + 1.5 * plait)).astype(np.float32)


def rib(colour: Colour, rng: np.random.Generator, pitch: float = 0.42) -> Fabric:
    """Ribbing whose columns run along v."""
    tile = _blank(colour, pitch * 24, 10)
    rows, columns = tile.shape[:2]
    u = np.arange(columns) / columns * 24
    wave = np.broadcast_to((np.cos(2 * np.pi * u) * 0.5 + 0.5)[None], (rows, columns)).astype(np.float32)
    fabric = weave(tile * (0.80 + 0.22 * wave)[..., None], rng)
    return replace(fabric, relief=(0.05 * wave * pitch / 0.42).astype(np.float32), thickness=0.24, crumple=0.2)


def random_colour(rng: np.random.Generator) -> Colour:
    """Neutrals, deep and clear colours about as often as shops have them."""
    if rng.random() < 0.38:
        names = ("#f4f2ec", "#e9e3d6", "#1c1c20", "#24304a", "#8a8a8c", "#c9b79c", "#5a4a3c", "#3d4436", "#d8d8da")
        return rgb(str(rng.choice(names)))
    return colorsys.hsv_to_rgb(rng.random(), rng.uniform(0.15, 0.9), rng.uniform(0.2, 0.96))


def random_fabric(rng: np.random.Generator, *, kinds: tuple[str, ...] = ()) -> tuple[Fabric, Colour]:
    """A fabric drawn at random and its main colour."""
    kind = str(rng.choice(kinds or ("plain", "plain", "stripe", "upright", "plaid", "dots", "floral", "denim", "knit")))
    a, b, c = (random_colour(rng) for _ in range(3))
    if kind in ("stripe", "upright"):
        period = float(rng.uniform(0.6, 7))
        return stripes(a, b, period, float(rng.uniform(0.2, 0.6)), rng, upright=kind == "upright"), a
    if kind == "plaid":
        bands = [(b, 0.2, rng.uniform(0.6, 3), 0.8), (c, 0.6, rng.uniform(0.3, 2), 0.7), (b, 0.8, 0.4, 0.6)]
        return plaid(a, bands, float(rng.uniform(3, 11)), rng), a
    if kind == "dots":
        pitch = float(rng.uniform(1.2, 5))
        return dots(a, b, pitch, pitch * float(rng.uniform(0.12, 0.3)), rng), a
    if kind == "floral":
        return floral(a, [b, c, random_colour(rng)], colorsys.hsv_to_rgb(0.33, 0.4, 0.4), rng.uniform(0.7, 2.6), rng), a
    if kind == "denim":
        a = rgb(str(rng.choice(["#3b5578", "#26344d", "#6d8aa8", "#23252b", "#93a9bd"])))
        return denim(a, rng), a
    if kind == "knit":
        return knit(a, rng, cable=bool(rng.random() < 0.5), gauge=float(rng.uniform(0.3, 0.6))), a
    return plain(a, rng), a
