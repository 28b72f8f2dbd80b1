"""Objects that are no assets: caches, contact sheets, twin references. Row before bytes, valid while their fence is."""

import hashlib
import secrets
from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg

from infra.postgres.engine import Database
from infra.postgres.publish import EXTENSIONS, pseudonyms, revoke_rows
from infra.postgres.rows import object_of
from schemas.asset import Cause, ObjectKind, StoredObject
from tasks import protocol
from tasks.errors import NotFound
from tasks.ports import Intent
from tasks.protocol import Keeping

_KEEPING = """
    select void_below, twin_void_below, withdrawn_at is not null,
           exists (select 1 from grants g where g.talent_id = t.talent_id and status::json ->> 'current' is not null)
    from talents t where talent_id = $1"""


class ObjectsPart:
    """The side of WorkLedger that keeps other stored bytes."""

    _db: Database
    _publish_lease: timedelta

    async def reserve_object(
        self,
        kind: ObjectKind,
        *,
        talent_id: str,
        twin_id: str,
        fence: int,
        name: str,
        sha256: str,
        size: int,
        content_type: str,
    ) -> Intent | None:
        async with self._db.publish() as connection:
            if not protocol.may_keep(kind, fence, await _keeping(connection, talent_id)):
                return None
            await connection.execute(
                "select pg_advisory_xact_lock(hashtextextended($1, 0))", f"{kind} {twin_id} {name}"
            )
            former = await connection.fetchrow(
                "select object_id, state, attempt from objects where kind = $1 and twin_id = $2 and name = $3"
                " order by attempt desc limit 1 for update",
                kind,
                twin_id,
                name,
            )
            if former is not None:
                cause: Cause = "abandoned" if former["state"] == "INTENT" else "superseded"
                await revoke_rows(connection, [former["object_id"]], cause)
            attempt = 1 if former is None else former["attempt"] + 1
            twin_name, _ = await pseudonyms(connection, talent_id, twin_id, None)
            named = hashlib.sha256(name.encode()).hexdigest()[:32]
            object_id = f"ob-{secrets.token_hex(10)}"
            key = f"{kind}/{twin_name}/{named}.{attempt}.{EXTENSIONS.get(content_type, 'bin')}"
            lease_until = await connection.fetchval(
                "insert into objects (object_id, kind, key, name, state, talent_id, twin_id, fence, sha256, size,"
                " content_type, attempt, lease_until) values ($1, $2, $3, $4, 'INTENT', $5, $6, $7, $8, $9, $10, $11,"
                " clock_timestamp() + $12) returning lease_until",
                object_id,
                kind,
                key,
                name,
                talent_id,
                twin_id,
                fence,
                sha256,
                size,
                content_type,
                attempt,
                self._publish_lease,
            )
            return Intent(object_id, key, attempt, lease_until)

    async def confirm_object(self, intent: Intent) -> bool:
        async with self._db.publish() as connection:
            found = await connection.fetchrow(
                "select talent_id, kind, fence from objects where object_id = $1", intent.object_id
            )
            if found is None:
                raise NotFound(f"there is no object {intent.object_id}")
            keeping = await _keeping(connection, found["talent_id"])
            before = await connection.fetchval(
                "select state from objects where object_id = $1 for update", intent.object_id
            )
            after = protocol.confirm(found["kind"], before, found["fence"], keeping)
            if after == "REVOKING" and before == "INTENT":
                await revoke_rows(connection, [intent.object_id], "withdrawn")
            if after == "PUBLISHED" and before == "INTENT":
                await connection.execute(
                    "update objects set state = 'PUBLISHED', lease_until = null, published_at = clock_timestamp(),"
                    " changed_at = clock_timestamp() where object_id = $1",
                    intent.object_id,
                )
            return after == "PUBLISHED"

    async def object_states(self, page: int = 5000) -> AsyncIterator[tuple[str, str]]:
        """Key and state of every Object row, for reconciliation with the store; read in pages, by key."""
        after = ""
        while True:
            async with self._db.read() as connection:
                rows = await connection.fetch(
                    "select key, state from objects where key > $1 order by key limit $2", after, page
                )
            for row in rows:
                yield row["key"], row["state"]
            if len(rows) < page:
                return
            after = rows[-1]["key"]

    async def find_object(self, kind: ObjectKind, twin_id: str, name: str) -> StoredObject | None:
        async with self._db.read() as connection:
            row = await connection.fetchrow(
                "select * from objects where kind = $1 and twin_id = $2 and name = $3 and state = 'PUBLISHED'",
                kind,
                twin_id,
                name,
            )
            if row is None:
                return None
            known = await connection.fetchrow(_KEEPING, row["talent_id"])
        return object_of(row) if protocol.may_keep(kind, row["fence"], _kept_by(known)) else None


async def _keeping(connection: asyncpg.Connection, talent_id: str) -> Keeping:
    """Under the talent's lock FOR SHARE. Of a talent of whom nothing was said, references may be kept."""
    await connection.execute("select 1 from talents where talent_id = $1 for share", talent_id)
    return _kept_by(await connection.fetchrow(_KEEPING, talent_id))


def _kept_by(row: asyncpg.Record | None) -> Keeping:
    return Keeping() if row is None else Keeping(*row)
