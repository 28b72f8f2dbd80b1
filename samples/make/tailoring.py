"""Kinds of garment cut from outlines: tee, tank, shirt, knit, denim jacket, coat, dresses, skirts, trousers, jumpsuit."""

from dataclasses import replace

import numpy as np

from samples.make.outlines import SIDES, Flat, Fold, Piece, Point, Points, Torso, curve, flip, mirrored, neckline, torso

Rng = np.random.Generator


def band(t: Torso, width: float) -> Points:
    """The neckband: the strip of `width` cm inside the neckline, closed over the neck points."""
    outer = curve(neckline(t))
    inner = outer * [max(0.1, (t.neck - width) / t.neck), 1] + [0, -width * 0.95]
    inner[:, 1] = np.maximum(inner[:, 1], np.linspace(inner[0, 1], 0.0, len(inner)))
    half = np.concatenate([outer, inner[::-1]])
    return np.concatenate([flip(outer, -1.0)[::-1], outer[1:], inner[::-1], flip(inner, -1.0)[1:], half[:0]])


def back_band(t: Torso, width: float) -> Points:
    """The back of the neckband as seen through the neck opening."""
    edge = curve([(-t.neck, 0, 1), (-t.neck * 0.6, 0.5), (0, 0.9), (t.neck * 0.6, 0.5), (t.neck, 0, 1)])
    return np.concatenate([edge, (edge + [0, width])[::-1]])


def offset(points: list[tuple[float, ...]] | Points, dx: float, dy: float) -> Points:
    return np.array([p[:2] for p in points], np.float64) + [dx, dy]


def hem_line(half: float, y: float, tail: float, up: float) -> Points:
    return curve(
        [
            (-half + 0.2, y - tail - up),
            (-half * 0.5, y - tail * 0.3 - up),
            (0, y - up),
            (half * 0.5, y - tail * 0.3 - up),
            (half - 0.2, y - tail - up),
        ]
    )


def tee(rng: Rng, t: Torso | None = None) -> Flat:
    t = t or Torso(drop=rng.uniform(7, 13), vee=bool(rng.random() < 0.25), sleeve=rng.uniform(14, 26),
                   length=rng.uniform(58, 74), waist=rng.uniform(23, 27), angle=rng.uniform(28, 48))  # fmt: skip
    flat = torso(t, rng, "top")
    _knit_neck(flat, t, 2.0)
    flat.stitches.append(hem_line(t.hem, t.length, t.tail, 2.2))
    flat.stitches.append(hem_line(t.hem, t.length, t.tail, 2.7))
    flat.print_at = (0.0, t.drop + 18.0, 23.0)
    return flat


def _knit_neck(flat: Flat, t: Torso, width: float) -> None:
    flat.pieces.insert(1, Piece(back_band(t, width), "rib", lift=0.05, shade=0.80))
    flat.pieces.append(Piece(band(t, width), "rib", lift=0.06))
    flat.landmarks["neck_c"] = (0.0, t.drop - width)


def tank(rng: Rng, t: Torso | None = None) -> Flat:
    t = t or Torso(sleeve=0, shoulder=rng.uniform(13.5, 17), neck=rng.uniform(8.5, 11), drop=rng.uniform(10, 17), slope=2.0,
                   armhole=rng.uniform(20, 24), chest=rng.uniform(21, 25), waist=rng.uniform(20, 25), length=rng.uniform(52, 66))  # fmt: skip
    flat = torso(replace(t, sleeve=0), rng, "top")
    flat.pieces.append(Piece(band(t, 1.0), "rib", lift=0.03))
    flat.stitches.append(hem_line(t.hem, t.length, t.tail, 2.0))
    return flat


