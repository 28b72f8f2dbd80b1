"""The real services that a benchmark stands on, each in a temporary home and gone with it."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.embedded.kafka import EmbeddedKafka
from infra.embedded.ports import pick
from infra.embedded.postgres import EmbeddedPostgres
from infra.embedded.prefect_server import EmbeddedPrefect
from infra.embedded.program import start, stop
from infra.postgres.migrate import migrate


@contextmanager
def temporary_home() -> Iterator[Path]:
    """Open to the user that PostgreSQL runs as."""
    home = Path(tempfile.mkdtemp(prefix="likeness-bench-"))
    home.chmod(0o755)
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def postgres(home: Path) -> Iterator[EmbeddedPostgres]:
    """Durable, as in production: every commit waits for the disk."""
    server = EmbeddedPostgres(home, pick(1)[0])
    server.prepare()
    process = start(server.program)
    try:
        server.wait_ready(process)
        yield server
    finally:
        stop(server.program, process)
        server.remove()


def new_ledger(server: EmbeddedPostgres, name: str) -> str:
    """URL of a migrated, empty ledger."""
    server.ensure_databases((name,))
    migrate(server.url(name))
    return server.url(name)


@contextmanager
def prefect(home: Path, server: EmbeddedPostgres) -> Iterator[str]:
    """URL of the API of a Prefect server on PostgreSQL."""
    server.ensure_databases(("prefect",))
    orchestrator = EmbeddedPrefect(home, pick(1)[0], server.url("prefect"))
    orchestrator.prepare()
    process = start(orchestrator.program)
    try:
        orchestrator.wait_ready(process)
        yield orchestrator.api_url
    finally:
        stop(orchestrator.program, process)


@contextmanager
def kafka(home: Path) -> Iterator[str]:
    """Bootstrap address of a broker."""
    broker = EmbeddedKafka(home, *pick(2))
    broker.prepare()
    process = start(broker.program)
    try:
        broker.wait_ready(process)
        yield broker.bootstrap
    finally:
        stop(broker.program, process)


def circumstances() -> str:
    """What else the machine was doing, for the honest reader."""
    return f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
