"""Publish: tx1 and tx3 of an asset, both under the talent's row lock FOR SHARE, so that a withdrawal waits for them."""

import secrets
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg

from infra.postgres import outgoing, standing
from infra.postgres.engine import Database
from infra.postgres.rows import ASSET, asset_of
from schemas.asset import AssetRecord, Cause
from schemas.decision import Decision
from schemas.grant import ConsentView, Grant
from tasks import decide, protocol
from tasks.errors import NotFound
from tasks.ports import Intent, PublishOutcome, PublishRequest

EXTENSIONS = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp", "application/json": "json"}


class PublishPart:
    """The publishing side of WorkLedger."""

    _db: Database
    _publish_lease: timedelta

    async def find_live(self, asset_id: str) -> AssetRecord | None:
        async with self._db.read() as connection:
            row = await connection.fetchrow(f"{ASSET} where a.asset_id = $1 and o.state = 'PUBLISHED'", asset_id)
        return None if row is None else asset_of(row)

    async def begin_publish(self, request: PublishRequest) -> Intent | PublishOutcome:
        async with self._db.publish() as connection:
            view, at = await share(connection, request.cell.use.talent_id)
            decision = _decide(request, view, at, own_uses=0)
            latest = await _latest_attempt(connection, request)
            state = None if latest is None else latest["state"]
            step = protocol.begin_publish(state, decision, view.fence, request.fence)
            if step == "refuse":
                return PublishOutcome("REVOKING", request.asset_id, None, decision)
            if step == "already":
                return PublishOutcome("already", request.asset_id, latest["object_id"], decision)
            if step == "intend_anew":
                await revoke_rows(connection, [latest["object_id"]], "abandoned")
            if (taken := await _take_use(connection, request, view)) is not None:
                return PublishOutcome("REVOKING", request.asset_id, None, _decide(request, taken, at, own_uses=0))
            attempt = 1 if latest is None else latest["attempt"] + 1
            intent = await self._insert_intent(connection, request, attempt)
            await _upsert_asset(connection, request, intent.object_id)
            return intent

    async def _insert_intent(self, connection: asyncpg.Connection, request: PublishRequest, attempt: int) -> Intent:
        use = request.cell.use
        names = await pseudonyms(connection, use.talent_id, use.twin_id, request.grant_id)
        extension = EXTENSIONS.get(request.content_type, "bin")
        folder = "preview" if request.preview_only else "pub"
        key = f"{folder}/{names[0]}/{names[1]}/{request.grant_version}/{request.asset_id}.{attempt}.{extension}"
        object_id = f"ob-{secrets.token_hex(10)}"
        lease_until = await connection.fetchval(
            "insert into objects (object_id, kind, key, name, state, talent_id, twin_id, grant_id, grant_version,"
            " fence, sha256, size, content_type, attempt, asset_id, cell_id, use_ends_at, lease_until)"
            " values ($1, $2, $3, $4, 'INTENT', $5, $6, $7, $8, $9, $10, $11, $12, $13, $4, $14, $15,"
            " clock_timestamp() + $16) returning lease_until",
            object_id,
            "preview" if request.preview_only else "asset",
            key,
            request.asset_id,
            use.talent_id,
            use.twin_id,
            request.grant_id,
            request.grant_version,
            request.fence,
            request.sha256,
            request.size,
            request.content_type,
            attempt,
            request.cell.cell_id,
            use.ends_at,
            self._publish_lease,
        )
        return Intent(object_id, key, attempt, lease_until)

    async def finish_publish(self, intent: Intent, request: PublishRequest) -> PublishOutcome:
        async with self._db.publish() as connection:
            view, at = await share(connection, request.cell.use.talent_id)
            row = await connection.fetchrow(
                "select state from objects where object_id = $1 for update", intent.object_id
            )
            if row is None:
                raise NotFound(f"there is no object {intent.object_id}")
            decision = _decide(request, view, at, own_uses=1)
            state = protocol.finish_publish(row["state"], decision, view.fence, request.fence)
            if state == row["state"]:  # reaped, withdrawn or finished before
                reported = "already" if state == "PUBLISHED" else "REVOKING"
                return PublishOutcome(reported, request.asset_id, intent.object_id, decision)
            if state == "PUBLISHED" and await _newer_in_cell(connection, request):
                await revoke_rows(connection, [intent.object_id], "superseded")
                return PublishOutcome("REVOKING", request.asset_id, intent.object_id, decision)
            if state == "REVOKING":
                await revoke_rows(connection, [intent.object_id], "withdrawn")
                return PublishOutcome(state, request.asset_id, intent.object_id, decision)
            await _publish(connection, intent, request, view, at)
            return PublishOutcome(state, request.asset_id, intent.object_id, decision)

    async def abandon(self, intent: Intent, cause: Cause) -> None:
        async with self._db.publish() as connection:
            await connection.fetchrow("select 1 from objects where object_id = $1 for update", intent.object_id)
            await revoke_rows(connection, [intent.object_id], cause, only_state="INTENT")

    async def retire_older(self, sku: str, version: int) -> int:
        return await self._retire(sku, version, "superseded")

    async def discontinue(self, sku: str) -> int:
        return await self._retire(sku, 2**31 - 1, "discontinued")

    async def _retire(self, sku: str, below: int, cause: Cause) -> int:
        async with self._db.publish() as connection:
            rows = await connection.fetch(
                "select o.object_id from assets a join objects o using (object_id)"
                " where a.sku = $1 and a.garment_version < $2 and o.state in ('INTENT', 'PUBLISHED')"
                " order by o.object_id for update of o",
                sku,
                below,
            )
            return await revoke_rows(connection, [row["object_id"] for row in rows], cause)


