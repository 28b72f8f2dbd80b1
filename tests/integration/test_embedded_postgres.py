"""The embedded PostgreSQL: real, on loopback with a password, and back after it was killed."""

from pathlib import Path

import asyncpg
import pytest

from infra.embedded.ports import pick
from infra.embedded.postgres import EmbeddedPostgres
from infra.embedded.program import start, stop


def test_postgres_serves_its_databases(postgres: EmbeddedPostgres) -> None:
    postgres.ensure_databases()
    postgres.ensure_databases()
    assert postgres.query("SELECT current_setting('server_version_num')::int / 10000", "likeness") == "18"
    assert (
        postgres.query("CREATE EXTENSION IF NOT EXISTS pg_trgm; SELECT similarity('twin', 'twins') > 0", "prefect")
        == "t"
    )


async def test_postgres_refuses_a_wrong_password(postgres: EmbeddedPostgres) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(
            user="likeness", password="guess", host="127.0.0.1", port=postgres.port, database="postgres"
        )


def test_a_killed_postgres_comes_back_with_its_data(session_home: Path) -> None:
    home = session_home / "killed"
    server = EmbeddedPostgres(home, pick(1)[0])
    server.prepare()
    process = start(server.program)
    server.wait_ready(process)
    server.ensure_databases(("kept",))
    server.query("CREATE TABLE fact AS SELECT 1 AS one", "kept")
    process.kill()
    process.wait()

    again = start(server.program)
    server.wait_ready(again)
    try:
        assert server.query("SELECT one FROM fact", "kept") == "1"
    finally:
        stop(server.program, again)
        server.remove()


def test_a_home_that_the_server_user_cannot_reach_still_works(session_home: Path) -> None:
    closed = session_home / "closed"
    closed.mkdir(mode=0o700)
    server = EmbeddedPostgres(closed / "home", pick(1)[0], durable=False)
    server.prepare()
    process = start(server.program)
    try:
        server.wait_ready(process)
        assert closed.stat().st_mode & 0o777 == 0o700
    finally:
        stop(server.program, process)
        server.remove()
