"""Train the garment network: `python -m infra.models.train.train --drawn DIR --figures DIR --real DIR --out FILE`."""

import argparse
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from torch.nn import functional as F

from infra.models.train.network import GarmentNet
from infra.models.train.pictures import Pictures, held_out, read_photographs


def batch_of(pictures: Pictures, count: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Images N x 3 x S x S (RGB 0..1), masks N x 1 x S x S, whether each mask is known (N), classes (N)."""
    samples = [pictures.sample() for _ in range(count)]
    images = np.stack([image[..., ::-1] for image, _, _ in samples]).transpose(0, 3, 1, 2)
    empty = np.zeros((pictures.size, pictures.size), np.float32)
    masks = np.stack([mask if mask is not None else empty for _, mask, _ in samples])[:, None]
    known = torch.tensor([mask is not None for _, mask, _ in samples], dtype=torch.float32)
    classes = torch.tensor([name for _, _, name in samples])
    return torch.from_numpy(images.astype(np.float32) / 255), torch.from_numpy(masks), known, classes


def losses(net: GarmentNet, batch: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, torch.Tensor]:
    """Mask loss (cross-entropy heavier at the edge, and soft Dice) over known masks, and class cross-entropy."""
    images, masks, known, classes = batch
    mask, logits = net(images.to(memory_format=torch.channels_last))
    edge = (F.avg_pool2d(masks, 9, 1, 4) - masks).abs() * 3 + 1
    cross = (F.binary_cross_entropy_with_logits(mask, masks, reduction="none") * edge).mean((1, 2, 3))
    soft = torch.sigmoid(mask)
    dice = 1 - (2 * (soft * masks).sum((1, 2, 3)) + 1) / (soft.sum((1, 2, 3)) + masks.sum((1, 2, 3)) + 1)
    shape = ((cross + dice) * known).sum() / known.sum().clamp(min=1)
    return shape, F.cross_entropy(logits, classes, label_smoothing=0.05)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--drawn", type=Path, required=True, help="PNG files NAME_CLASS.png with alpha")
    parser.add_argument("--figures", type=Path, required=True, help="PNG files of figures with alpha")
    parser.add_argument("--real", type=Path, required=True, help="folder with images.csv and images/")
    parser.add_argument("--masks", type=Path, help="masks of real photographs, by image name")
    parser.add_argument("--start", type=Path, help="weights to go on from")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=8)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--rate", type=float, default=3e-3)
    a = parser.parse_args()
    cv2.setNumThreads(1)
    torch.manual_seed(0)
    real = [(path, name) for path, sender, name in read_photographs(a.real) if not held_out(sender)]
    pictures = Pictures(sorted(a.drawn.glob("*.png")), sorted(a.figures.glob("*.png")), real, a.masks, a.size, 1)
    net = GarmentNet().to(memory_format=torch.channels_last)
    if a.start:
        net.load_state_dict(torch.load(a.start, weights_only=True))
    optimiser = torch.optim.AdamW(net.parameters(), lr=a.rate, weight_decay=1e-2)
    begun, step, mean = time.monotonic(), 0, 0.0
    while (share := (time.monotonic() - begun) / (60 * a.minutes)) < 1:
        for group in optimiser.param_groups:
            group["lr"] = a.rate * min(1.0, (step + 1) / 30) * (0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * share)))
        shape, kind = losses(net, batch_of(pictures, 12))
        loss = shape + 0.25 * kind
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 2.0)
        optimiser.step()
        step += 1
        mean = 0.95 * mean + 0.05 * float(shape.detach()) if step > 1 else float(shape.detach())
        if step % 50 == 0:
            print(f"{share:4.0%} step {step} mask {mean:.3f} class {float(kind.detach()):.3f}", flush=True)
    torch.save(net.state_dict(), a.out)
    print(f"{step} steps; weights in {a.out}")


if __name__ == "__main__":
    main()
