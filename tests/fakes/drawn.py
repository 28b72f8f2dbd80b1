"""A twin, a garment, a look and a scene drawn with a few shapes: small, quick, and good enough to pass every check."""

import itertools

import cv2
import numpy as np

from schemas.scene import Light, Scene
from schemas.twin import PARTS, Twin
from tasks.imaging.pictures import F32, U8, CutLook, GarmentCutout, TwinReference

WIDTH, HEIGHT = 400, 700
SKIN, HAIR, BASE, RED = (196, 150, 122), (62, 44, 34), (120, 122, 126), (168, 40, 52)


def _canvas() -> U8:
    return np.zeros((HEIGHT * 2, WIDTH * 2), np.uint8)


def _half(mask: U8) -> F32:
    small: F32 = cv2.resize(mask, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA).astype(np.float32) / np.float32(255)
    return small


def _limb(points: list[tuple[int, int]], thick: int) -> F32:
    mask = _canvas()
    for start, end in itertools.pairwise(points):
        cv2.line(mask, (start[0] * 2, start[1] * 2), (end[0] * 2, end[1] * 2), 255, thick * 2, cv2.LINE_AA)
    return _half(mask)


def _oval(x: int, y: int, across: int, down: int) -> F32:
    mask = _canvas()
    cv2.ellipse(mask, (x * 2, y * 2), (across * 2, down * 2), 0, 0, 360, 255, -1, cv2.LINE_AA)
    return _half(mask)


def _shape(points: list[tuple[int, int]]) -> F32:
    mask = _canvas()
    cv2.fillPoly(mask, [np.array(points, np.int32) * 2], 255, cv2.LINE_AA)
    return _half(mask)


def _shapes() -> list[tuple[str, F32, tuple[int, int, int]]]:
    """Part, coverage and colour, from back to front."""
    return [
        ("lowerleg.R", _limb([(172, 480), (164, 640)], 34), SKIN),
        ("lowerleg.L", _limb([(228, 480), (236, 640)], 34), SKIN),
        ("foot.R", _oval(160, 655, 22, 14), SKIN),
        ("foot.L", _oval(240, 655, 22, 14), SKIN),
        ("upperleg.R", _limb([(180, 370), (172, 490)], 46), SKIN),
        ("upperleg.L", _limb([(220, 370), (228, 490)], 46), SKIN),
        ("forearm.R", _limb([(116, 260), (92, 360)], 24), SKIN),
        ("forearm.L", _limb([(284, 260), (308, 360)], 24), SKIN),
        ("hand.R", _oval(90, 372, 14, 18), SKIN),
        ("hand.L", _oval(310, 372, 14, 18), SKIN),
        ("upperarm.R", _limb([(146, 158), (116, 260)], 30), SKIN),
        ("upperarm.L", _limb([(254, 158), (284, 260)], 30), SKIN),
        ("neck", _limb([(200, 110), (200, 150)], 40), SKIN),
        ("clothing", _shape([(140, 142), (260, 142), (250, 380), (256, 440), (144, 440), (150, 380)]), BASE),
        ("hair", _oval(200, 74, 46, 52), HAIR),
        ("head", _oval(200, 84, 38, 48), SKIN),
    ]


def _texture(seed: int = 3) -> F32:
    """Fine detail and soft light from the left, about 1: what sharpness and exposure are measured on."""
    noise = np.random.default_rng(seed).standard_normal((HEIGHT, WIDTH), dtype=np.float32)
    fine = cv2.GaussianBlur(noise, (0, 0), 1.2)
    light = np.linspace(1.06, 0.92, WIDTH, dtype=np.float32)[None, :]
    textured: F32 = light + 0.05 * fine / fine.std()
    return textured


def _face(image: F32, *, other: bool = False) -> None:
    dark, red = (48, 34, 30), (150, 70, 70)
    eyes, mouth = ((184, 216), 112) if not other else ((176, 224), 100)
    for x in eyes:
        cv2.ellipse(image, (x, 78 if not other else 90), (8, 4), 0, 0, 360, dark, -1, cv2.LINE_AA)
        cv2.line(image, (x - 9, 66), (x + 9, 64 if not other else 72), dark, 3, cv2.LINE_AA)
    cv2.line(image, (200, 80), (200 if not other else 190, 98), (150, 104, 84), 3, cv2.LINE_AA)
    cv2.ellipse(image, (200, mouth), (14, 4 if not other else 9), 0, 0, 360, red, -1, cv2.LINE_AA)


