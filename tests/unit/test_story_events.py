"""The demo's events are what the schemas accept."""

import json
from datetime import UTC, datetime
from pathlib import Path

from console.cli import story_events
from schemas.consent import Granted, Withdrawn
from schemas.envelope import check_routing, parse_event
from schemas.garment import Garment

GRANT = {
    "talent_id": "tal-a", "grant_id": "gr-a-1", "version": 1, "signed_at": "2026-01-01T00:00:00Z",
    "effective_from": "2026-01-01T00:00:00Z", "effective_to": "2031-01-01T00:00:00Z", "scope": {"brands": ["example"]},
}  # fmt: skip
ENTRY = {
    "sku": "SKU-1", "brand": "example", "category": "top", "title": "Tee", "markets": ["SE"], "channels": ["web"],
    "formats": ["4:5"], "image": "tee.png", "sha256": "0" * 64, "lifecycle": "sale", "category_note": "never sent",
}  # fmt: skip


def test_a_garment_of_the_pack_becomes_a_valid_event(tmp_path: Path) -> None:
    parsed = parse_event(story_events.garment(ENTRY, tmp_path, version=2, formats=["1:1"]))
    check_routing(parsed, "likeness.garments", b"SKU-1")
    read = Garment.model_validate_json(json.dumps(parsed.data))
    assert (read.version, read.formats, parsed.type) == (2, ("1:1",), "likeness.garment.updated")
    assert read.front.uri == (tmp_path / "tee.png").as_uri()


def test_a_regrant_has_a_new_number_and_a_new_signature_date() -> None:
    signed = datetime(2026, 5, 1, tzinfo=UTC)
    parsed = parse_event(story_events.granted(GRANT, version=4, signed_at=signed))
    grant = Granted.model_validate(parsed.data)
    assert (grant.version, grant.signed_at, grant.effective_from) == (4, signed, signed)


def test_a_withdrawal_of_everything_names_no_grant() -> None:
    parsed = parse_event(story_events.withdrawn("tal-a", reason="talent request"))
    check_routing(parsed, "likeness.consent", b"tal-a")
    assert Withdrawn.model_validate(parsed.data).grant_id is None
