"""The sweep on real PostgreSQL and a real folder: everything goes, the receipt proves it, crashes change nothing."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import asyncpg
import pytest

from infra.keys import RECEIPT_KEY, Ed25519Signer, load_pseudonyms, load_signer, make_development_keys
from infra.postgres.ledger import PostgresLedger
from infra.receipts import ReceiptFolder
from infra.store.local import LocalStore
from schemas.consent import Granted, Withdrawn
from tasks.errors import ServiceUnavailable
from tasks.evidence import EvidenceRow, tombstone, tombstone_of, verify_chain
from tasks.ports import Intent, Store
from tasks.publish import keep, publish
from tasks.receipts import verify_receipt
from tasks.sweep import SweepReport, SweepServices, sweep_once
from tests.fakes.publishing import granted, request, withdrawn
from tests.fakes.store import MemoryStore

IMAGE = b"\xff\xd8image"
facts = iter(range(1_000_000))


@dataclass
class House:
    """A ledger, a store and a sweeper over them."""

    ledger: PostgresLedger
    store: LocalStore
    services: SweepServices
    signer: Ed25519Signer
    receipts: Path

    async def say(self, fact: Granted | Withdrawn) -> str | None:
        event = f"e-{next(facts)}"
        outcome = await self.ledger.record_consent(fact, source="urn:test", event_id=event, raw=event.encode())
        return outcome.withdrawal_id

    async def publish(self, talent_id: str = "tal-ada", number: int = 1) -> str:
        fence = await self.ledger.fence(talent_id)
        asked = request(IMAGE, talent_id=talent_id, number=number, fence=fence)
        outcome = await publish(asked, IMAGE, self.ledger, self.store)
        assert outcome.state == "PUBLISHED", outcome
        return asked.asset_id

    async def sweep_until_complete(self, withdrawal_id: str, services: SweepServices | None = None) -> SweepReport:
        for _ in range(50):
            report = await sweep_once(services or self.services)
            if any(issued.receipt.withdrawal_id == withdrawal_id for issued in report.issued):
                return report
            await asyncio.sleep(0.1)
        raise AssertionError(f"{withdrawal_id} was never completed")

    async def stored(self) -> dict[str, str | None]:
        """Every key in the store, and whose tombstone lies there."""
        return {key: tombstone_of(await self.store.read(key)) async for key in self.store.keys("")}


@pytest.fixture
async def ledger(postgres_url: str) -> AsyncIterator[PostgresLedger]:
    """Like every test's, but the longest possible write is short."""
    async with PostgresLedger.open(postgres_url, longest_put_seconds=0.5) as opened:
        yield opened


@pytest.fixture
async def house(ledger: PostgresLedger, tmp_path: Path) -> House:
    keys = make_development_keys(tmp_path)
    signer, store, receipts = load_signer(keys, RECEIPT_KEY), LocalStore(tmp_path / "store"), tmp_path / "receipts"
    receipts.mkdir()
    services = SweepServices(ledger, store, signer, load_pseudonyms(keys), ReceiptFolder(receipts))
    return House(ledger, store, services, signer, receipts)


def on(house: House, store: Store) -> SweepServices:
    return replace(house.services, store=store)


async def test_a_withdrawal_takes_everything_of_the_talent_and_nothing_of_others(house: House) -> None:
    await house.say(granted("tal-ada"))
    await house.say(granted("tal-bea"))
    for number in range(5):
        await house.publish("tal-ada", number)
    await house.publish("tal-bea")
    fence = await house.ledger.fence("tal-ada")
    assert await keep(
        "twin_reference", b"twin", name="front", talent_id="tal-ada", twin_id="tw-tal-ada", fence=fence,
        content_type="image/png", ledger=house.ledger, store=house.store,
    )  # fmt: skip
    withdrawal_id = await house.say(withdrawn("tal-ada"))
    assert withdrawal_id is not None
    report = await house.sweep_until_complete(withdrawal_id)
    (issued,) = report.issued
    left = await house.stored()
    assert len(left) == 7
    assert sum(owner is None for owner in left.values()) == 1
    assert issued.receipt.targets_by_kind == {"asset": 5, "twin_reference": 1}


async def test_the_receipt_verifies_from_its_file_and_names_nobody(house: House) -> None:
    await house.say(granted())
    await house.publish()
    withdrawal_id = await house.say(withdrawn())
    assert withdrawal_id is not None
    await house.sweep_until_complete(withdrawal_id)
    token = (house.receipts / f"{withdrawal_id}.jws").read_text()
    verdict = verify_receipt(token, house.signer.public_jwk)
    assert verdict.valid, verdict.problem
    assert verdict.receipt is not None
    assert [target.found for target in verdict.receipt.targets or ()] == ["expected"]
    page = (house.receipts / f"{withdrawal_id}.html").read_text()
    for secret in ("tal-ada", "gr-tal-ada", "SKU-1"):
        assert secret not in json.dumps(verdict.payload)
        assert secret not in page
    known = await house.ledger.withdrawal(withdrawal_id)
    assert known is not None
    assert known["receipt"] == token.strip()


