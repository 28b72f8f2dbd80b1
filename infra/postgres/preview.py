"""Preview: what a withdrawal would do, computed by the same functions that do it; nothing is changed."""

from datetime import UTC, datetime

import asyncpg

from infra.postgres import standing
from infra.postgres.engine import Database
from infra.postgres.rows import ASSET, asset_of
from schemas.asset import AssetRecord, ObjectKind
from schemas.consent import Effect, Withdrawn
from schemas.grant import ConsentView
from tasks import protocol
from tasks.ports import WithdrawalPreview
from tasks.protocol import Stored


class PreviewPart:
    """The looking-ahead side of ConsentLedger."""

    _db: Database

    async def preview_withdrawal(self, talent_id: str, grant_id: str | None, effect: Effect) -> WithdrawalPreview:
        async with self._db.snapshot() as connection:
            talent = await connection.fetchrow("select * from talents where talent_id = $1", talent_id)
            if talent is None:
                return WithdrawalPreview(talent_id, grant_id, effect, (), (), (), ())
            before = await standing.load(connection, talent)
            at = await connection.fetchval("select clock_timestamp()")
            live = await _live(connection, talent_id)
        number = None if grant_id is None else protocol.next_free_version(before, grant_id)
        fact = Withdrawn(talent_id=talent_id, grant_id=grant_id, version=number, effective_at=at, effect=effect)
        after = protocol.record(before, fact).standing
        stops = tuple(
            status.grant_id
            for status in protocol.view(before).grants
            if status.current is not None and protocol.status(after, status.grant_id).current != status.current
        )
        return _sorted(fact, live, protocol.view(after), after.fence, at, stops)


async def _live(connection: asyncpg.Connection, talent_id: str) -> list[AssetRecord]:
    rows = await connection.fetch(
        f"{ASSET} where o.talent_id = $1 and o.state in ('INTENT', 'PUBLISHED') and o.asset_id is not null"
        " order by a.asset_id",
        talent_id,
    )
    return [asset_of(row) for row in rows]


def _sorted(
    fact: Withdrawn, live: list[AssetRecord], after: ConsentView, fence: int, at: datetime, stops: tuple[str, ...]
) -> WithdrawalPreview:
    take_down: list[str] = []
    run_off: list[tuple[str, datetime]] = []
    stays: list[tuple[str, str]] = []
    for asset in live:
        kind: ObjectKind = "preview" if asset.preview_only else "asset"
        stored = Stored(kind, asset.state, fence - 1, asset.grant_id, asset.grant_version)
        fate = protocol.plan(stored, fact.grant_id, fence, after, at)
        if fate.fate == "go":
            take_down.append(asset.asset_id)
        elif fate.fate == "keep":
            run_off.append((asset.asset_id, min(fate.until or datetime.max.replace(tzinfo=UTC), asset.use.ends_at)))
        else:
            why = "made under another grant" if asset.grant_id != fact.grant_id and fact.grant_id else "signed since"
            stays.append((asset.asset_id, why))
    return WithdrawalPreview(
        fact.talent_id, fact.grant_id, fact.effect, tuple(take_down), tuple(run_off), tuple(stays), stops
    )
