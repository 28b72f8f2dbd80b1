"""The sweeper and the gate as processes: killed in the middle of a sweep, nothing is lost, doubled or left."""

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import httpx
import pytest

from infra.embedded.ports import pick
from infra.keys import RECEIPT_KEY, load_signer, make_development_keys
from infra.postgres.ledger import PostgresLedger
from infra.store.local import LocalStore
from schemas.consent import Granted, Withdrawn
from schemas.envelope import TOPIC_CONSENT
from tasks.evidence import tombstone_of
from tasks.publish import publish
from tasks.receipts import verify_receipt
from tests.fakes.publishing import granted, request, withdrawn

IMAGE = b"\xff\xd8image" * 1000
OBJECTS = 120
Start = Callable[[str], subprocess.Popen[bytes]]


@pytest.fixture
def port() -> int:
    return pick(1)[0]


@pytest.fixture
def start(tmp_path: Path, postgres_url: str, port: int) -> Iterator[Start]:
    """Starts a process of ours on the test's ledger and home; whatever still runs at the end is stopped."""
    make_development_keys(tmp_path)
    settings = {
        "LIKENESS_HOME": str(tmp_path),
        "LIKENESS_LEDGER__URL": postgres_url,
        "LIKENESS_KAFKA__BOOTSTRAP": "127.0.0.1:1",
        "LIKENESS_GATE__PORT": str(port),
    }
    running: list[subprocess.Popen[bytes]] = []

    def begin(module: str) -> subprocess.Popen[bytes]:
        log = (tmp_path / f"{module}.log").open("ab")
        process = subprocess.Popen([sys.executable, "-m", module], env=os.environ | settings, stdout=log, stderr=log)
        log.close()
        running.append(process)
        return process

    yield begin
    for process in running:
        process.terminate()
        process.wait(20)


async def say(ledger: PostgresLedger, fact: Granted | Withdrawn, event: str) -> str | None:
    outcome = await ledger.record_consent(fact, source="urn:test", event_id=event, raw=event.encode())
    return outcome.withdrawal_id


async def publish_many(ledger: PostgresLedger, store: LocalStore, many: int) -> list[str]:
    fence = await ledger.fence("tal-ada")
    asked = [request(IMAGE, number=number, fence=fence) for number in range(many)]
    for each in asked:
        assert (await publish(each, IMAGE, ledger, store)).state == "PUBLISHED"
    return [each.asset_id for each in asked]


async def until(holds: Callable[[], Awaitable[bool]], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not await holds():
        assert time.monotonic() < end, "it did not come to pass"
        await asyncio.sleep(0.005)


async def test_a_sweeper_killed_again_and_again_finishes_and_proves_it(
    ledger: PostgresLedger, tmp_path: Path, start: Start
) -> None:
    store = LocalStore(tmp_path / "store")
    await say(ledger, granted(), "e-1")
    await publish_many(ledger, store, OBJECTS)
    withdrawal_id = await say(ledger, withdrawn(), "e-2")
    assert withdrawal_id is not None

    async def done() -> int:
        known = await ledger.withdrawal(withdrawal_id)
        assert known is not None
        return int(known["done"])

    async def complete() -> bool:
        known = await ledger.withdrawal(withdrawal_id)
        return known is not None and known["receipt"] is not None

    for least in (1, OBJECTS // 2):
        sweeper = start("flows.processes.sweeper")

        async def far_enough(least: int = least) -> bool:
            return await done() >= least

        await until(far_enough)
        sweeper.kill()
        sweeper.wait()
    start("flows.processes.sweeper")
    await until(complete)
    known = await ledger.withdrawal(withdrawal_id)
    assert known is not None
    verdict = verify_receipt(known["receipt"], load_signer(tmp_path / "keys", RECEIPT_KEY).public_jwk)
    assert verdict.valid, verdict.problem
    assert verdict.receipt is not None
    assert verdict.receipt.targets_total == OBJECTS
    assert len({target.object for target in verdict.receipt.targets or ()}) == OBJECTS
    left = [tombstone_of(await store.read(key)) async for key in store.keys("")]
    assert len(left) == OBJECTS
    assert None not in left
    assert (tmp_path / "receipts" / f"{withdrawal_id}.jws").read_text().strip() == known["receipt"]


async def test_the_gates_process_serves_then_refuses(
    ledger: PostgresLedger, tmp_path: Path, start: Start, port: int
) -> None:
    await say(ledger, granted(), "e-1")
    (asset_id,) = await publish_many(ledger, LocalStore(tmp_path / "store"), 1)
    await ledger.store_watermark(TOPIC_CONSENT, 0, await ledger.now())
    start("console.gate")
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:

        async def open_for_readers() -> bool:
            with contextlib.suppress(httpx.TransportError):
                return (await client.get("/health")).status_code == 200
            return False

        await until(open_for_readers)
        assert (await client.get(f"/assets/{asset_id}")).content == IMAGE
        await say(ledger, withdrawn(), "e-2")
        assert (await client.get(f"/assets/{asset_id}")).status_code == 410
