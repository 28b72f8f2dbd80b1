"""PostgresLedger: every ledger port on one PostgreSQL database, in parts that each live in a module of their own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from infra.postgres.catalogue import CataloguePart
from infra.postgres.consent import ConsentPart
from infra.postgres.engine import Database
from infra.postgres.gate_read import GatePart
from infra.postgres.intake import IntakePart
from infra.postgres.objects import ObjectsPart
from infra.postgres.outbox import OutboxPart
from infra.postgres.preview import PreviewPart
from infra.postgres.proof import ProofPart
from infra.postgres.publish import PublishPart
from infra.postgres.sweep import SweepPart
from infra.postgres.work import WorkPart


class PostgresLedger(
    IntakePart,
    ConsentPart,
    PreviewPart,
    WorkPart,
    PublishPart,
    ObjectsPart,
    SweepPart,
    ProofPart,
    GatePart,
    OutboxPart,
    CataloguePart,
):
    """IntakeLedger, ConsentLedger, WorkLedger, SweepLedger, GateLedger, OutboxLedger and Catalogue."""

    def __init__(
        self, database: Database, *, publish_lease_seconds: float, attempts: int, longest_put_seconds: float
    ) -> None:
        self._db = database
        self._publish_lease = timedelta(seconds=publish_lease_seconds)
        self._attempts = attempts
        self._longest_put = timedelta(seconds=longest_put_seconds)

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        url: str,
        *,
        pool: int = 5,
        publish_lease_seconds: float = 60,
        attempts: int = 3,
        longest_put_seconds: float = 120,
    ) -> "AsyncIterator[PostgresLedger]":
        """Connect to a migrated ledger. `longest_put_seconds`: after that a tombstone on a store without atomic create
        is looked at again. Raises ServiceUnavailable, Misconfigured."""
        async with Database.open(url, pool) as database:
            yield cls(
                database,
                publish_lease_seconds=publish_lease_seconds,
                attempts=attempts,
                longest_put_seconds=longest_put_seconds,
            )
