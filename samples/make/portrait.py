"""Draws one posed body as a photograph-like portrait: layers of skin, eyes, base clothing and hair under a soft studio key.

Colours are linear float32 until the last line; positions in metres, z up, the camera looks along +y.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

from samples.make.body import BodyModel
from samples.make.raster import F32, F64, I32, rasterise, smooth, vertex_normals
from schemas.twin import PARTS

SKIN, EYE, LASH, CLOTHING, HAIR = range(5)
Keep = Callable[[F32, npt.NDArray[np.int64]], npt.NDArray[np.bool_]]
CAMERA_DISTANCE = 6.0


@dataclass(frozen=True)
class Studio:
    """Frame in pixels (narrow: a person stands in its middle) and how many samples per pixel side are drawn."""

    width: int = 560
    height: int = 1280
    samples: int = 2
    person: float = 0.905
    """Share of the frame's height that the person takes."""
    foot: float = 0.965


@dataclass(frozen=True)
class Looks:
    """What a person looks like besides the body: sRGB colours, hair style and grain seed."""

    skin: tuple[int, int, int]
    hair: tuple[int, int, int]
    hairstyle: str
    iris: tuple[int, int, int]
    grey: float = 0.0
    beard: float = 0.0
    seed: int = 0


@dataclass
class Layers:
    """Supersampled buffers H x W: nearest surface with material, normal, position, template position, label, uv."""

    height: int
    width: int
    depth: F32 = field(init=False)
    material: npt.NDArray[np.int8] = field(init=False)
    normal: F32 = field(init=False)
    tangent: F32 = field(init=False)
    position: F32 = field(init=False)
    template: F32 = field(init=False)
    label: npt.NDArray[np.uint8] = field(init=False)
    uv: F32 = field(init=False)

    def __post_init__(self) -> None:
        shape = (self.height, self.width)
        self.depth = np.full(shape, 1e9, np.float32)
        self.material = np.full(shape, -1, np.int8)
        self.label = np.zeros(shape, np.uint8)
        self.normal, self.position, self.template, self.tangent = (np.zeros((*shape, 3), np.float32) for _ in range(4))
        self.uv = np.zeros((*shape, 2), np.float32)


@dataclass(frozen=True)
class View:
    """The camera of one portrait in supersampled pixels."""

    focal: float
    cx: float
    cy: float
    level: float
    """Height of the optical axis in metres."""

    def project(self, points: F64) -> tuple[F64, F64]:
        depth = points[:, 1] + CAMERA_DISTANCE
        x = points[:, 0] / depth * self.focal + self.cx
        y = self.cy - (points[:, 2] - self.level) / depth * self.focal
        return np.stack([x, y], 1), depth


def linear(colour: tuple[int, int, int]) -> F32:
    return ((np.asarray(colour, np.float32) / 255.0) ** 2.2).astype(np.float32)


