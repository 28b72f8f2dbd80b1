"""Outgoing: what the ledger says to the world, as CloudEvents rows of the outbox, each id at most once."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from schemas.envelope import TOPIC_ASSETS, TOPIC_DEADLETTER

SOURCE = "urn:likeness"
Headers = tuple[tuple[str, bytes], ...]


@dataclass(frozen=True)
class Outgoing:
    event_id: str
    topic: str
    key: str
    value: bytes
    headers: Headers = ()


def as_text(content: Any) -> str:
    """JSON text of what we keep in text columns; times in ISO 8601, decimals as strings."""
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False, default=_plain)


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def event(event_id: str, type: str, subject: str, at: datetime, data: Mapping[str, Any]) -> Outgoing:
    """A CloudEvent of ours; its key is its subject. `event_id` is what makes it happen once."""
    return Outgoing(event_id, TOPIC_ASSETS, subject, cloud_event(SOURCE, event_id, type, subject, at, data))


def cloud_event(source: str, event_id: str, type: str, subject: str, at: datetime, data: Mapping[str, Any]) -> bytes:
    """Structured JSON, UTF-8."""
    envelope = {
        "specversion": "1.0",
        "id": event_id,
        "source": source,
        "type": type,
        "subject": subject,
        "time": at,
        "datacontenttype": "application/json",
        "data": data,
    }
    return as_text(envelope).encode()


def dead_letter(
    event_id: str, key: bytes | None, raw: bytes, origin: tuple[str, int, int], code: str, message: str, attempts: int,
    at: datetime,
) -> Outgoing:  # fmt: skip
    """The original bytes with their origin and cause in headers."""
    topic, partition, offset = origin
    headers = {
        "origin-topic": topic,
        "origin-partition": str(partition),
        "origin-offset": str(offset),
        "error-code": code,
        "error-message": message[:1000],
        "attempts": str(attempts),
        "time": at.isoformat(),
    }
    pairs = tuple((name, value.encode()) for name, value in headers.items())
    return Outgoing(event_id, TOPIC_DEADLETTER, (key or b"").decode("utf-8", "replace"), raw, pairs)


async def put(connection: asyncpg.Connection, rows: Iterable[Outgoing]) -> None:
    """Into the outbox; an id that is there already is left as it is."""
    listed = list(rows)
    if not listed:
        return
    await connection.execute(
        "insert into outbox (event_id, topic, key, value, headers)"
        " select * from unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::text[])"
        " on conflict (event_id) do nothing",
        [row.event_id for row in listed],
        [row.topic for row in listed],
        [row.key for row in listed],
        [row.value for row in listed],
        [json.dumps([[name, value.decode()] for name, value in row.headers]) for row in listed],
    )
