"""A garment's cells: which, in what order, with what Use."""

from datetime import UTC, datetime, timedelta

import pytest

from schemas.garment import Garment
from schemas.scene import Light, Scene
from schemas.twin import Twin
from tasks.plan import plan

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def a_garment(**changes: object) -> Garment:
    content: dict[str, object] = {
        "sku": "SKU-1", "version": 2, "brand": "example", "category": "dress", "title": "Dress",
        "images": [{"uri": "file:///a.png"}], "markets": ["SE", "JP"], "channels": ["web", "web", "social"],
        "formats": ["4:5", "1:1", "4:5"], "contexts": ["outdoor"], "campaign": "spring",
    }  # fmt: skip
    return Garment.model_validate(content | changes)


def a_twin(name: str) -> Twin:
    return Twin(twin_id=f"tw-{name}", talent_id=f"tal-{name}", display_name=name, adult=True, poses=(), sha256={})


def a_scene(name: str, market: str) -> Scene:
    return Scene(
        scene=name, title=name, market=market, language="en", backdrop="b.png", sha256="0" * 64, width=10, height=10,
        floor_y=0.9, horizon_y=0.5, light=Light(direction=(0, -1)), label_text="AI",
    )  # fmt: skip


def test_a_cell_per_twin_scene_and_format_in_the_garments_markets() -> None:
    cells = plan(a_garment(), [a_twin("b"), a_twin("a")], [a_scene("oslo", "NO"), a_scene("tokyo", "JP")], NOW)
    assert [(cell.twin_id, cell.scene, cell.format) for cell in cells] == [
        ("tw-a", "tokyo", "4:5"), ("tw-a", "tokyo", "1:1"), ("tw-b", "tokyo", "4:5"), ("tw-b", "tokyo", "1:1"),
    ]  # fmt: skip


def test_the_use_says_everything_that_consent_decides_on() -> None:
    use = plan(a_garment(), [a_twin("a")], [a_scene("tokyo", "JP")], NOW, period=timedelta(days=10))[0].use
    assert (use.talent_id, use.brand, use.campaign, use.category) == ("tal-a", "example", "spring", "dress")
    assert (use.territory, use.channels, use.contexts) == ("JP", ("web", "social"), ("outdoor",))
    assert use.edits == ("clothing", "background", "lighting")
    assert (use.starts_at, use.ends_at) == (NOW, NOW + timedelta(days=10))


@pytest.mark.parametrize("missing", ["twins", "scenes"])
def test_without_twins_or_scenes_there_is_nothing_to_make(missing: str) -> None:
    twins = [] if missing == "twins" else [a_twin("a")]
    scenes = [] if missing == "scenes" else [a_scene("tokyo", "JP")]
    assert plan(a_garment(), twins, scenes, NOW) == []


def test_a_cell_keeps_its_slot_when_the_garment_gets_a_new_version() -> None:
    first, second = (plan(a_garment(version=v), [a_twin("a")], [a_scene("t", "JP")], NOW)[0] for v in (1, 2))
    assert first.cell_id == second.cell_id
    assert first.asset_id("r", "g", 1) != second.asset_id("r", "g", 1)
