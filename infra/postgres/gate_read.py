"""Gate read: all that the gate decides on in one statement on the primary, by primary keys only."""

from collections.abc import Sequence
from datetime import datetime

from infra.postgres.engine import Database
from infra.postgres.rows import asset_of
from infra.postgres.standing import parse_status
from schemas.envelope import TOPIC_CONSENT
from schemas.grant import ConsentView
from tasks.ports import ServeRow

_SERVE = f"""
    select a.*, o.state, o.cause, o.key, o.sha256, o.size, o.content_type, o.published_at, o.revoked_at,
           t.fence as talent_fence, t.on_hold, t.withdrawn_at, g.status, w.current_as_of, clock_timestamp() as at
    from (select case when count(*) = count(read_to_end_at) then min(read_to_end_at) end as current_as_of
          from watermarks where topic = '{TOPIC_CONSENT}') w
    left join assets a on a.asset_id = $1
    left join objects o on o.object_id = a.object_id
    left join talents t on t.talent_id = a.talent_id
    left join grants g on g.talent_id = a.talent_id and g.grant_id = a.grant_id"""  # noqa: S608  (a constant of ours)


class GatePart:
    """GateLedger."""

    _db: Database

    async def serve_row(self, asset_id: str) -> ServeRow:
        """The view holds only the asset's own grant: no other can save the asset."""
        async with self._db.read() as connection:
            row = await connection.fetchrow(_SERVE, asset_id)
        as_of: datetime | None = row["current_as_of"]
        if row["asset_id"] is None or row["state"] is None:
            return ServeRow(None, None, as_of, row["at"])
        if row["talent_fence"] is None:
            return ServeRow(asset_of(row), None, as_of, row["at"])
        view = ConsentView.model_construct(
            talent_id=row["talent_id"],
            fence=row["talent_fence"],
            on_hold=row["on_hold"],
            withdrawn_at=row["withdrawn_at"],
            grants=() if row["status"] is None else (parse_status(row["status"]),),
        )
        return ServeRow(asset_of(row), view, as_of, row["at"])

    async def locate(self, asset_id: str) -> tuple[str, str] | None:
        async with self._db.read() as connection:
            row = await connection.fetchrow(
                "select o.key, o.sha256 from assets a join objects o using (object_id) where a.asset_id = $1", asset_id
            )
        return None if row is None else (row["key"], row["sha256"])

    async def current_look(self, sku: str, twin_id: str, scene: str, format: str) -> str | None:
        async with self._db.read() as connection:
            asset_id: str | None = await connection.fetchval(
                "select a.asset_id from assets a join objects o using (object_id) where a.sku = $1 and a.twin_id = $2"
                " and a.scene = $3 and a.format = $4 and o.state = 'PUBLISHED'"
                " order by a.garment_version desc, o.published_at desc limit 1",
                sku,
                twin_id,
                scene,
                format,
            )
        return asset_id

    async def find_by_phash(self, phash: str, max_distance: int = 6) -> list[tuple[str, int]]:
        """Assets, taken down ones too, whose perceptual hash (hex) differs in at most so many bits; nearest first."""
        async with self._db.read() as connection:
            rows = await connection.fetch(
                "select asset_id, distance from (select asset_id,"
                " bit_count(('x' || phash)::bit(64) # ('x' || $1::text)::bit(64)) as distance from assets"
                "   where length(phash) = 16) x"
                " where distance <= $2 order by distance, asset_id limit 100",
                phash,
                max_distance,
            )
        return [(row["asset_id"], row["distance"]) for row in rows]

    async def log_accesses(self, accesses: Sequence[tuple[str, str, str]]) -> None:
        async with self._db.read() as connection:
            await connection.execute(
                "insert into access_log (asset_id, outcome, reader)"
                " select * from unnest($1::text[], $2::text[], $3::text[])",
                *([access[part] for access in accesses] for part in range(3)),
            )
