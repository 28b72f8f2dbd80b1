"""Colour of every drawn pixel: skin with brows, lips and blush, eyes, cloth and hair under key, fill and sky light."""

import cv2
import numpy as np
import numpy.typing as npt

from samples.make.portrait import CAMERA_DISTANCE, CLOTHING, EYE, HAIR, LASH, SKIN, Portrait, cloud, linear, ramp
from samples.make.raster import F32, rasterise
from schemas.twin import PARTS

KEY = np.array([-0.55, -1.0, 0.85]) / np.linalg.norm([-0.55, -1.0, 0.85])
FILL = np.array([0.9, -0.75, 0.25]) / np.linalg.norm([0.9, -0.75, 0.25])
BLUSH = (  # template x, y, z, radius, strength
    (0.048, -0.14, 0.668, 0.024, 0.40), (-0.048, -0.14, 0.668, 0.024, 0.40), (0.0, -0.18, 0.675, 0.016, 0.35),
    (0.158, -0.05, -0.369, 0.05, 0.20), (-0.158, -0.05, -0.369, 0.05, 0.20),
)  # fmt: skip
CLOTH = (184, 182, 178)


def shade(portrait: Portrait) -> tuple[F32, F32]:
    """Linear colour H x W x 3 and coverage H x W at the studio's size (samples averaged)."""
    layers = portrait.layers
    covered = layers.material >= 0
    albedo = _albedo(portrait)
    shadow, occlusion = _shadow(portrait, covered), _occlusion(portrait, covered)
    colour = _light(portrait, albedo, shadow, occlusion)
    colour = colour / (1 + 0.16 * colour) * 1.10
    size = (portrait.studio.width, portrait.studio.height)
    alpha = cv2.resize(covered.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    premultiplied = cv2.resize((colour * covered[..., None]).astype(np.float32), size, interpolation=cv2.INTER_AREA)
    straight = premultiplied / np.maximum(alpha, 1e-4)[..., None]
    return straight, alpha


def _albedo(portrait: Portrait) -> F32:
    L, looks = portrait.layers, portrait.looks
    shape = L.depth.shape
    out = np.zeros((*shape, 3), np.float32)
    skin = _skin(portrait)
    out[L.material == SKIN] = skin[L.material == SKIN]
    _paint_eyes(portrait, out)
    out[L.material == LASH] = linear((46, 34, 30))
    weave = 1 + 0.025 * cloud(shape, 3 * portrait.scale, portrait.rng, 1)
    cloth = L.material == CLOTHING
    out[cloth] = (linear(CLOTH) * weave[..., None])[cloth]
    rim = cloth.astype(np.uint8) - cv2.erode(cloth.astype(np.uint8), np.ones((3 * portrait.scale,) * 2, np.uint8))
    out[rim > 0] *= 0.92
    hair = L.material == HAIR
    tone = L.template[hair][:, :1]
    root = 0.55 + 0.45 * L.template[hair][:, 1:2]
    out[hair] = linear(looks.hair) * np.clip(tone, 0.5, 1.6) * root
    return out


def _skin(portrait: Portrait) -> F32:
    L, looks, model = portrait.layers, portrait.looks, portrait.model
    shape, tone = L.depth.shape, linear(looks.skin)
    out = np.ones((*shape, 3), np.float32) * tone
    out *= (1 + 0.022 * cloud(shape, 60 * portrait.scale, portrait.rng))[..., None]
    out *= (1 + 0.016 * cloud(shape, 5 * portrait.scale, portrait.rng, 2))[..., None]
    red = np.zeros(shape, np.float32)
    for x, y, z, radius, strength in BLUSH:
        distance = ((L.template - np.array([x, y, z], np.float32)) ** 2).sum(-1)
        red += strength * np.exp(-distance / (2 * radius * radius))
    light = float(np.clip(tone.mean() * 2.2, 0.3, 1))
    out *= 1 + light * red[..., None] * np.array([0.10, -0.16, -0.14], np.float32)
    head = L.label == PARTS["head"]
    lips = _texture(model.data / "textures" / "mpfb_lips.jpg", L.uv) * head
    lips = 0.62 * cv2.GaussianBlur(lips, (0, 0), 0.9 * portrait.scale)[..., None]
    out = out * (1 - lips) + lips * tone * np.array([0.90, 0.60, 0.60], np.float32)
    hair = linear(looks.hair)
    roots = 0.80 * portrait.scalp[..., None]
    out = out * (1 - roots) + roots * (0.55 * hair + 0.10 * tone)
    brow = 0.85 * _brows(portrait)[..., None] * head[..., None]
    out = out * (1 - brow) + brow * np.minimum(hair * 1.1, tone * 0.45)
    if looks.beard:
        out = _beard(portrait, out, hair, head)
    return out.astype(np.float32)


def _brows(portrait: Portrait) -> F32:
    """Brows as soft arches of short hairs, a little higher outside than inside."""
    L, model = portrait.layers, portrait.model
    eye = model.template[np.unique(model.groups["helper-l-eye"][0])].mean(0)
    across = np.abs(L.template[..., 0])
    s = np.clip((across - 0.013) / 0.044, 0, 1)
    arch = eye[2] + 0.0225 + 0.0052 * np.sin(np.pi * s**1.25 * 0.86) - 0.0030 * ramp(s, 0.72, 1.0)
    thick = 0.0036 * (1 - 0.55 * ramp(s, 0.45, 1.0)) * (0.75 + 0.25 * ramp(s, 0.0, 0.2))
    line = np.exp(-(np.abs((L.template[..., 2] - arch) / thick) ** 2.4))
    hairs = 1 + 0.22 * np.sin(
        (L.template[..., 0] * 2300) + (L.template[..., 2] - arch) * 2600 * np.sign(L.template[..., 0])
    )
    ends = ramp(across, 0.010, 0.020) * (1 - ramp(across, 0.047, 0.058))
    return np.clip(line * hairs * ends * (L.template[..., 1] < -0.08), 0, 1).astype(np.float32)


def _beard(portrait: Portrait, skin: F32, hair: F32, head: npt.NDArray[np.bool_]) -> F32:
    x, y, z = (
        np.abs(portrait.layers.template[..., 0]),
        portrait.layers.template[..., 1],
        portrait.layers.template[..., 2],
    )
    jaw = (
        (1 - ramp(z, 0.628, 0.655))
        * ramp(x + 0.6 * (0.632 - z), -0.01, 0.012)
        * (y < -0.03)
        * ramp(z, 0.592, 0.612)
        * head
    )
    moustache = np.exp(-(((z - 0.6515) / 0.0055) ** 2)) * (1 - ramp(x, 0.022, 0.030)) * (y < -0.12)
    amount = (portrait.looks.beard * np.clip(jaw + 0.7 * moustache, 0, 1))[..., None]
    return (skin * (1 - amount) + amount * (0.45 * hair + 0.30 * skin)).astype(np.float32)


def _texture(path: object, uv: F32) -> F32:
    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    u, v = uv[..., 0] * image.shape[1], (1 - uv[..., 1]) * image.shape[0]
    return cv2.remap(image, u, v, cv2.INTER_LINEAR).astype(np.float32) / 255


def _paint_eyes(portrait: Portrait, out: F32) -> None:
    L, model = portrait.layers, portrait.model
    at = L.material == EYE
    if not at.any():
        return
    centre = model.template[np.unique(model.groups["helper-l-eye"][0])].mean(0)
    point = L.template[at]
    r = np.hypot(np.abs(point[:, 0]) - centre[0], point[:, 2] - centre[2])[:, None]
    white = np.ones((len(point), 3), np.float32) * linear((226, 219, 213))
    iris = linear(portrait.looks.iris) * (0.55 + 0.6 * r / 0.0062)
    mixed = white * ramp(r, 0.0056, 0.0066) + iris * (1 - ramp(r, 0.0056, 0.0066))
    pupil = 1 - ramp(r, 0.0022, 0.0030)
    out[at] = mixed * (1 - pupil) + 0.012 * pupil


def _shadow(portrait: Portrait, covered: npt.NDArray[np.bool_]) -> F32:
    """Soft shadow of the key light by a shadow map with percentage-closer samples, 0..1."""
    L, model = portrait.layers, portrait.model
    up = np.array([0, 0, 1.0])
    right = np.cross(KEY, up)
    right /= np.linalg.norm(right)
    above = np.cross(right, KEY)
    body = model.groups["body"][0]
    points = portrait.vertices
    centre = points[np.unique(body)].mean(0)
    size = 900
    reach = np.abs((points[np.unique(body)] - centre) @ np.stack([right, above], 1)).max()
    scale = size * 0.46 / reach

    def project(p: npt.NDArray[np.floating]) -> tuple[npt.NDArray[np.floating], npt.NDArray[np.floating]]:
        q = p - centre
        return np.stack([q @ right * scale + size / 2, size / 2 - q @ above * scale], -1), 10 - q @ KEY

    buffer = np.full((size, size), 1e9, np.float32)
    xy, depth = project(points)
    rasterise(xy, depth, body, buffer, np.full((size, size), -1, np.int32), np.zeros((size, size, 2), np.float32))
    rows, columns = np.nonzero(covered)
    xy, depth = project(L.position[rows, columns] + 0.006 * L.normal[rows, columns])
    total, taken = np.zeros(len(rows), np.float32), 0
    for radius, count in ((3, 6), (8, 10), (15, 14)):
        for angle in np.linspace(0, 2 * np.pi, count, endpoint=False) + radius:
            x = np.clip(xy[:, 0] + radius * np.cos(angle), 0, size - 1).astype(int)
            y = np.clip(xy[:, 1] + radius * np.sin(angle), 0, size - 1).astype(int)
            total += buffer[y, x] < depth - 0.012 - 0.0006 * radius
            taken += 1
    out = np.zeros(L.depth.shape, np.float32)
    out[rows, columns] = total / taken
    return cv2.GaussianBlur(out, (0, 0), 1.5 * portrait.scale)


def _occlusion(portrait: Portrait, covered: npt.NDArray[np.bool_]) -> F32:
    """Ambient occlusion from depth differences at three radii, 0..1."""
    L = portrait.layers
    depth = np.where(covered, L.depth, CAMERA_DISTANCE + 0.5).astype(np.float32)
    height, width = depth.shape
    small = cv2.resize(depth, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    total = np.zeros_like(depth)
    for sigma, amount in ((5, 1.6), (16, 1.2), (36, 0.8)):
        blurred = cv2.GaussianBlur(np.minimum(small, CAMERA_DISTANCE + 0.25), (0, 0), sigma * portrait.scale / 2)
        total += amount * np.clip(depth - cv2.resize(blurred, (width, height)), 0, 0.05)
    return np.exp(-3.2 * total).astype(np.float32)


def _light(portrait: Portrait, albedo: F32, shadow: F32, occlusion: F32) -> F32:
    L = portrait.layers
    n = L.normal
    skin, eye, hair = L.material == SKIN, L.material == EYE, L.material == HAIR
    key = np.clip((n @ KEY.astype(np.float32) + 0.30) / 1.30, 0, 1) ** 1.15 * (1 - 0.52 * shadow)
    fill = np.clip((n @ FILL.astype(np.float32) + 0.45) / 1.45, 0, 1)
    sky = 0.5 + 0.5 * n[..., 2]
    light = key[..., None] * 0.92 * np.array([1.02, 1.0, 0.97], np.float32)
    light = light + fill[..., None] * 0.34 * np.array([0.97, 1.0, 1.04], np.float32) * occlusion[..., None]
    light = light + (0.30 * sky * occlusion)[..., None]
    warm = np.exp(-(((key - 0.25) / 0.20) ** 2))[..., None] * np.array([0.12, 0.015, -0.02], np.float32)
    light = light * np.where(skin[..., None], 1 + warm, 1.0)
    half = KEY + np.array([0, -1, 0])
    half = (half / np.linalg.norm(half)).astype(np.float32)
    shine = np.clip(n @ half, 0, 1)
    gloss = np.zeros(shine.shape, np.float32)
    gloss[skin] = (0.022 * shine**10 + 0.020 * shine**48)[skin]
    gloss[eye] = (0.6 * shine**110)[eye]
    lit = albedo * light
    lit[hair] = _hair_light(portrait, albedo, shadow, occlusion)[hair]
    return (lit + (gloss * (1 - 0.7 * shadow))[..., None]).astype(np.float32)


def _hair_light(portrait: Portrait, albedo: F32, shadow: F32, occlusion: F32) -> F32:
    """Strands after Kajiya and Kay: light across the strand, a shifted highlight, broad form from the soft normal."""
    L = portrait.layers
    key = KEY.astype(np.float32)
    along = L.tangent @ key
    across = np.sqrt(np.clip(1 - along * along, 0, 1))
    form = np.clip((L.normal @ key + 0.45) / 1.45, 0, 1)
    half = key + np.array([0, -1, 0], np.float32)
    half /= np.linalg.norm(half)
    shine = np.sqrt(np.clip(1 - (L.tangent @ half + 0.08) ** 2, 0, 1)) ** 42 * form
    sky = 0.5 + 0.5 * L.normal[..., 2]
    level = (0.25 + 0.95 * across * form * (1 - 0.55 * shadow) + 0.30 * sky) * (0.55 + 0.45 * occlusion)
    tint = 0.6 * albedo + 0.034
    return (albedo * level[..., None] * 1.05 + (0.85 * shine * (1 - 0.6 * shadow))[..., None] * tint).astype(np.float32)
