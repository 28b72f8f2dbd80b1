"""Rows: records of the database as the schemas that the rest of the house knows."""

import json
from functools import lru_cache

import asyncpg

from schemas.asset import AssetRecord, StoredObject
from schemas.use import Use

ASSET = """
    select a.*, o.state, o.cause, o.key, o.sha256, o.size, o.content_type, o.published_at, o.revoked_at
    from assets a join objects o using (object_id)"""


@lru_cache(maxsize=4096)
def parse_use(text: str) -> Use:
    return Use.model_validate_json(text)


def asset_of(row: asyncpg.Record) -> AssetRecord:
    """A row of ASSET. What the ledger holds was validated when it came in."""
    return AssetRecord.model_construct(
        asset_id=row["asset_id"],
        cell_id=row["cell_id"],
        sku=row["sku"],
        garment_version=row["garment_version"],
        category=row["category"],
        brand=row["brand"],
        talent_id=row["talent_id"],
        twin_id=row["twin_id"],
        scene=row["scene"],
        format=row["format"],
        use=parse_use(row["use"]),
        grant_id=row["grant_id"],
        grant_version=row["grant_version"],
        recipe=json.loads(row["recipe"]),
        recipe_digest=row["recipe_digest"],
        phash=row["phash"],
        measures=json.loads(row["measures"]),
        checks=json.loads(row["checks"]),
        decision_id=row["decision_id"],
        state=row["state"],
        cause=row["cause"],
        object_id=row["object_id"],
        key=row["key"],
        sha256=row["sha256"],
        size=row["size"],
        content_type=row["content_type"],
        width=row["width"],
        height=row["height"],
        preview_only=row["preview_only"],
        published_at=row["published_at"],
        revoked_at=row["revoked_at"],
    )


def object_of(row: asyncpg.Record) -> StoredObject:
    """A row of objects."""
    return StoredObject.model_construct(
        **{name: row[name] for name in StoredObject.model_fields}  # the columns bear the fields' names
    )
