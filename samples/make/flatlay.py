"""The sample garments as a shop photographs them: cloth laid on wood, linen, paper or concrete, in soft window light.

`python -m samples.make.flatlay OUT` writes the pictures and garments.json; `--masks DIR` also writes cut-outs outside.
"""

import argparse
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from samples.make import tailoring
from samples.make.fabric import F32, Fabric, denim, floral, knit, plaid, plain, rgb, rib, stripes
from samples.make.garments import U8, Palette, cloud, landscape_print, lighter, render
from samples.make.outlines import Flat, Torso

Rng = np.random.Generator
SIZE = (900, 1200)


def paper(rng: Rng, tint: str = "#ece9e4") -> F32:
    """Seamless paper with a slow gradient."""
    width, height = SIZE
    return np.broadcast_to(np.asarray(rgb(tint), np.float32), (height, width, 3)) * (1 + 0.006 * _grain(rng, 2.0))


def concrete(rng: Rng, tint: str = "#b9b8b5") -> F32:
    width, height = SIZE
    shape = (height, width)
    tone = 0.030 * cloud(shape, 120, rng) + 0.022 * cloud(shape, 22, rng) + 0.014 * cloud(shape, 6, rng)
    pores = cv2.GaussianBlur((rng.random(shape) > 0.9988).astype(np.float32), (0, 0), 1.2) * 3
    factor = (1 + tone - 0.25 * np.clip(pores, 0, 1))[..., None] + 0.01 * _grain(rng, 0.8)
    return (np.asarray(rgb(tint), np.float32) * factor).astype(np.float32)


def linen(rng: Rng, tint: str = "#d8cdbb") -> F32:
    """A cloth with visible yarn and a few soft folds."""
    width, height = SIZE
    noise = [rng.standard_normal((height, width)).astype(np.float32) for _ in range(2)]
    yarn = (
        cv2.GaussianBlur(noise[0], (0, 0), sigmaX=9, sigmaY=0.6) * 3
        + cv2.GaussianBlur(noise[1], (0, 0), sigmaX=0.6, sigmaY=9) * 3
    )
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    folds = np.zeros((height, width), np.float32)
    for _ in range(7):
        angle, offset, wide = rng.uniform(0, np.pi), rng.uniform(-500, 500), rng.uniform(14, 46)
        away = (
            (x - width / 2) * np.cos(angle)
            + (y - height / 2) * np.sin(angle)
            - offset
            + 26 * cloud((height, width), 260, rng)
        )
        profile = np.exp(-((away / wide) ** 2)) - 0.7 * np.exp(-(((away - 1.4 * wide) / wide) ** 2))
        folds += rng.uniform(0.03, 0.09) * profile * np.clip(cloud((height, width), 320, rng) + 0.4, 0, 1)
    return (np.asarray(rgb(tint), np.float32) * (1 + 0.022 * yarn + folds)[..., None]).astype(np.float32)


def wood(rng: Rng, tint: str = "#b08a5f", plank: int = 150) -> F32:
    """Floor boards with grain, each board a shade of its own, narrow dark joints."""
    width, height = SIZE
    out = np.zeros((height, width, 3), np.float32)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    edges = np.arange(-int(rng.integers(0, plank)), width + plank, plank)
    for left in edges:
        wide = slice(max(0, left), min(width, left + plank))
        if wide.stop <= wide.start:
            continue
        u, v = x[:, wide] - left, y[:, wide]
        wave = cloud((height, wide.stop - wide.start), 60, rng, 9.0)
        rings = np.sin(u * 0.16 + 2.4 * wave + v * 0.002 + rng.uniform(0, 6))
        fine = cv2.GaussianBlur(rng.standard_normal(u.shape).astype(np.float32), (0, 0), sigmaX=0.7, sigmaY=26) * 5
        factor = rng.uniform(0.90, 1.07) * (1 + 0.055 * rings + 0.045 * fine)
        out[:, wide] = np.asarray(rgb(tint), np.float32) * factor[..., None] ** np.array([0.8, 1.0, 1.2], np.float32)
        start = int(rng.integers(0, height))
        _joint(out, (wide.start, start), (wide.stop, start))
    for left in edges:
        _joint(out, (int(left), 0), (int(left), height))
    return out


