"""Draws garments as flat lays: cloth with folds, seams and stitches under a soft light from the upper left.

`draw` gives one garment of a kind, `draw_random` one of any kind with its category and landmarks (for training).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from samples.make import tailoring
from samples.make.fabric import F32, Colour, Fabric, plain, random_colour, random_fabric, rib
from samples.make.outlines import Flat, Fold, Piece, Points

U8 = npt.NDArray[np.uint8]
LIGHT = np.array([-0.50, -0.58, 0.64], np.float32)
KINDS: dict[str, Callable[[np.random.Generator], Flat]] = {
    "tee": tailoring.tee, "tank": tailoring.tank, "shirt": tailoring.shirt, "knit": tailoring.knit,
    "denim_jacket": tailoring.denim_jacket, "coat": tailoring.coat, "dress": tailoring.dress, "skirt": tailoring.skirt,
    "trousers": tailoring.trousers, "shorts": tailoring.shorts, "jumpsuit": tailoring.jumpsuit,
}  # fmt: skip


@dataclass(frozen=True)
class Palette:
    """Fabrics by name (main, rib, inside), thread and button colours, and an optional printed picture (RGBA 0..1)."""

    fabrics: dict[str, Fabric]
    thread: Colour
    button: Colour
    picture: F32 | None = None


@dataclass
class Canvas:
    """Buffers of one drawing: albedo (sRGB 0..1), alpha, height in cm, darkening; `scale` pixels per cm."""

    albedo: F32
    alpha: F32
    height: F32
    dark: F32
    gloss: F32
    scale: float
    origin: tuple[float, float]

    def pixels(self, points: Points) -> npt.NDArray[np.int32]:
        """Fixed-point (4 bits) pixel positions for cv2."""
        return np.round((points * self.scale + self.origin) * 16).astype(np.int32)


def draw(seed: int, kind: str, *, width: int = 900, height: int = 1200, samples: int = 1) -> U8:
    """One garment of `kind` (see KINDS) in random cloth: RGBA uint8 sRGB with straight alpha, height x width x 4."""
    rng = np.random.default_rng(seed)
    flat = KINDS[kind](rng)
    return render(flat, random_palette(kind, rng), rng, width=width, height=height, samples=samples)[0]


def draw_random(
    rng: np.random.Generator, *, width: int = 600, height: int = 800
) -> tuple[U8, str, dict[str, tuple[float, float]]]:
    """Any garment: (RGBA uint8 height x width x 4, category, landmarks in pixels; `.L` is the wearer's left)."""
    kind = str(rng.choice(list(KINDS)))
    flat = KINDS[kind](rng)
    picture, marks = render(flat, random_palette(kind, rng), rng, width=width, height=height, samples=1)
    return picture, flat.category, marks


def random_palette(kind: str, rng: np.random.Generator) -> Palette:
    limited = {"denim_jacket": ("denim", "denim", "plain"), "knit": ("knit",), "coat": ("plain", "plain", "plaid")}
    main, colour = random_fabric(rng, kinds=limited.get(kind, ()))
    thread = (0.78, 0.56, 0.30) if kind == "denim_jacket" else lighter(colour, float(rng.uniform(0.75, 1.2)))
    picture = printed_picture(rng) if kind == "tee" and rng.random() < 0.5 else None
    return Palette(
        {"main": main, "rib": rib(colour, rng), "inside": plain(lighter(colour, 0.92), rng)},
        thread,
        random_colour(rng),
        picture,
    )


def lighter(colour: Colour, factor: float) -> Colour:
    return tuple(float(np.clip(c * factor, 0, 1)) for c in colour)  # type: ignore[return-value]


def printed_picture(rng: np.random.Generator) -> F32:
    """A print of a sun over hills and water, RGBA 0..1, 480 x 480, in random inks."""
    inks = [random_colour(rng) for _ in range(4)]
    return landscape_print(inks)


def landscape_print(inks: list[Colour], caption: str = "") -> F32:
    """Sun, hills and water in four inks on transparent ground, 480 x 480 RGBA 0..1."""
    size = 480
    picture = np.zeros((size, size, 4), np.float32)
    low = 390 if caption else 470
    y, x = np.mgrid[0:size, 0:size].astype(np.float32)
    inside = np.clip(200 - np.hypot(x - 240, y - low * 0.5 - 5) * 400 / low + 0.5, 0, 1)
    layers = [
        (inks[0], inside),
        (inks[1], np.clip(78 - np.hypot(x - 290, y - 150) + 0.5, 0, 1) * inside),
        (inks[2], np.clip(y - (low * 0.52 + 34 * np.sin(x / 58) - 22 * np.sin(x / 23 + 1)), 0, 1) * inside),
        (inks[3], np.clip(y - (low * 0.66 + 20 * np.sin(x / 71 + 2)), 0, 1) * inside),
        (inks[0], np.clip(np.sin((y - low * 0.74) / 5.2) * 3 - 1.6, 0, 1) * (y > low * 0.74) * inside),
    ]
    for ink, amount in layers:
        picture[..., :3] = picture[..., :3] * (1 - amount[..., None]) + np.asarray(ink, np.float32) * amount[..., None]
        picture[..., 3] = np.maximum(picture[..., 3], amount)
    if caption:
        _caption(picture, caption, inks[2])
    return picture


def _caption(picture: F32, text: str, ink: Colour) -> None:
    (width, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_DUPLEX, 1.9, 5)
    mask = np.zeros(picture.shape[:2], np.uint8)
    cv2.putText(mask, text, ((picture.shape[1] - width) // 2, 458), cv2.FONT_HERSHEY_DUPLEX, 1.9, 255, 5, cv2.LINE_AA)
    amount = (mask / 255.0)[..., None]
    picture[..., :3] = picture[..., :3] * (1 - amount) + np.asarray(ink) * amount
    picture[..., 3] = np.maximum(picture[..., 3], amount[..., 0])


def render(
    flat: Flat, palette: Palette, rng: np.random.Generator, *, width: int, height: int, samples: int
) -> tuple[U8, dict[str, tuple[float, float]]]:
    """The garment alone (RGBA, straight alpha) and its landmarks in pixels. Works at `samples` times the size."""
    canvas = _canvas(flat, width * samples, height * samples)
    wrinkles = _wrinkles(flat, canvas, palette.fabrics["main"], rng)
    for piece in flat.pieces:
        _lay(canvas, piece, palette.fabrics[piece.fabric], wrinkles)
    if palette.picture is not None and flat.print_at is not None:
        _print(canvas, palette.picture, flat.print_at, wrinkles)
    _sew(canvas, flat, palette)
    colour = _shade(canvas, wrinkles)
    for x, y, radius in flat.buttons:
        _button(canvas, colour, (x, y), radius, palette.button)
    rgba = np.concatenate([_bleed(colour, canvas.alpha), canvas.alpha[..., None]], axis=2)
    rgba, move = _sag(rgba, canvas.scale, rng)
    if samples > 1:
        rgba = cv2.resize(rgba, (width, height), interpolation=cv2.INTER_AREA)
    marks = {}
    for name, (x, y) in flat.landmarks.items():
        px, py = x * canvas.scale + canvas.origin[0], y * canvas.scale + canvas.origin[1]
        dx, dy = move[int(np.clip(py, 0, move.shape[0] - 1)), int(np.clip(px, 0, move.shape[1] - 1))]
        marks[name] = (float(px - dx) / samples, float(py - dy) / samples)
    return np.clip(rgba * 255 + 0.5, 0, 255).astype(np.uint8), marks


def _canvas(flat: Flat, width: int, height: int) -> Canvas:
    points = np.concatenate([piece.outline for piece in flat.pieces])
    low, high = points.min(0), points.max(0)
    scale = float(min(0.88 * width / (high[0] - low[0]), 0.86 * height / (high[1] - low[1])))
    centre = (low + high) / 2 * scale
    shape = (height, width)
    blank = [np.zeros(shape, np.float32) for _ in range(3)]
    return Canvas(np.zeros((*shape, 3), np.float32), blank[0], blank[1], np.ones(shape, np.float32), blank[2], scale,
                  (width / 2 - float(centre[0]), height / 2 - float(centre[1])))  # fmt: skip


def cloud(shape: tuple[int, int], step: float, rng: np.random.Generator, stretch: float = 1.0) -> F32:
    """Smooth noise of about unit variance with features of `step` pixels (times `stretch` down the picture)."""
    rows, columns = int(shape[0] / (step * stretch)) + 4, int(shape[1] / step) + 4
    grid = rng.standard_normal((rows, columns)).astype(np.float32)
    big = cv2.resize(grid, (round(columns * step), round(rows * step * stretch)), interpolation=cv2.INTER_CUBIC)
    return big[: shape[0], : shape[1]] * 1.3


def _wrinkles(flat: Flat, canvas: Canvas, fabric: Fabric, rng: np.random.Generator) -> F32:
    """Height of the cloth's folds in cm, drawn at a third of the size."""
    height, width = canvas.alpha.shape
    k = max(1.0, canvas.scale / 5.0)
    shape = (int(height / k), int(width / k))
    per = canvas.scale / k
    warp = cloud(shape, 7 * per, rng), cloud(shape, 7 * per, rng)
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    cx, cy = x / per - canvas.origin[0] / canvas.scale, y / per - canvas.origin[1] / canvas.scale
    straight = cx, cy
    cx, cy = cx + 0.9 * warp[0], cy + 0.9 * warp[1]
    out = 0.20 * cloud(shape, 13 * per, rng) + 0.075 * cloud(shape, 5 * per, rng)
    for fold in flat.folds:
        out += _ridge(*(straight if fold.pressed else (cx, cy)), fold)
    out *= 0.8 + 1.6 * fabric.crumple
    return cv2.resize(out.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)


def _ridge(x: F32, y: F32, fold: Fold) -> F32:
    a, b = np.asarray(fold.a, np.float32), np.asarray(fold.b, np.float32)
    along = b - a
    length = float(np.hypot(*along)) + 1e-6
    s = ((x - a[0]) * along[0] + (y - a[1]) * along[1]) / length**2
    across = ((x - a[0]) * -along[1] + (y - a[1]) * along[0]) / length
    if not fold.pressed:
        across = across - 0.05 * length * np.sin(np.pi * np.clip(s, 0, 1))
    wide = fold.width * (0.6 + 0.9 * np.clip(s, 0, 1))
    profile = np.exp(-((across / wide) ** 2)) - 0.42 * np.exp(-(((across - 1.7 * wide) / (1.2 * wide)) ** 2))
    taper = np.clip(s / 0.15, 0, 1) * np.clip((1.0 - s) / 0.45, 0, 1)
    return (fold.amount * profile * taper * taper * (3 - 2 * taper)).astype(np.float32)


def _lay(canvas: Canvas, piece: Piece, fabric: Fabric, wrinkles: F32) -> None:
    """Lay one piece of cloth over what is there."""
    fixed = canvas.pixels(piece.outline)
    x0, y0 = np.maximum(fixed.min(0) // 16 - 12, 0)
    x1, y1 = np.minimum(fixed.max(0) // 16 + 14, canvas.alpha.shape[::-1])
    at = (slice(y0, y1), slice(x0, x1))
    mask8 = np.zeros((y1 - y0, x1 - x0), np.uint8)
    cv2.fillPoly(mask8, [fixed - np.array([x0 * 16, y0 * 16])], 255, cv2.LINE_AA, 4)
    mask = mask8.astype(np.float32) / 255
    y, x = np.mgrid[y0:y1, x0:x1].astype(np.float32)
    x = (x - canvas.origin[0]) / canvas.scale - piece.origin[0]
    y = (y - canvas.origin[1]) / canvas.scale - piece.origin[1]
    turn = np.radians(piece.turn)
    folds = wrinkles[at]
    u = x * np.cos(turn) + y * np.sin(turn) + 0.7 * folds
    v = -x * np.sin(turn) + y * np.cos(turn) + 0.7 * folds
    pleat = np.zeros_like(mask)
    if piece.pleats:
        u, pleat = _pleat(piece, x, y, u)
    colour, relief = fabric.sample(u.astype(np.float32), v.astype(np.float32))
    away = cv2.distanceTransform(np.pad((mask8 > 127).astype(np.uint8), 1), cv2.DIST_L2, 3)[1:-1, 1:-1] / canvas.scale
    rounded = 1 - np.exp(-((away / (0.25 + fabric.thickness)) ** 1.2))
    below = cv2.GaussianBlur(canvas.height[at], (0, 0), 0.5 * canvas.scale) * 0.7
    top = below + (piece.lift + fabric.thickness) * rounded + relief * np.clip(away / 0.2, 0, 1) + pleat
    canvas.height[at] = canvas.height[at] * (1 - mask) + top * mask
    cast = cv2.GaussianBlur(mask, (0, 0), 0.35 * canvas.scale) * (0.30 if piece.lift > 0.01 else 0.15)
    canvas.dark[at] = canvas.dark[at] * (1 - cast * (1 - mask)) * (1 - mask) + mask * piece.shade
    edge = np.exp(-away / 0.13)
    colour = colour * (1 - 0.16 * edge)[..., None]
    canvas.albedo[at] = canvas.albedo[at] * (1 - mask[..., None]) + colour * mask[..., None]
    canvas.gloss[at] = canvas.gloss[at] * (1 - mask) + fabric.gloss * mask
    canvas.alpha[at] = np.maximum(canvas.alpha[at], mask)


def _pleat(piece: Piece, x: F32, y: F32, u: F32) -> tuple[F32, F32]:
    """Knife pleats that open towards the hem: fabric position across, and height."""
    outline = piece.outline
    right = outline[outline[:, 0] > 0]
    order = np.argsort(right[:, 1])
    half = np.interp(y, right[order, 1], np.maximum.accumulate(right[order, 0])).astype(np.float32)
    share = (x / np.maximum(half, 1) + 1) / 2 * piece.pleats
    phase = np.mod(share, 1.0).astype(np.float32)
    step = np.clip(phase / 0.06, 0, 1) * (1 - phase)
    depth = 0.55 * np.clip((y - y.min()) / 14, 0.25, 1)
    return (u + np.floor(share) * 3.7).astype(np.float32), (depth * step).astype(np.float32)


def _print(canvas: Canvas, picture: F32, at: tuple[float, float, float], wrinkles: F32) -> None:
    """Ink a picture on the cloth; the weave shows through."""
    x, y, width = at
    height_px, width_px = canvas.alpha.shape
    rows, columns = np.mgrid[0:height_px, 0:width_px].astype(np.float32)
    u = (columns - canvas.origin[0]) / canvas.scale - x + 0.6 * wrinkles
    v = (rows - canvas.origin[1]) / canvas.scale - y + 0.6 * wrinkles
    per = picture.shape[1] / width
    inked = cv2.remap(picture, (u * per + picture.shape[1] / 2).astype(np.float32),
                      (v * per + picture.shape[0] / 2).astype(np.float32), cv2.INTER_LINEAR, borderValue=0)  # fmt: skip
    amount = inked[..., 3:] * 0.94 * canvas.alpha[..., None]
    grain = canvas.albedo / np.maximum(cv2.GaussianBlur(canvas.albedo, (0, 0), 0.3 * canvas.scale), 0.05)
    canvas.albedo[:] = canvas.albedo * (1 - amount) + inked[..., :3] * np.clip(grain, 0.85, 1.1) * amount


def _sew(canvas: Canvas, flat: Flat, palette: Palette) -> None:
    """Seams as narrow valleys, stitches as short threads."""
    line = np.zeros(canvas.alpha.shape, np.uint8)
    thin = max(1, round(0.10 * canvas.scale))
    for seam in flat.seams:
        cv2.polylines(line, [canvas.pixels(seam)], False, 255, thin, cv2.LINE_AA, 4)
    valley = cv2.GaussianBlur(line.astype(np.float32) / 255, (0, 0), 0.14 * canvas.scale)
    canvas.height -= 0.12 * valley
    canvas.dark *= 1 - 0.45 * valley
    thread = np.zeros(canvas.alpha.shape, np.uint8)
    pull = np.zeros(canvas.alpha.shape, np.uint8)
    for stitch in flat.stitches:
        cv2.polylines(pull, [canvas.pixels(stitch)], False, 255, thin, cv2.LINE_AA, 4)
        for dash in _dashes(stitch, 0.30, 0.14):
            cv2.polylines(thread, [canvas.pixels(dash)], False, 255, max(1, round(0.07 * canvas.scale)), cv2.LINE_AA, 4)
    canvas.height -= 0.05 * cv2.GaussianBlur(pull.astype(np.float32) / 255, (0, 0), 0.2 * canvas.scale)
    amount = (0.75 * thread.astype(np.float32) / 255 * (canvas.alpha > 0.9))[..., None]
    canvas.albedo[:] = canvas.albedo * (1 - amount) + np.asarray(palette.thread, np.float32) * amount


def _dashes(line: Points, long: float, gap: float) -> list[Points]:
    """Cut a polyline into stitches of `long` cm with `gap` cm between."""
    steps = np.r_[0, np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))]
    starts = np.arange(0, steps[-1] - long, long + gap)
    ends = np.stack([starts, starts + long], 1)
    return [np.stack([np.interp(pair, steps, line[:, 0]), np.interp(pair, steps, line[:, 1])], 1) for pair in ends]


def _shade(canvas: Canvas, wrinkles: F32) -> F32:
    """Light the cloth; returns sRGB 0..1."""
    surface = cv2.GaussianBlur(canvas.height, (0, 0), max(0.6, 0.05 * canvas.scale)) * 0.85 + wrinkles
    dx = cv2.Sobel(surface, cv2.CV_32F, 1, 0, ksize=3) * canvas.scale / 8
    dy = cv2.Sobel(surface, cv2.CV_32F, 0, 1, ksize=3) * canvas.scale / 8
    norm = np.sqrt(dx * dx + dy * dy + 1)
    light = LIGHT / np.linalg.norm(LIGHT)
    facing = (-dx * light[0] - dy * light[1] + light[2]) / norm
    hollow = cv2.GaussianBlur(wrinkles, (0, 0), 1.6 * canvas.scale) - wrinkles
    occlusion = np.exp(-0.9 * np.clip(hollow, 0, 0.6))
    level = (0.46 + 0.54 * np.clip(facing, 0, 1.2) / light[2]) * occlusion * canvas.dark
    shine = canvas.gloss * np.clip(facing, 0, 1) ** 8
    linear = np.clip(canvas.albedo, 0, 1) ** 2.2 * level[..., None] + shine[..., None] * 0.4
    return (np.clip(linear, 0, 1) ** (1 / 2.2)).astype(np.float32)


def _button(canvas: Canvas, colour: F32, at: tuple[float, float], radius: float, ink: Colour) -> None:
    """A four-hole button with a rim, a highlight and its shadow."""
    r = radius * canvas.scale
    cx, cy = at[0] * canvas.scale + canvas.origin[0], at[1] * canvas.scale + canvas.origin[1]
    x0, y0, n = int(cx - 2 * r - 2), int(cy - 2 * r - 2), int(4 * r + 5)
    y, x = np.mgrid[y0 : y0 + n, x0 : x0 + n].astype(np.float32)
    inside = (slice(max(y0, 0), y0 + n), slice(max(x0, 0), x0 + n))
    if colour[inside].shape[:2] != y.shape:
        return
    away = np.hypot(x - cx, y - cy) / r
    shadow = 0.5 * np.clip(1.35 - np.hypot(x - cx - 0.16 * r, y - cy - 0.22 * r) / r, 0, 0.5)[..., None]
    disc = np.clip((1 - away) * r + 0.5, 0, 1)[..., None]
    tone = 1.0 + 0.22 * np.exp(-(((away - 0.84) / 0.12) ** 2)) * np.sign(-(x - cx) - (y - cy)) - 0.10 * (away < 0.6)
    for hx, hy in ((-0.2, -0.2), (0.2, -0.2), (-0.2, 0.2), (0.2, 0.2)):
        tone = tone * (1 - 0.6 * np.clip(1.4 - np.hypot(x - cx - hx * r, y - cy - hy * r) / (0.11 * r), 0, 1))
    patch = colour[inside] * (1 - shadow)
    colour[inside] = patch * (1 - disc) + np.clip(np.asarray(ink, np.float32) * tone[..., None], 0, 1) * disc


def _bleed(colour: F32, alpha: F32) -> F32:
    """Carry the cloth's colour outward below the edge, so that half-covered pixels hold no background."""
    solid = (alpha > 0.97).astype(np.float32)
    sigma = 3.0
    weight = cv2.GaussianBlur(solid, (0, 0), sigma)
    spread = cv2.GaussianBlur(colour * solid[..., None], (0, 0), sigma) / np.maximum(weight, 1e-4)[..., None]
    return np.where(solid[..., None] > 0, colour, np.where(weight[..., None] > 1e-3, spread, 0)).astype(np.float32)


def _sag(rgba: F32, scale: float, rng: np.random.Generator) -> tuple[F32, F32]:
    """Bend the whole a little, as cloth never lies straight. Also returns the displacement field (pixels)."""
    shape = rgba.shape[:2]
    move = np.stack([cloud(shape, 16 * scale, rng), cloud(shape, 16 * scale, rng)], 2) * 0.24 * scale
    move += np.stack([cloud(shape, 4 * scale, rng), cloud(shape, 4 * scale, rng)], 2) * 0.05 * scale
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    bent = cv2.remap(rgba, x + move[..., 0], y + move[..., 1], cv2.INTER_LINEAR, borderValue=0)
    return bent, move


def recolour(palette: Palette, **changes: Fabric) -> Palette:
    """The palette with some fabrics replaced."""
    return replace(palette, fabrics=palette.fabrics | changes)