def knit(rng: Rng, t: Torso | None = None) -> Flat:
    t = t or Torso(drop=rng.uniform(6, 10), sleeve=rng.uniform(52, 60), angle=rng.uniform(70, 84), cuff=11, length=rng.uniform(56, 68),
                   shoulder=23, slope=4.5, chest=27, waist=27, hem=rng.uniform(23, 26), tail=0.3)  # fmt: skip
    flat = torso(t, rng, "top")
    _knit_neck(flat, t, 3.0)
    flat.stitches.clear()
    hem = [(0, t.length - 6.2), (t.hem * 0.6, t.length - 6.3), (t.hem + 0.7, t.length - t.tail - 6.6, 1)]
    flat.pieces.append(Piece(mirrored([*hem, (t.hem - 0.3, t.length - t.tail, 1), (0, t.length)]), "rib", lift=-0.10))
    _cuffs(flat, 6.0, -0.4)
    return flat


def _cuffs(flat: Flat, depth: float, wider: float, fabric: str = "rib", lift: float = -0.10) -> None:
    """Bands of `depth` cm at the ends of long sleeves."""
    for side, sign in SIDES:
        out, inner = np.array(flat.landmarks[f"cuff_out.{side}"]), np.array(flat.landmarks[f"cuff_in.{side}"])
        across = (inner - out) / np.linalg.norm(inner - out)
        back = np.array([across[1], -across[0]]) * sign
        back *= np.sign(-back[1])
        corners = [
            out - across * wider,
            inner + across * wider,
            inner + across * (wider + 0.5),
            out - across * (wider + 0.5),
        ]
        corners[2], corners[3] = corners[2] + back * depth, corners[3] + back * depth
        points = curve([(*p, 1) for p in corners], closed=True)
        angle = np.degrees(np.arctan2(back[1], back[0])) + 90
        flat.pieces.append(Piece(points, fabric, turn=float(angle), lift=lift, origin=(float(out[0]), float(out[1]))))


def collar(flat: Flat, t: Torso, *, reach: float = 6.5, spread: float = 5.5) -> None:
    """A turned-down collar with its stand, open by a hand at the throat."""
    stand = curve(
        [
            (-t.neck, 0, 1),
            (-t.neck * 0.5, -3.2),
            (0, -3.8),
            (t.neck * 0.5, -3.2),
            (t.neck, 0, 1),
            (t.neck * 0.6, 3.4),
            (0, 4.4),
            (-t.neck * 0.6, 3.4),
        ],
        closed=True,
    )
    flat.pieces.insert(1, Piece(stand, "inside", lift=0.05, shade=0.82))
    for _, sign in SIDES:
        leaf = curve([
            (t.neck * 0.30, -3.6, 1), (t.neck * 0.85, -2.3), (t.neck + 1.3, 1.2), (t.neck + 0.2, 5.2),
            (spread, t.drop + reach - 1.0, 1), (0.5, t.drop - 0.2, 1), (t.neck * 0.45, 4.0), (t.neck * 0.72, 0.6),
        ], closed=True)  # fmt: skip
        flat.pieces.append(Piece(flip(leaf, sign), lift=0.22, turn=sign * 35))
        edge = curve(
            [(t.neck + 0.8, 1.8), (t.neck - 0.3, 5.2), (spread - 0.1, t.drop + reach - 1.7, 1), (0.9, t.drop + 0.1)]
        )
        flat.stitches.append(flip(edge - [0.35, 0.25], sign))


def shirt(rng: Rng, t: Torso | None = None) -> Flat:
    t = t or Torso(neck=7.2, drop=7.5, sleeve=rng.uniform(54, 60), angle=rng.uniform(66, 84), cuff=11.5, length=rng.uniform(68, 78),
                   shoulder=22.5, chest=27, waist=26, hem=27, tail=rng.uniform(3, 7))  # fmt: skip
    flat = torso(t, rng, "top")
    flat.stitches.clear()
    _placket(flat, t, 1.7, buttons=6)
    pocket = curve([(6, 19, 1), (17, 19, 1), (17, 30, 1), (11.5, 32.5, 1), (6, 30, 1)], closed=True)
    flat.pieces.append(Piece(pocket, lift=0.05))
    flat.stitches += [offset(pocket[:], 0, 0) * [0.98, 1] + [0.23, 0.15], np.array([[6.2, 21.2], [16.8, 21.2]])]
    if t.sleeve > 34:
        _cuffs(flat, 6.5, 0.2, "main", 0.08)
        _cuff_buttons(flat)
    collar(flat, t)
    flat.stitches.append(hem_line(t.hem, t.length, t.tail, 0.8))
    flat.landmarks["neck_c"] = (0.0, t.drop)
    return flat