def _joint(board: F32, a: tuple[int, int], b: tuple[int, int]) -> None:
    line = np.zeros(board.shape[:2], np.uint8)
    cv2.line(line, a, b, 255, 2, cv2.LINE_AA)
    dark = cv2.GaussianBlur(line.astype(np.float32) / 255, (0, 0), 0.9)
    board *= (1 - 0.55 * dark)[..., None]


def _grain(rng: Rng, sigma: float) -> F32:
    noise = rng.standard_normal((SIZE[1], SIZE[0], 1)).astype(np.float32)
    return cv2.GaussianBlur(noise, (0, 0), sigma)[..., None] * sigma * 3


def photograph(rgba: U8, ground: F32, rng: Rng) -> U8:
    """Lay the cut-out on the ground: contact and soft shadow away from the light, one light for all, sensor noise."""
    alpha = rgba[..., 3:].astype(np.float32) / 255
    scene = np.clip(ground, 0, 1) ** 2.2
    for shift, sigma, amount in (((2, 3), 2.2, 0.50), ((7, 9), 9.0, 0.30), ((16, 20), 30.0, 0.20)):
        cast = cv2.GaussianBlur(np.roll(alpha[..., 0], shift[::-1], (0, 1)), (0, 0), sigma)
        scene = scene * (1 - amount * cast[..., None])
    cloth = (rgba[..., :3].astype(np.float32) / 255) ** 2.2
    scene = scene * (1 - alpha) + cloth * alpha
    height, width = alpha.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    light = 1.07 - 0.13 * (x / width) - 0.09 * (y / height)
    scene = scene * light[..., None]
    picture = np.clip(scene, 0, 1) ** (1 / 2.2) * 255 + rng.normal(0, 1.3, scene.shape)
    return np.clip(picture + 0.5, 0, 255).astype(np.uint8)


@dataclass(frozen=True)
class Article:
    """One sample garment: what it says of itself, how it is cut, of what, and on what it lies."""

    sku: str
    title: str
    category: str
    colours: tuple[str, ...]
    composition: str
    sizes: dict[str, dict[str, float]]
    cut: Callable[[Rng], Flat]
    cloth: Callable[[Rng], Palette]
    ground: Callable[[Rng], F32]
    contexts: tuple[str, ...] = ()
    markets: tuple[str, ...] = ("SE", "JP", "FR", "US")
    seed: int = field(default=1)


def _palette(main: Fabric, colour: str, rng: Rng, *, thread: str = "", button: str = "#e8e4da", trim: str = "", picture: F32 | None = None) -> Palette:  # fmt: skip
    base = rgb(trim or colour)
    inside = plain(lighter(rgb(colour), 0.93), rng)
    return Palette(
        {"main": main, "rib": rib(base, rng, 0.26), "inside": inside},
        rgb(thread) if thread else lighter(base, 0.88),
        rgb(button),
        picture,
    )


def _sizes(base: dict[str, float], step: dict[str, float]) -> dict[str, dict[str, float]]:
    """XS to XXL around M, in whole centimetres."""
    names = ("XS", "S", "M", "L", "XL", "XXL")
    return {n: {k: round(v + step[k] * (i - 2)) for k, v in base.items()} for i, n in enumerate(names)}


UPPER = {"bust": 5.0, "waist": 5.0, "hip": 5.0, "length": 1.5}
LOWER = {"waist": 4.5, "hip": 4.5, "length": 1.0}


def _printed_tee(rng: Rng) -> Palette:
    inks = [rgb("#f0a648"), rgb("#d9483b"), rgb("#17617a"), rgb("#0f3547")]
    return _palette(plain(rgb("#f3f1ea"), rng), "#f3f1ea", rng, picture=landscape_print(inks, "ARCHIPELAGO"))


