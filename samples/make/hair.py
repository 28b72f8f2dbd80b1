"""Hair as strands: grown from the scalp, combed, kept off the body, drawn one by one. No hair mesh of anybody is copied."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numba
import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from samples.make.raster import F32, F64, I32, vertex_normals
from schemas.twin import PARTS

if TYPE_CHECKING:
    from samples.make.portrait import Portrait

HAIR = 4


@dataclass(frozen=True)
class Style:
    """count: strands; length in m on top and at the sides; volume: how far off the scalp the outermost lie (m);
    stiff: how much a strand keeps its direction; fall: pull of gravity; curl: radius of its coils (m)."""

    count: int
    top: float
    side: float
    volume: float
    stiff: float = 0.7
    fall: float = 0.3
    lift: float = 0.4
    curl: float = 0.0
    end: float | None = None
    """Height in template space where the hair is cut."""
    part: float | None = 0.018
    width: float = 1.25


STYLES = {
    "buzz": Style(30_000, 0.007, 0.005, 0.002, lift=1.2, fall=0.0, part=None),
    "short": Style(32_000, 0.042, 0.009, 0.009, 0.75, 0.08, 0.35, part=0.046),
    "crop": Style(30_000, 0.034, 0.014, 0.010, 0.8, 0.05, 0.8, part=None),
    "curls": Style(20_000, 0.030, 0.020, 0.012, 0.9, 0.04, 1.0, curl=0.0045, part=None),
    "afro": Style(22_000, 0.062, 0.046, 0.03, 0.9, 0.06, 1.0, curl=0.006, part=None),
    "bob": Style(34_000, 0.34, 0.30, 0.017, 0.45, 0.55, 0.30, end=0.600),
    "long": Style(36_000, 0.46, 0.42, 0.016, 0.45, 0.60, 0.25, end=0.45),
    "bun": Style(30_000, 0.20, 0.20, 0.006, part=None, lift=0.1, stiff=0.25),
}


def step(x: npt.NDArray[np.floating], low: float, high: float) -> npt.NDArray[np.floating]:
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def above_hairline(template: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """How far (template units) a point of the head lies above the line where hair begins; negative on the face."""
    across, depth = np.abs(template[..., 0]), template[..., 1]
    front = 0.800 - 0.020 * np.clip(across / 0.062, 0, 1.2) ** 2.4
    temple = front - 0.050 * step(depth, -0.118, -0.088)
    side = temple - 0.052 * step(depth, -0.072, -0.046)
    nape = side - 0.072 * step(depth, -0.022, 0.012)
    ear = 0.030 * np.exp(-(((depth + 0.030) / 0.030) ** 2)) * step(across, 0.062, 0.074)
    return template[..., 2] - nape - ear


@numba.njit(cache=True)
def _draw(
    points: F64, depths: F64, alive: npt.NDArray[np.bool_], width: float, zbuffer: F32, index: I32, along: F32
) -> None:
    """Draw polylines (S x K x 2 pixels) thinning to the tip; nearest wins. index: strand, along: 0 root .. 1 tip."""
    height, columns = zbuffer.shape
    for s in range(points.shape[0]):
        for k in range(points.shape[1] - 1):
            if not (alive[s, k] and alive[s, k + 1]):
                break
            x0, y0, x1, y1 = points[s, k, 0], points[s, k, 1], points[s, k + 1, 0], points[s, k + 1, 1]
            count = math.ceil(max(abs(x1 - x0), abs(y1 - y0)) * 1.4) + 1
            for j in range(count):
                f = j / count
                x, y = x0 + (x1 - x0) * f, y0 + (y1 - y0) * f
                z = depths[s, k] + (depths[s, k + 1] - depths[s, k]) * f
                t = (k + f) / (points.shape[1] - 1)
                half = 0.5 * width * (1.0 - 0.6 * t * t)
                for row in range(math.floor(y - half + 0.5), math.floor(y + half + 0.5)):
                    for column in range(math.floor(x - half + 0.5), math.floor(x + half + 0.5)):
                        if 0 <= row < height and 0 <= column < columns and z < zbuffer[row, column]:
                            zbuffer[row, column], index[row, column], along[row, column] = z, s, t


class Grower:
    """Grows the strands of one portrait."""

    def __init__(self, portrait: "Portrait", style: Style) -> None:
        self.portrait, self.style = portrait, style
        self.rng = np.random.default_rng(portrait.looks.seed + 100)
        model = portrait.model
        body = model.groups["body"][0]
        self.normals = vertex_normals(portrait.vertices, body)
        used = np.unique(body)
        self.used = used[model.template[used, 2] > 0.25]
        self.tree = cKDTree(portrait.vertices[self.used])
        skull = used[(model.template[used, 2] > 0.70) & (np.abs(model.template[used, 0]) < 0.1)]
        self.centre = portrait.vertices[skull].mean(0)
        self.size = float(np.ptp(portrait.vertices[skull][:, 2]) / np.ptp(model.template[skull][:, 2]))
        self.offset = self.centre - model.template[skull].mean(0) * self.size
        self._roots(body)

    def posed(self, template: F64) -> F64:
        """Template position near the head to posed position."""
        return template * self.size + self.offset

    def _roots(self, body: I32) -> None:
        model, vertices = self.portrait.model, self.portrait.vertices
        head = (model.template[body].mean(1)[:, 2] > 0.60) & (np.abs(model.template[body].mean(1)[:, 0]) < 0.12)
        triangles = body[head]
        a, b, c = (vertices[triangles[:, k]] for k in range(3))
        area = np.linalg.norm(np.cross(b - a, c - a), axis=1)
        area *= above_hairline(model.template[triangles].mean(1)) > -0.02
        pick = self.rng.choice(len(triangles), self.style.count, p=area / area.sum())
        u, v = self.rng.random((2, self.style.count))
        u, v = np.where(u + v > 1, 1 - u, u), np.where(u + v > 1, 1 - v, v)
        w = np.stack([1 - u - v, u, v], 1)[..., None]
        template = (model.template[triangles[pick]] * w).sum(1)
        margin = above_hairline(template) + self.rng.normal(0, 0.0022, len(template))
        keep = self.rng.random(len(template)) < step(margin, -0.002, 0.012)
        outward = (template[:, 2] > 0.60) & ((template[:, 1] > -0.02) | (template[:, 2] > 0.66))
        ear = (template[:, 2] < 0.745) & (np.abs(template[:, 1] + 0.030) < 0.044) & (np.abs(template[:, 0]) > 0.066)
        keep &= outward & ~ear
        self.template = template[keep]
        self.margin = margin[keep]
        self.root = (vertices[triangles[pick]] * w).sum(1)[keep]
        normal = (self.normals[triangles[pick]] * w).sum(1)[keep]
        self.normal = normal / np.linalg.norm(normal, axis=1, keepdims=True)

    def grow(self, steps: int) -> tuple[F64, npt.NDArray[np.bool_]]:
        """Strand points S x steps x 3 and which of them exist (before the cut)."""
        style, rng, n = self.style, self.rng, len(self.root)
        high = step(self.template[:, 2], 0.755, 0.825)
        if style is STYLES["short"]:
            high *= 1 - step(np.abs(self.template[:, 0]), 0.030, 0.062)
        length = (style.side + (style.top - style.side) * high) * rng.uniform(0.85, 1.1, n)
        length *= 0.55 + 0.45 * step(self.margin, 0.0, 0.02) if style.end is None else 1.0
        clump = self._clumps()
        room = 0.0015 + style.volume * rng.random(n) ** 0.7 * step(self.margin, -0.004, 0.030)
        if style.part is not None:
            room *= 0.35 + 0.65 * step(np.abs(self.template[:, 0] - style.part), 0.002, 0.030)
        at = self.root + self.normal * 0.0005
        going = self.normal * style.lift + self._comb(at, self.root) + 0.10 * clump
        phase, turn = rng.uniform(0, 2 * np.pi, n), rng.uniform(5, 9, n)
        side = np.cross(self.normal, rng.normal(0, 1, (n, 3)))
        side /= np.linalg.norm(side, axis=1, keepdims=True) + 1e-9
        up = np.cross(self.normal, side)
        out, alive = np.zeros((n, steps, 3)), np.ones((n, steps), bool)
        cut = (
            self.posed(np.array([[0, 0, style.end or -9.0]]))[0, 2] + rng.normal(0, 0.006, n) + 0.10 * clump[:, 2] * 0.1
        )
        knot = self.posed(BUN[None])
        for k in range(steps):
            shown = at
            if style.curl:
                angle = phase + turn * 2 * np.pi * k / steps
                shown = at + style.curl * min(1, 4 * k / steps) * (
                    np.cos(angle)[:, None] * side + np.sin(angle)[:, None] * up
                )
            out[:, k] = shown
            alive[:, k] = shown[:, 2] > cut
            if style is STYLES["bun"]:
                alive[:, k] &= alive[:, max(0, k - 1)] & (np.linalg.norm(at - knot, axis=1) > 0.034)
            going /= np.linalg.norm(going, axis=1, keepdims=True) + 1e-9
            at = self._outside(at + going * (length / steps)[:, None], room)
            pull = np.array([0, 0, -1.0]) * style.fall
            wave = 0.035 * clump * math.sin(4 * math.pi * k / steps + 1) + rng.normal(0, 0.02, (n, 3))
            going = going * style.stiff + self._comb(at, self.root) * (1 - style.stiff) + pull + wave
        return out, alive

    def _clumps(self) -> F64:
        """A direction shared by neighbouring strands, so that hair falls in locks."""
        seeds = self.rng.choice(len(self.root), 260)
        nearest = cKDTree(self.root[seeds]).query(self.root + self.rng.normal(0, 0.002, self.root.shape))[1]
        return self.rng.normal(0, 1, (260, 3))[nearest]

    def _outside(self, at: F64, room: F64) -> F64:
        _, near = self.tree.query(at, workers=1)
        vertex = self.used[near]
        normal = self.normals[vertex]
        inside = room - ((at - self.portrait.vertices[vertex]) * normal).sum(1)
        return at + normal * np.clip(inside, 0, 0.03)[:, None]

    def _comb(self, at: F64, root: F64) -> F64:
        """Which way the hair is combed at a point."""
        style = self.style
        local = (at - self.offset) / self.size
        if style is STYLES["bun"]:
            way = self.posed(BUN[None]) - at
            return way / (np.linalg.norm(way, axis=1, keepdims=True) + 1e-9)
        if style.part is None:
            return self.normal * 0.8 + np.array([0.0, 0.25, 0.1])
        side = np.where((root - self.offset)[:, 0] / self.size > style.part, 1.0, -1.0)
        if style.end is None:  # short: swept over the top to one side and back
            sweep = step(local[:, 2], 0.755, 0.80)
            return np.stack([side * (0.10 + 0.75 * sweep), 0.55 - 0.15 * sweep, -0.55 + 0.45 * sweep], 1)
        face = step(-local[:, 1], 0.03, 0.09) * (local[:, 2] < 0.80)
        away = np.clip(0.088 - np.abs(local[:, 0]), 0, 0.05) / 0.05 * face
        back = 0.25 + 0.55 * step(0.66 - local[:, 2], 0.0, 0.06)
        if style is STYLES["bob"]:
            back = 0.22 - 0.15 * step(0.68 - local[:, 2], 0.0, 0.06)
        inward = -0.5 * step(style.end + 0.03 - local[:, 2], 0, 0.03) if style is STYLES["bob"] else 0.0
        across = side * (0.75 * step(local[:, 2], 0.76, 0.82) + 1.6 * away + inward)
        if style is STYLES["long"]:  # below the chin it falls behind the shoulders
            low = step(0.665 - local[:, 2], 0.0, 0.05)
            across = across * (1 - low) - 6.0 * low * np.sign(local[:, 0]) * np.clip(
                np.abs(local[:, 0]) - 0.070, 0, 0.1
            )
            back = back * (1 - low) + low * np.clip(14.0 * (0.075 - local[:, 1]), 0, 2.2)
        return np.stack([across, back * (1 + 1.2 * away), np.full(len(at), -0.35)], 1)


BUN = np.array([0.0, 0.062, 0.885])


def _bun(grower: Grower, count: int = 5000, steps: int = 26) -> tuple[F64, npt.NDArray[np.bool_]]:
    """Strands wound around a knot on the crown."""
    rng = grower.rng
    a, tilt = rng.uniform(0, 2 * np.pi, count), rng.normal(0, 0.5, count)
    radius = 0.040 * (0.80 + 0.20 * rng.random(count) ** 0.5)
    t = np.linspace(0, 1, steps)[None]
    around = a[:, None] + 2.6 * t
    level = np.clip(tilt[:, None] + 0.5 * np.sin(around * 1.0 + tilt[:, None] * 3), -1.3, 1.3)
    x = np.cos(around) * np.cos(level) * radius[:, None]
    y = np.sin(around) * np.cos(level) * radius[:, None]
    z = np.sin(level) * radius[:, None] * 0.85
    points = np.stack([x, y, z], -1) + grower.posed(BUN[None])
    return points, np.ones((count, steps), bool)


def add_hair(portrait: "Portrait") -> None:
    """Grow, draw and keep for shading: depth, tangent, a soft normal, tone and how deep in the hair each sample lies."""
    name = portrait.looks.hairstyle
    portrait.scalp = scalp_tint(portrait)
    if name == "none":
        return
    style = STYLES[name]
    grower = Grower(portrait, style)
    sets = [grower.grow(34 if style.end else 16 if not style.curl else 44)]
    if name == "bun":
        sets.append(_bun(grower))
    for points, alive in sets:
        _paint(portrait, grower, points, alive, style)


def _paint(portrait: "Portrait", grower: Grower, points: F64, alive: npt.NDArray[np.bool_], style: Style) -> None:
    L, rng = portrait.layers, grower.rng
    n, k = points.shape[:2]
    xy, depth = portrait.view.project(points.reshape(-1, 3))
    before = L.depth.copy()
    index, along = np.full(L.depth.shape, -1, np.int32), np.zeros(L.depth.shape, np.float32)
    L.depth -= np.where(L.material == HAIR, 0, 0.0005).astype(np.float32)
    _draw(xy.reshape(n, k, 2), depth.reshape(n, k), alive, style.width * portrait.scale / 2, L.depth, index, along)
    at = index >= 0
    L.depth[~at] = before[~at]
    strand, s = index[at], along[at] * (k - 1)
    low = np.minimum(s.astype(int), k - 2)
    a, b = points[strand, low], points[strand, low + 1]
    tangent = b - a
    position = a + tangent * (s - low)[:, None]
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True) + 1e-9
    away = position - grower.centre
    away[:, 2] *= 0.75
    away /= np.linalg.norm(away, axis=1, keepdims=True) + 1e-9
    away -= 0.8 * tangent * (away * tangent).sum(1, keepdims=True)
    distance, _ = grower.tree.query(position)
    L.material[at], L.label[at] = HAIR, PARTS["hair"]
    L.normal[at], L.position[at], L.tangent[at] = away / np.linalg.norm(away, axis=1, keepdims=True), position, tangent
    deep = np.clip(distance / max(style.volume, 0.004), 0, 1)
    tone = rng.normal(1.0, 0.18, n)[strand] * (0.62 + 0.38 * step(along[at], 0.0, 0.35))
    L.template[at] = np.stack([tone, deep, along[at]], 1)


def scalp_tint(portrait: "Portrait") -> F32:
    """How much the skin below carries the hair's colour, 0..1 (roots seen through the hair)."""
    L = portrait.layers
    margin = above_hairline(L.template)
    head = (L.label <= PARTS["neck"]) & (L.label > 0) & (L.template[..., 2] > 0.6)
    amount = step(margin, -0.001, 0.012) * head
    return cv2.GaussianBlur(amount.astype(np.float32), (0, 0), 0.7 * portrait.scale)
