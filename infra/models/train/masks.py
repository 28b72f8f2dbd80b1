"""Masks for real photographs, found by a trained network and kept only where it agrees with colour and itself."""

import argparse
from pathlib import Path

import cv2
import numpy as np
import torch

from infra.models.train.network import SIZE, GarmentNet
from infra.models.train.pictures import F32, U8, held_out, read_photographs
from tasks.imaging.cutout import refine


def network_mask(net: GarmentNet, image: U8) -> F32:
    """Mask SIZE x SIZE of an sRGB image, averaged over the image and its mirror image."""

    def once(picture: U8) -> F32:
        small = cv2.resize(picture, (SIZE, SIZE), interpolation=cv2.INTER_AREA).astype(np.float32)
        with torch.no_grad():
            mask, _, _ = net(torch.from_numpy(((small - 127) / 128).transpose(2, 0, 1)[None].copy()))
        return np.asarray(mask[0, 0].numpy(), np.float32)

    return np.asarray((once(image) + once(image[:, ::-1])[:, ::-1]) / 2, np.float32)


def trusted_mask(net: GarmentNet, image: U8) -> U8 | None:
    """The refined mask (0..255), or None where it is unsure, ragged or not what the network saw."""
    seen = network_mask(net, image)
    if not 0.06 < float((seen > 0.5).mean()) < 0.85 or float(((seen < 0.15) | (seen > 0.85)).mean()) < 0.80:
        return None
    alpha = refine(image, cv2.resize(seen, (image.shape[1], image.shape[0])))
    contours, _ = cv2.findContours((alpha > 0.5).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not contours:
        return None
    outline = max(contours, key=cv2.contourArea)
    filled = np.zeros(alpha.shape, np.uint8)
    cv2.drawContours(filled, [outline], -1, 1, -1)
    solid = cv2.erode(filled, np.ones((5, 5), np.uint8)) > 0
    mask = np.where(filled > 0, np.maximum(alpha, solid), 0).astype(np.float32)
    small, own = cv2.resize(mask, (SIZE, SIZE)) > 0.5, seen > 0.5
    agreement = float((small & own).sum()) / max(1, int((small | own).sum()))
    solidity = float(filled.sum()) / max(1.0, cv2.contourArea(cv2.convexHull(outline)))
    return (mask * 255).astype(np.uint8) if agreement > 0.80 and solidity > 0.5 else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--real", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    net = GarmentNet()
    net.load_state_dict(torch.load(given.weights, weights_only=True))
    net.eval()
    asked = kept = 0
    for path, sender, kind in read_photographs(given.real):
        image = cv2.imread(str(path))
        if held_out(sender) or kind == "not_garment" or image is None:
            continue
        asked += 1
        mask = trusted_mask(net, np.ascontiguousarray(image[..., ::-1], np.uint8))
        if mask is not None:
            kept += cv2.imwrite(str(given.out / f"{path.stem}.png"), mask)
    print(f"kept {kept} of {asked} masks")


if __name__ == "__main__":
    main()
