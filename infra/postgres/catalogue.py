"""Catalogue: the read side for pages and lists, and the master data."""

import json
from collections.abc import AsyncIterator
from typing import Any

import asyncpg

from infra.postgres.cells import cells_of
from infra.postgres.engine import Database
from infra.postgres.rows import ASSET, asset_of
from infra.postgres.standing import parse_status
from schemas.asset import AssetRecord
from schemas.garment import Garment
from schemas.grant import Grant
from schemas.scene import Scene
from schemas.twin import Twin

_TALENTS = """
    select coalesce(t.talent_id, w.talent_id) as talent_id, t.on_hold, t.hold_reason, t.fence, t.withdrawn_at,
           w.twins, w.names,
           (select array_agg(status order by grant_id) from grants g where g.talent_id = t.talent_id) as statuses,
           (select count(*) from objects o where o.talent_id = coalesce(t.talent_id, w.talent_id)
                and o.state = 'PUBLISHED' and o.kind = 'asset') as live
    from talents t
    full join (select talent_id, array_agg(twin_id order by twin_id) as twins,
                      array_agg(body::json ->> 'display_name' order by twin_id) as names
               from twins group by talent_id) w on w.talent_id = t.talent_id
    where $1::text is null or coalesce(t.talent_id, w.talent_id) = $1 order by 1"""
_WITHDRAWALS = """
    select w.*, count(t.object_id) filter (where t.state in ('open', 'done')) as total,
           count(t.object_id) filter (where t.state = 'done') as done,
           count(t.object_id) filter (where t.state = 'open') as open,
           max(o.last_error) filter (where t.state = 'open') as last_error,
           max(o.second_look_at) filter (where t.state = 'open') as second_look_at,
           (select receipt from receipts r where r.withdrawal_id = w.withdrawal_id) as receipt
    from withdrawals w left join targets t using (withdrawal_id) left join objects o using (object_id)
    where ($1::text is null or w.talent_id = $1) and ($2::text is null or w.withdrawal_id = $2)
    group by w.withdrawal_id order by w.recorded_at desc"""
_COUNTS = """
    select (select count(*) from talents) as talents, (select count(*) from twins where available) as twins,
           (select count(*) from garments) as garments,
           (select count(*) from objects where kind = 'asset' and state = 'PUBLISHED') as published,
           (select count(*) from (select distinct on (cell_id) outcome from decisions
                                  order by cell_id, decision_id desc) d where outcome <> 'permit') as blocked,
           (select count(distinct cell_id) from rejections) as rejected,
           (select count(*) from objects where kind = 'asset' and state in ('REVOKING', 'REVOKED')
                and published_at is not null) as revoked,
           (select count(*) from withdrawals where completed_at is null) as withdrawals_open,
           (select count(*) from inbox where state <> 'done') as inbox_open,
           (select count(*) from outbox where sent_at is null) as outbox_open,
           (select count(*) from dead_letters where replayed_at is null) as dead_letters"""
_DEAD = """
    select dead_letter_id, topic, partition, log_offset as offset, key, code, message, source, event_id, attempts,
           dead_at as at, replayed_at, raw from dead_letters"""