def _cuff_buttons(flat: Flat) -> None:
    for side, _ in SIDES:
        out, inner = np.array(flat.landmarks[f"cuff_out.{side}"]), np.array(flat.landmarks[f"cuff_in.{side}"])
        at = inner + (out - inner) * 0.16
        flat.buttons.append((float(at[0]), float(at[1] - 3.2), 0.5))


def _placket(flat: Flat, t: Torso, half: float, buttons: int, radius: float = 0.55, end: float = 4.0) -> None:
    strip = curve(
        [(-half, t.drop - 0.6, 1), (half, t.drop - 0.6, 1), (half, t.length - 0.1, 1), (-half, t.length - 0.1, 1)],
        closed=True,
    )
    flat.pieces.append(Piece(strip, lift=0.07))
    for x in (-half + 0.4, half - 0.4):
        flat.stitches.append(np.array([[x, t.drop + 0.5], [x, t.length - 0.6]]))
    for y in np.linspace(t.drop + 2.0, t.length - end - 4, buttons):
        flat.buttons.append((0.0, float(y), radius))


def denim_jacket(rng: Rng, t: Torso | None = None) -> Flat:
    t = t or Torso(neck=8.0, drop=8.5, sleeve=rng.uniform(54, 60), angle=rng.uniform(66, 84), cuff=12, length=rng.uniform(56, 64),
                   shoulder=23, slope=4.6, chest=27.5, waist=26.5, hem=25, tail=0.2, bicep=20)  # fmt: skip
    flat = torso(t, rng, "outerwear")
    flat.stitches.clear()
    _placket(flat, t, 2.1, buttons=6, radius=0.85, end=-2.0)
    for _, sign in SIDES:
        _denim_front(flat, t, sign)
    waist = curve(
        [
            (-t.hem, t.length - 5.2, 1),
            (t.hem, t.length - 5.2, 1),
            (t.hem, t.length - 0.2, 1),
            (-t.hem, t.length - 0.2, 1),
        ],
        closed=True,
    )
    flat.pieces.append(Piece(waist, lift=0.10, turn=90))
    for y in (t.length - 4.8, t.length - 0.6):
        flat.stitches.append(np.array([[-t.hem + 0.4, y], [t.hem - 0.4, y]]))
    flat.buttons.append((0.0, t.length - 2.6, 0.85))
    _cuffs(flat, 6.0, 0.1, "main", 0.10)
    collar(flat, t, reach=7.5, spread=7.0)
    return flat


def _denim_front(flat: Flat, t: Torso, sign: float) -> None:
    """Yoke seam, chest pocket with flap, and the two slanting seams below it."""
    yoke = np.array([[2.1, 21.0], [t.chest - 3.4, 19.0]]) * [sign, 1]
    flat.seams.append(yoke)
    flat.stitches += [yoke + [0, 0.45], yoke + [0, 0.95]]
    flap = curve([(6.5, 21.0, 1), (19, 20.4, 1), (19, 24.6, 1), (12.8, 27.2, 1), (6.5, 25.2, 1)], closed=True)
    flat.pieces.append(Piece(flip(flap, sign), lift=0.14))
    flat.stitches.append(flip(flap, sign) * [0.985, 1] + [0.18 * sign, -0.35])
    flat.buttons.append((sign * 12.8, 25.4, 0.75))
    for x0, x1 in ((7.2, 4.6), (18.4, 13.5)):
        line = np.array([[x0, 25.2], [x1, t.length - 5.2]]) * [sign, 1]
        flat.seams.append(line)
        flat.stitches += [line + [0.45 * sign, 0], line + [0.95 * sign, 0]]
    armhole = curve(
        [
            (t.shoulder - 0.5, t.slope + 0.5),
            (t.shoulder - 2.2, (t.slope + t.armhole) * 0.55),
            (t.chest - 1.2, t.armhole - 0.4),
        ]
    )
    flat.stitches += [flip(armhole, sign) + [-0.1 * sign, 0], flip(armhole, sign) + [-0.6 * sign, 0]]


