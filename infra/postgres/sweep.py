"""Sweep: reap abandoned work, plan withdrawals, expire what consent no longer covers, record what was revoked."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import asyncpg

from infra.postgres import outgoing, standing
from infra.postgres.engine import Database
from infra.postgres.publish import revoke_rows
from infra.postgres.rows import ASSET, asset_of, object_of
from schemas.asset import Cause, ObjectState, StoredObject
from schemas.decision import Decision
from schemas.grant import ConsentView, GrantStatus
from tasks import decide, protocol
from tasks.protocol import Stored

_LONGEST_PAUSE = 60.0
_CONCERNED = """
    select object_id, kind, state, fence, grant_id, grant_version, second_look_at from objects
    where talent_id = $1 and (state in ('INTENT', 'PUBLISHED', 'REVOKING') or second_look_at is not null
                              or (state = 'REVOKED' and revoked_at >= $2))
    order by object_id for update"""
"""What is there, what may still return, and what went since the withdrawal came."""


class SweepPart:
    """The sweeping side of SweepLedger."""

    _db: Database
    _longest_put: timedelta

    async def reap(self) -> int:
        async with self._db.transaction() as connection:
            rows = await connection.fetch(
                "select object_id, state, lease_until, clock_timestamp() as at from objects where state = 'INTENT'"
                " and lease_until <= clock_timestamp() order by object_id limit 1000 for update skip locked"
            )
            expired = [
                row["object_id"]
                for row in rows
                if protocol.reap(row["state"], row["lease_until"], row["at"]) == "REVOKING"
            ]
            return await revoke_rows(connection, expired, "abandoned")

    async def plan_withdrawals(self) -> list[str]:
        planned = []
        async with self._db.read() as connection:
            unplanned = await connection.fetch(
                "select withdrawal_id from withdrawals where planned_at is null order by recorded_at"
            )
        for row in unplanned:
            async with self._db.transaction() as connection:
                if await _plan(connection, row["withdrawal_id"]):
                    planned.append(row["withdrawal_id"])
        return planned

    async def expire(self) -> int:
        return await self._end_uses() + await self._review_grants()

    async def _end_uses(self) -> int:
        async with self._db.transaction() as connection:
            rows = await connection.fetch(
                "select object_id from objects where state = 'PUBLISHED' and use_ends_at <= clock_timestamp()"
                " order by object_id limit 1000 for update skip locked"
            )
            return await revoke_rows(connection, [row["object_id"] for row in rows], "expired")

    async def _review_grants(self) -> int:
        """Grants that a fact changed or whose next date has come, unless a withdrawal of the talent is yet to plan."""
        async with self._db.read() as connection:
            due = await connection.fetch(
                "select talent_id, grant_id from grants g where (dirty or review_at <= clock_timestamp())"
                " and not exists (select 1 from withdrawals w where w.talent_id = g.talent_id and planned_at is null)"
                " limit 100"
            )
        ended = 0
        for row in due:
            async with self._db.transaction() as connection:
                ended += await _review(connection, row["talent_id"], row["grant_id"])
        return ended

    async def next_targets(self, limit: int) -> list[StoredObject]:
        async with self._db.read() as connection:
            rows = await connection.fetch(
                "select * from objects where state = 'REVOKING' and next_try_at <= clock_timestamp()"
                " order by next_try_at limit $1",
                limit,
            )
        return [object_of(row) for row in rows]

    async def record_revoked(self, object_id: str, evidence: Mapping[str, Any]) -> None:
        async with self._db.transaction() as connection:
            row = await connection.fetchrow(
                "select *, clock_timestamp() as at from objects where object_id = $1 for update", object_id
            )
            if row is None or protocol.sweep(row["state"], True) == row["state"]:
                return
            safe = evidence.get("atomic_create", False)
            second_look_at = None if safe else row["at"] + self._longest_put
            await connection.execute(
                "update objects set state = 'REVOKED', revoked_at = $2, changed_at = $2, second_look_at = $3,"
                " last_error = null where object_id = $1",
                object_id,
                row["at"],
                second_look_at,
            )
            await _add_evidence(connection, object_id, "revoked", evidence)
            if second_look_at is None:
                await _close_targets(connection, object_id)
            if row["asset_id"] is not None and row["published_at"] is not None:
                await outgoing.put(connection, [_revoked(row)])

    async def record_attempt_failed(self, object_id: str, error: str) -> None:
        async with self._db.read() as connection:
            await connection.execute(
                "update objects set tries = tries + 1, last_error = $2, changed_at = clock_timestamp(), next_try_at ="
                " clock_timestamp() + make_interval(secs => least($3::float8, 0.5 * power(2, least(tries, 20))))"
                " where object_id = $1 and state = 'REVOKING'",
                object_id,
                error[:2000],
                _LONGEST_PAUSE,
            )

    async def due_second_looks(self, limit: int) -> list[StoredObject]:
        async with self._db.read() as connection:
            rows = await connection.fetch(
                "select * from objects where second_look_at <= clock_timestamp() order by second_look_at limit $1",
                limit,
            )
        return [object_of(row) for row in rows]

    async def record_second_look(self, object_id: str, evidence: Mapping[str, Any]) -> None:
        held = evidence["outcome"] == "held"
        async with self._db.transaction() as connection:
            due = await connection.fetchval(
                "update objects set second_look_at = case when $2 then null else clock_timestamp() + $3 end,"
                " changed_at = clock_timestamp() where object_id = $1 and second_look_at is not null returning true",
                object_id,
                held,
                self._longest_put,
            )
            if due:
                await _add_evidence(connection, object_id, "second_look" if held else "returned", evidence)
            if due and held:
                await _close_targets(connection, object_id)


async def _plan(connection: asyncpg.Connection, withdrawal_id: str) -> bool:
    """Every Object of the talent meets its fate under this withdrawal; what goes is due at once."""
    withdrawal = await connection.fetchrow(
        "select * from withdrawals where withdrawal_id = $1 and planned_at is null for update", withdrawal_id
    )
    if withdrawal is None:
        return False
    view, at = (await standing.views(connection, [withdrawal["talent_id"]]))[withdrawal["talent_id"]]
    targets: list[tuple[str, str, str, datetime | None]] = []
    going: list[str] = []
    for row in await connection.fetch(_CONCERNED, withdrawal["talent_id"], withdrawal["recorded_at"]):
        gone = row["state"] == "REVOKED"
        look = row["second_look_at"] is not None
        state: ObjectState = "REVOKING" if gone else row["state"]  # it was not gone when the withdrawal came
        stored = Stored(row["kind"], state, row["fence"], row["grant_id"], row["grant_version"])
        fate = protocol.plan(stored, withdrawal["grant_id"], withdrawal["fence"], view, at)
        if fate.fate == "go":
            going.append(row["object_id"])
            targets.append((withdrawal_id, row["object_id"], "done" if gone and not look else "open", None))
        elif fate.fate == "keep":
            targets.append((withdrawal_id, row["object_id"], "kept", fate.until))
    await revoke_rows(connection, going, "withdrawn")
    await connection.copy_records_to_table(
        "targets", columns=("withdrawal_id", "object_id", "state", "kept_until"), records=targets
    )
    await connection.execute(
        "update withdrawals set planned_at = clock_timestamp() where withdrawal_id = $1", withdrawal_id
    )
    return True


async def _review(connection: asyncpg.Connection, talent_id: str, grant_id: str) -> int:
    """Ask may_serve about every live asset of the grant; what may not be shown any more goes."""
    marked = await connection.fetchrow(
        "select status from grants where talent_id = $1 and grant_id = $2 for update", talent_id, grant_id
    )
    if marked is None:
        return 0
    view, at = (await standing.views(connection, [talent_id]))[talent_id]
    rows = await connection.fetch(
        f"{ASSET} where o.talent_id = $1 and o.grant_id = $2 and o.state = 'PUBLISHED'", talent_id, grant_id
    )
    ending: dict[Cause, list[str]] = {}
    for asset in map(asset_of, rows):
        if (cause := _cause(decide.may_serve(asset, view, at))) is not None:
            ending.setdefault(cause, []).append(asset.object_id)
    ended = 0
    for cause, object_ids in ending.items():
        ended += await revoke_rows(connection, sorted(object_ids), cause)
    await connection.execute(
        "update grants set dirty = false, review_at = $3 where talent_id = $1 and grant_id = $2",
        talent_id,
        grant_id,
        _next_date(view, grant_id, at),
    )
    return ended


def _cause(decision: Decision) -> Cause | None:
    """Why a denied asset goes for good; None for one that is only too early."""
    codes = {reason.code for reason in decision.reasons}
    if decision.permitted or codes == {"not_yet_effective"}:
        return None
    if "withdrawn" in codes or "no_grant" in codes:
        return "withdrawn"
    return "expired" if codes <= {"expired", "not_yet_effective"} else "narrowed"


def _next_date(view: ConsentView, grant_id: str, at: datetime) -> datetime | None:
    """When something about the grant's assets changes by itself."""
    status: GrantStatus = next(each for each in view.grants if each.grant_id == grant_id)
    standard = status.current or status.latest
    dates = [*status.spared.values(), *(() if standard is None else (standard.effective_to,))]
    return min((date for date in dates if date > at), default=None)


async def _add_evidence(connection: asyncpg.Connection, object_id: str, kind: str, evidence: Mapping[str, Any]) -> None:
    await connection.execute(
        "insert into evidence (object_id, kind, body) values ($1, $2, $3)", object_id, kind, outgoing.as_text(evidence)
    )


async def _close_targets(connection: asyncpg.Connection, object_id: str) -> None:
    await connection.execute(
        "update targets set state = 'done' where object_id = $1 and state in ('open', 'kept')", object_id
    )


def _revoked(row: asyncpg.Record) -> outgoing.Outgoing:
    state: ObjectState = "REVOKED"
    data = {
        "asset_id": row["asset_id"],
        "object_id": row["object_id"],
        "twin_id": row["twin_id"],
        "cause": row["cause"],
        "state": state,
    }
    return outgoing.event(f"revoked-{row['object_id']}", "likeness.asset.revoked", row["asset_id"], row["at"], data)