class CataloguePart:
    """Catalogue."""

    _db: Database

    # ------------------------------------------------------------ master data
    async def put_twin(self, twin: Twin, folder_key: str) -> None:
        async with self._db.transaction() as connection:
            await connection.execute(
                "insert into twins (twin_id, talent_id, body, folder_key) values ($1, $2, $3, $4)"
                " on conflict (twin_id) do update set talent_id = excluded.talent_id, body = excluded.body,"
                " folder_key = excluded.folder_key, available = true, changed_at = clock_timestamp()",
                twin.twin_id,
                twin.talent_id,
                twin.model_dump_json(),
                folder_key,
            )

    async def twin(self, twin_id: str) -> Twin | None:
        async with self._db.read() as connection:
            body = await connection.fetchval("select body from twins where twin_id = $1", twin_id)
        return None if body is None else Twin.model_validate_json(body)

    async def twins(self, *, available: bool = True) -> list[Twin]:
        async with self._db.read() as connection:
            rows = await connection.fetch(
                "select body from twins where available or not $1 order by twin_id", available
            )
        return [Twin.model_validate_json(row["body"]) for row in rows]

    async def put_scene(self, scene: Scene, key: str) -> None:
        async with self._db.transaction() as connection:
            await connection.execute(
                "insert into scenes (scene, body, key) values ($1, $2, $3) on conflict (scene) do update"
                " set body = excluded.body, key = excluded.key, changed_at = clock_timestamp()",
                scene.scene,
                scene.model_dump_json(),
                key,
            )

    async def scenes(self) -> list[Scene]:
        async with self._db.read() as connection:
            rows = await connection.fetch("select body from scenes order by scene")
        return [Scene.model_validate_json(row["body"]) for row in rows]

    async def garment(self, sku: str) -> Garment | None:
        async with self._db.read() as connection:
            body = await connection.fetchval("select body from garments where sku = $1", sku)
        return None if body is None else Garment.model_validate_json(body)

    async def garments(self) -> list[Garment]:
        async with self._db.read() as connection:
            rows = await connection.fetch("select body from garments order by sku")
        return [Garment.model_validate_json(row["body"]) for row in rows]

    # ------------------------------------------------------------ consent
    async def grants(self, talent_id: str | None = None) -> list[Grant]:
        """Every version that is known, alive or not, by talent, grant and number."""
        async with self._db.read() as connection:
            rows = await connection.fetch(
                "select body from grant_versions where $1::text is null or talent_id = $1"
                " order by talent_id, grant_id, version",
                talent_id,
            )
        return [Grant.model_validate_json(row["body"]) for row in rows]

    async def talents(self) -> list[dict[str, Any]]:
        async with self._db.read() as connection:
            return [_talent(row) for row in await connection.fetch(_TALENTS, None)]

    async def talent(self, talent_id: str) -> dict[str, Any] | None:
        async with self._db.read() as connection:
            row = await connection.fetchrow(_TALENTS, talent_id)
        return None if row is None else _talent(row)

    async def withdrawals(self, talent_id: str | None = None) -> list[dict[str, Any]]:
        async with self._db.read() as connection:
            rows = await connection.fetch(_WITHDRAWALS, talent_id, None)
        return [{name: value for name, value in _withdrawal(row).items() if name != "receipt"} for row in rows]

    async def withdrawal(self, withdrawal_id: str) -> dict[str, Any] | None:
        async with self._db.read() as connection:
            row = await connection.fetchrow(_WITHDRAWALS, None, withdrawal_id)
        return None if row is None else _withdrawal(row)

    # ------------------------------------------------------------ work
    async def asset(self, asset_id: str) -> AssetRecord | None:
        async with self._db.read() as connection:
            row = await connection.fetchrow(f"{ASSET} where a.asset_id = $1", asset_id)
        return None if row is None else asset_of(row)

    async def assets(
        self,
        *,
        sku: str | None = None,
        talent_id: str | None = None,
        twin_id: str | None = None,
        scene: str | None = None,
        state: str | None = None,
        limit: int = 500,
    ) -> list[AssetRecord]:
        """Newest first."""
        asked = {"a.sku": sku, "a.talent_id": talent_id, "a.twin_id": twin_id, "a.scene": scene, "o.state": state}
        given = {column: value for column, value in asked.items() if value is not None}
        where = " and ".join(f"{column} = ${number}" for number, column in enumerate(given, start=2)) or "true"
        async with self._db.read() as connection:
            rows = await connection.fetch(
                f"{ASSET} where {where} order by a.created_at desc, a.asset_id limit $1", limit, *given.values()
            )
        return [asset_of(row) for row in rows]

    async def where(self, sku: str) -> dict[str, Any]:
        async with self._db.read() as connection:
            rows = await connection.fetch(
                "select inbox_id, version, type, coalesce(outcome, state) as state, attempts, last_error, summary,"
                " accepted_at as received_at from inbox where sku = $1 order by inbox_id",
                sku,
            )
        garment = await self.garment(sku)
        return {
            "sku": sku,
            "garment": None if garment is None else garment.model_dump(mode="json"),
            "inbox": [_inbox(row) for row in rows],
            "cells": await self.cells(sku),
        }

    async def cells(self, sku: str | None = None) -> list[dict[str, Any]]:
        async with self._db.snapshot() as connection:
            return await cells_of(connection, sku)

    async def dead_letters(self, limit: int = 200) -> list[dict[str, Any]]:
        async with self._db.read() as connection:
            rows = await connection.fetch(f"{_DEAD} order by dead_letter_id desc limit $1", limit)
        return [{name: value for name, value in _dead_letter(row).items() if name != "raw"} for row in rows]

    async def dead_letter(self, dead_letter_id: int) -> dict[str, Any] | None:
        async with self._db.read() as connection:
            row = await connection.fetchrow(f"{_DEAD} where dead_letter_id = $1", dead_letter_id)
        return None if row is None else _dead_letter(row)

    async def mark_replayed(self, dead_letter_id: int) -> None:
        async with self._db.read() as connection:
            await connection.execute(
                "update dead_letters set replayed_at = clock_timestamp() where dead_letter_id = $1", dead_letter_id
            )

    async def counts(self) -> dict[str, int]:
        async with self._db.read() as connection:
            return dict(await connection.fetchrow(_COUNTS))

    async def object_states(self) -> AsyncIterator[tuple[str, str]]:
        """(key, state) of every Object row, by key; read in one moment, streamed."""
        async with self._db.snapshot() as connection:
            async for row in connection.cursor("select key, state from objects order by key"):
                yield row["key"], row["state"]


