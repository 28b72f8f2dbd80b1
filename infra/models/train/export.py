"""Write trained weights as the ONNX file that infra/models/rembg.py opens: `… --weights FILE --out garment.onnx`."""

import argparse
from pathlib import Path

import torch

from infra.models.train.network import SIZE, GarmentNet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    net = GarmentNet()
    net.load_state_dict(torch.load(given.weights, weights_only=True))
    net.eval()
    torch.onnx.export(
        net, (torch.zeros(1, 3, SIZE, SIZE),), str(given.out), input_names=["image"],
        output_names=["mask", "kinds", "turns"], dynamo=False, opset_version=17,
    )  # fmt: skip


if __name__ == "__main__":
    main()
