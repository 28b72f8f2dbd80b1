"""Requests and facts to publish with, as tests need them: one brand, one garment, pictures that are a few bytes."""

import hashlib
from datetime import UTC, datetime, timedelta

from schemas.asset import Cell
from schemas.consent import Granted, Withdrawn
from schemas.grant import Scope
from schemas.use import Use
from tasks.ports import PublishRequest

START = datetime(2026, 1, 1, tzinfo=UTC)
END = datetime(2036, 1, 1, tzinfo=UTC)


def granted(talent_id: str = "tal-ada", version: int = 1, grant_id: str | None = None) -> Granted:
    """Permits everything that `request` asks for."""
    return Granted(
        talent_id=talent_id,
        grant_id=grant_id or f"gr-{talent_id}",
        version=version,
        signed_at=START,
        effective_from=START,
        effective_to=END,
        scope=Scope(
            brands=("example",),
            garment_categories=("dress",),
            territories=("SE",),
            channels=("web",),
            formats=("*",),
            edits=("clothing", "background", "lighting"),
        ),
    )


def withdrawn(talent_id: str = "tal-ada") -> Withdrawn:
    """Of everything, from now on."""
    return Withdrawn(talent_id=talent_id, grant_id=None, effective_at=datetime.now(UTC), effect="take_down")


def request(
    data: bytes = b"\xff\xd8image",
    *,
    talent_id: str = "tal-ada",
    number: int = 1,
    fence: int = 1,
    phash: str = "00ff00ff00ff00ff",
    preview_only: bool = False,
) -> PublishRequest:
    use = Use(
        talent_id=talent_id,
        twin_id=f"tw-{talent_id}",
        brand="example",
        category="dress",
        territory="SE",
        channels=("web",),
        format="4:5",
        starts_at=START,
        ends_at=END - timedelta(days=1),
    )
    cell = Cell(sku=f"SKU-{number}", garment_version=1, twin_id=use.twin_id, scene="studio", format="4:5", use=use)
    digest = hashlib.sha256(f"recipe {number}".encode()).hexdigest()
    return PublishRequest(
        cell=cell,
        asset_id=cell.asset_id(digest, f"gr-{talent_id}", 1),
        grant_id=f"gr-{talent_id}",
        grant_version=1,
        fence=fence,
        decision_id=0,
        recipe={"generator": "draft 1"},
        recipe_digest=digest,
        phash=phash,
        measures={},
        checks={},
        sha256=hashlib.sha256(data).hexdigest(),
        size=len(data),
        content_type="image/jpeg",
        width=1080,
        height=1350,
        worker="test",
        preview_only=preview_only,
    )