def articles() -> list[Article]:
    tartan = [(rgb("#1d2b3f"), 0.15, 2.4, 0.85), (rgb("#1d2b3f"), 0.60, 2.4, 0.85), (rgb("#e7dcc4"), 0.375, 0.4, 0.8),
              (rgb("#c99a3f"), 0.85, 0.35, 0.8)]  # fmt: skip
    petals = [rgb("#e58f86"), rgb("#f1d9c7"), rgb("#c95a58"), rgb("#e9b96a")]
    dress_sizes = _sizes({"bust": 92, "waist": 78, "hip": 104, "length": 98}, UPPER)
    return [
        Article("SKU-1001", "Striped jersey dress", "dress", ("plum", "ecru"), "95 % cotton, 5 % elastane", dress_sizes,
                lambda r: tailoring.dress(r, Torso(length=98, neck=9.5, drop=11.5, shoulder=15.5, slope=1.8, chest=22.5, armhole=21.5, waist=19.5,
                                                   waist_y=40, hem=31, tail=1.2, sleeve=0), seam=False),
                lambda r: _palette(stripes(rgb("#6b2a5b"), rgb("#efe6d8"), 4.4, 0.40, r, upright=False), "#6b2a5b", r), paper),
        Article("SKU-1002", "Printed tee Archipelago", "top", ("white",), "100 % organic cotton",
                _sizes({"bust": 102, "waist": 102, "hip": 102, "length": 68}, UPPER),
                lambda r: tailoring.tee(r, Torso(length=68, drop=9.5, sleeve=21, angle=36, waist=25, hem=25.6, cuff=17)),
                _printed_tee, lambda r: wood(r, "#a9805a")),
        Article("SKU-1003", "White poplin shirt", "top", ("white",), "100 % cotton",
                _sizes({"bust": 108, "waist": 104, "hip": 108, "length": 75}, UPPER),
                lambda r: tailoring.shirt(r, Torso(neck=7.2, drop=7.0, sleeve=57, angle=78, cuff=11.5, length=75, shoulder=22.5, chest=27,
                                                   waist=26, hem=27, tail=5.0)),
                lambda r: _palette(plain(rgb("#f5f5f3"), r), "#f5f5f3", r, thread="#dcdcd8"), lambda r: concrete(r, "#8f979c")),
        Article("SKU-1004", "Cable-knit sweater", "top", ("rust",), "70 % wool, 30 % alpaca",
                _sizes({"bust": 108, "waist": 104, "hip": 98, "length": 62}, UPPER),
                lambda r: tailoring.knit(r, Torso(drop=7.5, sleeve=55, angle=80, cuff=11, length=62, shoulder=23, slope=4.5, chest=27, waist=26.5, hem=24.5, tail=0.3)),
                lambda r: _palette(knit(rgb("#b5582f"), r, cable=True, gauge=0.40), "#b5582f", r), lambda r: linen(r, "#e4ddd0")),
        Article("SKU-1005", "Denim trucker jacket", "outerwear", ("blue",), "100 % cotton",
                _sizes({"bust": 108, "waist": 102, "hip": 100, "length": 60}, UPPER),
                lambda r: tailoring.denim_jacket(r, Torso(neck=8.0, drop=8.5, sleeve=57, angle=76, cuff=12, length=60, shoulder=23, slope=4.6, chest=27, waist=26,
                                                          hem=25, tail=0.2)),
                lambda r: _palette(denim(rgb("#34527c"), r), "#34527c", r, thread="#c98f4a", button="#b98d55"), lambda r: paper(r, "#e6e1da")),
        Article("SKU-1006", "Tailored trousers with crease", "trousers", ("olive",), "54 % wool, 44 % polyester, 2 % elastane",
                _sizes({"waist": 78, "hip": 102, "length": 102}, LOWER),
                lambda r: tailoring.trousers(r, length=102, cuff=10.5, crease=True),
                lambda r: _palette(plain(rgb("#59593f"), r), "#59593f", r, button="#3c3a2c"), lambda r: wood(r, "#d3b58c", 170)),
        Article("SKU-1007", "Pleated midi skirt", "skirt", ("bottle green",), "100 % recycled polyester",
                _sizes({"waist": 70, "hip": 106, "length": 76}, LOWER),
                lambda r: tailoring.skirt(r, pleats=13, length=76, hem=36),
                lambda r: _palette(plain(rgb("#1f5a47"), r), "#1f5a47", r), lambda r: linen(r, "#d9cfc0"), markets=("SE", "JP", "FR")),
        Article("SKU-1008", "Floral wrap-neck dress", "dress", ("navy", "coral"), "100 % viscose", _sizes({"bust": 94, "waist": 80, "hip": 110, "length": 108}, UPPER),
                lambda r: tailoring.dress(r, Torso(length=108, neck=9, drop=15, vee=True, shoulder=19, slope=2.6, chest=23.5, armhole=22, waist=20,
                                                   waist_y=40, hem=38, tail=1.5, sleeve=17, angle=42, cuff=14.5)),
                lambda r: _palette(floral(rgb("#1f2a44"), petals, rgb("#6f8d6a"), 1.9, r), "#1f2a44", r), lambda r: paper(r, "#ded8cf"), seed=4),
        Article("SKU-1009", "Plaid flannel trousers", "trousers", ("red", "navy"), "100 % cotton", _sizes({"waist": 80, "hip": 106, "length": 103}, LOWER),
                lambda r: tailoring.trousers(r, length=103, cuff=13.5, crease=False),
                lambda r: _palette(plaid(rgb("#96303a"), tartan, 9.0, r), "#7d2830", r, button="#20242c"), lambda r: linen(r, "#eeebe4"), contexts=("sleepwear",)),
        Article("SKU-1010", "Camel wool coat", "outerwear", ("camel",), "80 % wool, 20 % polyamide", _sizes({"bust": 110, "waist": 102, "hip": 112, "length": 98}, UPPER),
                lambda r: tailoring.coat(r, Torso(neck=8.0, drop=27, vee=True, sleeve=60, angle=83, cuff=14, length=98, shoulder=22.5, chest=27.5, waist=25.5,
                                                  hem=31, tail=0.6)),
                lambda r: _palette(plain(rgb("#b98c5a"), r), "#b98c5a", r, button="#4a3422"), lambda r: concrete(r, "#c9c7c2")),
    ]  # fmt: skip


