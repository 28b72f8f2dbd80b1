"""Objects that are no assets: caches, contact sheets, twin references. Row before bytes, valid while their fence is."""

import hashlib
import secrets
from datetime import timedelta

from infra.postgres.engine import Database
from infra.postgres.publish import EXTENSIONS, pseudonyms, revoke_rows
from infra.postgres.rows import object_of
from schemas.asset import Cause, ObjectKind, StoredObject
from tasks import protocol
from tasks.errors import NotFound
from tasks.ports import Intent


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
            talent = await connection.fetchrow(
                "select fence, void_below, twin_void_below from talents where talent_id = $1 for share", talent_id
            )
            if talent is not None and protocol.is_void(kind, fence, talent["void_below"], talent["twin_void_below"]):
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
            talent = await connection.fetchrow(
                "select void_below, twin_void_below from talents where talent_id = $1 for share", found["talent_id"]
            )
            before = await connection.fetchval(
                "select state from objects where object_id = $1 for update", intent.object_id
            )
            limits = (0, 0) if talent is None else (talent["void_below"], talent["twin_void_below"])
            after = protocol.confirm(found["kind"], before, found["fence"], *limits)
            if after == "REVOKING" and before == "INTENT":
                await revoke_rows(connection, [intent.object_id], "withdrawn")
            if after == "PUBLISHED" and before == "INTENT":
                await connection.execute(
                    "update objects set state = 'PUBLISHED', lease_until = null, published_at = clock_timestamp(),"
                    " changed_at = clock_timestamp() where object_id = $1",
                    intent.object_id,
                )
            return after == "PUBLISHED"

    async def find_object(self, kind: ObjectKind, twin_id: str, name: str) -> StoredObject | None:
        async with self._db.read() as connection:
            row = await connection.fetchrow(
                "select o.*, coalesce(t.void_below, 0) as void_below, coalesce(t.twin_void_below, 0) as twin_void_below"
                " from objects o left join talents t using (talent_id)"
                " where o.kind = $1 and o.twin_id = $2 and o.name = $3 and o.state = 'PUBLISHED'",
                kind,
                twin_id,
                name,
            )
        if row is None or protocol.is_void(row["kind"], row["fence"], row["void_below"], row["twin_void_below"]):
            return None
        return object_of(row)
