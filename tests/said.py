"""Events as an outside producer makes them, signed, in the records that Kafka hands over."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from infra.kafka.reading import Record
from infra.keys import DEMO_SOURCE, SourceRegistry, load_source_signer, make_development_keys

GARMENTS, CONSENT = "likeness.garments", "likeness.consent"


def event(
    type_: str, subject: str, data: dict[str, Any], *, id_: str = "e-1", source: str = DEMO_SOURCE
) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": id_,
        "source": source,
        "type": type_,
        "subject": subject,
        "time": "2026-11-23T09:00:00Z",
        "datacontenttype": "application/json",
        "data": data,
    }


def garment(sku: str = "SKU-1", version: int = 1, *, id_: str = "e-1", **changes: Any) -> dict[str, Any]:
    data = {
        "sku": sku,
        "version": version,
        "brand": "example",
        "category": "dress",
        "title": "Striped jersey dress",
        "images": [{"uri": "file:///pictures/front.png", "view": "front", "kind": "photo"}],
        "markets": ["SE", "JP"],
        "channels": ["web"],
        "formats": ["4:5"],
    }
    return event("likeness.garment.created", sku, data | changes, id_=id_)


def granted(talent: str = "tal-ada", version: int = 1, *, id_: str = "e-1", **changes: Any) -> dict[str, Any]:
    data = {
        "talent_id": talent,
        "grant_id": f"gr-{talent}",
        "version": version,
        "signed_at": "2026-11-01T00:00:00Z",
        "effective_from": "2026-11-01T00:00:00Z",
        "effective_to": "2027-11-01T00:00:00Z",
        "scope": {"brands": ["example"], "garment_categories": ["dress"], "territories": ["EU", "JP"]},
    }
    return event("likeness.consent.granted", talent, data | changes, id_=id_)


def withdrawn(
    talent: str = "tal-ada", version: int | None = None, *, id_: str = "w-1", **changes: Any
) -> dict[str, Any]:
    data: dict[str, Any] = {
        "talent_id": talent,
        "grant_id": f"gr-{talent}" if version else None,
        "effective_at": "2026-11-20T00:00:00Z",
        "effect": "take_down",
        "reason": "talent request",
    }
    if version:
        data["version"] = version
    return event("likeness.consent.withdrawn", talent, data | changes, id_=id_)


class Producer:
    """An outside producer with the development key of the demo source, and the registry that knows it."""

    def __init__(self, home: Path) -> None:
        folder = make_development_keys(home)
        self.signer = load_source_signer(folder, DEMO_SOURCE)
        self.registry = SourceRegistry.load(folder / "sources.json")

    def header(self, raw: bytes) -> tuple[str, bytes]:
        return "likeness-signature", self.signer.sign_detached(raw).encode()

    def record(
        self,
        content: dict[str, Any] | bytes,
        *,
        topic: str | None = None,
        key: bytes | None = b"",
        headers: Sequence[tuple[str, bytes]] | None = None,
        offset: int = 0,
    ) -> Record:
        """The record of an event; key, topic and signature are right unless they are given."""
        raw = content if isinstance(content, bytes) else json.dumps(content).encode()
        said = content if isinstance(content, dict) else {}
        if topic is None:
            topic = CONSENT if "consent" in str(said.get("type")) else GARMENTS
        if key == b"":
            key = str(said.get("subject", "unknown")).encode()
        return Record(topic, 0, offset, key, raw, [self.header(raw)] if headers is None else headers)
