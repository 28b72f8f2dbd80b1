"""The real services of the tests: PostgreSQL, Kafka and Prefect, each started once per session when first asked for."""

import os
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

# before numpy is loaded: its own threads only spin against the processes and threads of the tests
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import pytest
import pytest_asyncio

from infra.embedded.kafka import EmbeddedKafka
from infra.embedded.ports import pick
from infra.embedded.postgres import EmbeddedPostgres
from infra.embedded.prefect_server import EmbeddedPrefect
from infra.embedded.program import start, stop
from infra.kafka.topics import ensure_topics, remove_topics
from infra.settings import KafkaSettings

if TYPE_CHECKING:
    from infra.postgres.ledger import PostgresLedger


@pytest.fixture(scope="session")
def session_home() -> Iterator[Path]:
    """A home for the session's services; open to the user that PostgreSQL runs as."""
    home = Path(tempfile.mkdtemp(prefix="likeness-test-"))
    home.chmod(0o755)
    yield home
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres(session_home: Path) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(session_home, pick(1)[0], durable=False)
    server.prepare()
    process = start(server.program)
    try:
        server.wait_ready(process)
        yield server
    finally:
        stop(server.program, process)
        server.remove()


@pytest.fixture(scope="session")
def ledger_template(postgres: EmbeddedPostgres) -> str:
    """Name of a migrated, empty ledger database that others are cloned from."""
    from infra.postgres.migrate import migrate

    postgres.ensure_databases(("ledger_template",))
    migrate(postgres.url("ledger_template"))
    return "ledger_template"


@pytest.fixture(scope="session")
def fresh_database(postgres: EmbeddedPostgres, ledger_template: str) -> Callable[[], str]:
    """Makes a new, migrated, empty ledger database and returns its URL."""

    def make() -> str:
        name = f"ledger_{uuid.uuid4().hex[:12]}"
        postgres.query(f'CREATE DATABASE "{name}" TEMPLATE "{ledger_template}"')
        return postgres.url(name)

    return make


@pytest.fixture
def postgres_url(fresh_database: Callable[[], str]) -> str:
    """A ledger database of the test's own."""
    return fresh_database()


@pytest_asyncio.fixture
async def ledger(postgres_url: str) -> "AsyncIterator[PostgresLedger]":
    """A ledger of the test's own, on real PostgreSQL."""
    from infra.postgres.ledger import PostgresLedger

    async with PostgresLedger.open(postgres_url) as opened:
        yield opened


@pytest.fixture(scope="session")
def kafka(session_home: Path) -> Iterator[EmbeddedKafka]:
    server = EmbeddedKafka(session_home, *pick(2))
    server.prepare()
    process = start(server.program)
    try:
        server.wait_ready(process)
        yield server
    finally:
        stop(server.program, process)


@pytest.fixture(scope="session")
def kafka_bootstrap(kafka: EmbeddedKafka) -> str:
    return kafka.bootstrap


@pytest.fixture
def topics(kafka_bootstrap: str) -> KafkaSettings:
    """How to reach the broker, whose topics are all there and empty."""
    settings = KafkaSettings(bootstrap=kafka_bootstrap)
    remove_topics(settings)
    ensure_topics(settings)
    return settings


@pytest.fixture(scope="session")
def prefect_api(session_home: Path, postgres: EmbeddedPostgres) -> Iterator[str]:
    """URL of the API of a Prefect server on PostgreSQL."""
    postgres.ensure_databases(("prefect",))
    server = EmbeddedPrefect(session_home, pick(1)[0], postgres.url("prefect"))
    server.prepare()
    process = start(server.program)
    try:
        server.wait_ready(process)
        yield server.api_url
    finally:
        stop(server.program, process)