def draw_twin(*, other_face: bool = False) -> TwinReference:
    image = np.full((HEIGHT, WIDTH, 3), 235, np.float32)
    parts, alpha = np.zeros((HEIGHT, WIDTH), np.uint8), np.zeros((HEIGHT, WIDTH), np.float32)
    for part, cover, colour in _shapes():
        image = image * (1 - cover[..., None]) + np.float32(colour) * cover[..., None]
        parts[cover > 0.5] = PARTS[part]
        alpha = np.maximum(alpha, cover)
    _face(image, other=other_face)
    image = np.where(alpha[..., None] > 0, image * _texture()[..., None], image)
    rgba = np.dstack([np.clip(image, 0, 255), alpha * 255]).astype(np.uint8)
    twin = Twin(twin_id="tw-drawn", talent_id="tal-drawn", display_name="Drawn", adult=True, poses=(), sha256={})
    return TwinReference(twin, "standing", "0" * 64, rgba, parts, parts, {"nose": (200.0, 92.0)}, 668.0)


def _dress() -> F32:
    right = [(136, 138), (176, 134), (200, 150), (224, 134), (264, 138)]
    return _shape([*right, (254, 240), (286, 520), (114, 520), (146, 240)])


def _dress_colours() -> F32:
    colours = np.empty((HEIGHT, WIDTH, 3), np.float32)
    colours[:] = RED
    colours[(np.arange(HEIGHT) // 24 % 3 == 0)] = (236, 226, 206)
    return colours


def draw_garment() -> GarmentCutout:
    """A red dress with cream stripes."""
    cover = _dress()
    colours = np.clip(_dress_colours() * _texture(9)[..., None] ** 0.5, 0, 255)
    rgba = np.dstack([colours, cover * 255]).astype(np.uint8)
    return GarmentCutout(rgba, "dress", {}, "none", 1.0, "1" * 64)


def draw_look(twin: TwinReference, garment: GarmentCutout | None = None) -> CutLook:
    worn = garment or draw_garment()
    cover = worn.rgba[..., 3:].astype(np.float32) / np.float32(255)
    image = twin.rgba[..., :3] * (1 - cover) + worn.rgba[..., :3] * cover
    alpha = np.maximum(twin.rgba[..., 3], worn.rgba[..., 3])
    rgba = np.dstack([np.clip(image, 0, 255).astype(np.uint8), alpha])
    return CutLook(rgba, cover[..., 0], (cover[..., 0] > 0).astype(np.float32), "draft-drawn")


def draw_scene(
    label_text: str = "AI-genererad bild", *, temperature_k: float = 5200.0, intensity: float = 1.0, warmth: float = 0.0
) -> Scene:
    return Scene.model_validate({
        "scene": "studio-se", "title": "Studio", "market": "SE", "language": "sv", "backdrop": "studio.png",
        "sha256": "2" * 64, "width": 900, "height": 900, "floor_y": 0.86, "horizon_y": 0.7, "label_text": label_text,
        "light": Light(direction=(-0.5, -0.8), temperature_k=temperature_k, intensity=intensity),
        "tone": {"warmth": warmth},
    })  # fmt: skip


def draw_backdrop(width: int = 900, height: int = 900) -> U8:
    """A grey wall lit from the left and a wooden floor."""
    wall, horizon = np.linspace(205, 165, width, dtype=np.float32), int(0.7 * height)
    image = np.repeat(np.repeat(wall[None, :, None], height, axis=0), 3, axis=2)
    image[horizon:] = image[horizon:] * np.float32([0.8, 0.66, 0.52])
    for x in range(-width, 2 * width, width // 8):
        cv2.line(image, (width // 2 + (x - width // 2) // 3, horizon), (x, height), (95, 76, 58), 2, cv2.LINE_AA)
    image += np.random.default_rng(5).normal(0, 1.2, image.shape).astype(np.float32)
    backdrop: U8 = np.clip(image, 0, 255).astype(np.uint8)
    return backdrop
