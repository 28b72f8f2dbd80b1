"""The gate over HTTP on real PostgreSQL: it shows what is permitted, refuses from the commit on, and fails closed."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import httpx
import pytest
import uvicorn

from console.gate import FRESH_SECONDS, Gate, create_app
from console.gate_access import AccessLog
from infra.postgres.ledger import PostgresLedger
from infra.store.local import LocalStore
from schemas.consent import Granted, Withdrawn
from schemas.envelope import TOPIC_CONSENT
from tasks.ports import PublishRequest
from tasks.publish import publish
from tests.fakes.publishing import granted, request, withdrawn

IMAGE = b"\xff\xd8" + bytes(range(256)) * 1000
facts = iter(range(1_000_000))


@dataclass
class Served:
    """A gate that listens, and what stands behind it."""

    url: str
    client: httpx.AsyncClient
    ledger: PostgresLedger
    store: LocalStore
    gate: Gate
    asked: PublishRequest

    @property
    def asset_id(self) -> str:
        return self.asked.asset_id

    async def get(self, path: str = "", **headers: str) -> httpx.Response:
        return await self.client.get(path or f"/assets/{self.asset_id}", headers=headers)

    async def say(self, fact: Granted | Withdrawn) -> None:
        await say(self.ledger, fact)


async def say(ledger: PostgresLedger, fact: Granted | Withdrawn) -> None:
    event = f"e-{next(facts)}"
    await ledger.record_consent(fact, source="urn:test", event_id=event, raw=event.encode())


@asynccontextmanager
async def listening(gate: Gate) -> AsyncIterator[str]:
    @asynccontextmanager
    async def opener() -> AsyncIterator[Gate]:
        yield gate

    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(create_app(opener), log_level="critical", lifespan="on"))
    running = asyncio.create_task(server.serve(sockets=[taken]))
    while not server.started:  # noqa: ASYNC110  (uvicorn has a flag, not an event)
        await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{taken.getsockname()[1]}"
    server.should_exit = True
    await running


@pytest.fixture
async def served(ledger: PostgresLedger, tmp_path: Path) -> AsyncIterator[Served]:
    """One published asset of tal-ada; consent is current."""
    store = LocalStore(tmp_path / "store")
    await say(ledger, granted())
    asked = request(IMAGE, fence=await ledger.fence("tal-ada"))
    assert (await publish(asked, IMAGE, ledger, store)).state == "PUBLISHED"
    await ledger.store_watermark(TOPIC_CONSENT, 0, await ledger.now())
    gate = Gate(ledger, store, AccessLog(ledger), send_seconds=2)
    async with listening(gate) as url, httpx.AsyncClient(base_url=url) as client:
        yield Served(url, client, ledger, store, gate, asked)


async def test_a_permitted_image_comes_whole_and_is_not_to_be_cached(served: Served) -> None:
    answer = await served.get()
    assert (answer.status_code, answer.content) == (200, IMAGE)
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["cache-control"] == "private, no-cache"
    assert (await served.client.head(f"/assets/{served.asset_id}")).status_code == 200


async def test_an_unchanged_copy_is_confirmed_only_while_permitted(served: Served) -> None:
    tag = (await served.get()).headers["etag"]
    assert (await served.get(**{"if-none-match": tag})).status_code == 304
    await served.say(withdrawn())
    assert (await served.get(**{"if-none-match": tag})).status_code == 410


async def test_the_gate_closes_with_the_withdrawals_commit_before_any_sweep(served: Served) -> None:
    assert (await served.get()).status_code == 200
    await served.say(withdrawn())
    answer = await served.get()
    assert answer.status_code == 410
    assert answer.headers["cache-control"] == "no-store"
    assert IMAGE[:100] not in answer.content


async def test_readers_that_never_stop_get_nothing_after_the_commit(served: Served) -> None:
    seen: list[tuple[float, int]] = []
    loop, stop = asyncio.get_running_loop(), asyncio.Event()

    async def read_on() -> None:
        while not stop.is_set():
            begun = loop.time()
            seen.append((begun, (await served.get()).status_code))

    readers = [asyncio.create_task(read_on()) for _ in range(4)]
    await asyncio.sleep(0.3)
    await served.say(withdrawn())
    committed = loop.time()
    await asyncio.sleep(0.3)
    stop.set()
    await asyncio.gather(*readers)
    assert {status for begun, status in seen if begun > committed} == {410}
    assert 200 in {status for _, status in seen}


async def test_a_regrant_revives_nothing(served: Served) -> None:
    await served.say(withdrawn())
    await served.say(granted(version=2))
    assert (await served.get()).status_code == 410


async def test_the_refusal_is_a_page_for_people_and_json_for_programs_and_names_nobody(served: Served) -> None:
    await served.say(withdrawn())
    page = await served.get(accept="text/html,*/*")
    assert page.headers["content-type"].startswith("text/html")
    assert "no longer shown" in page.text
    told = (await served.get()).json()
    assert (told["status"], told["code"]) == (410, "gone")
    for answer in (page.text, str(told)):
        assert "ada" not in answer


async def test_what_was_never_published_is_not_found(served: Served) -> None:
    assert (await served.get("/assets/as-nothing")).status_code == 404
    assert (await served.get("/assets/as-nothing/status")).status_code == 404
    assert (await served.get("/assets/..%2f..%2fetc%2fpasswd")).status_code == 404


async def test_truncated_bytes_in_the_store_are_503_and_alert(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    (file,) = (path for path in served.store.root.rglob("*.jpg"))
    file.write_bytes(IMAGE[:-1])
    assert (await served.get()).status_code == 503
    assert "alert" in caplog.text


async def test_consent_that_is_not_current_shuts_the_gate(served: Served, postgres_url: str) -> None:
    connection = await asyncpg.connect(postgres_url)
    try:
        await connection.execute("update watermarks set read_to_end_at = read_to_end_at - interval '61 seconds'")
        assert (await served.get()).status_code == 503
        assert (await served.get("/health")).status_code == 503
        await connection.execute("delete from watermarks")
        assert (await served.get()).status_code == 503
    finally:
        await connection.close()


async def test_a_ledger_that_is_away_shuts_the_gate(served: Served, postgres_url: str) -> None:
    assert (await served.get()).status_code == 200
    database = postgres_url.rsplit("/", 1)[1].partition("?")[0]
    connection = await asyncpg.connect(postgres_url.replace(database, "postgres"))
    try:
        await connection.execute(f'alter database "{database}" allow_connections false')
        await connection.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", database)
        assert (await served.get()).status_code == 503
        assert (await served.get(f"/assets/{served.asset_id}/status")).status_code == 503
        assert (await served.get("/health")).status_code == 503
        await connection.execute(f'alter database "{database}" allow_connections true')
        assert (await served.get()).status_code == 200
    finally:
        await connection.close()


async def test_a_reader_too_slow_for_the_withdrawal_does_not_get_the_whole_image(served: Served) -> None:
    big = IMAGE * 128
    asked = request(big, number=2, fence=await served.ledger.fence("tal-ada"))
    assert (await publish(asked, big, served.ledger, served.store)).state == "PUBLISHED"
    host, port = served.url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)))
    connection.sendall(f"GET /assets/{asked.asset_id} HTTP/1.1\r\nHost: gate\r\nConnection: close\r\n\r\n".encode())
    connection.setblocking(False)
    loop = asyncio.get_running_loop()
    received = await loop.sock_recv(connection, 65536)
    await served.say(withdrawn())
    await asyncio.sleep(FRESH_SECONDS)
    try:
        while piece := await asyncio.wait_for(loop.sock_recv(connection, 65536), 10):
            received += piece
    except ConnectionResetError:
        pass
    connection.close()
    assert received.startswith(b"HTTP/1.1 200")
    assert len(received) < len(big)


async def test_status_tells_anyone_with_a_copy_what_it_is(served: Served) -> None:
    told = (await served.get(f"/assets/{served.asset_id}/status")).json()
    assert (told["state"], told["shown"], told["labelled_synthetic"]) == ("PUBLISHED", True, True)
    await served.say(withdrawn())
    told = (await served.get(f"/assets/{served.asset_id}/status")).json()
    assert (told["state"], told["shown"]) == ("REVOKING", False)
    assert "ada" not in str(told)


async def test_a_copy_is_found_by_its_perceptual_hash(served: Served) -> None:
    near = (await served.get("/status?phash=00ff00ff00ff00fe")).json()["assets"]
    assert [(found["asset_id"], found["distance"]) for found in near] == [(served.asset_id, 1)]
    assert (await served.get("/status?phash=ff00ff00ff00ff00")).json()["assets"] == []
    assert (await served.get("/status?phash=zz")).status_code == 400


async def test_the_stable_address_leads_to_what_is_current(served: Served) -> None:
    path = f"/looks/SKU-1/{served.asked.cell.twin_id}/studio/4:5"
    answer = await served.get(path)
    assert (answer.status_code, answer.headers["location"]) == (302, f"/assets/{served.asset_id}")
    assert (await served.get(path.replace("4:5", "4x5"))).status_code == 302
    assert (await served.get(path.replace("4:5", "1:1"))).status_code == 404
    assert (await served.get(path.replace("4:5", "3:7"))).status_code == 404


async def test_a_preview_is_not_for_the_public(served: Served) -> None:
    asked = request(IMAGE, number=3, fence=await served.ledger.fence("tal-ada"), preview_only=True)
    assert (await publish(asked, IMAGE, served.ledger, served.store)).state == "PUBLISHED"
    assert (await served.get(f"/assets/{asked.asset_id}")).status_code == 403


async def test_every_access_is_logged_with_its_outcome(served: Served, postgres_url: str) -> None:
    await served.get(referer="https://shop.example/dresses/1?customer=7")
    await served.say(withdrawn())
    await served.get()
    await served.gate.access.flush()
    connection = await asyncpg.connect(postgres_url)
    try:
        rows = await connection.fetch("select outcome, reader from access_log order by outcome")
    finally:
        await connection.close()
    assert [tuple(row) for row in rows] == [("gone", "direct"), ("served", "shop.example")]
