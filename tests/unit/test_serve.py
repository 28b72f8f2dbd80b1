"""Serve: bytes first, decision last, and closed whenever either is in doubt."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from schemas.asset import AssetRecord, ObjectState
from schemas.grant import ConsentView, Grant, GrantStatus
from tasks.errors import ServiceUnavailable
from tasks.evidence import tombstone
from tasks.ports import ServeRow
from tasks.serve import (
    Gone,
    Missing,
    Places,
    PreviewOnly,
    Served,
    ServeLimits,
    Unavailable,
    serve,
    still_served,
)
from tests.fakes.publishing import granted, request
from tests.fakes.store import MemoryStore

AT = datetime(2026, 11, 23, 9, tzinfo=UTC)
IMAGE = b"\xff\xd8image"
KEY = "pub/tw/gr/1/as.1.jpg"
LIMITS = ServeLimits(read_seconds=0.3)


def asset(state: ObjectState = "PUBLISHED", **changes: Any) -> AssetRecord:
    asked = request(IMAGE)
    cell = asked.cell
    return AssetRecord(
        asset_id=asked.asset_id, cell_id=cell.cell_id, sku=cell.sku, garment_version=1, category="dress",
        brand="example", talent_id="tal-ada", twin_id=cell.twin_id, scene=cell.scene, format=cell.format, use=cell.use,
        grant_id=asked.grant_id, grant_version=1, recipe=asked.recipe, recipe_digest=asked.recipe_digest,
        phash=asked.phash, measures={}, checks={}, state=state, object_id="ob-1", key=KEY, sha256=asked.sha256,
        size=asked.size, content_type="image/jpeg", width=1080, height=1350, published_at=AT,
    ).model_copy(update=changes)  # fmt: skip


def consent(*, floor: int = 0) -> ConsentView:
    grant = Grant(**granted().model_dump())
    alive = () if floor else (1,)
    status = GrantStatus(
        grant_id=grant.grant_id, floor=floor, alive=alive, current=None if floor else grant, latest=grant
    )
    return ConsentView(talent_id="tal-ada", fence=1, grants=(status,))


class GateRows:
    """As much of GateLedger as serving asks for."""

    def __init__(self, row: ServeRow) -> None:
        self.row = row
        self.asked: list[str] = []
        self.fails: Exception | None = None

    async def serve_row(self, asset_id: str) -> ServeRow:
        self.asked.append("serve_row")
        if self.fails:
            raise self.fails
        return self.row

    async def locate(self, asset_id: str) -> tuple[str, str] | None:
        self.asked.append("locate")
        return None if self.row.asset is None else (self.row.asset.key, self.row.asset.sha256)


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore()
    store.write_late(KEY, IMAGE)
    return store


@pytest.fixture
def ledger() -> Any:
    return GateRows(ServeRow(asset(), consent(), AT - timedelta(seconds=1), AT))


async def test_a_permitted_asset_is_served_as_published(ledger: Any, store: MemoryStore) -> None:
    answer = await serve("as-1", ledger, store, LIMITS)
    assert isinstance(answer, Served)
    assert answer.data == IMAGE


async def test_the_decision_comes_after_the_bytes(ledger: Any, store: MemoryStore) -> None:
    async def reading(key: str) -> None:
        assert ledger.asked == ["locate"]

    store.before["read"] = reading
    assert isinstance(await serve("as-1", ledger, store, LIMITS), Served)
    assert ledger.asked == ["locate", "serve_row"]


async def test_a_withdrawal_during_the_read_refuses(ledger: Any, store: MemoryStore) -> None:
    async def withdrawn_meanwhile(key: str) -> None:
        ledger.row = replace(ledger.row, consent=consent(floor=1))

    store.before["read"] = withdrawn_meanwhile
    assert isinstance(await serve("as-1", ledger, store, LIMITS), Gone)


@pytest.mark.parametrize("state", ["REVOKING", "REVOKED"])
async def test_what_is_taken_down_is_gone(ledger: Any, store: MemoryStore, state: ObjectState) -> None:
    ledger.row = replace(ledger.row, asset=asset(state))
    assert isinstance(await serve("as-1", ledger, store, LIMITS), Gone)


@pytest.mark.parametrize("row", [None, asset("INTENT")])
async def test_what_was_never_published_is_missing(ledger: Any, store: MemoryStore, row: AssetRecord | None) -> None:
    ledger.row = replace(ledger.row, asset=row)
    assert isinstance(await serve("as-1", ledger, store, LIMITS), Missing)


async def test_a_preview_is_never_public(ledger: Any, store: MemoryStore) -> None:
    ledger.row = replace(ledger.row, asset=asset(preview_only=True))
    assert isinstance(await serve("as-1", ledger, store, LIMITS), PreviewOnly)


@pytest.mark.parametrize("age", [None, timedelta(seconds=61)])
async def test_stale_consent_shuts_the_gate(ledger: Any, store: MemoryStore, age: timedelta | None) -> None:
    ledger.row = replace(ledger.row, consent_current_as_of=None if age is None else AT - age)
    assert await serve("as-1", ledger, store, LIMITS) == Unavailable("consent_not_current")


async def test_stale_consent_does_not_soften_a_refusal(ledger: Any, store: MemoryStore) -> None:
    ledger.row = replace(ledger.row, consent=consent(floor=1), consent_current_as_of=None)
    assert isinstance(await serve("as-1", ledger, store, LIMITS), Gone)


@pytest.mark.parametrize("there", [IMAGE[:-1], IMAGE + b"!", b"", tombstone("ob-1", AT), None])
async def test_bytes_that_are_not_those_published_are_never_served(
    ledger: Any, there: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    store = MemoryStore()
    if there is not None:
        store.write_late(KEY, there)
    assert await serve("as-1", ledger, store, LIMITS) == Unavailable("bytes_wrong")
    assert "alert" in caplog.text


async def test_a_refusal_does_not_need_the_bytes(ledger: Any) -> None:
    ledger.row = replace(ledger.row, consent=consent(floor=1))
    store = MemoryStore()
    store.fail("read")
    assert isinstance(await serve("as-1", ledger, store, LIMITS), Gone)


async def test_a_store_or_ledger_that_is_away_shuts_the_gate(ledger: Any, store: MemoryStore) -> None:
    store.fail("read")
    assert isinstance(await serve("as-1", ledger, store, LIMITS), Unavailable)
    ledger.fails = ServiceUnavailable("away")
    assert isinstance(await serve("as-1", ledger, store, LIMITS), Unavailable)


async def test_a_store_that_hangs_shuts_the_gate(ledger: Any, store: MemoryStore) -> None:
    import asyncio

    async def hang(key: str) -> None:
        await asyncio.sleep(60)

    store.before["read"] = hang
    assert isinstance(await serve("as-1", ledger, store, LIMITS), Unavailable)


async def test_a_remembered_place_is_checked_and_found_anew(ledger: Any, store: MemoryStore) -> None:
    places = Places()
    assert isinstance(await serve("as-1", ledger, store, LIMITS, places), Served)
    store.write_late("pub/tw/gr/1/as.2.jpg", IMAGE)
    ledger.row = replace(ledger.row, asset=asset(key="pub/tw/gr/1/as.2.jpg"))
    assert await serve("as-1", ledger, store, LIMITS, places) == Unavailable("moved")
    assert isinstance(await serve("as-1", ledger, store, LIMITS, places), Served)


async def test_sending_on_asks_again(ledger: Any, store: MemoryStore) -> None:
    served = await serve("as-1", ledger, store, LIMITS)
    assert isinstance(served, Served)
    assert await still_served(served, ledger, LIMITS)
    ledger.row = replace(ledger.row, consent=consent(floor=1))
    assert not await still_served(served, ledger, LIMITS)
    ledger.fails = ServiceUnavailable("away")
    assert not await still_served(served, ledger, LIMITS)
