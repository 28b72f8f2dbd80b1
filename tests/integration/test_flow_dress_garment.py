"""A garment's whole way on a real ledger and a real Prefect server; pixels by fakes."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.context import Services, Shelf, serving
from flows.reconcile import reconcile
from flows.routes import work_on
from flows.watch_withdrawal import watch_withdrawal
from infra.bootstrap.imaging import Imaging
from infra.fetching import ImageReader
from infra.keys import RECEIPT_KEY, load_pseudonyms, load_signer, make_development_keys
from infra.postgres.fence import PostgresFence
from infra.postgres.ledger import PostgresLedger
from infra.prefect.runner import FlowRunner, RunRequest
from infra.receipts import ReceiptFolder
from schemas.consent import Granted, Withdrawn
from schemas.garment import Garment
from schemas.grant import Scope
from tasks.errors import ServiceUnavailable
from tasks.imaging.pictures import GenerateRequest
from tasks.library import take_in_scene, take_in_twin
from tasks.ports import Claim, InboxRow, ShouldStop
from tasks.sweep import SweepServices, sweep_once
from tests.fakes.dressing import (
    BlockGenerator,
    GroundSegmenter,
    LenientJudge,
    PlainMarker,
    a_photograph,
    a_scene,
    a_twin,
    understand,
)
from tests.fakes.store import MemoryStore

LEASE = 30.0


@pytest.fixture
def prefect(prefect_api: str) -> Iterator[str]:
    with temporary_settings({PREFECT_API_URL: prefect_api}):
        yield prefect_api


@dataclass
class House:
    """Services with fakes for pixels, and what a test says to them."""

    services: Services
    runner: FlowRunner
    generator: BlockGenerator
    judge: LenientJudge
    root: Path
    offset: int = 0
    skus: dict[str, int] = field(default_factory=dict)

    @property
    def ledger(self) -> PostgresLedger:
        return self.services.ledger

    async def grant(self, name: str, *, version: int = 1, categories: tuple[str, ...] = ("dress",)) -> None:
        now = datetime.now(UTC)
        scope = Scope(
            brands=("example",), garment_categories=categories, territories=("SE", "JP"), channels=("web",),
            formats=("*",), edits=("clothing", "background", "lighting"),
        )  # fmt: skip
        fact = Granted(
            talent_id=f"tal-{name}", grant_id=f"gr-{name}", version=version, signed_at=now - timedelta(seconds=1),
            effective_from=now - timedelta(days=1), effective_to=now + timedelta(days=300), scope=scope,
        )  # fmt: skip
        await self.ledger.record_consent(fact, source="urn:test", event_id=f"g-{name}-{version}", raw=b"{}")

    async def withdraw(self, name: str) -> None:
        fact = Withdrawn(talent_id=f"tal-{name}", grant_id=None, effective_at=datetime.now(UTC), effect="take_down")
        await self.ledger.record_consent(fact, source="urn:test", event_id=f"w-{name}", raw=b"{}")

    async def twins(self, *names: str) -> None:
        for name in names:
            twin, files = a_twin(name)
            await take_in_twin(twin, files.__getitem__, self.ledger, self.services.store)

    async def scene(self, name: str, market: str = "SE", shade: int = 200) -> None:
        await take_in_scene(*a_scene(name, market, shade), self.ledger, self.services.store)

    async def event(self, sku: str = "SKU-1", *, version: int = 1, kind: str = "created", **changes: Any) -> None:
        photograph = a_photograph()
        (self.root / "front.png").write_bytes(photograph)
        content: dict[str, Any] = {
            "sku": sku, "version": version, "brand": "example", "category": "dress", "title": "Dress",
            "images": [{"uri": (self.root / "front.png").as_uri(), "sha256": hashlib.sha256(photograph).hexdigest()}],
            "markets": ["SE"], "channels": ["web"], "formats": ["4:5", "1:1"],
        }  # fmt: skip
        garment = Garment.model_validate(content | changes)
        raw = json.dumps({"data": garment.model_dump(mode="json")}).encode()
        row = InboxRow(
            "likeness.garments", 0, self.offset, "urn:test", f"e-{sku}-{version}", hashlib.sha256(raw).hexdigest(),
            f"likeness.garment.{kind}", sku, raw, garment, datetime.now(UTC),
        )  # fmt: skip
        self.offset += 1
        await self.ledger.accept_garments("intake", [row], [], {("likeness.garments", 0): self.offset})

    async def claim(self) -> Claim:
        claim = await self.ledger.claim("tester", LEASE)
        assert claim is not None
        return claim

    async def dress(self) -> dict[str, Any]:
        """Work on the next garment; returns its inbox row."""
        claim = await self.claim()
        await work_on(claim, self.services, self.runner, LEASE)
        rows = (await self.ledger.where(claim.garment.sku))["inbox"]
        return next(row for row in rows if row["inbox_id"] == claim.inbox_id)

    async def live(self, **of: Any) -> list[str]:
        return sorted(asset.twin_id for asset in await self.ledger.assets(state="PUBLISHED", **of))


@pytest_asyncio.fixture
async def house(ledger: PostgresLedger, postgres_url: str, prefect: str, tmp_path: Path) -> AsyncIterator[House]:
    generator, judge, store = BlockGenerator(), LenientJudge(), MemoryStore()
    shelf = Shelf(ledger, store)
    async with PostgresFence.open(postgres_url, shelf.forget) as fence:
        imaging = Imaging({"block": generator}, GroundSegmenter(), understand, judge, PlainMarker())
        services = Services(
            ledger, store, imaging, ImageReader([tmp_path]), fence, shelf, "block", "tester", "http://gate",
            asyncio.Semaphore(2),
        )  # fmt: skip
        house = House(services, FlowRunner(prefect), generator, judge, tmp_path)
        await house.twins("ada", "bea")
        await house.scene("stockholm")
        await house.grant("ada")
        yield house


async def flow_runs(api: str, sku: str) -> list[dict[str, Any]]:
    async with httpx.AsyncClient() as client:
        wanted = {"flow_runs": {"tags": {"all_": [f"sku:{sku}"]}}}
        found: list[dict[str, Any]] = (await client.post(f"{api}/flow_runs/filter", json=wanted)).json()
        return found


async def test_a_garment_event_becomes_published_images_and_an_answer(house: House) -> None:
    await house.event()
    assert (await house.dress())["state"] in ("done", "dressed")
    assert await house.live() == ["tw-ada", "tw-ada"]
    asset = (await house.ledger.assets(state="PUBLISHED"))[0]
    data = await house.services.store.read(asset.key)
    assert data is not None
    assert hashlib.sha256(data).hexdigest() == asset.sha256


async def test_operations_see_the_run_by_name_tags_and_stages(house: House, prefect: str) -> None:
    await house.event("SKU-SEEN")
    await house.dress()
    (run,) = await flow_runs(prefect, "SKU-SEEN")
    assert (run["name"], run["state_type"]) == ("dress SKU-SEEN v1", "COMPLETED")
    assert {"brand:example", "twin:tw-ada"} <= set(run["tags"])
    async with httpx.AsyncClient() as client:
        of_run = {"flow_runs": {"id": {"any_": [run["id"]]}}}
        tasks = (await client.post(f"{prefect}/task_runs/filter", json=of_run)).json()
        shown = (await client.post(f"{prefect}/artifacts/filter", json=of_run)).json()
    names = {task["name"] for task in tasks}
    assert {"fetch", "decide", "understand", "generate tw-ada", "publish tw-ada", "judge", "answer"} <= names
    assert {artifact["key"] for artifact in shown} == {
        f"{kind}-sku-seen" for kind in ("progress", "decisions", "checks", "looks")
    }
    assert not any("base64" in str(artifact["data"]) for artifact in shown)


async def test_a_twin_without_a_grant_is_blocked_with_the_reason_and_never_painted(house: House) -> None:
    await house.event()
    await house.dress()
    cells = {cell["twin_id"]: cell for cell in await house.ledger.cells("SKU-1")}
    assert cells["tw-bea"]["state"] == "blocked"
    assert cells["tw-bea"]["decision"]["reasons"][0]["code"] == "no_grant"
    assert house.generator.calls == ["tw-ada"]


async def test_a_withdrawal_while_painting_stops_that_twin_and_no_other(house: House) -> None:
    await house.grant("bea")
    loop = asyncio.get_running_loop()

    def withdraw(request: GenerateRequest, should_stop: ShouldStop) -> None:
        if request.twin.twin.talent_id == "tal-ada":
            asyncio.run_coroutine_threadsafe(house.withdraw("ada"), loop).result()
            while not should_stop():  # the flag comes by itself, without SQL from here
                pass

    house.generator.before = withdraw
    await house.event()
    assert (await house.dress())["state"] in ("done", "dressed")
    assert await house.live() == ["tw-bea", "tw-bea"]
    ada = [cell for cell in await house.ledger.cells("SKU-1") if cell["twin_id"] == "tw-ada"]
    assert {cell["state"] for cell in ada} == {"blocked"}


async def test_consent_that_changes_and_still_permits_costs_a_second_round_and_no_image(house: House) -> None:
    loop, narrowed = asyncio.get_running_loop(), []

    def narrow(_request: GenerateRequest, should_stop: ShouldStop) -> None:
        if not narrowed:
            narrowed.append(True)
            asyncio.run_coroutine_threadsafe(house.grant("ada", version=2), loop).result()
            while not should_stop():
                pass

    house.generator.before = narrow
    await house.event()
    await house.dress()
    assert await house.live() == ["tw-ada", "tw-ada"]
    assert {asset.grant_version for asset in await house.ledger.assets(state="PUBLISHED")} == {2}


async def test_what_fails_its_checks_is_recorded_and_not_published(house: House) -> None:
    await house.grant("bea")
    house.judge.failing = {"tw-bea"}
    await house.event()
    await house.dress()
    assert await house.live() == ["tw-ada", "tw-ada"]
    assert {c["state"] for c in await house.ledger.cells("SKU-1") if c["twin_id"] == "tw-bea"} == {"rejected"}
    assert house.judge.batches == [4]  # once per garment


async def test_a_new_backdrop_uses_the_cut_out_look_again(house: House) -> None:
    await house.event()
    await house.dress()
    await house.scene("tokyo", "JP")
    await house.event(version=2, kind="updated", markets=["SE", "JP"])
    await house.dress()
    assert house.generator.calls == ["tw-ada"]
    assert len(await house.live(scene="tokyo")) == 2


async def test_the_older_version_goes_when_the_new_one_is_there(house: House) -> None:
    await house.event()
    await house.dress()
    await house.event(version=2, kind="updated", formats=["4:5"])
    await house.dress()
    live = await house.ledger.assets(state="PUBLISHED")
    assert [(asset.garment_version, asset.format) for asset in live] == [(2, "4:5")]
    older = [asset for asset in await house.ledger.assets(sku="SKU-1") if asset.garment_version == 1]
    assert {asset.cause for asset in older} == {"superseded"}


async def test_a_discontinued_garment_is_taken_down(house: House) -> None:
    await house.event()
    await house.dress()
    await house.event(version=2, kind="discontinued")
    await house.dress()
    assert await house.live() == []


async def test_a_photograph_that_is_no_photograph_fails_with_the_cause_and_a_dead_letter(house: House) -> None:
    await house.event(images=[{"uri": "file:///etc/hostname"}])
    assert (await house.dress())["state"] == "failed"
    (letter,) = await house.ledger.dead_letters()
    assert letter["code"] == "address_not_allowed"


async def test_with_prefect_away_the_garment_waits_and_then_goes_its_way(house: House, prefect: str) -> None:
    await house.event()
    claim = await house.claim()
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        await work_on(claim, house.services, FlowRunner("http://127.0.0.1:9/api"), LEASE)
    assert house.generator.calls == []
    row = (await house.ledger.where("SKU-1"))["inbox"][0]
    assert (row["state"], row["attempts"]) == ("queued", 1)
    assert "prefect_unavailable" in row["error"]


async def test_a_second_attempt_publishes_only_what_is_missing_and_closes_the_first_run(
    house: House, prefect: str
) -> None:
    await house.event("SKU-AGAIN")
    first = await house.claim()
    ledger = house.ledger
    failing = FailingAnswer(ledger)
    await work_on(first, replace(house.services, ledger=failing), house.runner, LEASE)  # type: ignore[arg-type]
    await ledger.give_back(first, "again", delay_seconds=0)
    async with ledger._db.transaction() as connection:
        await connection.execute("update inbox set not_before = clock_timestamp()")
    await house.dress()
    assert house.generator.calls == ["tw-ada"]
    assert len(await house.live(sku="SKU-AGAIN")) == 2
    states = sorted(run["state_type"] for run in await flow_runs(prefect, "SKU-AGAIN"))
    assert states == ["COMPLETED", "FAILED"]


class FailingAnswer:
    """A ledger that is away at the very moment of the answer."""

    def __init__(self, ledger: PostgresLedger) -> None:
        self._ledger = ledger

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    async def finish(self, *_: Any) -> bool:
        raise ServiceUnavailable("the ledger is away")


async def test_a_withdrawal_of_everything_reaches_images_caches_references_and_this_process(house: House) -> None:
    await house.event()
    await house.dress()
    await house.withdraw("ada")
    await house.ledger.plan_withdrawals()
    doomed = await house.ledger.next_targets(100)
    assert {"asset", "stage_cache", "twin_reference"} <= {stored.kind for stored in doomed}
    assert {stored.twin_id for stored in doomed} == {"tw-ada"}
    while house.services.shelf.holds("tal-ada"):  # noqa: ASYNC110  # dropped by the notification, at some moment
        await asyncio.sleep(0.01)


async def test_reconciling_finds_bytes_that_nobody_knows_and_objects_without_bytes(house: House) -> None:
    await house.event()
    await house.dress()
    store = house.services.store
    with serving(house.services):
        assert (await reconcile())["problems"] == 0
        await store.create("pub/stranger/x.jpg", b"who put this here?", "image/jpeg")
        live = (await house.ledger.assets(state="PUBLISHED"))[0]
        for version in await store.versions(live.key):
            await store.delete_version(live.key, version.version_id)
        assert (await reconcile())["problems"] == 2


async def test_a_withdrawal_is_shown_until_it_is_complete(house: House, postgres_url: str) -> None:
    await house.event()
    await house.dress()
    await house.withdraw("ada")
    (row,) = await house.ledger.withdrawals("tal-ada")
    keys = make_development_keys(house.root)
    request = RunRequest("withdrawal tal-ada", {"withdrawal_id": row["withdrawal_id"]}, ["talent:tal-ada"], "w-1")
    with serving(house.services):
        watching = asyncio.create_task(house.runner.run(watch_withdrawal, request))
        async with PostgresLedger.open(postgres_url, longest_put_seconds=0.5) as ledger:
            sweeping = SweepServices(
                ledger, house.services.store, load_signer(keys, RECEIPT_KEY), load_pseudonyms(keys),
                ReceiptFolder(house.root),
            )  # fmt: skip
            while not (await sweep_once(sweeping)).issued:  # noqa: ASYNC110  # as the sweeper polls
                await asyncio.sleep(0.05)
        assert (await watching)["done"] > 0