def coat(rng: Rng, t: Torso | None = None) -> Flat:
    """A single-breasted coat or blazer with lapels."""
    long = bool(rng.random() < 0.5)
    t = t or Torso(neck=8.0, drop=rng.uniform(22, 32), vee=True, sleeve=60, angle=rng.uniform(72, 85), cuff=14, length=95 if long else 72,
                   shoulder=22.5, chest=27.5, waist=25.5, hem=31 if long else 27.5, tail=0.6)  # fmt: skip
    flat = torso(t, rng, "outerwear")
    flat.stitches.clear()
    edge = np.array([[0.8, t.drop], [1.2, t.length - 0.4]])
    flat.seams.append(edge)
    for _, sign in SIDES:
        lapel = curve(
            [
                (t.neck, -0.5, 1),
                (t.neck + 3.4, 6.5, 1),
                (t.neck + 5.0, 8.0, 1),
                (11.5, 13, 1),
                (0.6, t.drop + 1, 1),
                (t.neck * 0.52, t.drop * 0.5),
            ],
            closed=True,
        )
        flat.pieces.append(Piece(flip(lapel, sign), lift=0.25, turn=sign * 20))
        pocket = curve([(9, 50, 1), (21, 49.4, 1), (21.2, 54, 1), (9, 54.6, 1)], closed=True)
        flat.pieces.append(Piece(flip(pocket, sign), lift=0.14))
    for y in np.linspace(t.drop + 3, min(t.length - 20, t.drop + 30), 3):
        flat.buttons.append((0.0, float(y), 1.1))
    flat.landmarks["neck_c"] = (0.0, t.drop)
    return flat


def dress(rng: Rng, t: Torso | None = None, *, seam: bool = True) -> Flat:
    sleeve = float(rng.choice([0.0, 0.0, 16.0, 54.0]))
    t = t or Torso(length=rng.uniform(84, 118), neck=rng.uniform(8, 11), drop=rng.uniform(8, 16), vee=bool(rng.random() < 0.3),
                   shoulder=17 if not sleeve else 20, slope=2.4, chest=23.5, armhole=22, waist=rng.uniform(19, 22.5), waist_y=40,
                   hem=rng.uniform(25, 42), tail=rng.uniform(0, 2), sleeve=sleeve, angle=40 if sleeve < 30 else 78, cuff=14 if sleeve < 30 else 10)  # fmt: skip
    flat = torso(t, rng, "dress")
    flat.stitches.append(hem_line(t.hem, t.length, t.tail, 2.2))
    flat.pieces.append(Piece(band(t, 1.0), "rib", lift=0.03))
    flat.mark("hip", t.waist + (t.hem - t.waist) * 0.33, 60.0)
    if seam:
        flat.seams.append(curve([(-t.waist, t.waist_y), (0, t.waist_y + 0.6), (t.waist, t.waist_y)]))
    for k in range(9):
        x = (k - 4) / 4.6 * t.waist + rng.uniform(-1, 1)
        spread = 1 + (t.hem / t.waist - 1) * 0.85
        a, b = (x, t.waist_y + rng.uniform(1, 8)), (x * spread, t.length - rng.uniform(0, 18))
        flat.folds.append(Fold(a, b, rng.uniform(1.0, 2.2), rng.uniform(0.10, 0.10 + 0.012 * t.hem)))
    return flat


