"""Open what works on pixels: generators, segmenter, understanding of garments, marker, judge. Loads models; only the
dresser and commands that make images call this."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from infra.marking.c2pa_marker import C2paMarker
from infra.marking.certificates import read_chain
from infra.settings import Settings
from schemas.base import Category
from tasks.errors import Misconfigured
from tasks.imaging.pictures import U8, GarmentCutout
from tasks.judge import Judge
from tasks.ports import Generator, Marker, Segmenter


@dataclass(frozen=True)
class Pixels:
    """`understand`: a photograph (sRGB uint8 H x W x 3) and its category, None where it must be seen, to the garment's
    cut-out with landmarks."""

    generators: Mapping[str, Generator]
    segmenter: Segmenter
    understand: Callable[[U8, Category | None], GarmentCutout]
    judge: Judge


@dataclass(frozen=True)
class Imaging(Pixels):
    """All of it, with the marker that signs what is published."""

    marker: Marker


def open_pixels(settings: Settings) -> Pixels:
    """Load the models once. Raises Misconfigured for a generator or segmenter that is not there."""
    from infra.models.draft import DraftGenerator
    from infra.models.rembg import GarmentSegmenter, open_segmenter
    from infra.quality.great_expectations import GreatExpectationsJudge
    from tasks.imaging.cutout import understand

    generators: dict[str, Generator] = {"draft": DraftGenerator()}
    if settings.generator not in generators:
        raise Misconfigured(f"generator {settings.generator!r} is not one of {', '.join(generators)}")
    segmenter, recogniser = open_segmenter(settings.segmenter), GarmentSegmenter()
    return Pixels(
        generators=generators,
        segmenter=segmenter,
        understand=lambda photograph, category: understand(photograph, category, segmenter, recogniser),
        judge=GreatExpectationsJudge(),
    )


def open_imaging(settings: Settings) -> Imaging:
    """The same with the certificate chain of the home. Raises Misconfigured when there is none."""
    pixels = open_pixels(settings)
    marker = C2paMarker(read_chain(settings.folder("keys")))
    return Imaging(pixels.generators, pixels.segmenter, pixels.understand, pixels.judge, marker)
