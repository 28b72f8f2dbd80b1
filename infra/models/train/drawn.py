"""Draw many garments and cut figures out of the sample twins, once, to disk: `python -m infra.models.train.drawn`."""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from samples.make.garments import draw_random


def draw_many(folder: Path, count: int, seed: int) -> None:
    """`count` garments as RGBA PNG files NNNNN-KIND.png."""
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        rgba, category, _ = draw_random(np.random.default_rng((seed, index)), width=330, height=440)
        Image.fromarray(rgba).save(folder / f"{index:05d}-{category}.png", compress_level=1)


def copy_figures(pack: Path, folder: Path) -> None:
    """The standing pictures of all twins in a pack, scaled to about 450 pixels."""
    folder.mkdir(parents=True, exist_ok=True)
    for picture in sorted(pack.glob("*/standing.webp")):
        image = Image.open(picture)
        image.resize((round(image.width * 0.35), round(image.height * 0.35)), Image.Resampling.BOX).save(
            folder / f"{picture.parent.name}.png"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--drawn", type=Path, required=True, help="folder for the drawn garments")
    parser.add_argument("--figures", type=Path, required=True, help="folder for the figures")
    parser.add_argument("--pack", type=Path, default=Path(__file__).resolve().parents[3] / "samples" / "pack" / "twins")
    parser.add_argument("--count", type=int, default=900)
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    draw_many(given.drawn, given.count, given.seed)
    copy_figures(given.pack, given.figures)


if __name__ == "__main__":
    main()
