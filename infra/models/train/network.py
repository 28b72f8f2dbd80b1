"""The network: an EfficientNet-Lite0 encoder (Apache-2.0 weights to begin with), a light U-Net decoder that says where
the garment is, and two heads that say what it is and which way up it lies.

Input: float32 N x 3 x 320 x 320, (sRGB - 127) / 128. Output: mask N x 1 x 320 x 320 in 0..1, kind N x 8 logits (KINDS),
turn N x 4 logits (quarter turns counter-clockwise that the photograph needs to stand upright).
EfficientNet: Tan and Le 2019, https://arxiv.org/abs/1905.11946; the "lite" variants have ReLU6 and no squeeze-excite.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

KINDS = ("top", "dress", "skirt", "trousers", "shorts", "jumpsuit", "outerwear", "not_garment")
SIZE = 320
STAGES = ((1, 16, 1, 3, 1), (6, 24, 2, 3, 2), (6, 40, 2, 5, 2), (6, 80, 3, 3, 2), (6, 112, 3, 5, 1), (6, 192, 4, 5, 2))
"""Expansion, channels, blocks, kernel, stride of the encoder's stages; the last stage of Lite0 is left out."""


class Same(nn.Conv2d):
    """A convolution padded as TensorFlow does for even sizes: the odd pixel at the right and bottom."""

    def forward(self, x: Tensor) -> Tensor:
        total = self.kernel_size[0] - self.stride[0]
        before = total // 2
        after = total - before
        padded = functional.pad(x, (before, after, before, after))
        return functional.conv2d(padded, self.weight, self.bias, self.stride, 0, 1, self.groups)


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.03)


class Inverted(nn.Module):
    """Inverted residual with a depthwise convolution."""

    def __init__(self, inward: int, outward: int, expand: int, kernel: int, stride: int) -> None:
        super().__init__()
        middle = inward * expand
        self.residual = inward == outward and stride == 1
        layers: list[nn.Module] = []
        if expand > 1:
            layers += [nn.Conv2d(inward, middle, 1, bias=False), _norm(middle), nn.ReLU6(True)]
        layers += [Same(middle, middle, kernel, stride, groups=middle, bias=False), _norm(middle), nn.ReLU6(True)]
        layers += [nn.Conv2d(middle, outward, 1, bias=False), _norm(outward)]
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layers(x)
        return x + y if self.residual else y


class Encoder(nn.Module):
    """Features at 1/2, 1/4, 1/8, 1/16 and 1/32 of the picture."""

    channels = (16, 24, 40, 112, 192)

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(Same(3, 32, 3, 2, bias=False), _norm(32), nn.ReLU6(True))
        inward, stages = 32, []
        for expand, outward, count, kernel, stride in STAGES:
            blocks = []
            for index in range(count):
                blocks.append(Inverted(inward, outward, expand, kernel, stride if index == 0 else 1))
                inward = outward
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.ModuleList(stages)

    def forward(self, x: Tensor) -> list[Tensor]:
        x, features = self.stem(x), []
        for index, stage in enumerate(self.stages):
            x = stage(x)
            if index != 3:  # 80 and 112 channels share 1/16
                features.append(x)
        return features

    def begin_from(self, weights: Mapping[str, Tensor]) -> None:
        """Take over Lite0 weights by their order. Raises ValueError where shapes do not agree."""
        own = self.state_dict()
        theirs = [value for key, value in weights.items() if not key.startswith(("_conv_head", "_bn1", "_fc"))]
        for (name, value), given in zip(own.items(), theirs, strict=False):
            if value.shape != given.shape:
                raise ValueError(f"{name} is {tuple(value.shape)}, the weights have {tuple(given.shape)}")
            own[name] = given
        self.load_state_dict(own)


class Up(nn.Module):
    """Twice the size, joined with the encoder's features there."""

    def __init__(self, below: int, beside: int, outward: int) -> None:
        super().__init__()
        joined = below + beside
        self.layers = nn.Sequential(
            nn.Conv2d(joined, outward, 1, bias=False), _norm(outward), nn.ReLU6(True),
            nn.Conv2d(outward, outward, 3, 1, 1, groups=outward, bias=False), _norm(outward), nn.ReLU6(True),
            nn.Conv2d(outward, outward, 1, bias=False), _norm(outward), nn.ReLU6(True),
            nn.Conv2d(outward, outward, 3, 1, 1, groups=outward, bias=False), _norm(outward), nn.ReLU6(True),
        )  # fmt: skip

    def forward(self, below: Tensor, beside: Tensor) -> Tensor:
        larger = functional.interpolate(below, scale_factor=2.0, mode="bilinear", align_corners=False)
        y: Tensor = self.layers(torch.cat([larger, beside], 1))
        return y


class GarmentNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = Encoder()
        c = self.encoder.channels
        self.context = nn.Sequential(nn.Conv2d(c[4], 128, 1, bias=False), _norm(128), nn.ReLU6(True))
        self.ups = nn.ModuleList([Up(128, c[3], 96), Up(96, c[2], 64), Up(64, c[1], 40), Up(40, c[0], 24)])
        self.fine = nn.Sequential(nn.Conv2d(3, 8, 3, 1, 1), nn.ReLU6(True))
        self.out = nn.Sequential(nn.Conv2d(24 + 8, 16, 3, 1, 1), nn.ReLU6(True), nn.Conv2d(16, 1, 1))
        self.heads = nn.Sequential(nn.Dropout(0.2), nn.Linear(c[4] * 2, len(KINDS) + 4))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        features = self.encoder(x)
        deep = features[-1]
        y = self.context(deep)
        y = y + y.mean((2, 3), keepdim=True)
        for index, up in enumerate(self.ups):
            y = up(y, features[3 - index])
        larger = functional.interpolate(y, scale_factor=2.0, mode="bilinear", align_corners=False)
        mask = torch.sigmoid(self.out(torch.cat([larger, self.fine(x)], 1)))
        # what it is depends on the garment alone: pool the deep features under the mask, and everywhere
        under = functional.avg_pool2d(mask, 32)
        own = (deep * under).sum((2, 3)) / (under.sum((2, 3)) + 1e-3)
        answers = self.heads(torch.cat([own, deep.mean((2, 3))], 1))
        return mask, answers[:, : len(KINDS)], answers[:, len(KINDS) :]
