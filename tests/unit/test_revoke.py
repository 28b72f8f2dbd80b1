"""Revoke: a tombstone alone is left, whatever writes late, whatever crashes, and the evidence says what was seen."""

import hashlib
import json
from datetime import UTC, datetime

import pytest

from schemas.asset import StoredObject
from tasks.errors import ServiceUnavailable, TransientError
from tasks.evidence import tombstone_of
from tasks.revoke import ROUNDS, look_again, revoke
from tests.fakes.store import MemoryStore

AT = datetime(2026, 11, 23, 9, tzinfo=UTC)
IMAGE = b"\xff\xd8image"
KEY = "pub/tw/gr/1/as.1.jpg"


def now() -> datetime:
    return AT


@pytest.fixture
def target() -> StoredObject:
    return StoredObject(
        object_id="ob-1", kind="asset", key=KEY, state="REVOKING", talent_id="tal-ada", twin_id="tw-ada", fence=1,
        sha256=hashlib.sha256(IMAGE).hexdigest(), size=len(IMAGE), content_type="image/jpeg", created_at=AT,
        changed_at=AT,
    )  # fmt: skip


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore()
    store.write_late(KEY, IMAGE)
    return store


def left(store: MemoryStore) -> list[str | None]:
    """Per version under the key, oldest first: whose tombstone it is, None for anything else."""
    return [tombstone_of(data) for _, data in store.objects[KEY]]


async def test_only_a_tombstone_is_left_and_older_versions_are_deleted(
    store: MemoryStore, target: StoredObject
) -> None:
    store.write_late(KEY, b"a newer version")
    evidence = await revoke(target, store, now)
    assert left(store) == ["ob-1"]
    assert evidence["versions_deleted"] == 2
    assert evidence["outcome"] == "revoked"


@pytest.mark.parametrize(("there", "found"), [(IMAGE, "expected"), (b"other bytes", "other"), (None, "absent")])
async def test_the_evidence_says_what_lay_there(target: StoredObject, there: bytes | None, found: str) -> None:
    store = MemoryStore()
    if there is not None:
        store.write_late(KEY, there)
    assert (await revoke(target, store, now))["found"] == found
    assert left(store) == ["ob-1"]


async def test_the_evidence_names_no_person_and_no_key(store: MemoryStore, target: StoredObject) -> None:
    said = json.dumps(await revoke(target, store, now))
    assert not [secret for secret in ("tal-ada", "tw-ada", KEY) if secret in said]


@pytest.mark.parametrize("operation", ["read", "replace", "versions", "delete_version"])
async def test_a_crash_at_any_step_is_made_good_by_the_next_sweep(
    store: MemoryStore, target: StoredObject, operation: str
) -> None:
    store.fail(operation)
    with pytest.raises(ServiceUnavailable):
        await revoke(target, store, now)
    await revoke(target, store, now)
    assert left(store) == ["ob-1"]


async def test_a_crash_between_tombstone_and_record_is_told_as_a_tombstone_found(
    store: MemoryStore, target: StoredObject
) -> None:
    await revoke(target, store, now)
    assert (await revoke(target, store, now))["found"] == "tombstone"
    assert left(store) == ["ob-1"]


async def test_a_write_that_lands_between_tombstone_and_verification_is_removed(
    store: MemoryStore, target: StoredObject
) -> None:
    late = [IMAGE]

    async def put_late(key: str) -> None:
        if late:
            store.write_late(key, late.pop())

    store.before["versions"] = put_late
    await revoke(target, store, now)
    assert left(store) == ["ob-1"]


async def test_writes_that_never_end_leave_the_object_open(store: MemoryStore, target: StoredObject) -> None:
    async def put_late(key: str) -> None:
        store.write_late(key, IMAGE)

    store.before["versions"] = put_late
    with pytest.raises(TransientError):
        await revoke(target, store, now)
    assert len([call for call in store.calls if call[0] == "replace"]) == ROUNDS


async def test_the_second_look_finds_a_late_write_and_removes_it(target: StoredObject) -> None:
    store = MemoryStore(atomic_create=False, versioned=False)
    await revoke(target, store, now)
    store.write_late(KEY, IMAGE)
    evidence = await look_again(target, store, now)
    assert (evidence["outcome"], evidence["found"]) == ("returned", "expected")
    assert left(store) == ["ob-1"]
    assert (await look_again(target, store, now))["outcome"] == "held"


async def test_the_second_look_finds_a_late_write_beneath_the_tombstone(target: StoredObject) -> None:
    store = MemoryStore(atomic_create=False)
    await revoke(target, store, now)
    store.objects[KEY].insert(0, ("late", IMAGE))
    assert (await look_again(target, store, now))["outcome"] == "returned"
    assert left(store) == ["ob-1"]


@pytest.mark.parametrize("atomic", [True, False])
async def test_the_evidence_says_whether_the_store_can_be_trusted_at_once(target: StoredObject, atomic: bool) -> None:
    assert (await revoke(target, MemoryStore(atomic_create=atomic), now))["atomic_create"] is atomic


class EdgeThatFailsOnce:
    name = "edge"

    def __init__(self) -> None:
        self.purged: list[str] = []
        self.failures = 1

    async def purge(self, target: StoredObject) -> None:
        if self.failures:
            self.failures -= 1
            raise ServiceUnavailable("the edge did not answer")
        self.purged.append(target.object_id)


async def test_a_cache_that_cannot_be_purged_leaves_the_object_open(store: MemoryStore, target: StoredObject) -> None:
    edge = EdgeThatFailsOnce()
    with pytest.raises(ServiceUnavailable):
        await revoke(target, store, now, [edge])
    assert (await revoke(target, store, now, [edge]))["purged"] == ["edge"]
    assert edge.purged == ["ob-1"]
