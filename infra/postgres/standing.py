"""Standing: a talent's consent facts in and out of the tables, under the talent's row lock."""

import secrets
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache

import asyncpg

from schemas.grant import ConsentView, Grant, GrantStatus
from tasks import protocol
from tasks.protocol import Standing, Version, Withdrawal

TALENT_VIEW = """
    select t.talent_id, t.fence, t.on_hold, t.withdrawn_at, clock_timestamp() as at,
           coalesce(array_agg(g.status order by g.grant_id) filter (where g.grant_id is not null), '{}') as statuses,
           coalesce(array_agg(coalesce(u.uses, 0) order by g.grant_id) filter (where g.grant_id is not null), '{}')
               as uses
    from talents t left join grants g using (talent_id) left join grant_uses u using (talent_id, grant_id)
    where t.talent_id = any($1::text[]) group by t.talent_id"""


def pseudonym(prefix: str) -> str:
    """Random, so nothing can be read out of it."""
    return f"{prefix}-{secrets.token_hex(8)}"


@lru_cache(maxsize=8192)
def parse_status(text: str) -> GrantStatus:
    """The same text is the same status: what is saved here is parsing, never a decision."""
    return GrantStatus.model_validate_json(text)


def view_of(row: asyncpg.Record) -> ConsentView:
    """A row of TALENT_VIEW."""
    return ConsentView.model_construct(
        talent_id=row["talent_id"],
        fence=row["fence"],
        on_hold=row["on_hold"],
        withdrawn_at=row["withdrawn_at"],
        grants=tuple(
            status if uses == 0 else status.model_copy(update={"uses": uses})
            for status, uses in zip(map(parse_status, row["statuses"]), row["uses"], strict=True)
        ),
    )


async def views(connection: asyncpg.Connection, talent_ids: Sequence[str]) -> dict[str, tuple[ConsentView, datetime]]:
    """View and database time per known talent."""
    rows = await connection.fetch(TALENT_VIEW, list(talent_ids))
    return {row["talent_id"]: (view_of(row), row["at"]) for row in rows}


async def lock(connection: asyncpg.Connection, talent_id: str) -> asyncpg.Record:
    """The talent's row, made if need be, locked against publishers and other facts."""
    await connection.execute(
        "insert into talents (talent_id, pseudonym) values ($1, $2) on conflict (talent_id) do nothing",
        talent_id,
        pseudonym("ta"),
    )
    return await connection.fetchrow("select * from talents where talent_id = $1 for update", talent_id)


async def load(connection: asyncpg.Connection, talent: asyncpg.Record) -> Standing:
    """All facts of a talent, as protocol wants them."""
    talent_id = talent["talent_id"]
    versions = await connection.fetch("select * from grant_versions where talent_id = $1", talent_id)
    withdrawals = await connection.fetch(
        "select * from withdrawals where talent_id = $1 order by recorded_at, withdrawal_id", talent_id
    )
    return Standing(
        talent_id,
        talent["fence"],
        talent["on_hold"],
        talent["void_below"],
        talent["twin_void_below"],
        {
            (row["grant_id"], row["version"]): Version(
                row["narrowed"],
                row["digest"],
                Grant.model_validate_json(row["body"]),
                frozenset(row["overruled"]),
            )
            for row in versions
        },
        tuple(
            Withdrawal(row["grant_id"], row["version"], row["effective_at"], row["effect"], row["digest"])
            for row in withdrawals
        ),
    )


async def save(connection: asyncpg.Connection, before: Standing, after: Standing, hold_reason: str | None) -> None:
    """The talent's row, new or overruled versions, and the derived status of every grant that changed."""
    await connection.execute(
        "update talents set fence = $2, on_hold = $3, void_below = $4, twin_void_below = $5, withdrawn_at = $6,"
        " hold_reason = case when $3 then coalesce($7, hold_reason) end, changed_at = clock_timestamp()"
        " where talent_id = $1",
        after.talent_id,
        after.fence,
        after.on_hold,
        after.void_below,
        after.twin_void_below,
        protocol.withdrawn_at(after),
        hold_reason,
    )
    for (grant_id, number), version in after.versions.items():
        if before.versions.get((grant_id, number)) != version:
            await _save_version(connection, after.talent_id, grant_id, number, version)
    for grant_id in protocol.grant_ids(after):
        await _save_status(connection, after.talent_id, protocol.status(after, grant_id))


async def _save_version(
    connection: asyncpg.Connection, talent_id: str, grant_id: str, number: int, version: Version
) -> None:
    await connection.execute(
        "insert into grant_versions (talent_id, grant_id, version, narrowed, digest, overruled, body)"
        " values ($1, $2, $3, $4, $5, $6, $7) on conflict (talent_id, grant_id, version) do update"
        " set narrowed = excluded.narrowed, digest = excluded.digest, overruled = excluded.overruled,"
        " body = excluded.body",
        talent_id,
        grant_id,
        number,
        version.narrowed,
        version.digest,
        sorted(version.overruled),
        version.grant.model_dump_json(),
    )


async def _save_status(connection: asyncpg.Connection, talent_id: str, status: GrantStatus) -> None:
    """Only where something changed; then every live asset of the grant is due for review."""
    await connection.execute(
        "insert into grants (talent_id, grant_id, pseudonym, floor, status) values ($1, $2, $3, $4, $5)"
        " on conflict (talent_id, grant_id) do update set floor = excluded.floor, status = excluded.status,"
        " dirty = true, changed_at = clock_timestamp() where grants.status is distinct from excluded.status",
        talent_id,
        status.grant_id,
        pseudonym("gr"),
        status.floor,
        status.model_dump_json(),
    )
