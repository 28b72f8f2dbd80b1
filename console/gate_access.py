"""The gate's access log: noted at once, written behind, never in the way of an answer."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import islice
from urllib.parse import urlsplit

from starlette.requests import Request

from tasks.errors import TransientError
from tasks.ports import GateLedger

log = logging.getLogger(__name__)
EVERY_SECONDS = 0.5
MOST_WAITING = 20_000
BATCH = 1000

Access = tuple[str, str, str]
"""(asset id, outcome, reader)."""


class AccessLog:
    """A queue in memory and one writer. What a ledger outage makes too long is dropped from its old end and counted."""

    def __init__(self, ledger: GateLedger, most_waiting: int = MOST_WAITING) -> None:
        self._ledger = ledger
        self._waiting: deque[Access] = deque(maxlen=most_waiting)
        self.dropped = 0

    def note(self, asset_id: str, outcome: str, reader: str) -> None:
        if len(self._waiting) == self._waiting.maxlen:
            self.dropped += 1
        self._waiting.append((asset_id, outcome, reader))

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        """Write behind while the block runs, and what is left when it ends."""
        writer = asyncio.create_task(self._write_for_ever())
        try:
            yield
        finally:
            writer.cancel()
            with suppress(asyncio.CancelledError):
                await writer
            with suppress(TransientError):  # shutting down without the ledger: the last half second is lost
                await self.flush()

    async def flush(self) -> None:
        """Write what waits, in batches; a batch that fails waits on."""
        while self._waiting:
            batch = list(islice(self._waiting, BATCH))
            dropped = self.dropped
            await self._ledger.log_accesses(batch)
            for _ in range(len(batch) - (self.dropped - dropped)):  # the oldest may have been dropped meanwhile
                self._waiting.popleft()

    async def _write_for_ever(self) -> None:
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            try:
                await self.flush()
            except TransientError as error:
                log.warning("access log: %d entries wait, %d dropped: %s", len(self._waiting), self.dropped, error)


def reader_of(request: Request) -> str:
    """Where the image is embedded (host of the referring page) or `direct`; never who looks."""
    return (urlsplit(request.headers.get("referer", "")).hostname or "direct")[:100]
