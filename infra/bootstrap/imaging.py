"""Open what works on pixels: generators, segmenter, understanding of garments, marker, judge. Loads models; only the
dresser and commands that make images call this."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from infra.marking.c2pa_marker import C2paMarker
from infra.settings import Settings
from schemas.base import Category
from tasks.imaging.pictures import U8, GarmentCutout
from tasks.judge import Judge
from tasks.ports import Generator, Marker, Segmenter


@dataclass(frozen=True)
class Imaging:
    """`understand`: a photograph (sRGB uint8 H x W x 3) and its category to the garment's cut-out with landmarks."""

    generators: Mapping[str, Generator]
    segmenter: Segmenter
    understand: Callable[[U8, Category], GarmentCutout]
    marker: Marker
    judge: Judge