def _talent(row: asyncpg.Record) -> dict[str, Any]:
    statuses = [parse_status(text) for text in row["statuses"] or ()]
    granted = any(status.current is not None for status in statuses)
    state = "hold" if row["on_hold"] else "granted" if granted else "withdrawn" if statuses else "none"
    names = row["names"] or []
    return {
        "talent_id": row["talent_id"],
        "name": names[0] if names else row["talent_id"],
        "twins": list(row["twins"] or ()),
        "state": state,
        "on_hold": bool(row["on_hold"]),
        "hold_reason": row["hold_reason"],
        "fence": row["fence"] or 0,
        "withdrawn_at": row["withdrawn_at"],
        "live": row["live"],
    }


def _withdrawal(row: asyncpg.Record) -> dict[str, Any]:
    status = "complete" if row["completed_at"] else "planned" if row["planned_at"] else "open"
    waiting = None
    if status != "complete":
        second_look = f"a second look at {row['second_look_at']:%H:%M:%S} UTC" if row["second_look_at"] else None
        waiting = (
            row["last_error"] or second_look or ("the sweep" if row["open"] or status == "open" else "its receipt")
        )
    fields = ("withdrawal_id", "talent_id", "grant_id", "effect", "reason", "recorded_at", "planned_at", "completed_at")
    return {
        **{name: row[name] for name in fields},
        "status": status,
        **{name: row[name] for name in ("total", "done", "open")},
        "waiting": waiting,
        "receipt": row["receipt"],
    }


def _inbox(row: asyncpg.Record) -> dict[str, Any]:
    summary = json.loads(row["summary"]) if row["summary"] else {}
    fields = ("inbox_id", "version", "type", "state", "attempts", "received_at")
    return {**{name: row[name] for name in fields}, "error": row["last_error"] or summary.get("message")}


def _dead_letter(row: asyncpg.Record) -> dict[str, Any]:
    key = None if row["key"] is None else row["key"].decode("utf-8", "replace")
    return {**dict(row), "key": key, "raw": bytes(row["raw"])}
