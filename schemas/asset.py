"""Cell, Object and Asset: what is planned, what is stored, what is published."""

import base64
import hashlib
from datetime import datetime
from typing import Any, Literal

from schemas.base import Category, Format, Identifier, Schema
from schemas.use import Use

ObjectKind = Literal["asset", "preview", "rejected", "parked", "stage_cache", "contact_sheet", "twin_reference"]
ObjectState = Literal["INTENT", "PUBLISHED", "REVOKING", "REVOKED"]
Cause = Literal["withdrawn", "narrowed", "expired", "superseded", "discontinued", "abandoned", "conflict", "taken_down"]


def short_digest(*parts: object) -> str:
    """20 base32 characters (100 bits) of the sha256 of the parts joined by newlines; lower case."""
    raw = hashlib.sha256("\n".join(str(part) for part in parts).encode()).digest()
    return base64.b32encode(raw)[:20].decode().lower()


class Cell(Schema):
    """A planned asset: garment x twin x scene x format, with its Use."""

    sku: Identifier
    garment_version: int
    twin_id: Identifier
    scene: Identifier
    format: Format
    use: Use

    @property
    def cell_id(self) -> str:
        """Stable over versions of the garment: the slot that one current asset fills."""
        return "ce-" + short_digest(self.use.brand, self.sku, self.twin_id, self.scene, self.format)

    def asset_id(self, recipe_digest: str, grant_id: str, grant_version: int) -> str:
        return "as-" + short_digest(self.cell_id, self.garment_version, recipe_digest, grant_id, grant_version)


class StoredObject(Schema):
    """A row for stored bytes that show a talent."""

    object_id: Identifier
    kind: ObjectKind
    key: str
    state: ObjectState
    talent_id: Identifier
    twin_id: Identifier
    grant_id: Identifier | None = None
    grant_version: int | None = None
    fence: int
    sha256: str
    size: int
    content_type: str
    attempt: int = 1
    asset_id: Identifier | None = None
    cause: Cause | None = None
    created_at: datetime
    changed_at: datetime


class AssetRecord(Schema):
    """An asset with all that a page or the gate shows about it."""

    asset_id: Identifier
    cell_id: Identifier
    sku: Identifier
    garment_version: int
    category: Category
    brand: Identifier
    talent_id: Identifier
    twin_id: Identifier
    scene: Identifier
    format: Format
    use: Use
    grant_id: Identifier
    grant_version: int
    recipe: dict[str, Any]
    recipe_digest: str
    phash: str
    measures: dict[str, Any]
    checks: dict[str, Any]
    decision_id: int | None = None
    state: ObjectState
    cause: Cause | None = None
    object_id: Identifier
    key: str
    sha256: str
    size: int
    content_type: str
    width: int
    height: int
    preview_only: bool = False
    published_at: datetime | None = None
    revoked_at: datetime | None = None