async def share(connection: asyncpg.Connection, talent_id: str) -> tuple[ConsentView, datetime]:
    """Lock the talent's row FOR SHARE, then read consent and time: nothing about it can change until we commit."""
    await connection.execute("select 1 from talents where talent_id = $1 for share", talent_id)
    known = await standing.views(connection, [talent_id])
    if talent_id in known:
        return known[talent_id]
    return ConsentView(talent_id=talent_id), await connection.fetchval("select clock_timestamp()")


def _decide(request: PublishRequest, view: ConsentView, at: datetime, *, own_uses: int) -> Decision:
    """May this request be published under the grant version that it was planned under? `own_uses` are already counted
    for it."""
    use = request.cell.use
    if view.fence != request.fence:
        return decide.fence_raised(use, view, request.fence, at)
    grants = tuple(
        status.model_copy(update={"uses": status.uses - own_uses}) if status.grant_id == request.grant_id else status
        for status in view.grants
    )
    seen = view.model_copy(update={"grants": grants}) if own_uses else view
    return decide.may_make(use, seen, at, grant_id=request.grant_id, grant_version=request.grant_version)


async def pseudonyms(
    connection: asyncpg.Connection, talent_id: str, twin_id: str, grant_id: str | None
) -> tuple[str, str]:
    """Of twin and grant, for keys: what lies in the store names nobody."""
    await connection.execute(
        "insert into twin_pseudonyms (twin_id, pseudonym) values ($1, $2) on conflict do nothing",
        twin_id,
        standing.pseudonym("tw"),
    )
    row = await connection.fetchrow(
        "select p.pseudonym as twin, g.pseudonym as grant_name from twin_pseudonyms p"
        " left join grants g on g.talent_id = $2 and g.grant_id = $3 where p.twin_id = $1",
        twin_id,
        talent_id,
        grant_id,
    )
    return row["twin"], row["grant_name"] or "none"


async def _latest_attempt(connection: asyncpg.Connection, request: PublishRequest) -> Any:
    """The newest attempt of this asset, locked; the advisory lock keeps two first attempts apart."""
    await connection.execute("select pg_advisory_xact_lock(hashtextextended($1, 0))", request.asset_id)
    return await connection.fetchrow(
        "select object_id, state, attempt from objects where kind = $1 and twin_id = $2 and name = $3"
        " order by attempt desc limit 1 for update",
        "preview" if request.preview_only else "asset",
        request.cell.twin_id,
        request.asset_id,
    )


async def _upsert_asset(connection: asyncpg.Connection, request: PublishRequest, object_id: str) -> None:
    cell = request.cell
    await connection.execute(
        "insert into assets (asset_id, object_id, cell_id, sku, garment_version, category, brand, talent_id, twin_id,"
        " scene, format, use, grant_id, grant_version, recipe, recipe_digest, phash, measures, checks, decision_id,"
        " width, height, preview_only) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16,"
        " $17, $18, $19, $20, $21, $22, $23) on conflict (asset_id) do update set object_id = excluded.object_id,"
        " use = excluded.use, phash = excluded.phash, measures = excluded.measures, checks = excluded.checks,"
        " decision_id = excluded.decision_id",
        request.asset_id,
        object_id,
        cell.cell_id,
        cell.sku,
        cell.garment_version,
        cell.use.category,
        cell.use.brand,
        cell.use.talent_id,
        cell.twin_id,
        cell.scene,
        cell.format,
        cell.use.model_dump_json(),
        request.grant_id,
        request.grant_version,
        outgoing.as_text(request.recipe),
        request.recipe_digest,
        request.phash,
        outgoing.as_text(request.measures),
        outgoing.as_text(request.checks),
        request.decision_id,
        request.width,
        request.height,
        request.preview_only,
    )


