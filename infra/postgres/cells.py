"""Cells: the state of every planned asset, from its newest decision, rejection and object."""

import json
from datetime import datetime
from typing import Any

import asyncpg

_DECIDED = """
    select distinct on (cell_id) cell_id, sku, garment_version, talent_id, cell, outcome, decision, alternative,
           decided_at from decisions where $1::text is null or sku = $1 order by cell_id, decision_id desc"""
_REJECTED = """
    select distinct on (cell_id) cell_id, measures, rejected_at from rejections
    where $1::text is null or sku = $1 order by cell_id, rejection_id desc"""
_MADE = """
    select distinct on (a.cell_id) a.cell_id, a.asset_id, a.garment_version, o.state, o.cause, o.changed_at
    from assets a join objects o using (object_id) where $1::text is null or a.sku = $1
    order by a.cell_id, (o.state = 'PUBLISHED') desc, o.created_at desc"""


async def cells_of(connection: asyncpg.Connection, sku: str | None) -> list[dict[str, Any]]:
    """One dict per cell that was ever decided, as ports.Catalogue.cells says, ordered by SKU, twin, scene, format."""
    rejected = {row["cell_id"]: row for row in await connection.fetch(_REJECTED, sku)}
    made = {row["cell_id"]: row for row in await connection.fetch(_MADE, sku)}
    rows = [
        _cell(row, rejected.get(row["cell_id"]), made.get(row["cell_id"]))
        for row in await connection.fetch(_DECIDED, sku)
    ]
    return sorted(rows, key=lambda row: (row["sku"], row["twin_id"], row["scene"], row["format"]))


def _cell(decided: asyncpg.Record, rejected: asyncpg.Record | None, made: asyncpg.Record | None) -> dict[str, Any]:
    cell = json.loads(decided["cell"])
    state, changed_at = _state(decided, rejected, made)
    return {
        "cell_id": decided["cell_id"],
        "sku": decided["sku"],
        "garment_version": made["garment_version"] if made and state == "PUBLISHED" else decided["garment_version"],
        "talent_id": decided["talent_id"],
        "twin_id": cell["twin_id"],
        "scene": cell["scene"],
        "format": cell["format"],
        "state": state,
        "asset_id": made["asset_id"] if made else None,
        "decision": json.loads(decided["decision"]),
        "alternative": decided["alternative"],
        "rejection": json.loads(rejected["measures"]) if rejected and state == "rejected" else None,
        "cause": made["cause"] if made else None,
        "changed_at": changed_at,
    }


def _state(
    decided: asyncpg.Record, rejected: asyncpg.Record | None, made: asyncpg.Record | None
) -> tuple[str, datetime]:
    """A live asset shows whatever was said since; else the newest of decision, rejection and revocation tells."""
    if made and made["state"] == "PUBLISHED":
        return "PUBLISHED", made["changed_at"]
    names = {"permit": "planned", "needs_approval": "needs_approval"}
    told: list[tuple[datetime, str]] = [(decided["decided_at"], names.get(decided["outcome"], "blocked"))]
    if rejected:
        told.append((rejected["rejected_at"], "rejected"))
    if made and made["state"] != "INTENT" and made["cause"] != "abandoned":
        told.append((made["changed_at"], made["state"]))
    changed_at, state = max(told)
    return state, changed_at
