"""Intake: events, their effects and their Kafka positions in one transaction each."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import asyncpg

from infra.postgres import consent, outgoing
from infra.postgres.consent import Said, SameIdOtherBytes
from infra.postgres.engine import INBOX_CHANNEL, Database
from schemas.consent import Withdrawn
from tasks.errors import InvalidEvent
from tasks.ports import ConsentFact, ConsentOutcome, DeadLetter, InboxRow

_INBOX_COLUMNS = (
    "topic", "partition", "log_offset", "source", "event_id", "digest", "type", "sku", "version", "raw", "event_time"
)  # fmt: skip


class IntakePart:
    """IntakeLedger."""

    _db: Database

    async def positions(self, group: str, topic: str) -> dict[int, int]:
        async with self._db.read() as connection:
            rows = await connection.fetch(
                "select partition, next_offset from positions where consumer_group = $1 and topic = $2", group, topic
            )
        return {row["partition"]: row["next_offset"] for row in rows}

    async def accept_garments(
        self, group: str, rows: Sequence[InboxRow], dead: Sequence[DeadLetter], positions: Mapping[tuple[str, int], int]
    ) -> int:
        async with self._db.transaction() as connection:
            taken = await _lock_positions(connection, group, positions)
            fresh = [row for row in rows if row.offset >= taken.get((row.topic, row.partition), 0)]
            letters = [row for row in dead if row.offset >= taken.get((row.topic, row.partition), 0)]
            await connection.execute("select pg_advisory_xact_lock(hashtext('likeness intake'))")
            new, forged = await _without_known(connection, fresh)
            at = await connection.fetchval("select clock_timestamp()")
            await bury(connection, [*letters, *forged], at)
            if new:
                await _take_in(connection, new, at)
            await _move_positions(connection, group, positions)
            return len(new)

    async def accept_consent(
        self,
        group: str,
        fact: ConsentFact | None,
        dead: DeadLetter | None,
        position: tuple[str, int, int],
        *,
        source: str,
        event_id: str,
        digest: str,
        raw: bytes,
        hold_talent: str | None = None,
    ) -> ConsentOutcome | None:
        topic, partition, next_offset = position
        next_positions = {(topic, partition): next_offset}
        async with self._db.transaction() as connection:
            taken = await _lock_positions(connection, group, next_positions)
            if next_offset <= taken.get((topic, partition), 0):
                return None
            outcome = None
            if fact is not None:
                try:
                    outcome = await consent.record(connection, Said(fact, source, event_id, raw))
                except (SameIdOtherBytes, InvalidEvent) as error:
                    dead = DeadLetter(
                        topic, partition, next_offset - 1, fact.talent_id.encode(), raw, error.code, error.message,
                        source, event_id,
                    )  # fmt: skip
                    if isinstance(fact, Withdrawn):
                        hold_talent = fact.talent_id
            if dead is not None:
                await bury(connection, [dead], await connection.fetchval("select clock_timestamp()"))
            if hold_talent is not None:
                await consent.hold(connection, hold_talent, "a withdrawal came that could not be taken")
            await _move_positions(connection, group, next_positions)
            return outcome

    async def expect_partitions(self, topic: str, partitions: Iterable[int]) -> None:
        """Name the partitions that must be read to their end before the gate opens."""
        async with self._db.transaction() as connection:
            await connection.executemany(
                "insert into watermarks (topic, partition) values ($1, $2) on conflict do nothing",
                [(topic, partition) for partition in partitions],
            )

    async def store_watermark(self, topic: str, partition: int, read_to_end_at: datetime) -> None:
        async with self._db.read() as connection:
            await connection.execute(
                "insert into watermarks (topic, partition, read_to_end_at) values ($1, $2, $3)"
                " on conflict (topic, partition) do update"
                " set read_to_end_at = greatest(watermarks.read_to_end_at, excluded.read_to_end_at)",
                topic,
                partition,
                read_to_end_at,
            )

    async def now(self) -> datetime:
        async with self._db.read() as connection:
            moment: datetime = await connection.fetchval("select clock_timestamp()")
        return moment


async def _lock_positions(
    connection: asyncpg.Connection, group: str, positions: Mapping[tuple[str, int], int]
) -> dict[tuple[str, int], int]:
    """The ledger's own next offsets of these partitions, locked: a consumer that lost its partition waits or skips."""
    named = sorted(positions)
    topics, partitions = [topic for topic, _ in named], [partition for _, partition in named]
    await connection.execute(
        "insert into positions (consumer_group, topic, partition, next_offset)"
        " select $1, t, p, 0 from unnest($2::text[], $3::int[]) as n(t, p) on conflict do nothing",
        group,
        topics,
        partitions,
    )
    rows = await connection.fetch(
        "select topic, partition, next_offset from positions where consumer_group = $1"
        " and (topic, partition) in (select * from unnest($2::text[], $3::int[])) order by topic, partition for update",
        group,
        topics,
        partitions,
    )
    return {(row["topic"], row["partition"]): row["next_offset"] for row in rows}