def skirt(
    rng: Rng, *, pleats: int | None = None, length: float | None = None, hem: float | None = None, waist: float = 17.5
) -> Flat:
    pleats = int(rng.choice([0, 0, 9, 13])) if pleats is None else pleats
    length, hem = length or rng.uniform(40, 80), hem or rng.uniform(24, 42)
    flat = Flat("skirt")
    hip_y = min(20.0, length * 0.4)
    hip = waist + max(3.0, (hem - waist) * hip_y / length * 1.15)
    back = [(0, 0.2), (waist, -0.6, 1), (waist + 0.5, 3.5, 1), (0, 4)]
    flat.pieces.append(Piece(mirrored(back), "inside", lift=0.05, shade=0.66))
    half = [
        (0, 3.0),
        (waist * 0.6, 2.7),
        (waist + 0.4, 2.0, 1),
        (hip, hip_y + 2),
        (hem, length - 1.2, 1),
        (hem * 0.5, length - 0.2),
        (0, length),
    ]
    flat.pieces.append(Piece(mirrored([(p[0], p[1], *p[2:]) for p in half]), pleats=pleats))
    top = [(0, 0.9), (waist * 0.6, 0.5), (waist, -0.6, 1), (waist + 0.5, 3.2, 1), (waist * 0.6, 4.3), (0, 4.7)]
    flat.pieces.append(Piece(mirrored(top), lift=0.10, turn=90))
    flat.stitches.append(hem_line(hem, length, 1.2, 2.4))
    for name, x, y in (("waist", waist, -0.6), ("hip", hip, hip_y + 2), ("hem", hem, length - 1.2)):
        flat.mark(name, x, y)
    for k in range(0 if pleats else 10):
        x = (k - 4.5) / 5.4 * waist + rng.uniform(-1, 1)
        end = (x * hem / waist, length - rng.uniform(0, 12))
        flat.folds.append(
            Fold((x, rng.uniform(5, 14)), end, rng.uniform(1.0, 2.4), rng.uniform(0.10, 0.10 + 0.011 * hem))
        )
    return flat


def trousers(rng: Rng, *, length: float | None = None, cuff: float | None = None, crease: bool | None = None, category: str = "trousers",
             top: float = 0.0, waist: float = 19.5) -> Flat:  # fmt: skip
    """Waist at y = top. cuff: half the width of a leg's hem."""
    length, cuff = length or rng.uniform(94, 106), cuff or rng.uniform(8.5, 16)
    crease = bool(rng.random() < 0.4) if crease is None else crease
    flat = Flat(category)
    rise, hip = 29.0, waist + 6.0
    out = hip + (cuff - 10) * 0.7 - 1.0 if length > 60 else hip + 2.0
    inner = out - 2 * cuff if length > 60 else 2.2
    if not top:
        back = [(0, 0.4), (waist, -0.4, 1), (waist + 0.4, 4, 1), (0, 4.5)]
        flat.pieces.append(Piece(mirrored(back), "inside", lift=0.05, shade=0.62))
    for side, sign in SIDES:
        knee = max(0.55 * length, rise + 0.4 * (length - rise))
        leg = curve([
            (-0.2, top + 2.2, 1), (waist, top + 1.4, 1), (hip, top + 19), (hip + (out - hip) * 0.55, top + knee), (out, top + length, 1),
            ((out + inner) / 2, top + length + 0.5), (inner, top + length, 1), (inner * 0.55 + 1.0, top + knee), (0.4, top + rise, 1), (-0.2, top + rise - 4, 1),
        ], closed=True)  # fmt: skip
        flat.pieces.append(Piece(flip(leg, sign), origin=(sign * 13, top), lift=0.10 + (0.04 if sign > 0 else 0)))
        flat.stitches.append(np.array([[inner + 0.2, top + length - 2.6], [out - 0.2, top + length - 2.6]]) * [sign, 1])
        flat.landmarks[f"hem_out.{side}"], flat.landmarks[f"hem_in.{side}"] = (
            (sign * out, top + length),
            (sign * inner, top + length),
        )
        _leg_details(flat, sign, (waist, top), (hip, out, inner, length, rise), crease, rng)
    flat.landmarks["crotch"] = (0.0, top + rise)
    flat.mark("waist", waist, top - 0.4)
    flat.mark("hip", hip, top + 19)
    _waistband(flat, waist, top)
    return flat


