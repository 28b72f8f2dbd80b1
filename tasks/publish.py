"""Publish: the row, then the bytes, then the state; every key ends PUBLISHED or tombstoned.

    begin_publish (tx1: may it be made? INTENT) -> store.create (no transaction open) -> finish_publish (tx3: still?)

The same order keeps every other stored byte: `keep` and `recall` for stage caches, contact sheets and twin references.
"""

import hashlib
import logging
from typing import Literal

from schemas.asset import ObjectKind
from tasks.errors import ChecksFailed, TransientError
from tasks.evidence import tombstone_of
from tasks.ports import AlreadyThere, Intent, PublishOutcome, PublishRequest, Store, WorkLedger

log = logging.getLogger(__name__)

Lies = Literal["ours", "tombstone", "other"]
"""What lies under a key after a create-only write: our bytes, a tombstone, or bytes of somebody else."""


async def publish(request: PublishRequest, data: bytes, ledger: WorkLedger, store: Store) -> PublishOutcome:
    """Store `data` and make it PUBLISHED, unless consent says no before or meanwhile.

    Raises ChecksFailed if `data` is not what the request describes; TransientError (the object is given up, a retry
    takes the next attempt) when the store or the ledger does not answer.
    """
    _check_bytes(data, request.sha256, request.size)
    begun = await ledger.begin_publish(request)
    if isinstance(begun, PublishOutcome):
        return begun
    lies = await _put(begun, data, request.sha256, request.content_type, ledger, store)
    if lies == "ours":
        return await ledger.finish_publish(begun, request)
    return PublishOutcome("REVOKING", request.asset_id, begun.object_id)


async def keep(
    kind: ObjectKind,
    data: bytes,
    *,
    name: str,
    talent_id: str,
    twin_id: str,
    fence: int,
    content_type: str,
    ledger: WorkLedger,
    store: Store,
) -> bool:
    """Store bytes that show a talent under a row of their own. False when the fence has moved on: they are not kept."""
    digest = hashlib.sha256(data).hexdigest()
    intent = await ledger.reserve_object(
        kind,
        talent_id=talent_id,
        twin_id=twin_id,
        fence=fence,
        name=name,
        sha256=digest,
        size=len(data),
        content_type=content_type,
    )
    if intent is None:
        return False
    lies = await _put(intent, data, digest, content_type, ledger, store)
    return lies == "ours" and await ledger.confirm_object(intent)


async def recall(kind: ObjectKind, *, twin_id: str, name: str, ledger: WorkLedger, store: Store) -> bytes | None:
    """The kept bytes while their fence is good; None when there are none, or not those that the ledger knows."""
    found = await ledger.find_object(kind, twin_id, name)
    if found is None:
        return None
    data = await store.read(found.key)
    if data is None or hashlib.sha256(data).hexdigest() != found.sha256:
        return None
    return data


async def _put(intent: Intent, data: bytes, sha256: str, content_type: str, ledger: WorkLedger, store: Store) -> Lies:
    try:
        lies = await _create(intent.key, data, sha256, content_type, store)
    except TransientError:
        await ledger.abandon(intent, "abandoned")  # the bytes may have landed: the sweep writes the tombstone
        raise
    if lies == "other":
        log.error("alert: foreign bytes under the key of object %s", intent.object_id)
        await ledger.abandon(intent, "conflict")
    return lies


async def _create(key: str, data: bytes, sha256: str, content_type: str, store: Store) -> Lies:
    try:
        await store.create(key, data, content_type)
    except AlreadyThere:
        there = await store.read(key)
    else:
        return "ours"
    if there is not None and hashlib.sha256(there).hexdigest() == sha256:
        return "ours"
    return "tombstone" if tombstone_of(there) is not None else "other"


def _check_bytes(data: bytes, sha256: str, size: int) -> None:
    if len(data) != size or hashlib.sha256(data).hexdigest() != sha256:
        raise ChecksFailed("the bytes to publish are not those that were checked and marked", code="bytes_changed")
