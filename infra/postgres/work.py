"""Work: garment events claimed by lease and heartbeat, one SKU at a time, answered once; decisions and rejections."""

import json
import secrets
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import asyncpg

from infra.postgres import outgoing
from infra.postgres.engine import INBOX_CHANNEL, Database
from infra.postgres.intake import answer_id, bury
from schemas.asset import Cell
from schemas.decision import Decision
from schemas.garment import Garment
from tasks.ports import Claim, DeadLetter

_CANDIDATE = """
    select i.*, clock_timestamp() as at, g.version as newest from inbox i join garments g using (sku)
    where i.state <> 'done'
      and ((i.state = 'queued' and i.not_before <= clock_timestamp())
           or (i.state = 'claimed' and i.lease_until <= clock_timestamp()))
      and not exists (select 1 from inbox o where o.sku = i.sku and o.state = 'claimed' and o.inbox_id <> i.inbox_id)
    order by i.inbox_id limit 1 for update of i skip locked"""


class WorkPart:
    """The inbox side of WorkLedger."""

    _db: Database
    _attempts: int

    async def claim(self, worker: str, lease_seconds: float) -> Claim | None:
        while True:
            try:
                async with self._db.transaction() as connection:
                    row = await connection.fetchrow(_CANDIDATE)
                    if row is None:
                        return None
                    if (claim := await self._take(connection, row, worker, lease_seconds)) is not None:
                        return claim
            except asyncpg.UniqueViolationError:
                continue  # another dresser claimed this SKU at the same moment: look again

    async def _take(
        self, connection: asyncpg.Connection, row: asyncpg.Record, worker: str, lease_seconds: float
    ) -> Claim | None:
        """The claim, or None when the row turned out to need no work and was closed."""
        if row["version"] < row["newest"]:
            await _close(connection, row, "superseded", {"superseded_by": row["newest"]})
            return None
        if row["attempts"] >= self._attempts:
            await _fail(connection, row, row["last_error"] or "the worker died each time", row["attempts"])
            return None
        token = secrets.token_hex(16)
        deadline = await connection.fetchval(
            "update inbox set state = 'claimed', attempts = attempts + 1, lease_token = $2, worker = $3,"
            " lease_until = clock_timestamp() + $4 where inbox_id = $1 returning lease_until",
            row["inbox_id"],
            token,
            worker,
            timedelta(seconds=lease_seconds),
        )
        return Claim(
            row["inbox_id"],
            row["source"],
            row["event_id"],
            row["type"],
            Garment.model_validate(json.loads(row["raw"])["data"]),
            row["attempts"] + 1,
            token,
            deadline,
        )

    async def heartbeat(self, claim: Claim, lease_seconds: float) -> bool:
        async with self._db.read() as connection:
            extended = await connection.fetchval(
                "update inbox set lease_until = clock_timestamp() + $3"
                " where inbox_id = $1 and lease_token = $2 and state = 'claimed' returning true",
                claim.inbox_id,
                claim.lease_token,
                timedelta(seconds=lease_seconds),
            )
        return bool(extended)

    async def finish(self, claim: Claim, outcome: str, summary: Mapping[str, Any]) -> bool:
        async with self._db.transaction() as connection:
            row = await _own(connection, claim)
            if row is None:
                return False
            if outcome == "failed":
                await _bury(connection, row, str(summary.get("code", "failed")), str(summary.get("message", "")))
            await _close(connection, row, outcome, summary)
            return True

    async def give_back(self, claim: Claim, error: str, *, delay_seconds: float) -> None:
        async with self._db.transaction() as connection:
            row = await _own(connection, claim)
            if row is None:
                return
            if row["attempts"] >= self._attempts:
                await _fail(connection, row, error, row["attempts"])
                return
            await connection.execute(
                "update inbox set state = 'queued', lease_token = null, lease_until = null, last_error = $2,"
                " not_before = clock_timestamp() + $3 where inbox_id = $1",
                claim.inbox_id,
                error,
                timedelta(seconds=delay_seconds),
            )

    async def current_version(self, sku: str) -> int | None:
        async with self._db.read() as connection:
            version: int | None = await connection.fetchval("select version from garments where sku = $1", sku)
        return version

    async def record_decisions(self, run: str, decisions: Sequence[tuple[Cell, Decision, str | None]]) -> list[int]:
        async with self._db.transaction() as connection:
            ids = await connection.fetch(
                "select nextval(pg_get_serial_sequence('decisions', 'decision_id')) as id, clock_timestamp() as at"
                " from generate_series(1, $1)",
                len(decisions),
            )
            numbered = [(row["id"], *each) for row, each in zip(ids, decisions, strict=True)]
            await connection.copy_records_to_table(
                "decisions",
                columns=(
                    "decision_id", "run", "cell_id", "sku", "garment_version", "talent_id", "cell", "outcome",
                    "decision", "alternative",
                ),
                records=[
                    (
                        number, run, cell.cell_id, cell.sku, cell.garment_version, cell.use.talent_id,
                        cell.model_dump_json(), decision.outcome, decision.model_dump_json(), alternative,
                    )
                    for number, cell, decision, alternative in numbered
                ],
            )  # fmt: skip
            await outgoing.put(
                connection,
                [
                    _blocked(run, number, cell, decision, alternative)
                    for number, cell, decision, alternative in numbered
                    if not decision.permitted
                ],
            )
            return [row["id"] for row in ids]

    async def record_rejections(self, run: str, rejected: Sequence[tuple[Cell, str, Mapping[str, Any]]]) -> None:
        async with self._db.transaction() as connection:
            at = await connection.fetchval("select clock_timestamp()")
            await connection.executemany(
                "insert into rejections (run, cell_id, sku, cell, recipe_digest, measures)"
                " values ($1, $2, $3, $4, $5, $6) on conflict do nothing",
                [
                    (run, cell.cell_id, cell.sku, cell.model_dump_json(), digest, outgoing.as_text(measures))
                    for cell, digest, measures in rejected
                ],
            )
            await outgoing.put(
                connection,
                [
                    outgoing.event(
                        answer_id("rejected", run, f"{cell.cell_id} {digest}"),
                        "likeness.asset.rejected",
                        cell.cell_id,
                        at,
                        {**_cell_facts(cell), "recipe_digest": digest, "failing": dict(measures)},
                    )
                    for cell, digest, measures in rejected
                ],
            )


