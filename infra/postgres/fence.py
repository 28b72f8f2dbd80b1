"""Fence and inbox signals: LISTEN with a poll behind it. Economy only; safety is the publish transaction."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg

from infra.postgres.engine import FENCE_CHANNEL, INBOX_CHANNEL, plain_dsn, translated
from tasks.errors import ServiceUnavailable

POLL_SECONDS = 0.25
log = logging.getLogger(__name__)


class PostgresFence:
    """Implements ports.Fence. Reconnects by itself; while the database is away it knows what it knew.

    `inbox` is set whenever there may be new work. `on_raised` is called with the talent whenever a fence rose, and once
    for each at the start.
    """

    def __init__(self, url: str, on_raised: Callable[[str], object] | None = None) -> None:
        self.inbox = asyncio.Event()
        self._dsn = plain_dsn(url)
        self._on_raised = on_raised
        self._fences: dict[str, int] = {}

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, on_raised: Callable[[str], object] | None = None) -> "AsyncIterator[PostgresFence]":
        """Raises ServiceUnavailable when the database is away at the start."""
        fence = cls(url, on_raised)
        async with translated():
            connection = await asyncpg.connect(fence._dsn)
        listening = asyncio.create_task(fence._listen(connection))
        try:
            yield fence
        finally:
            listening.cancel()
            with suppress(asyncio.CancelledError):
                await listening

    def raised_beyond(self, talent_id: str, fence: int) -> bool:
        return self._fences.get(talent_id, 0) > fence

    async def _listen(self, connection: asyncpg.Connection) -> None:
        while True:
            try:
                async with translated():
                    await self._follow(connection)
            except ServiceUnavailable as error:
                log.warning("fence signals: %s", error)
                connection = await self._reconnect()

    async def _follow(self, connection: asyncpg.Connection) -> None:
        try:
            await connection.add_listener(FENCE_CHANNEL, self._on_fence)
            await connection.add_listener(INBOX_CHANNEL, self._on_inbox)
            seen = None
            while True:
                rows = await connection.fetch(
                    "select talent_id, fence, changed_at from talents where $1::timestamptz is null or changed_at >="
                    " $1::timestamptz - interval '5 seconds'",
                    seen,
                )
                for row in rows:
                    self._raise(row["talent_id"], row["fence"])
                seen = max([row["changed_at"] for row in rows] + ([seen] if seen else []), default=None)
                await asyncio.sleep(POLL_SECONDS)
        finally:
            connection.terminate()

    async def _reconnect(self) -> asyncpg.Connection:
        while True:
            try:
                async with translated():
                    return await asyncpg.connect(self._dsn)
            except ServiceUnavailable:
                await asyncio.sleep(POLL_SECONDS)

    def _on_fence(self, _connection: Any, _pid: int, _channel: str, payload: str) -> None:
        fence, _, talent_id = payload.partition(" ")
        self._raise(talent_id, int(fence))

    def _on_inbox(self, _connection: Any, _pid: int, _channel: str, _payload: str) -> None:
        self.inbox.set()

    def _raise(self, talent_id: str, fence: int) -> None:
        if fence > self._fences.get(talent_id, -1):
            self._fences[talent_id] = fence
            if self._on_raised is not None:
                self._on_raised(talent_id)
