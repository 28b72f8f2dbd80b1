"""Made-up consent facts, cells and requests for the tests of the ledger and of decisions."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from schemas.asset import Cell
from schemas.consent import Effect, Granted, Narrowed, Withdrawn
from schemas.garment import Garment
from schemas.grant import Scope
from schemas.use import Use
from tasks.ports import ConsentFact, InboxRow, PublishRequest

NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)
TALENT, GRANT = "tal-ada", "gr-ada-1"
SCOPE = Scope(
    brands=("example",),
    garment_categories=("dress", "top"),
    territories=("SE", "JP"),
    channels=("web", "social"),
    formats=("*",),
    excluded_contexts=("swimwear",),
    edits=("clothing", "background", "lighting"),
)


def granted(version: int = 1, **changes: Any) -> Granted:
    return Granted(**_grant(version, changes))


def narrowed(version: int = 2, **changes: Any) -> Narrowed:
    return Narrowed(**_grant(version, changes))


def _grant(version: int, changes: dict[str, Any]) -> dict[str, Any]:
    scope = SCOPE.model_copy(update=changes.pop("scope", {}))
    return {
        "talent_id": TALENT,
        "grant_id": GRANT,
        "version": version,
        "signed_at": NOW - 10 * DAY,
        "effective_from": NOW - 10 * DAY,
        "effective_to": NOW + 300 * DAY,
        "scope": scope,
        **changes,
    }


def withdrawn(version: int | None = 2, *, effect: Effect = "take_down", **changes: Any) -> Withdrawn:
    """Of the grant, or with `version=None` of everything."""
    return Withdrawn(
        **{
            "talent_id": TALENT,
            "grant_id": GRANT if version else None,
            "version": version,
            "effective_at": NOW,
            "effect": effect,
            **changes,
        }
    )


def use(**changes: Any) -> Use:
    return Use(
        **{
            "talent_id": TALENT,
            "twin_id": "tw-ada",
            "brand": "example",
            "category": "dress",
            "territory": "SE",
            "channels": ("web",),
            "format": "4:5",
            "starts_at": NOW - DAY,
            "ends_at": NOW + 90 * DAY,
            **changes,
        }
    )


def cell(sku: str = "SKU-1", *, garment_version: int = 1, scene: str = "stockholm", **changes: Any) -> Cell:
    wanted = use(**changes)
    return Cell(
        sku=sku, garment_version=garment_version, twin_id=wanted.twin_id, scene=scene, format=wanted.format, use=wanted
    )


def request(of: Cell | None = None, *, fence: int = 1, recipe: str = "r1", **changes: Any) -> PublishRequest:
    planned = of or cell()
    named = {"grant_id": GRANT, "grant_version": 1, **changes}
    return PublishRequest(
        **{
            "cell": planned,
            "asset_id": planned.asset_id(recipe, named["grant_id"], named["grant_version"]),
            "fence": fence,
            "decision_id": 1,
            "recipe": {"generator": "draft"},
            "recipe_digest": recipe,
            "phash": "00ff00ff00ff00ff",
            "measures": {},
            "checks": {},
            "sha256": "a" * 64,
            "size": 100,
            "content_type": "image/jpeg",
            "width": 1080,
            "height": 1350,
            "worker": "w1",
            **named,
        }
    )


def garment(sku: str = "SKU-1", version: int = 1, **changes: Any) -> Garment:
    return Garment.model_validate(
        {
            "sku": sku,
            "version": version,
            "brand": "example",
            "category": "dress",
            "title": "Striped dress",
            "images": [{"uri": "file:///front.png"}],
            "markets": ["SE"],
            "channels": ["web"],
            "formats": ["4:5"],
            **changes,
        }
    )


def inbox_row(
    event_id: str, sku: str = "SKU-1", version: int = 1, *, offset: int = 0, partition: int = 0, **changes: Any
) -> InboxRow:
    body = garment(sku, version, **changes)
    raw = json.dumps({"id": event_id, "data": body.model_dump(mode="json")}).encode()
    return InboxRow(
        topic="likeness.garments",
        partition=partition,
        offset=offset,
        source="urn:test",
        event_id=event_id,
        digest=hashlib.sha256(raw).hexdigest(),
        type="likeness.garment.created",
        subject=sku,
        raw=raw,
        garment=body,
        event_time=NOW,
    )


async def say(ledger: Any, *facts: ConsentFact) -> list[Any]:
    """Record facts as events of their own, in this order."""
    return [
        await ledger.record_consent(
            fact, source="urn:test", event_id=f"e-{hashlib.sha256(raw).hexdigest()[:16]}", raw=raw
        )
        for fact in facts
        for raw in [f"{type(fact).__name__}{fact.model_dump_json()}".encode()]
    ]
