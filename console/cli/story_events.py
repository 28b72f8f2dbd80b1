"""The sample pack as signed-to-be CloudEvents: grants, garments, a withdrawal. Pure: dictionaries in, bytes out."""

import json
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

SOURCE = "urn:likeness:demo"


def event(type_: str, subject: str, data: dict[str, Any], *, event_id: str | None = None) -> bytes:
    """One CloudEvent in structured JSON."""
    return json.dumps(
        {
            "specversion": "1.0",
            "id": event_id or f"demo-{uuid.uuid4().hex[:12]}",
            "source": SOURCE,
            "type": type_,
            "subject": subject,
            "time": instant(datetime.now(UTC)),
            "datacontenttype": "application/json",
            "data": data,
        },
        ensure_ascii=False,
    ).encode()


def instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def granted(grant: dict[str, Any], *, version: int | None = None, signed_at: datetime | None = None) -> bytes:
    """A grant of the pack, or its re-grant under a new number with a new signature date."""
    data = dict(grant)
    if version is not None:
        data["version"] = version
    if signed_at is not None:
        data["signed_at"] = data["effective_from"] = instant(signed_at)
    return event("likeness.consent.granted", data["talent_id"], data)


def garment(entry: dict[str, Any], folder: Path, *, version: int, **changes: Any) -> bytes:
    """A garment of the pack as `created` (version 1) or `updated`, its photograph as a file:// image."""
    fields = (
        "sku", "brand", "category", "title", "markets", "channels", "formats", "contexts", "colours", "composition",
        "sizes", "lifecycle",
    )  # fmt: skip
    data = {name: entry[name] for name in fields if name in entry} | changes | {"version": version}
    photograph = (folder / entry["image"]).resolve()
    data["images"] = [{"uri": photograph.as_uri(), "view": "front", "kind": "photo", "sha256": entry["sha256"]}]
    kind = "created" if version == 1 else "updated"
    return event(f"likeness.garment.{kind}", data["sku"], data)


def withdrawn(talent_id: str, *, reason: str, effect: str = "take_down") -> bytes:
    """Everything that the talent ever gave."""
    data = {
        "talent_id": talent_id,
        "grant_id": None,
        "effective_at": instant(datetime.now(UTC)),
        "effect": effect,
        "reason": reason,
    }
    return event("likeness.consent.withdrawn", talent_id, data)
