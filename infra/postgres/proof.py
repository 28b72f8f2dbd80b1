"""Proof: complete withdrawals, the facts for their receipts, and the sealing of evidence."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from infra.postgres import outgoing
from infra.postgres.engine import Database
from tasks import protocol
from tasks.errors import NotFound
from tasks.evidence import GENESIS, chain, head_payload

_SEALER = 0x11CE_0002
_SEAL_BATCH = 5000


class ProofPart:
    """The proving side of SweepLedger."""

    _db: Database

    async def completable(self) -> list[str]:
        """Also all of its evidence must be sealed, so that a receipt rests on a signed chain."""
        async with self._db.read() as connection:
            rows = await connection.fetch(
                "select withdrawal_id from withdrawals w where planned_at is not null and completed_at is null"
                " and not exists (select 1 from targets t where t.withdrawal_id = w.withdrawal_id and t.state = 'open')"
                " and not exists (select 1 from targets t join evidence e using (object_id)"
                "   where t.withdrawal_id = w.withdrawal_id and e.position is null)"
                " order by recorded_at"
            )
        return [row["withdrawal_id"] for row in rows]

    async def complete(self, withdrawal_id: str, receipt: str, payload: Mapping[str, Any]) -> None:
        async with self._db.transaction() as connection:
            row = await connection.fetchrow(
                "select w.*, clock_timestamp() as at,"
                " (select count(*) from targets t where t.withdrawal_id = w.withdrawal_id and t.state = 'open') as open"
                " from withdrawals w where withdrawal_id = $1 for update",
                withdrawal_id,
            )
            if row is None:
                raise NotFound(f"there is no withdrawal {withdrawal_id}")
            if row["completed_at"] is not None or not protocol.may_complete(row["planned_at"] is not None, row["open"]):
                return
            await connection.execute(
                "update withdrawals set completed_at = $2 where withdrawal_id = $1", withdrawal_id, row["at"]
            )
            await connection.execute(
                "insert into receipts (withdrawal_id, receipt, payload) values ($1, $2, $3)",
                withdrawal_id,
                receipt,
                outgoing.as_text(payload),
            )
            data = {
                "withdrawal_id": withdrawal_id,
                "effect": row["effect"],
                "recorded_at": row["recorded_at"],
                "completed_at": row["at"],
                "receipt": receipt,
            }
            event_id = f"completed-{withdrawal_id}"
            said = outgoing.event(event_id, "likeness.withdrawal.completed", withdrawal_id, row["at"], data)
            if len(said.value) > 200_000:  # the receipt stays with the ledger where it would not fit into an event
                said = outgoing.event(
                    event_id, "likeness.withdrawal.completed", withdrawal_id, row["at"], {**data, "receipt": None}
                )
            await outgoing.put(connection, [said])

    async def receipt_facts(self, withdrawal_id: str) -> Mapping[str, Any]:
        async with self._db.snapshot() as connection:
            withdrawal = await connection.fetchrow(
                "select *, clock_timestamp() as at from withdrawals where withdrawal_id = $1", withdrawal_id
            )
            if withdrawal is None:
                raise NotFound(f"there is no withdrawal {withdrawal_id}")
            targets = await connection.fetch(
                "select t.state as target_state, t.kept_until, o.*, a.phash, revoked.body as evidence,"
                " looked.body as second_look from targets t join objects o using (object_id)"
                " left join assets a on a.asset_id = o.asset_id"
                " left join evidence revoked on revoked.object_id = o.object_id and revoked.kind = 'revoked'"
                " left join evidence looked on looked.object_id = o.object_id and looked.kind = 'second_look'"
                " where t.withdrawal_id = $1 order by o.key",
                withdrawal_id,
            )
            grants = await connection.fetch(
                "select grant_id from grants where talent_id = $1 and ($2::text is null or grant_id = $2) order by 1",
                withdrawal["talent_id"],
                withdrawal["grant_id"],
            )
            head = await connection.fetchrow("select position, hash from heads order by position desc limit 1")
        return {
            "withdrawal_id": withdrawal_id,
            "talent_id": withdrawal["talent_id"],
            "grant_ids": tuple(row["grant_id"] for row in grants),
            "effect": withdrawal["effect"],
            "recorded_at": withdrawal["recorded_at"],
            "planned_at": withdrawal["planned_at"],
            "at": withdrawal["at"],
            "targets": tuple(_target(row) for row in targets if row["target_state"] == "done"),
            "kept": tuple(_kept(row, withdrawal["effect"]) for row in targets if row["target_state"] == "kept"),
            "chain_position": 0 if head is None else head["position"],
            "chain_hash": GENESIS if head is None else head["hash"],
        }

    async def seal(self, sign: Callable[[bytes], str]) -> int:
        async with self._db.transaction() as connection:
            if not await connection.fetchval("select pg_try_advisory_xact_lock($1)", _SEALER):
                return 0
            rows = await connection.fetch(
                "select evidence_id, object_id, kind, body, recorded_at from evidence where position is null"
                " order by evidence_id limit $1",
                _SEAL_BATCH,
            )
            if not rows:
                return 0
            head = await connection.fetchrow("select position, hash from heads order by position desc limit 1")
            position, previous = (0, GENESIS) if head is None else (head["position"], head["hash"])
            sealed = chain(previous, position, [json.loads(row["body"]) for row in rows])
            await connection.execute(
                "update evidence e set position = s.position, hash = s.hash"
                " from unnest($1::bigint[], $2::bigint[], $3::text[]) as s(id, position, hash)"
                " where e.evidence_id = s.id",
                [row["evidence_id"] for row in rows],
                [row.position for row in sealed],
                [row.hash for row in sealed],
            )
            last = sealed[-1]
            await connection.execute(
                "insert into heads (position, hash, signature) values ($1, $2, $3)",
                last.position,
                last.hash,
                sign(head_payload(last.position, last.hash)),
            )
            return len(sealed)


def _target(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "object_id": row["object_id"],
        "kind": row["kind"],
        "key": row["key"],
        "sha256": row["sha256"],
        "asset_id": row["asset_id"],
        "phash": row["phash"],
        "evidence": json.loads(row["evidence"]),
        "second_look": None if row["second_look"] is None else json.loads(row["second_look"]),
    }


def _kept(row: Mapping[str, Any], effect: str) -> dict[str, Any]:
    why = "stop_new" if effect == "stop_new" else "run_off"
    return {"asset_id": row["asset_id"], "phash": row["phash"], "why": why, "until": row["kept_until"]}