def _leg_details(flat: Flat, sign: float, at: Point, leg: tuple[float, ...], crease: bool, rng: Rng) -> None:
    (waist, top), (hip, out, inner, length, rise) = at, leg
    pocket = curve([(waist - 4.5, top + 4.5), (waist - 1.5, top + 11), (hip - 1.6, top + 17)])
    flat.seams.append(flip(pocket, sign))
    flat.stitches.append(flip(pocket - [0.5, 0], sign))
    middle = (out + inner) / 2
    if crease:
        flat.folds.append(
            Fold((sign * (waist * 0.55), top + 8), (sign * middle, top + length), 0.7, 0.32, pressed=True)
        )
    for k in range(5):
        reach = rng.uniform(5, 13)
        end = (sign * reach * 1.1, top + rise - 6 + k * 4 + rng.uniform(-2, 2))
        flat.folds.append(Fold((sign * 0.8, top + rise - 1.5), end, rng.uniform(0.9, 1.7), rng.uniform(0.10, 0.26)))
    for _ in range(6 if length > 60 else 2):
        y = top + rise + (length - rise) * rng.uniform(0.12, 0.9)
        x, run = middle + rng.uniform(-4, 4), rng.uniform(4, 9)
        flat.folds.append(
            Fold(
                (sign * (x - run / 2), y),
                (sign * (x + run / 2), y + rng.uniform(-4, 5)),
                rng.uniform(1.0, 2.0),
                rng.uniform(0.08, 0.20),
            )
        )


def _waistband(flat: Flat, waist: float, top: float) -> None:
    half = [
        (0, top + 1.6),
        (waist * 0.6, top + 1.0),
        (waist, top - 0.4, 1),
        (waist + 0.5, top + 3.4, 1),
        (waist * 0.6, top + 4.9),
        (0, top + 5.5),
    ]
    flat.pieces.append(Piece(mirrored(half), lift=0.10, turn=90))
    fly = curve([(3.2, top + 5.6), (3.2, top + 16), (2.2, top + 20.5), (0.2, top + 22.5)])
    flat.stitches += [fly, fly - [0.6, 0.3]]
    flat.seams.append(np.array([[0.0, top + 5.4], [0.1, top + 27]]))
    for x in (-waist * 0.62, waist * 0.62):
        loop = curve(
            [(x - 0.6, top + 0.9, 1), (x + 0.6, top + 0.9, 1), (x + 0.6, top + 6.0, 1), (x - 0.6, top + 6.0, 1)],
            closed=True,
        )
        flat.pieces.append(Piece(loop, lift=0.12))
    flat.buttons.append((0.0, top + 3.5, 0.8))


def jumpsuit(rng: Rng) -> Flat:
    upper = torso(Torso(length=44, neck=9, drop=rng.uniform(9, 14), vee=bool(rng.random() < 0.5), shoulder=18, slope=2.4, chest=24, armhole=22,
                        waist=21, waist_y=36, hem=20.5, tail=0.2, sleeve=float(rng.choice([0.0, 16.0])), angle=42, cuff=15), rng, "jumpsuit")  # fmt: skip
    lower = trousers(rng, top=41.0, length=rng.uniform(88, 98), category="jumpsuit", waist=20.0)
    lower.buttons.clear()
    upper.pieces += lower.pieces
    upper.seams += lower.seams
    upper.stitches += lower.stitches
    upper.folds += lower.folds
    upper.landmarks |= {k: v for k, v in lower.landmarks.items() if not k.startswith("waist")}
    for side, _ in SIDES:
        upper.landmarks.pop(f"hem.{side}")
    return upper


def shorts(rng: Rng) -> Flat:
    return trousers(rng, length=rng.uniform(38, 52), cuff=13, crease=False, category="shorts")
