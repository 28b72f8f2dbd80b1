"""Outbox: unsent rows in order, locked while they are sent, marked once they are."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from infra.postgres.engine import Database
from tasks.ports import OutboxRow

_RELAY = 0x11CE_0003


class OutboxPart:
    """OutboxLedger."""

    _db: Database

    @asynccontextmanager
    async def lease_outbox(self, limit: int) -> AsyncIterator[list[OutboxRow]]:
        """One relay at a time, so that rows of a key stay in order; a second one is given nothing."""
        async with self._db.transaction() as connection:
            if not await connection.fetchval("select pg_try_advisory_xact_lock($1)", _RELAY):
                yield []
                return
            rows = await connection.fetch(
                "select outbox_id, topic, key, value, headers from outbox where sent_at is null"
                " order by outbox_id limit $1 for update",
                limit,
            )
            yield [
                OutboxRow(
                    row["outbox_id"],
                    row["topic"],
                    row["key"],
                    row["value"],
                    tuple((name, value.encode()) for name, value in json.loads(row["headers"])),
                )
                for row in rows
            ]
            await connection.execute(
                "update outbox set sent_at = clock_timestamp() where outbox_id = any($1::bigint[])",
                [row["outbox_id"] for row in rows],
            )
