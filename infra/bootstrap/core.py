"""Open the core: ledger, store, keys. Nothing of imaging; consent code starts in half a second."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.keys import (
    HOUSE_SOURCE,
    RECEIPT_KEY,
    Ed25519Signer,
    Pseudonyms,
    SourceRegistry,
    load_pseudonyms,
    load_signer,
    load_source_signer,
)
from infra.settings import Settings
from infra.store.open import open_store
from tasks.ports import Store

if TYPE_CHECKING:
    from infra.postgres.ledger import PostgresLedger


@dataclass(frozen=True)
class Core:
    settings: Settings
    ledger: "PostgresLedger"
    store: Store
    signer: Ed25519Signer
    """Signs receipts and heads of the evidence chain."""
    source_keys: SourceRegistry
    pseudonym: Pseudonyms


@asynccontextmanager
async def open_core(settings: Settings) -> AsyncIterator[Core]:
    """Raises Misconfigured for keys or addresses that are missing, ServiceUnavailable for services that are away."""
    from infra.postgres.ledger import PostgresLedger

    settings.require_addresses()
    keys = settings.folder("keys")
    async with AsyncExitStack() as stack:
        store = await open_store(settings.store)
        stack.push_async_callback(store.close)
        ledger = await stack.enter_async_context(
            PostgresLedger.open(
                settings.ledger.url,
                pool=settings.ledger.pool,
                publish_lease_seconds=settings.limits.publish_lease_seconds,
                attempts=settings.limits.inbox_attempts,
                longest_put_seconds=store.capabilities.max_put_seconds,
                sign_fact=load_source_signer(keys, HOUSE_SOURCE).sign_detached,
            )
        )
        yield Core(
            settings,
            ledger,
            store,
            load_signer(keys, RECEIPT_KEY),
            SourceRegistry.load(keys / "sources.json"),
            load_pseudonyms(keys),
        )