async def _own(connection: asyncpg.Connection, claim: Claim) -> asyncpg.Record | None:
    """The claimed row, locked, if its lease is still this worker's."""
    return await connection.fetchrow(
        "select *, clock_timestamp() as at from inbox"
        " where inbox_id = $1 and lease_token = $2 and state = 'claimed' for update",
        claim.inbox_id,
        claim.lease_token,
    )


async def _close(connection: asyncpg.Connection, row: asyncpg.Record, outcome: str, summary: Mapping[str, Any]) -> None:
    """Done, with the final answer in the outbox. `accepted` was answered when the event was taken in."""
    await connection.execute(
        "update inbox set state = 'done', outcome = $2, summary = $3, lease_token = null, lease_until = null,"
        " finished_at = clock_timestamp() where inbox_id = $1",
        row["inbox_id"],
        outcome,
        outgoing.as_text(summary),
    )
    if outcome != "accepted":
        kind = "failed" if outcome == "failed" else "dressed"
        data = {
            "sku": row["sku"],
            "version": row["version"],
            "outcome": outcome,
            "in_answer_to": {"source": row["source"], "id": row["event_id"]},
            **summary,
        }
        event_id = answer_id("answer", row["source"], row["event_id"])
        await outgoing.put(
            connection, [outgoing.event(event_id, f"likeness.garment.{kind}", row["sku"], row["at"], data)]
        )
    # the next version of the same SKU may have waited for this one
    await connection.execute("select pg_notify($1, '')", INBOX_CHANNEL)


async def _fail(connection: asyncpg.Connection, row: asyncpg.Record, error: str, attempts: int) -> None:
    await _bury(connection, row, "attempts_exhausted", error)
    await _close(connection, row, "failed", {"code": "attempts_exhausted", "message": error, "attempts": attempts})


async def _bury(connection: asyncpg.Connection, row: asyncpg.Record, code: str, message: str) -> None:
    letter = DeadLetter(
        row["topic"], row["partition"], row["log_offset"], row["sku"].encode(), row["raw"], code, message,
        row["source"], row["event_id"], row["attempts"],
    )  # fmt: skip
    await bury(connection, [letter], row["at"])


def _blocked(run: str, number: int, cell: Cell, decision: Decision, alternative: str | None) -> outgoing.Outgoing:
    data = {
        **_cell_facts(cell),
        "decision_id": number,
        "outcome": decision.outcome,
        "reasons": [reason.model_dump(mode="json") for reason in decision.reasons],
        "alternative": alternative,
    }
    event_id = answer_id("blocked", run, cell.cell_id)
    return outgoing.event(event_id, "likeness.asset.blocked", cell.cell_id, decision.at, data)


def _cell_facts(cell: Cell) -> dict[str, Any]:
    return {
        "cell_id": cell.cell_id,
        "sku": cell.sku,
        "garment_version": cell.garment_version,
        "twin_id": cell.twin_id,
        "scene": cell.scene,
        "format": cell.format,
    }
