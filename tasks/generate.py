"""Stage generate: one look from a generator, believed only after it was looked at.

A generator may be any model. Whatever it returns must show the twin unchanged wherever it does not say `covered`.
"""

import numpy as np

from tasks.errors import ChecksFailed, Interrupted
from tasks.imaging.pictures import F32, GeneratedLook, GenerateRequest
from tasks.imaging.studio import over_ground
from tasks.ports import Generator, ShouldStop

LEAST_GARMENT = 0.01
"""Share of the twin's own area that a garment covers at the least; below it nothing was put on."""


def generate_look(request: GenerateRequest, generator: Generator, should_stop: ShouldStop) -> GeneratedLook:
    """One checked look.

    Raises Interrupted when told to stop, UnusablePhotograph from the generator, ChecksFailed (codes wrong_count,
    wrong_size, out_of_range, twin_changed, nothing_worn) when the generator's answer cannot be believed.
    """
    if should_stop():
        raise Interrupted("told to stop before generating")
    looks = generator.generate([request], should_stop)
    if len(looks) != 1:
        raise ChecksFailed(f"{generator.name} returned {len(looks)} looks for one request", code="wrong_count")
    if should_stop():
        raise Interrupted("told to stop while generating; the look is discarded")
    check_look(looks[0], request)
    return looks[0]


def check_look(look: GeneratedLook, request: GenerateRequest) -> None:
    """Raises ChecksFailed, saying what is wrong with the look."""
    height, width = request.twin.parts.shape
    if look.image.shape != (height, width, 3) or look.image.dtype != np.uint8:
        found = f"{look.image.shape} {look.image.dtype}"
        raise ChecksFailed(f"{look.generator}: image is {found}, not {(height, width, 3)} uint8", code="wrong_size")
    _check_mask(look, "covered", look.covered, (height, width))
    for name, mask in (("silhouette", look.silhouette), ("garment_alpha", look.garment_alpha)):
        if mask is not None:
            _check_mask(look, name, mask, (height, width))
    _check_uncovered(look, request)
    _check_worn(look, request)


def _check_mask(look: GeneratedLook, name: str, mask: F32, shape: tuple[int, int]) -> None:
    if mask.shape != shape or mask.dtype != np.float32:
        raise ChecksFailed(f"{look.generator}: {name} is {mask.shape} {mask.dtype}, not {shape}", code="wrong_size")
    if not np.isfinite(mask).all() or mask.min() < 0 or mask.max() > 1:
        raise ChecksFailed(f"{look.generator}: {name} leaves 0..1", code="out_of_range")


def _check_uncovered(look: GeneratedLook, request: GenerateRequest) -> None:
    free = look.covered == 0
    changed = int((look.image[free] != over_ground(request.twin.rgba)[free]).any(axis=-1).sum())
    if changed:
        message = f"{look.generator}: {changed} pixels of the twin changed where nothing is covered"
        raise ChecksFailed(message, code="twin_changed")


def _check_worn(look: GeneratedLook, request: GenerateRequest) -> None:
    if look.garment_alpha is None:
        return
    if bool(((look.garment_alpha > 0.5) & (look.covered == 0)).any()):
        # the same colour by chance is possible for single pixels, not for a garment
        same = float(
            ((look.garment_alpha > 0.5) & (look.covered == 0)).sum() / max((look.garment_alpha > 0.5).sum(), 1)
        )
        if same > 0.5:
            raise ChecksFailed(f"{look.generator}: garment and covered do not agree", code="out_of_range")
    person = float((request.twin.rgba[..., 3] > 127).sum())
    if float(look.garment_alpha.sum()) < LEAST_GARMENT * person:
        raise ChecksFailed(f"{look.generator}: the look shows no garment on the twin", code="nothing_worn")