def describe(article: Article, image: str, digest: str) -> dict[str, Any]:
    """The garment's entry in garments.json: what an event about it says."""
    return {
        "sku": article.sku, "title": article.title, "category": article.category, "image": image, "sha256": digest,
        "brand": "example", "markets": list(article.markets), "channels": ["web", "social"], "formats": ["4:5", "1:1", "9:16"],
        "contexts": list(article.contexts), "colours": list(article.colours), "composition": article.composition,
        "sizes": article.sizes, "lifecycle": "sale",
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--masks", type=Path)
    parser.add_argument("--only", nargs="*", default=[])
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    entries = []
    for article in articles():
        path = arguments.out / f"{article.sku.lower()}.jpg"
        if not arguments.only or article.sku in arguments.only:
            rng = np.random.default_rng([article.seed, int(article.sku[-4:])])
            palette = article.cloth(rng)
            rgba, _ = render(article.cut(rng), palette, rng, width=SIZE[0], height=SIZE[1], samples=2)
            picture = photograph(rgba, article.ground(rng), rng)
            cv2.imwrite(str(path), picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])
            if arguments.masks:
                cv2.imwrite(str(arguments.masks / f"{article.sku.lower()}.png"), rgba[..., [2, 1, 0, 3]])
        entries.append(describe(article, path.name, hashlib.sha256(path.read_bytes()).hexdigest()))
    (arguments.out / "garments.json").write_text(json.dumps(entries, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