def ramp(x: npt.NDArray[np.floating], low: float, high: float) -> npt.NDArray[np.floating]:
    """Smoothstep from 0 at `low` to 1 at `high`."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def cloud(shape: tuple[int, int], scale: float, rng: np.random.Generator, octaves: int = 3) -> F32:
    """Smooth noise, about unit variance."""
    height, width = shape
    out, amplitude = np.zeros(shape, np.float32), 1.0
    for octave in range(octaves):
        step = max(2.0, scale / 2**octave)
        grid = rng.standard_normal((int(height / step) + 3, int(width / step) + 3)).astype(np.float32)
        out += amplitude * cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
        amplitude *= 0.5
    return out / 1.15


class Portrait:
    """One body in front of the camera; call the `add_*` steps, then `shade`."""

    def __init__(self, model: BodyModel, vertices: F64, studio: Studio, looks: Looks) -> None:
        self.model, self.vertices, self.looks, self.studio = model, vertices, looks, studio
        self.scale = studio.samples
        self.layers = Layers(studio.height * self.scale, studio.width * self.scale)
        self.rng = np.random.default_rng(looks.seed)
        self.scalp = np.zeros(self.layers.depth.shape, np.float32)
        """How much the skin carries the hair's colour (roots)."""
        body = model.groups["body"][0]
        used = vertices[np.unique(body)]
        self.lowest, tall = used[:, 2].min(), np.ptp(used[:, 2])
        height, width = self.layers.height, self.layers.width
        focal = height * studio.person / max(tall, 1.45) * CAMERA_DISTANCE
        level = self.lowest + 0.55 * tall
        cy = height * studio.foot + (self.lowest - level) / (CAMERA_DISTANCE - 0.05) * focal
        self.view = View(focal, width / 2, cy, level)

    def add(
        self, triangles: I32, vertices: F64, material: int, *, keep: Keep | None = None, uv: I32 | None = None,
        label: int | None = None, lift: float = 0.0,
    ) -> None:  # fmt: skip
        """Draw a mesh over the layers where it is nearer (by `lift` metres more) and `keep` allows it."""
        L = self.layers
        xy, depth = self.view.project(vertices)
        zbuffer = np.full(L.depth.shape, 1e9, np.float32)
        index = np.full(L.depth.shape, -1, np.int32)
        weights = np.zeros((*L.depth.shape, 2), np.float32)
        rasterise(xy, depth, triangles, zbuffer, index, weights)
        at = np.flatnonzero(((index >= 0) & (zbuffer - lift < L.depth)).ravel())
        corner = triangles[index.ravel()[at]]
        w = weights.reshape(-1, 2)[at]
        w = np.concatenate([w, 1 - w.sum(1, keepdims=True)], 1)
        mix = lambda values: np.einsum("nkc,nk->nc", values[corner].astype(np.float32), w)  # noqa: E731 - used thrice
        template = mix(self.model.template)
        label_at = mix(self.model.part_weights).argmax(1)
        if keep is not None:
            kept = keep(template, label_at)
            at, corner, w, template, label_at = at[kept], corner[kept], w[kept], template[kept], label_at[kept]
            mix = lambda values: np.einsum("nkc,nk->nc", values[corner].astype(np.float32), w)  # noqa: E731
        normal = mix(vertex_normals(vertices, triangles))
        L.normal.reshape(-1, 3)[at] = normal / (np.linalg.norm(normal, axis=1, keepdims=True) + 1e-9)
        L.position.reshape(-1, 3)[at] = mix(vertices)
        L.template.reshape(-1, 3)[at] = template
        L.depth.ravel()[at] = zbuffer.ravel()[at]
        L.material.ravel()[at] = material
        L.label.ravel()[at] = label_at if label is None else label
        if uv is not None:
            L.uv.reshape(-1, 2)[at] = np.einsum("nkc,nk->nc", self.model.uv[uv[index.ravel()[at]]], w)

    def add_body(self) -> None:
        groups = self.model.groups
        self.add(groups["body"][0], self.vertices, SKIN, uv=groups["body"][1])
        self.bare_label = self.layers.label.copy()
        self.bare_normal, self.bare_depth = self.layers.normal.copy(), self.layers.depth.copy()
        eyes = np.concatenate([groups["helper-l-eye"][0], groups["helper-r-eye"][0]])
        self.add(eyes, self.vertices, EYE, label=PARTS["head"])
        lashes = np.concatenate([tri for name, (tri, _) in groups.items() if "lash" in name])
        level = self.model.template[np.unique(groups["helper-l-eye"][0])].mean(0)[2]
        self.add(lashes, self.vertices, LASH, keep=lambda at, _: at[:, 2] > level - 0.001, label=PARTS["head"])

    def add_clothing(self) -> None:
        """Fitted tank top and shorts: the body, smoothed over the chest and lifted by 5 mm."""
        body, z = self.model.groups["body"][0], self.model.template[:, 2]
        trunk = ramp(z, -0.20, -0.12) * (1 - ramp(z, 0.44, 0.50))
        taut = smooth(self.vertices, body, 26, 0.55 * trunk)
        normals = vertex_normals(self.vertices, body)
        over = ((taut - self.vertices) * normals).sum(1)
        lift = np.clip(over + 0.002, 0.003, 0.030)  # cloth spans hollows and never lies inside the body
        cloth = smooth(self.vertices + normals * lift[:, None], body, 10, 0.5 * trunk)
        # the body's own surface first, so that no strip of skin shows where the smoothed cloth lies inside it
        self.add(body, self.vertices, CLOTHING, keep=_tank_and_shorts, label=PARTS["clothing"], lift=0.002)
        self.add(body, cloth, CLOTHING, keep=_tank_and_shorts, label=PARTS["clothing"], lift=0.04)

    def add_hair(self) -> None:
        from samples.make.hair import add_hair

        add_hair(self)


def _tank_and_shorts(template: F32, label: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Where the base clothing lies, in template space: x across, y depth (front < 0), z up."""
    across, z = np.abs(template[:, 0]), template[:, 2]
    trunk = np.isin(label, (PARTS["torso"], PARTS["neck"], PARTS["upperleg.L"], PARTS["upperleg.R"]))
    behind = ramp(template[:, 1], -0.05, 0.05)
    neck = 0.430 + 0.075 * behind + 0.095 * np.clip(across / 0.076, 0, 2.0) ** 3.4
    armhole = 0.126 + 0.080 * np.clip((0.405 - z) / 0.090, 0, 1) ** 1.6
    tank = (z >= 0.03) & (z < neck) & ((across < armhole) | (z < 0.315))
    return trunk & (tank | ((z < 0.06) & (z > -0.215)))
