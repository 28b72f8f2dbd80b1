"""Hair as shells over the scalp: cropped, short, bob, long, bun and curls; no hair mesh of anybody is copied."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from samples.make.raster import F32, F64, smooth, vertex_normals
from schemas.twin import PARTS

if TYPE_CHECKING:
    from samples.make.portrait import Portrait

HAIR = 4
THICKNESS = {"buzz": 0.005, "short": 0.020, "curls": 0.042, "bob": 0.024, "long": 0.022, "bun": 0.015}


def hairline(template: F32, low: float = 0.0) -> npt.NDArray[np.floating]:
    """Height in template space above which the scalp carries hair, by how far back (y) and across (x) a point lies."""
    across, depth = np.abs(template[:, 0]), template[:, 1]
    front = 0.780 - 0.022 * np.clip(across / 0.065, 0, 1) ** 2
    temple = front - 0.062 * _step(depth, -0.118, -0.082)
    side = temple - 0.034 * _step(depth, -0.062, -0.036)
    return side - (0.062 + low) * _step(depth, -0.018, 0.020)


def _step(x: npt.NDArray[np.floating], low: float, high: float) -> npt.NDArray[np.floating]:
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def add_hair(portrait: "Portrait") -> None:
    style = portrait.looks.hairstyle
    if style == "none":
        return
    model = portrait.model
    body, template = model.groups["body"][0], model.template
    z = template[:, 2]
    scalp = smooth(portrait.vertices, body, 14, 0.55 * _step(z, 0.66, 0.72))
    thickness = THICKNESS[style] * (0.06 + 0.94 * _step(z, 0.735, 0.815)) + 0.0015
    normals = vertex_normals(scalp, body)
    lump = _lumps(template, portrait.looks.seed, 0.30 if style == "curls" else 0.10)
    shell = scalp + normals * (thickness * (1 + lump))[:, None]
    rng = np.random.default_rng(portrait.looks.seed + 3)
    waves = [(rng.uniform(120, 700), rng.uniform(0, 6.28), rng.uniform(0.3, 1.0)) for _ in range(7)]

    def on_scalp(at: F32, label: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        ear = (at[:, 2] < 0.742) & (at[:, 1] > -0.070) & (at[:, 1] < 0.012) & (np.abs(at[:, 0]) > 0.066)
        fringe = 0.0006 * sum(a * np.sin(f * at[:, 0] + 0.6 * f * at[:, 1] + p) for f, p, a in waves)
        over_ear = style in ("bob", "long")
        return (label <= PARTS["neck"]) & (at[:, 2] > hairline(at) + fringe) & (over_ear | ~ear)

    portrait.add(body, portrait.vertices, HAIR, keep=on_scalp, label=PARTS["hair"], lift=0.002)
    portrait.add(body, shell, HAIR, keep=on_scalp, label=PARTS["hair"], lift=0.006)
    if style in ("bob", "long"):
        _curtain(portrait, shell, 0.600 if style == "bob" else 0.46)
    if style == "bun":
        _ball(portrait, np.array([0.0, 0.035, 0.865]), 0.042)


def _lumps(template: F64, seed: int, amount: float) -> F64:
    rng = np.random.default_rng(seed + 17)
    out = np.zeros(len(template))
    for _ in range(14):
        direction, phase = rng.normal(0, 70, 3), rng.uniform(0, 6.28)
        out += np.sin(template @ direction + phase)
    return amount * out / 4


def _curtain(portrait: "Portrait", shell: F64, end: float) -> None:
    """Hair that falls from the crown behind the ears to `end` (template height): a swept surface behind the face."""
    model = portrait.model
    head = np.unique(model.groups["body"][0])
    t, v = model.template[head], portrait.vertices[head]
    crown = t[:, 2] > 0.60
    offset = (v[crown] - t[crown]).mean(0)
    scale = np.ptp(v[crown][:, 0]) / np.ptp(t[crown][:, 0])
    angles = np.linspace(-0.60 * np.pi, 0.60 * np.pi, 121)
    levels = np.linspace(0.0, 1.0, 60)
    rng = np.random.default_rng(portrait.looks.seed + 5)
    strand = np.interp(np.arange(121), np.arange(0, 121, 4), rng.normal(0, 1, 31))
    points = []
    for level in levels:
        z = 0.800 + (end - 0.800) * level
        width = 0.083 + 0.026 * np.sin(np.pi * min(1.0, level * 1.1) * 0.75) + 0.006 * level
        depth = 0.098 - 0.018 * level
        ripple = 1 + 0.020 * strand * level + 0.012 * np.sin(angles * 9 + level * 7)
        x = np.sin(angles) * width * ripple
        y = np.cos(angles) * depth * ripple - 0.012
        tip = 0.020 * strand * level**4 - 0.012 * level**3 * np.cos(angles)
        points.append(np.stack([x, y, np.full_like(x, z) + tip], 1))
    grid = np.concatenate(points)
    grid = (grid - [0, 0, 0.72]) * scale + [0, 0, 0.72] + offset
    rows, columns = len(levels), len(angles)
    a = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)[None]).ravel()
    triangles = np.concatenate(
        [np.stack([a, a + 1, a + columns], 1), np.stack([a + 1, a + columns + 1, a + columns], 1)]
    )
    _add_loose(portrait, grid, triangles.astype(np.int32))


def _ball(portrait: "Portrait", centre: F64, radius: float) -> None:
    model = portrait.model
    head = np.unique(model.groups["body"][0])
    t, v = model.template[head], portrait.vertices[head]
    crown = t[:, 2] > 0.75
    offset = (v[crown] - t[crown]).mean(0)
    u, w = np.meshgrid(np.linspace(0, np.pi, 40), np.linspace(0, 2 * np.pi, 80), indexing="ij")
    wave = 1 + 0.03 * np.sin(9 * w + 3 * u)
    grid = np.stack([np.sin(u) * np.cos(w) * wave, np.sin(u) * np.sin(w) * wave, 0.82 * np.cos(u)], -1).reshape(-1, 3)
    grid = grid * radius + centre + offset
    a = (np.arange(39)[:, None] * 80 + np.arange(79)[None]).ravel()
    triangles = np.concatenate([np.stack([a, a + 80, a + 1], 1), np.stack([a + 1, a + 80, a + 81], 1)]).astype(np.int32)
    _add_loose(portrait, grid, triangles)


def _add_loose(portrait: "Portrait", grid: F64, triangles: npt.NDArray[np.int32]) -> None:
    """Draw a mesh that is no part of the body model: its own positions serve as template."""
    model = portrait.model
    template, weights = model.template, model.part_weights
    model.template, model.part_weights = grid, np.zeros((len(grid), weights.shape[1]), np.float32)
    try:
        normals = vertex_normals(grid, triangles)
        outward = (normals * (grid - grid.mean(0))).sum(1).mean() > 0
        portrait.add(triangles if outward else triangles[:, ::-1].copy(), grid, HAIR, label=PARTS["hair"])
    finally:
        model.template, model.part_weights = template, weights
