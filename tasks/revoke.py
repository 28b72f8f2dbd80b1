"""Revoke: tombstone one object, prove it by reading back, and leave no older version of it.

Overwrite, never delete: after a delete a late PUT could land again, after a tombstone a create-only PUT cannot. On
stores whose create is not atomic even that may fail: `look_again` verifies every tombstone after the longest PUT.
"""

import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Protocol

from schemas.asset import StoredObject
from schemas.receipt import Found
from tasks.errors import TransientError
from tasks.evidence import TOMBSTONE_CONTENT_TYPE, tombstone, tombstone_of
from tasks.ports import Store

log = logging.getLogger(__name__)

Now = Callable[[], datetime]
ROUNDS = 4
"""How often a revocation starts again when another writer interferes, before it leaves the object to the next sweep."""


class Purger(Protocol):
    """Somewhere else that may hold copies: a process's cache, an edge. Purging twice does no harm."""

    name: str

    async def purge(self, target: StoredObject) -> None:
        """Remove every copy. Raises TransientError when it cannot say that it did."""


async def revoke(target: StoredObject, store: Store, now: Now, purgers: Sequence[Purger] = ()) -> dict[str, Any]:
    """Evidence that the object is gone; JSON-able, without personal data. Safe to repeat after a crash at any point.

    Raises TransientError when the store does not answer or other writers keep interfering.
    """
    before = await store.read(target.key)
    deleted = 0
    for _ in range(ROUNDS):
        placed_at = now()
        await store.replace(target.key, tombstone(target.object_id, placed_at), TOMBSTONE_CONTENT_TYPE)
        deleted += await _delete_older(target.key, store)
        there = await _only_a_tombstone(target, store)
        if there is not None:
            break
    else:
        raise TransientError(f"object {target.object_id}: other writes keep landing on its key", code="contended")
    for purger in purgers:
        await purger.purge(target)
    return {
        "object_id": target.object_id,
        "kind": target.kind,
        "key_sha256": hashlib.sha256(target.key.encode()).hexdigest(),
        "sha256": target.sha256,
        "found": _found(target, before),
        "tombstone_sha256": hashlib.sha256(there).hexdigest(),
        "tombstoned_at": placed_at.isoformat(),
        "verified_at": now().isoformat(),
        "versions_deleted": deleted,
        "purged": [purger.name for purger in purgers],
        "atomic_create": store.capabilities.atomic_create,
        "outcome": "revoked",
    }


async def look_again(target: StoredObject, store: Store, now: Now, purgers: Sequence[Purger] = ()) -> dict[str, Any]:
    """Second look at a tombstone: outcome `held`, or `returned` when a late write had to be removed again; then a
    look is due once more."""
    there = await _only_a_tombstone(target, store)
    if there is not None:
        return {
            "object_id": target.object_id,
            "tombstone_sha256": hashlib.sha256(there).hexdigest(),
            "tombstoned_at": json.loads(there)["at"],
            "verified_at": now().isoformat(),
            "outcome": "held",
        }
    log.error("alert: a write landed on the tombstone of object %s; removing it again", target.object_id)
    return await revoke(target, store, now, purgers) | {"outcome": "returned"}


async def _delete_older(key: str, store: Store) -> int:
    older = [version for version in await store.versions(key) if not version.is_latest]
    for version in older:
        await store.delete_version(key, version.version_id)
    return len(older)


async def _only_a_tombstone(target: StoredObject, store: Store) -> bytes | None:
    """The object's tombstone if, read uncached, it is the one thing left under the key; else None."""
    versions = await store.versions(target.key)
    there = await store.read(target.key)
    alone = len(versions) == 1 and versions[0].is_latest and not versions[0].is_delete_marker
    return there if alone and tombstone_of(there) == target.object_id else None


def _found(target: StoredObject, before: bytes | None) -> Found:
    if before is None:
        return "absent"
    if tombstone_of(before) is not None:
        return "tombstone"
    return "expected" if hashlib.sha256(before).hexdigest() == target.sha256 else "other"
