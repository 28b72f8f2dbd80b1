"""Engine: pools of connections to the ledger, transactions, and database errors as ours."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from tasks.errors import Misconfigured, ServiceUnavailable

INBOX_CHANNEL = "likeness_inbox"
FENCE_CHANNEL = "likeness_fence"
_AWAY: tuple[type[Exception], ...] = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    asyncpg.InvalidTransactionStateError,
    asyncpg.LockNotAvailableError,
    asyncpg.InternalServerError,
)


def plain_dsn(url: str) -> str:
    """`postgresql+asyncpg://…` and `postgres://…` as asyncpg takes them. Raises Misconfigured for anything else."""
    scheme, separator, rest = url.partition("://")
    if not separator or scheme.partition("+")[0] not in ("postgresql", "postgres"):
        raise Misconfigured("the ledger's address must begin with postgresql://")
    return f"postgresql://{rest}"


@asynccontextmanager
async def translated() -> AsyncIterator[None]:
    """The database did not answer, or asked us to try again -> ServiceUnavailable; all else is a defect and stays."""
    try:
        yield
    except _AWAY as error:
        raise ServiceUnavailable(f"ledger: {type(error).__name__}: {error}") from error


async def _reset(connection: asyncpg.Connection) -> None:
    """Our statements leave no state in a session, so the pool's reset, a round trip per statement, is for accidents."""
    if connection.is_in_transaction():
        await connection.reset()


class Database:
    """Two pools: `reads and facts`, and publishers whose idle transactions are ended after a second."""

    def __init__(self, general: asyncpg.Pool, publishing: asyncpg.Pool) -> None:
        self._general = general
        self._publishing = publishing

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, size: int) -> "AsyncIterator[Database]":
        options: dict[str, Any] = {"dsn": plain_dsn(url), "max_size": size, "command_timeout": 60, "reset": _reset}
        settings = {"timezone": "UTC", "application_name": "likeness"}
        hasty = {**settings, "idle_in_transaction_session_timeout": "1000"}
        async with translated():
            general = await asyncpg.create_pool(min_size=1, server_settings=settings, **options)
        try:
            async with translated():
                publishing = await asyncpg.create_pool(min_size=0, server_settings=hasty, **options)
            try:
                yield cls(general, publishing)
            finally:
                await publishing.close()
        finally:
            await general.close()

    @asynccontextmanager
    async def read(self) -> "AsyncIterator[asyncpg.Connection]":
        """A connection without a transaction: each statement is its own."""
        async with translated(), self._general.acquire() as connection:
            yield connection

    @asynccontextmanager
    async def transaction(self) -> "AsyncIterator[asyncpg.Connection]":
        async with translated(), self._general.acquire() as connection, connection.transaction():
            yield connection

    @asynccontextmanager
    async def snapshot(self) -> "AsyncIterator[asyncpg.Connection]":
        """Several reads that see one moment."""
        async with (
            translated(),
            self._general.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            yield connection

    @asynccontextmanager
    async def publish(self) -> "AsyncIterator[asyncpg.Connection]":
        """A transaction of a publisher; idle for a second, the server ends it and its lock on the talent."""
        async with translated(), self._publishing.acquire() as connection, connection.transaction():
            yield connection
