"""The plain studio ground that a generated look stands on before it is cut out."""

import numpy as np

from tasks.imaging.pictures import F32, U8

GROUND: tuple[int, int, int] = (226, 226, 226)
"""sRGB of the ground; every generator's look stands on it outside the person."""


def over_ground(rgba: U8) -> U8:
    """The picture (straight alpha, H x W x 4) over the studio ground, H x W x 3, rounded to the nearest level."""
    alpha = rgba[..., 3:4].astype(np.float32) / 255.0
    image: F32 = rgba[..., :3].astype(np.float32) * alpha + np.asarray(GROUND, np.float32) * (1.0 - alpha)
    return np.rint(image).astype(np.uint8)
