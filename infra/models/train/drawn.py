"""Draw many garments once and keep them on disk: RGBA, category and landmarks, the training data that nobody took."""

import argparse
from pathlib import Path

import numpy as np

from samples.make.garments import draw_random


def draw_many(folder: Path, count: int, seed: int) -> None:
    """Write `count` garments to `folder` as NNNNN.npz with rgba (uint8 H x W x 4), category, names and points."""
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        rng = np.random.default_rng((seed, index))
        rgba, category, marks = draw_random(rng, width=330, height=440)
        names, points = list(marks), np.array(list(marks.values()), np.float32)
        np.savez_compressed(folder / f"{index:05d}.npz", rgba=rgba, category=category, names=names, points=points)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=800)
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    draw_many(given.out, given.count, given.seed)


if __name__ == "__main__":
    main()
