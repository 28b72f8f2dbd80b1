"""PostgresLedger: every ledger port on one PostgreSQL database, in parts that each live in a module of their own."""

from collections.abc import AsyncIterator, Callable
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
        self,
        database: Database,
        *,
        publish_lease_seconds: float,
        attempts: int,
        longest_put_seconds: float,
        sign_fact: Callable[[bytes], str] | None,
    ) -> None:
        self._db = database
        self._publish_lease = timedelta(seconds=publish_lease_seconds)
        self._attempts = attempts
        self._sign_fact = sign_fact
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
        sign_fact: Callable[[bytes], str] | None = None,
    ) -> "AsyncIterator[PostgresLedger]":
        """Connect to a migrated ledger. `longest_put_seconds`: after that a tombstone on a store without atomic create
        is looked at again. `sign_fact`: detached JWS for withdrawals by hand, which also go out on the consent topic.
        Raises ServiceUnavailable, Misconfigured."""
        async with Database.open(url, pool) as database:
            yield cls(
                database,
                publish_lease_seconds=publish_lease_seconds,
                attempts=attempts,
                longest_put_seconds=longest_put_seconds,
                sign_fact=sign_fact,
            )
