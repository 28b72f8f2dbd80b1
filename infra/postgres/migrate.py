"""Migrate: numbered SQL files, applied once each under an advisory lock, their hashes kept."""

import asyncio
import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import asyncpg

from infra.postgres.engine import plain_dsn, translated
from tasks.errors import Misconfigured

FOLDER = Path(__file__).parent / "migrations"
_LOCK = 0x11CE_0001


async def migrate_async(url: str) -> list[str]:
    """Bring the ledger's tables up to date; returns the files applied. Raises Misconfigured when an applied file was
    changed since."""
    async with translated():
        connection = await asyncpg.connect(plain_dsn(url))
    try:
        async with translated(), connection.transaction():
            await connection.execute("select pg_advisory_xact_lock($1)", _LOCK)
            await connection.execute(
                "create table if not exists ledger_migrations (name text primary key, sha256 text not null,"
                " applied_at timestamptz not null default clock_timestamp())"
            )
            done = {row["name"]: row["sha256"] for row in await connection.fetch("select * from ledger_migrations")}
            return [name for name in _files() if await _apply(connection, name, done.get(name))]
    finally:
        await connection.close()


def migrate(url: str) -> list[str]:
    """migrate_async for callers without a loop, and for those inside one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(migrate_async(url))).result()


def _files() -> list[str]:
    return sorted(path.name for path in FOLDER.glob("*.sql"))


async def _apply(connection: asyncpg.Connection, name: str, applied: str | None) -> bool:
    script = (FOLDER / name).read_text()
    digest = hashlib.sha256(script.encode()).hexdigest()
    if applied is not None:
        if applied != digest:
            raise Misconfigured(f"migration {name} was changed after it was applied; add a new file instead")
        return False
    await connection.execute(script)
    await connection.execute("insert into ledger_migrations (name, sha256) values ($1, $2)", name, digest)
    return True
