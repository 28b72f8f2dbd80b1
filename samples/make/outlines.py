"""Garment shapes in centimetres, laid flat: outlines of the pieces, seams, stitches, buttons, folds and landmarks.

x to the right (the wearer's left is image right), y down from the high neck or the waist; the garment is centred on x = 0.
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]
Point = tuple[float, float]
SIDES = (("R", -1.0), ("L", 1.0))


@dataclass
class Piece:
    """A cut of cloth. fabric: name in the palette; turn: degrees by which its grain is turned; lift: cm above what lies
    below; pleats: knife pleats over the width; rim: whether its edge is rounded (a fold) or cut."""

    outline: Points
    fabric: str = "main"
    turn: float = 0.0
    lift: float = 0.12
    shade: float = 1.0
    pleats: int = 0
    origin: Point = (0.0, 0.0)


@dataclass
class Fold:
    """A ridge of cloth from a to b; width in cm, amount in cm (negative: a valley)."""

    a: Point
    b: Point
    width: float
    amount: float
    pressed: bool = False
    """A crease that was ironed in: it runs straight."""


@dataclass
class Flat:
    """A garment laid flat: pieces from the bottom up."""

    category: str
    pieces: list[Piece] = field(default_factory=list)
    seams: list[Points] = field(default_factory=list)
    stitches: list[Points] = field(default_factory=list)
    buttons: list[tuple[float, float, float]] = field(default_factory=list)
    folds: list[Fold] = field(default_factory=list)
    landmarks: dict[str, Point] = field(default_factory=dict)
    print_at: tuple[float, float, float] | None = None
    """Centre and width of a printed picture."""

    def mark(self, name: str, x: float, y: float) -> None:
        """A landmark and its mirror image."""
        for side, sign in SIDES:
            self.landmarks[f"{name}.{side}"] = (sign * x, y)


def curve(points: list[tuple[float, ...]], steps: int = 18, *, closed: bool = False) -> Points:
    """A smooth line through points; a third value marks a corner (Hermite segments, central-difference tangents)."""
    at = np.array([p[:2] for p in points], np.float64)
    corner = [len(p) > 2 for p in points]
    n, out = len(at), []
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    h = (2 * t**3 - 3 * t**2 + 1, t**3 - 2 * t**2 + t, -2 * t**3 + 3 * t**2, t**3 - t**2)

    def tangent(i: int, chord: Points) -> Points:
        ends = not closed and i in (0, n - 1)
        return chord if corner[i] or ends else (at[(i + 1) % n] - at[i - 1]) / 2

    for i in range(n if closed else n - 1):
        j = (i + 1) % n
        chord = at[j] - at[i]
        out.append(h[0] * at[i] + h[1] * tangent(i, chord) + h[2] * at[j] + h[3] * tangent(j, chord))
    if not closed:
        out.append(at[-1:])
    return np.concatenate(out)


def mirrored(half: list[tuple[float, ...]]) -> Points:
    """A closed outline from its right half, listed from the top centre to the bottom centre."""
    other = [(-p[0], *p[1:]) for p in half[::-1] if abs(p[0]) > 1e-6]
    return curve(half + other, closed=True)


def flip(points: Points, sign: float) -> Points:
    return points * [sign, 1.0]


@dataclass(frozen=True)
class Torso:
    """Half widths and heights in cm of a garment that hangs from the shoulders. sleeve: length, 0 for none."""

    length: float = 70.0
    neck: float = 8.5
    drop: float = 9.0
    vee: bool = False
    shoulder: float = 22.0
    slope: float = 4.2
    chest: float = 26.0
    armhole: float = 24.0
    waist: float = 25.5
    waist_y: float = 42.0
    hem: float = 26.0
    tail: float = 0.8
    """How much lower the hem is at the centre than at the sides."""
    sleeve: float = 20.0
    angle: float = 38.0
    bicep: float = 19.0
    cuff: float = 17.0


def neckline(t: Torso, inset: float = 0.0) -> list[tuple[float, ...]]:
    """From the centre front to the high neck point on the right, `inset` cm outside of the garment's own edge."""
    w, d = t.neck + inset, t.drop + inset
    if t.vee:
        return [(0, d * 1.0, 1), (w * 0.52, d * 0.50), (w, 0, 1)]
    return [(0, d), (w * 0.55, d * 0.86), (w * 0.93, d * 0.38), (w, 0, 1)]


def body_half(t: Torso) -> list[tuple[float, ...]]:
    """The right half of the front panel."""
    side_hem = t.length - t.tail
    mid = t.slope + (t.armhole - t.slope) * 0.55
    return [
        *neckline(t),
        (t.shoulder, t.slope, 1),
        (t.shoulder - 1.6, mid),
        (t.chest, t.armhole, 1),
        (t.waist, t.waist_y),
        (t.hem, side_hem, 1),
        (t.hem * 0.55, t.length - t.tail * 0.25),
        (0, t.length),
    ]