async def _take_use(connection: asyncpg.Connection, request: PublishRequest, view: ConsentView) -> ConsentView | None:
    """Count one more use of the grant; the consent as it is now if another publisher took the last one meanwhile."""
    status = next(each for each in view.grants if each.grant_id == request.grant_id)
    limit = None if status.current is None else status.current.max_uses
    uses = await connection.fetchval(
        "insert into grant_uses (talent_id, grant_id, uses) values ($1, $2, 1)"
        " on conflict (talent_id, grant_id) do update set uses = grant_uses.uses + 1"
        " where $3::int is null or grant_uses.uses < $3 returning uses",
        request.cell.use.talent_id,
        request.grant_id,
        limit,
    )
    if uses is not None:
        return None
    return (await standing.views(connection, [view.talent_id]))[view.talent_id][0]


async def _newer_in_cell(connection: asyncpg.Connection, request: PublishRequest) -> bool:
    newer: bool = await connection.fetchval(
        "select exists (select 1 from objects o join assets a using (object_id)"
        " where o.cell_id = $1 and o.state = 'PUBLISHED' and a.garment_version > $2)",
        request.cell.cell_id,
        request.cell.garment_version,
    )
    return newer


async def _publish(
    connection: asyncpg.Connection, intent: Intent, request: PublishRequest, view: ConsentView, at: datetime
) -> None:
    """PUBLISHED, the slot's former asset superseded, pay accrued, the world told."""
    cell = request.cell
    former = await connection.fetch(
        "select object_id from objects where cell_id = $1 and state = 'PUBLISHED' order by object_id for update",
        cell.cell_id,
    )
    await revoke_rows(connection, [row["object_id"] for row in former], "superseded")
    await connection.execute(
        "update objects set state = 'PUBLISHED', published_at = $2, changed_at = $2, lease_until = null"
        " where object_id = $1",
        intent.object_id,
        at,
    )
    grant = next(status.current for status in view.grants if status.grant_id == request.grant_id)
    if grant is not None and not request.preview_only:
        await _accrue(connection, request, grant)
    await outgoing.put(connection, [_published(intent, request, grant, at)])


async def _accrue(connection: asyncpg.Connection, request: PublishRequest, grant: Grant) -> None:
    if grant.rate is None:
        return
    await connection.execute(
        "insert into accruals (asset_id, talent_id, grant_id, grant_version, amount, currency, per)"
        " values ($1, $2, $3, $4, $5, $6, $7) on conflict (asset_id) do nothing",
        request.asset_id,
        grant.talent_id,
        grant.grant_id,
        request.grant_version,
        Decimal(grant.rate.amount),
        grant.rate.currency,
        grant.rate.per,
    )


def _published(intent: Intent, request: PublishRequest, grant: Grant | None, at: datetime) -> outgoing.Outgoing:
    cell = request.cell
    data = {
        "asset_id": request.asset_id,
        "cell_id": cell.cell_id,
        "sku": cell.sku,
        "garment_version": cell.garment_version,
        "twin_id": cell.twin_id,
        "scene": cell.scene,
        "format": cell.format,
        "grant_id": request.grant_id,
        "grant_version": request.grant_version,
        "sha256": request.sha256,
        "content_type": request.content_type,
        "width": request.width,
        "height": request.height,
        "phash": request.phash,
        "preview_only": request.preview_only,
    }
    return outgoing.event(f"published-{intent.object_id}", "likeness.asset.published", request.asset_id, at, data)


async def revoke_rows(
    connection: asyncpg.Connection, object_ids: list[str], cause: Cause, *, only_state: str | None = None
) -> int:
    """INTENT and PUBLISHED rows to REVOKING, due at once. A use that was only intended is given back."""
    if not object_ids:
        return 0
    rows = await connection.fetch(
        "with before as (select object_id, state from objects where object_id = any($1::text[])"
        "   and state in ('INTENT', 'PUBLISHED') and ($3::text is null or state = $3))"
        " update objects o set state = 'REVOKING', cause = $2, lease_until = null, changed_at = clock_timestamp(),"
        " next_try_at = clock_timestamp() from before b where o.object_id = b.object_id and o.state = b.state"
        " returning b.state as was, o.talent_id, o.grant_id",
        object_ids,
        cause,
        only_state,
    )
    given_back: dict[tuple[str, str], int] = {}
    for row in rows:
        if row["was"] == "INTENT" and row["grant_id"] is not None:
            grant = (row["talent_id"], row["grant_id"])
            given_back[grant] = given_back.get(grant, 0) + 1
    for (talent_id, grant_id), uses in sorted(given_back.items()):
        await connection.execute(
            "update grant_uses set uses = greatest(0, uses - $3) where talent_id = $1 and grant_id = $2",
            talent_id,
            grant_id,
            uses,
        )
    return len(rows)
