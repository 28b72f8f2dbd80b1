"""Segment: cut the person out of a generated look; where the generator knows the silhouette, only along its edge."""

import cv2
import numpy as np

from tasks.errors import ChecksFailed
from tasks.imaging.cutout import decontaminate, refine, solid
from tasks.imaging.pictures import F32, CutLook, GeneratedLook
from tasks.ports import Segmenter

BAND = 5
"""Half width in pixels of the strip along a known silhouette in which the segmenter has a say."""
LEAST_AGREEMENT = 0.60


def segment(look: GeneratedLook, segmenter: Segmenter) -> CutLook:
    """The look as RGBA (straight alpha, edge colours free of the studio's ground).

    Raises ChecksFailed when the segmenter finds another figure than the generator drew, or none.
    """
    found = solid(segmenter.cut_out(look.image))
    alpha = refine(look.image, found) if look.silhouette is None else _along_edge(look.silhouette, found)
    if float(alpha.max()) < 0.5:
        raise ChecksFailed("no figure can be cut out of the generated look", code="no_figure")
    colour = decontaminate(look.image, alpha)
    garment = look.garment_alpha if look.garment_alpha is not None else alpha
    return CutLook(
        rgba=np.dstack([colour, np.rint(alpha * 255).astype(np.uint8)]),
        garment_alpha=np.minimum(garment, alpha),
        covered=look.covered,
        generator=look.generator,
        source_scale=look.source_scale,
    )


def _along_edge(silhouette: F32, found: F32) -> F32:
    """The known silhouette, less what the segmenter is sure is ground within the band along its edge."""
    inside, seen = silhouette > 0.5, found > 0.5
    union = int((inside | seen).sum())
    agreement = float((inside & seen).sum()) / union if union else 0.0
    if agreement < LEAST_AGREEMENT:
        raise ChecksFailed(
            f"the segmenter and the generator agree on {agreement:.0%} of the figure only", code="silhouettes_disagree"
        )
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * BAND + 1, 2 * BAND + 1))
    core = cv2.erode(inside.astype(np.uint8), kernel) > 0
    # the network sees a quarter of the resolution: what it calls ground must be so all around the pixel
    tolerant = cv2.dilate(found, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (6 * BAND + 1, 6 * BAND + 1)))
    keep = np.clip(tolerant / 0.10, 0, 1)
    return np.where(core, silhouette, silhouette * keep).astype(np.float32)