async def test_the_chain_behind_the_receipt_is_intact_and_signed(house: House, postgres_url: str) -> None:
    await house.say(granted())
    for number in range(3):
        await house.publish(number=number)
    withdrawal_id = await house.say(withdrawn())
    assert withdrawal_id is not None
    report = await house.sweep_until_complete(withdrawal_id)
    connection = await asyncpg.connect(postgres_url)
    try:
        rows = await connection.fetch("select position, body, hash from evidence order by position")
        heads = await connection.fetch("select signature from heads order by position")
    finally:
        await connection.close()
    chain = [EvidenceRow(row["position"], json.loads(row["body"]), row["hash"]) for row in rows]
    verdict = verify_chain(chain, [head["signature"] for head in heads], house.signer.public_jwk)
    assert verdict.intact, verdict.problem
    assert chain[report.issued[0].receipt.evidence.position - 1].hash == report.issued[0].receipt.evidence.hash


async def test_a_publisher_that_dies_after_its_put_leaves_nothing(house: House) -> None:
    await house.say(granted())
    asked = request(IMAGE, fence=await house.ledger.fence("tal-ada"))
    intent = await house.ledger.begin_publish(asked)
    assert isinstance(intent, Intent)
    await house.store.create(intent.key, IMAGE, "image/jpeg")
    withdrawal_id = await house.say(withdrawn())
    assert withdrawal_id is not None
    await house.sweep_until_complete(withdrawal_id)
    assert await house.stored() == {intent.key: intent.object_id}


async def test_a_put_that_comes_after_the_sweep_meets_the_tombstone(house: House) -> None:
    await house.say(granted())
    store, services = house.store, house.services

    class SlowStore(LocalStore):
        async def create(self, key: str, data: bytes, content_type: str) -> None:
            withdrawal_id = await house.say(withdrawn())
            assert withdrawal_id is not None
            await house.sweep_until_complete(withdrawal_id, services)
            await super().create(key, data, content_type)

    asked = request(IMAGE, fence=await house.ledger.fence("tal-ada"))
    outcome = await publish(asked, IMAGE, house.ledger, SlowStore(store.root))
    assert outcome.state == "REVOKING"
    assert None not in (await house.stored()).values()


async def test_a_crash_between_tombstone_and_record_is_made_good(house: House) -> None:
    await house.say(granted())
    await house.publish()
    withdrawal_id = await house.say(withdrawn())
    assert withdrawal_id is not None
    await house.ledger.plan_withdrawals()
    (target,) = await house.ledger.next_targets(10)
    await house.store.replace(target.key, tombstone(target.object_id, await house.ledger.now()), "application/json")
    report = await house.sweep_until_complete(withdrawal_id)
    (told,) = report.issued[0].receipt.targets or ()
    assert told.found == "tombstone"
    assert await house.stored() == {target.key: target.object_id}


async def test_a_store_that_fails_for_one_object_does_not_stop_the_others(house: House) -> None:
    await house.say(granted())
    for number in range(3):
        await house.publish(number=number)
    withdrawal_id = await house.say(withdrawn())
    assert withdrawal_id is not None
    refused: list[str] = []

    class PatchyStore(LocalStore):
        async def replace(self, key: str, data: bytes, content_type: str) -> None:
            if not refused:
                refused.append(key)
                raise ServiceUnavailable("told to fail")
            await super().replace(key, data, content_type)

    patchy = PatchyStore(house.store.root)
    report = await sweep_once(on(house, patchy))
    assert (report.revoked, report.failed, report.issued) == (2, 1, ())
    await house.sweep_until_complete(withdrawal_id, on(house, patchy))
    assert None not in (await house.stored()).values()


async def test_two_sweepers_at_once_do_no_harm(house: House) -> None:
    await house.say(granted())
    for number in range(20):
        await house.publish(number=number)
    withdrawal_id = await house.say(withdrawn())
    assert withdrawal_id is not None
    for _ in range(20):
        await asyncio.gather(sweep_once(house.services), sweep_once(house.services))
        known = await house.ledger.withdrawal(withdrawal_id)
        assert known is not None
        if known["receipt"]:
            break
    verdict = verify_receipt(known["receipt"], house.signer.public_jwk)
    assert verdict.valid, verdict.problem
    assert verdict.receipt is not None
    assert verdict.receipt.targets_total == 20
    assert None not in (await house.stored()).values()


async def test_without_atomic_create_nothing_is_complete_before_the_second_look(house: House) -> None:
    memory = MemoryStore(atomic_create=False, versioned=False, max_put_seconds=0.5)
    await house.say(granted())
    asked = request(IMAGE, fence=await house.ledger.fence("tal-ada"))
    assert (await publish(asked, IMAGE, house.ledger, memory)).state == "PUBLISHED"
    withdrawal_id = await house.say(withdrawn())
    assert withdrawal_id is not None
    report = await sweep_once(on(house, memory))
    assert (report.revoked, report.issued) == (1, ())
    (key,) = memory.objects
    memory.write_late(key, IMAGE)
    report = await house.sweep_until_complete(withdrawal_id, on(house, memory))
    assert tombstone_of(await memory.read(key)) is not None
    (told,) = report.issued[0].receipt.targets or ()
    assert told.second_look_at is not None
    assert "second time" in report.issued[0].receipt.store.statement


async def test_a_withdrawal_of_someone_without_images_completes_too(house: House) -> None:
    await house.say(granted())
    withdrawal_id = await house.say(withdrawn())
    assert withdrawal_id is not None
    report = await house.sweep_until_complete(withdrawal_id)
    assert report.issued[0].receipt.targets_total == 0
    assert verify_receipt(report.issued[0].token, house.signer.public_jwk).valid
