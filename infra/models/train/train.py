"""Train the garment network: `python -m infra.models.train.train --drawn DIR --figures DIR --real DIR --out FILE`.

Round 1 begins from EfficientNet-Lite0 weights (`--encoder`), with masks for drawn pictures only. `masks.py` then finds
masks for the real photographs, and round 2 goes on with them (`--start`, `--masks`).
"""

import argparse
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from infra.models.train.network import KINDS, GarmentNet
from infra.models.train.pictures import Pictures, held_out, read_photographs

NO_TURN = -100
"""Stands for "has no up": shoes and figures are not taught to be turned."""
Example = tuple[Tensor, Tensor, float, int, int]


class Examples(IterableDataset[Example]):
    """Endless (image 3 x S x S, mask 1 x S x S, is the mask known, kind, quarter turns that are needed)."""

    def __init__(self, drawn: Path, figures: Path, real: Path, masks: Path | None, size: int) -> None:
        self.drawn, self.figures, self.real, self.masks, self.size = drawn, figures, real, masks, size

    def __iter__(self) -> Iterator[Example]:
        info = get_worker_info()
        seed = info.id if info is not None else 0
        photographs = [(path, kind) for path, sender, kind in read_photographs(self.real) if not held_out(sender)]
        drawn, figures = sorted(self.drawn.glob("*.png")), sorted(self.figures.glob("*.png"))
        pictures = Pictures(drawn, figures, photographs, self.masks, self.size, seed)
        rng = np.random.default_rng(seed)
        while True:
            image, mask, kind = pictures.sample()
            turns = 0
            if rng.random() < 0.35 and KINDS[kind] != "not_garment":
                turns = int(rng.integers(1, 4))
                image, mask = np.rot90(image, turns), np.rot90(mask, turns) if mask is not None else None
            needed = NO_TURN if KINDS[kind] == "not_garment" else (4 - turns) % 4
            tensor = torch.from_numpy((image[..., ::-1].astype(np.float32).transpose(2, 0, 1) - 127) / 128)
            known = mask if mask is not None else np.zeros((self.size, self.size), np.float32)
            yield tensor, torch.from_numpy(known.copy()).float()[None], float(mask is not None), kind, needed


def loss_of(net: GarmentNet, batch: list[Tensor]) -> tuple[Tensor, Tensor]:
    """(loss of the mask over known masks, whole loss): cross-entropy heavier at the edge, soft Dice, kind and turn."""
    images, masks, known, kinds, needed = batch
    mask, kind, turn = net(images.to(memory_format=torch.channels_last))
    mask, known = mask.clamp(1e-4, 1 - 1e-4), known.float()
    edge = (functional.avg_pool2d(masks, 9, 1, 4) - masks).abs() * 3 + 1
    cross = (functional.binary_cross_entropy(mask, masks, reduction="none") * edge).mean((1, 2, 3))
    dice = 1 - (2 * (mask * masks).sum((1, 2, 3)) + 1) / (mask.sum((1, 2, 3)) + masks.sum((1, 2, 3)) + 1)
    shape = ((cross + dice) * known).sum() / known.sum().clamp(min=1)
    told = functional.cross_entropy(kind, kinds, label_smoothing=0.05)
    turned = functional.cross_entropy(turn, needed, ignore_index=NO_TURN)
    return shape, shape + 0.3 * told + 0.15 * turned


def train(net: GarmentNet, examples: Examples, minutes: float, out: Path) -> int:
    """AdamW under a cosine for so many minutes; weights are written to `out`. Returns the number of steps."""
    rest = [value for name, value in net.named_parameters() if not name.startswith("encoder")]
    rates = (4e-4, 2.5e-3)
    groups: list[dict[str, Any]] = [{"params": list(net.encoder.parameters())}, {"params": rest}]
    optimiser = torch.optim.AdamW(groups, weight_decay=1e-2)
    net.to(memory_format=torch.channels_last)
    batches = iter(DataLoader(examples, batch_size=14, num_workers=2))
    batch, begun, step = next(batches), time.monotonic(), 0
    while (share := (time.monotonic() - begun) / (60 * minutes)) < 1:
        for group, rate in zip(optimiser.param_groups, rates, strict=True):
            group["lr"] = rate * min(1.0, (step + 1) / 30) * (0.03 + 0.97 * 0.5 * (1 + math.cos(math.pi * share)))
        shape, loss = loss_of(net, batch)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(net.parameters(), 2.0)
        optimiser.step()
        step += 1
        if step % 25 == 0:
            print(f"{share:4.0%} step {step} mask {shape.item():.3f} all {loss.item():.3f}", flush=True)
        batch = next(batches)
    torch.save(net.state_dict(), out)
    return step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--drawn", type=Path, required=True)
    parser.add_argument("--figures", type=Path, required=True)
    parser.add_argument("--real", type=Path, required=True, help="folder with images.csv and images/")
    parser.add_argument("--masks", type=Path, help="masks of real photographs, by image name")
    parser.add_argument("--encoder", type=Path, help="EfficientNet-Lite0 weights to begin from")
    parser.add_argument("--start", type=Path, help="weights of an earlier round to go on from")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--size", type=int, default=224)
    given = parser.parse_args()
    cv2.setNumThreads(1)
    torch.manual_seed(0)
    net = GarmentNet()
    if given.encoder:
        net.encoder.begin_from(torch.load(given.encoder, weights_only=True))
    if given.start:
        net.load_state_dict(torch.load(given.start, weights_only=True))
    examples = Examples(given.drawn, given.figures, given.real, given.masks, given.size)
    print(f"{train(net, examples, given.minutes, given.out)} steps; weights in {given.out}")


if __name__ == "__main__":
    main()