def sleeve_outline(t: Torso, angle: float) -> tuple[Points, Point, Point]:
    """The right sleeve, its outer and its inner cuff corner.

    It leaves the shoulder at 36 degrees below the horizontal at most and bends soon to `angle`.
    """
    top, under = np.array([t.shoulder, t.slope]), np.array([t.chest, t.armhole])
    steps = 14
    s = np.linspace(0, 1, steps)
    first = min(angle, 36.0)
    bend = np.clip(s * 2.2, 0, 1)
    turn = np.radians(first + (angle - first) * bend)
    along = np.stack([np.cos(turn), np.sin(turn)], 1)
    across = np.stack([-along[:, 1], along[:, 0]], 1)
    start = float((under - top) @ across[0])
    width = t.cuff + (start - t.cuff) * (1 - s) ** 1.7
    outer = np.concatenate([top[None], top + np.cumsum(along[:-1] * t.sleeve / (steps - 1), 0)])
    inner = outer + across * width[:, None]
    inner[0] = under
    inner[1:3] = inner[1:3] * 0.6 + (under + (inner[3] - under) * np.array([[1 / 3], [2 / 3]])) * 0.4
    inside = np.array([[t.chest - 9.0, t.armhole - 3.0], [t.shoulder - 6.0, t.slope - 0.6]])
    out, low = outer[-1], inner[-1]
    return np.concatenate([outer, inner[::-1], inside]), (float(out[0]), float(out[1])), (float(low[0]), float(low[1]))


def torso(t: Torso, rng: np.random.Generator, category: str) -> Flat:
    """Sleeves, the inside of the back, the front panel; seams, hems, folds and landmarks of an upper garment."""
    flat = Flat(category)
    back = [
        (0, 0.9),
        (t.neck * 0.6, 0.6),
        (t.neck, -0.1, 1),
        (t.neck + 3, 1.2, 1),
        (t.neck + 1, t.drop + 6, 1),
        (0, t.drop + 8),
    ]
    flat.pieces.append(Piece(mirrored(back), "inside", lift=0.05, shade=0.66))
    if t.sleeve:
        for side, sign in SIDES:
            angle = t.angle + float(rng.uniform(-2.5, 2.5))
            points, out, inner = sleeve_outline(t, angle)
            flat.pieces.append(
                Piece(flip(points, sign), turn=sign * (min(angle, 62) - 90), origin=(sign * t.shoulder, t.slope))
            )
            flat.landmarks[f"cuff_out.{side}"], flat.landmarks[f"cuff_in.{side}"] = (
                (sign * out[0], out[1]),
                (sign * inner[0], inner[1]),
            )
            _sleeve_details(flat, t, np.array(out) * [sign, 1], np.array(inner) * [sign, 1], sign, angle, rng)
    flat.pieces.append(Piece(mirrored(body_half(t))))
    flat.mark("neck", t.neck, 0)
    flat.mark("shoulder", t.shoulder, t.slope)
    flat.mark("armpit", t.chest, t.armhole)
    flat.mark("waist", t.waist, t.waist_y)
    flat.mark("hem", t.hem, t.length - t.tail)
    flat.landmarks["neck_c"] = (0.0, t.drop)
    _body_folds(flat, t, rng)
    return flat


def _sleeve_details(
    flat: Flat, t: Torso, out: Points, inner: Points, sign: float, angle: float, rng: np.random.Generator
) -> None:
    back = -np.array([np.cos(np.radians(angle)) * sign, np.sin(np.radians(angle))])
    flat.stitches.append(np.stack([out + back * 2.0, inner + back * 2.0]))
    under = np.array([sign * t.chest, t.armhole])
    top = np.array([sign * t.shoulder, t.slope])
    if t.sleeve > 34:
        for k in range(4):
            s = 0.30 + 0.14 * k + rng.uniform(-0.04, 0.04)
            a, b = top + (out - top) * s, under + (inner - under) * (s + rng.uniform(-0.04, 0.10))
            near, far = a + (b - a) * 0.15, a + (b - a) * rng.uniform(0.55, 0.95)
            flat.folds.append(Fold(tuple(near), tuple(far), rng.uniform(0.9, 1.6), rng.uniform(0.10, 0.24)))
    flat.folds.append(Fold(tuple(under), tuple(under + (top - under) * 0.55 + [sign * 3, 2]), 1.5, 0.20))
    flat.folds.append(Fold(tuple(under + [sign * 1, 1]), tuple((out + inner) / 2 + back * 4), 1.8, 0.14))


def _body_folds(flat: Flat, t: Torso, rng: np.random.Generator) -> None:
    for _, sign in SIDES:
        under = np.array([sign * t.chest, t.armhole])
        for reach, fall in ((0.75, 0.20), (0.60, 0.55), (0.35, 0.9)):
            end = under + [-sign * t.chest * reach * rng.uniform(0.6, 1.1), t.chest * fall * rng.uniform(0.7, 1.3)]
            flat.folds.append(Fold(tuple(under), tuple(end), rng.uniform(1.1, 2.2), rng.uniform(0.12, 0.30)))
        shoulder = np.array([sign * t.shoulder, t.slope])
        end = shoulder + [-sign * rng.uniform(4, 9), rng.uniform(12, 24)]
        flat.folds.append(
            Fold(tuple(shoulder + [-sign * 2, 2]), tuple(end), rng.uniform(1.4, 2.4), rng.uniform(0.08, 0.2))
        )
    for _ in range(7):
        y = rng.uniform(t.armhole + 6, t.length - 6)
        x = rng.uniform(-0.7, 0.7) * t.waist
        run = rng.uniform(7, 16)
        tilt = rng.normal(0, 0.5) + (1.2 if rng.random() < 0.6 else 0)
        end = (x + run * np.cos(tilt), y + run * np.sin(tilt))
        flat.folds.append(Fold((x, y), end, rng.uniform(1.0, 2.6), rng.uniform(-0.16, 0.22)))
