"""Plan: the cells of a garment. Pure; what consent says of each cell comes after."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from schemas.asset import Cell
from schemas.garment import Garment
from schemas.scene import Scene
from schemas.twin import Twin
from schemas.use import Use

USE_PERIOD = timedelta(days=90)
"""How long a garment's images are meant to be shown, from the day they are made: one sales season."""


def plan(
    garment: Garment, twins: Sequence[Twin], scenes: Sequence[Scene], at: datetime, *, period: timedelta = USE_PERIOD
) -> list[Cell]:
    """One cell per twin x scene x format, for the scenes whose market is one of the garment's.

    Ordered by twin, then scene, then format, each named once however often the garment names it, so that the same
    garment always gives the same list. The Use starts `at` and ends `period` later.
    """
    markets = set(garment.markets)
    chosen = sorted((scene for scene in scenes if scene.market in markets), key=lambda scene: scene.scene)
    formats = tuple(dict.fromkeys(garment.formats))
    return [
        Cell(
            sku=garment.sku,
            garment_version=garment.version,
            twin_id=twin.twin_id,
            scene=scene.scene,
            format=shape,
            use=Use(
                talent_id=twin.talent_id,
                twin_id=twin.twin_id,
                brand=garment.brand,
                campaign=garment.campaign,
                category=garment.category,
                territory=scene.market,
                channels=tuple(dict.fromkeys(garment.channels)),
                format=shape,
                contexts=tuple(dict.fromkeys(garment.contexts)),
                starts_at=at,
                ends_at=at + period,
            ),
        )
        for twin in sorted(twins, key=lambda twin: twin.twin_id)
        for scene in chosen
        for shape in formats
    ]