async def _move_positions(connection: asyncpg.Connection, group: str, positions: Mapping[tuple[str, int], int]) -> None:
    named = sorted(positions)
    await connection.execute(
        "update positions set next_offset = greatest(positions.next_offset, n.o)"
        " from unnest($2::text[], $3::int[], $4::bigint[]) as n(t, p, o)"
        " where consumer_group = $1 and topic = n.t and partition = n.p",
        group,
        [topic for topic, _ in named],
        [partition for _, partition in named],
        [positions[each] for each in named],
    )


async def _without_known(
    connection: asyncpg.Connection, rows: Sequence[InboxRow]
) -> tuple[list[InboxRow], list[DeadLetter]]:
    """(rows never seen, dead letters for the same id with other bytes); repetitions have no effect."""
    known_rows = await connection.fetch(
        "select source, event_id, digest from inbox"
        " where (source, event_id) in (select * from unnest($1::text[], $2::text[]))",
        [row.source for row in rows],
        [row.event_id for row in rows],
    )
    digests = {(row["source"], row["event_id"]): row["digest"] for row in known_rows}
    new: list[InboxRow] = []
    forged: list[DeadLetter] = []
    for row in rows:
        digest = digests.get((row.source, row.event_id))
        if digest is None:
            digests[row.source, row.event_id] = row.digest
            new.append(row)
        elif digest != row.digest:
            forged.append(_forged(row))
    return new, forged


def _forged(row: InboxRow) -> DeadLetter:
    return DeadLetter(
        row.topic,
        row.partition,
        row.offset,
        row.subject.encode(),
        row.raw,
        SameIdOtherBytes.code,
        f"{row.source} {row.event_id} came before with other bytes",
        row.source,
        row.event_id,
    )


async def _take_in(connection: asyncpg.Connection, rows: Sequence[InboxRow], at: datetime) -> None:
    """Inbox rows, newest garment versions and `accepted` answers, then wake the dressers."""
    await connection.copy_records_to_table(
        "inbox",
        columns=_INBOX_COLUMNS,
        records=[
            (
                row.topic, row.partition, row.offset, row.source, row.event_id, row.digest, row.type, row.garment.sku,
                row.garment.version, row.raw, row.event_time,
            )
            for row in rows
        ],
    )  # fmt: skip
    newest = {row.garment.sku: row for row in sorted(rows, key=lambda row: row.garment.version)}
    skus = sorted(newest)
    await connection.execute(
        "insert into garments (sku, version, body, discontinued)"
        " select * from unnest($1::text[], $2::int[], $3::text[], $4::bool[]) on conflict (sku) do update"
        " set version = excluded.version, body = excluded.body, discontinued = excluded.discontinued,"
        " changed_at = clock_timestamp() where excluded.version >= garments.version",
        skus,
        [newest[sku].garment.version for sku in skus],
        [newest[sku].garment.model_dump_json() for sku in skus],
        [newest[sku].type == "likeness.garment.discontinued" for sku in skus],
    )
    await outgoing.put(connection, [_accepted(row, at) for row in rows])
    await connection.execute("select pg_notify($1, '')", INBOX_CHANNEL)


def _accepted(row: InboxRow, at: datetime) -> outgoing.Outgoing:
    data = {
        "sku": row.garment.sku,
        "version": row.garment.version,
        "in_answer_to": {"source": row.source, "id": row.event_id},
    }
    return outgoing.event(
        answer_id("accepted", row.source, row.event_id), "likeness.garment.accepted", row.garment.sku, at, data
    )


def answer_id(kind: str, source: str, event_id: str) -> str:
    """The same answer to the same event has the same id, so it is said once."""
    return f"{kind}-{hashlib.sha256(chr(10).join((source, event_id)).encode()).hexdigest()[:32]}"


async def bury(connection: asyncpg.Connection, letters: Sequence[DeadLetter], at: datetime) -> None:
    """Keep each dead letter and send it to its topic."""
    for letter in letters:
        dead_letter_id = await connection.fetchval(
            "insert into dead_letters (topic, partition, log_offset, key, raw, code, message, source, event_id,"
            " attempts) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) returning dead_letter_id",
            letter.topic,
            letter.partition,
            letter.offset,
            letter.key,
            letter.raw,
            letter.code,
            letter.message,
            letter.source,
            letter.event_id,
            letter.attempts,
        )
        origin = (letter.topic, letter.partition, letter.offset)
        event_id = f"deadletter-{dead_letter_id}"
        await outgoing.put(
            connection,
            [
                outgoing.dead_letter(
                    event_id, letter.key, letter.raw, origin, letter.code, letter.message, letter.attempts, at
                )
            ],
        )
