"""Publish: rows before bytes, no bytes of others taken for ours, a failing store gives the object up."""

from datetime import UTC, datetime
from typing import Any

import pytest

from schemas.asset import Cause, ObjectKind, StoredObject
from tasks.errors import ChecksFailed, ServiceUnavailable
from tasks.evidence import tombstone
from tasks.ports import Intent, PublishOutcome, PublishRequest
from tasks.publish import keep, publish, recall
from tests.fakes.publishing import request
from tests.fakes.store import MemoryStore

IMAGE = b"\xff\xd8image"
AT = datetime(2026, 11, 23, tzinfo=UTC)


class TwoStepLedger:
    """As much of WorkLedger as publishing asks for; permits unless `refuses` is set."""

    def __init__(self, store: MemoryStore) -> None:
        self.store = store
        self.refuses: PublishOutcome | None = None
        self.steps: list[str] = []
        self.abandoned: list[tuple[str, Cause]] = []
        self.kept: StoredObject | None = None
        self.fence_moved = False

    async def begin_publish(self, asked: PublishRequest) -> Intent | PublishOutcome:
        assert not self.store.objects, "the row comes before the bytes"
        self.steps.append("begin")
        return self.refuses or Intent("ob-1", "pub/tw/gr/1/as.1.jpg", 1, AT)

    async def finish_publish(self, intent: Intent, asked: PublishRequest) -> PublishOutcome:
        assert await self.store.read(intent.key) == IMAGE, "the bytes come before the state"
        self.steps.append("finish")
        return PublishOutcome("PUBLISHED", asked.asset_id, intent.object_id)

    async def abandon(self, intent: Intent, cause: Cause) -> None:
        self.abandoned.append((intent.object_id, cause))

    async def reserve_object(self, kind: ObjectKind, **facts: Any) -> Intent | None:
        if self.fence_moved:
            return None
        self.kept = StoredObject(
            object_id="ob-2", kind=kind, key="stage_cache/tw/x.1.bin", state="INTENT", talent_id=facts["talent_id"],
            twin_id=facts["twin_id"], fence=facts["fence"], sha256=facts["sha256"], size=facts["size"],
            content_type=facts["content_type"], created_at=AT, changed_at=AT,
        )  # fmt: skip
        return Intent("ob-2", self.kept.key, 1, AT)

    async def confirm_object(self, intent: Intent) -> bool:
        return not self.fence_moved

    async def find_object(self, kind: ObjectKind, twin_id: str, name: str) -> StoredObject | None:
        return None if self.fence_moved else self.kept


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def ledger(store: MemoryStore) -> Any:
    return TwoStepLedger(store)


async def test_publishing_goes_row_bytes_state(store: MemoryStore, ledger: Any) -> None:
    outcome = await publish(request(IMAGE), IMAGE, ledger, store)
    assert outcome.state == "PUBLISHED"
    assert ledger.steps == ["begin", "finish"]


async def test_what_consent_refuses_is_never_stored(store: MemoryStore, ledger: Any) -> None:
    ledger.refuses = PublishOutcome("REVOKING", "as-1")
    assert (await publish(request(IMAGE), IMAGE, ledger, store)).state == "REVOKING"
    assert store.calls == []


async def test_bytes_other_than_those_checked_are_refused_before_any_row(store: MemoryStore, ledger: Any) -> None:
    with pytest.raises(ChecksFailed):
        await publish(request(IMAGE), IMAGE + b"!", ledger, store)
    assert ledger.steps == []


async def test_our_own_bytes_under_the_key_are_our_own_first_try(store: MemoryStore, ledger: Any) -> None:
    async def first_try_landed(key: str) -> None:
        store.write_late(key, IMAGE)

    store.before["create"] = first_try_landed
    assert (await publish(request(IMAGE), IMAGE, ledger, store)).state == "PUBLISHED"


async def test_a_tombstone_under_the_key_stops_the_publisher(store: MemoryStore, ledger: Any) -> None:
    async def swept(key: str) -> None:
        store.write_late(key, tombstone("ob-1", AT))

    store.before["create"] = swept
    assert (await publish(request(IMAGE), IMAGE, ledger, store)).state == "REVOKING"
    assert ledger.steps == ["begin"]
    assert ledger.abandoned == []


async def test_foreign_bytes_under_the_key_are_given_up_and_alert(
    store: MemoryStore, ledger: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async def foreign(key: str) -> None:
        store.write_late(key, b"somebody else's")

    store.before["create"] = foreign
    assert (await publish(request(IMAGE), IMAGE, ledger, store)).state == "REVOKING"
    assert ledger.abandoned == [("ob-1", "conflict")]
    assert "alert" in caplog.text


async def test_a_store_that_fails_gives_the_object_up_for_the_sweep(store: MemoryStore, ledger: Any) -> None:
    store.fail("create")
    with pytest.raises(ServiceUnavailable):
        await publish(request(IMAGE), IMAGE, ledger, store)
    assert ledger.abandoned == [("ob-1", "abandoned")]


async def keep_cached(ledger: Any, store: MemoryStore) -> bool:
    return await keep(
        "stage_cache", IMAGE, name="look", talent_id="tal-ada", twin_id="tw-ada", fence=1,
        content_type="image/png", ledger=ledger, store=store,
    )  # fmt: skip


async def test_kept_bytes_come_back_while_their_fence_is_good(store: MemoryStore, ledger: Any) -> None:
    assert await keep_cached(ledger, store)
    assert await recall("stage_cache", twin_id="tw-ada", name="look", ledger=ledger, store=store) == IMAGE
    ledger.fence_moved = True
    assert await recall("stage_cache", twin_id="tw-ada", name="look", ledger=ledger, store=store) is None
    assert not await keep_cached(ledger, store)


async def test_kept_bytes_that_were_changed_or_tombstoned_do_not_come_back(store: MemoryStore, ledger: Any) -> None:
    await keep_cached(ledger, store)
    store.write_late("stage_cache/tw/x.1.bin", tombstone("ob-2", AT))
    assert await recall("stage_cache", twin_id="tw-ada", name="look", ledger=ledger, store=store) is None
