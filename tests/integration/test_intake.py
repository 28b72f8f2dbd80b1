"""Garment events from real Kafka into the real ledger: nothing lost, nothing doubled, every refusal explained."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from kafka import KafkaProducer

from infra.embedded.kafka import EmbeddedKafka
from infra.embedded.ports import pick
from infra.embedded.program import start, stop
from infra.kafka.intake import GarmentIntake
from infra.kafka.topics import ensure_topics
from infra.postgres.ledger import PostgresLedger
from infra.settings import KafkaSettings, Limits, Settings
from tests import said
from tests.waiting import until


@pytest.fixture(scope="module")
def producer(tmp_path_factory: pytest.TempPathFactory) -> said.Producer:
    return said.Producer(tmp_path_factory.mktemp("home"))


@pytest.fixture
def send(topics: KafkaSettings, producer: said.Producer) -> Callable[..., None]:
    """Sends events as a stranger's client would: JSON, key and header, nothing of ours."""
    client = KafkaProducer(bootstrap_servers=topics.bootstrap, acks="all", max_request_size=3_000_000)

    def now(content: dict[str, Any] | bytes, **changes: Any) -> None:
        record = producer.record(content, **changes)
        client.send(record.topic, key=record.key, value=record.value, headers=list(record.headers)).get(10)

    return now


def settings_for(kafka: KafkaSettings, home: Path) -> Settings:
    return Settings(home=home, kafka=kafka, limits=Limits(silence_alert_seconds=1))


@asynccontextmanager
async def intake_running(
    kafka: KafkaSettings, ledger: PostgresLedger, producer: said.Producer, home: Path
) -> AsyncIterator[GarmentIntake]:
    ended = asyncio.Event()
    intake = GarmentIntake(settings_for(kafka, home), ledger, producer.registry)
    task = asyncio.create_task(intake.run(ended))
    try:
        yield intake
    finally:
        ended.set()
        await task


async def inbox(url: str) -> list[tuple[str, int]]:
    connection = await asyncpg.connect(url)
    rows = await connection.fetch("select sku, version from inbox order by inbox_id")
    await connection.close()
    return [(row["sku"], row["version"]) for row in rows]


async def test_every_good_event_arrives_once_and_every_bad_one_becomes_a_dead_letter(
    topics: KafkaSettings,
    ledger: PostgresLedger,
    postgres_url: str,
    producer: said.Producer,
    send: Callable[..., None],
    tmp_path: Path,
) -> None:
    send(said.garment("SKU-1", 1, id_="e-1"))
    send(said.garment("SKU-1", 1, id_="e-1"))
    send(said.garment("SKU-1", 1, id_="e-1", title="Other bytes"))
    send(b"{", key=b"SKU-1")
    send(b'"' + b"x" * 2_000_000 + b'"', key=b"SKU-1")
    send(said.garment("SKU-1", 2, id_="e-2"), headers=[])
    send(said.garment("SKU-1", 3, id_="e-3"), headers=[producer.header(b"something else")])
    send(said.garment("SKU-1", 4, id_="e-4"), key=b"SKU-9")
    send(said.granted(id_="e-5"), topic=said.GARMENTS, key=b"tal-ada")
    send(said.event("likeness.garment.melted", "SKU-1", {}, id_="e-6"))
    send(said.garment("SKU-1", 6, id_="e-7"))
    async with intake_running(topics, ledger, producer, tmp_path):

        async def all_read() -> bool:
            return len(await ledger.dead_letters()) == 8 and len(await inbox(postgres_url)) == 2

        await until(all_read, "eight dead letters and two inbox rows")

    assert set(await inbox(postgres_url)) == {("SKU-1", 1), ("SKU-1", 6)}
    assert {row["code"] for row in await ledger.dead_letters()} == {
        "same_id_other_bytes",
        "not_json",
        "oversized",
        "signature_missing",
        "bad_signature",
        "key_mismatch",
        "wrong_topic",
        "unknown_type",
    }


async def test_an_older_version_that_comes_late_is_kept_and_does_not_become_current(
    topics: KafkaSettings, ledger: PostgresLedger, producer: said.Producer, send: Callable[..., None], tmp_path: Path
) -> None:
    send(said.garment("SKU-1", 2, id_="newer", title="Second"))
    send(said.garment("SKU-1", 1, id_="older", title="First"))
    async with intake_running(topics, ledger, producer, tmp_path) as intake:

        async def both() -> bool:
            return intake.taken == 2

        await until(both, "both versions taken in")
    assert await ledger.current_version("SKU-1") == 2
    current = await ledger.garment("SKU-1")
    assert current is not None
    assert current.title == "Second"


async def test_consumers_that_come_and_go_lose_and_double_nothing(
    topics: KafkaSettings,
    ledger: PostgresLedger,
    postgres_url: str,
    producer: said.Producer,
    send: Callable[..., None],
    tmp_path: Path,
) -> None:
    total = 300
    for number in range(total):
        send(said.garment(f"SKU-{number}", id_=f"e-{number}"))
        if number == 100:
            first = intake_running(topics, ledger, producer, tmp_path)
            await first.__aenter__()
            await asyncio.sleep(0)
        if number == 200:
            second = intake_running(topics, ledger, producer, tmp_path)
            await second.__aenter__()
            await asyncio.sleep(0.5)  # let it join while records flow
            await first.__aexit__(None, None, None)

    async def all_there() -> bool:
        return len(await inbox(postgres_url)) >= total

    await until(all_there, "every event in the inbox", 60)
    await second.__aexit__(None, None, None)
    assert sorted(await inbox(postgres_url)) == sorted((f"SKU-{number}", 1) for number in range(total))
    assert await ledger.dead_letters() == []


async def test_a_record_that_meets_a_defect_does_not_stop_the_others(
    topics: KafkaSettings,
    ledger: PostgresLedger,
    postgres_url: str,
    producer: said.Producer,
    send: Callable[..., None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    accept = ledger.accept_garments

    async def defective(group: str, rows: Any, dead: Any, positions: Any) -> int:
        if any(row.subject == "SKU-1" for row in rows):
            raise RuntimeError("a defect of ours")
        return await accept(group, rows, dead, positions)

    monkeypatch.setattr(ledger, "accept_garments", defective)
    for number in range(3):
        send(said.garment(f"SKU-{number}", id_=f"e-{number}"))
    async with intake_running(topics, ledger, producer, tmp_path):

        async def done() -> bool:
            return len(await ledger.dead_letters()) == 1 and len(await inbox(postgres_url)) == 2

        await until(done, "the defect parked and the others taken in")
    (letter,) = await ledger.dead_letters()
    assert letter["code"] == "internal_error"
    assert "a defect of ours" in letter["message"]


async def test_a_broker_that_stops_and_starts_delays_events_and_loses_none(
    session_home: Path,
    ledger: PostgresLedger,
    postgres_url: str,
    producer: said.Producer,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    broker = EmbeddedKafka(session_home / "stopping-kafka", *pick(2))
    broker.prepare()
    kafka = KafkaSettings(bootstrap=broker.bootstrap)
    process = await asyncio.to_thread(start, broker.program)

    def send(number: int) -> None:
        record = producer.record(said.garment(f"SKU-{number}", id_=f"e-{number}"))
        client = KafkaProducer(bootstrap_servers=broker.bootstrap, acks="all")
        client.send(record.topic, key=record.key, value=record.value, headers=list(record.headers)).get(20)
        client.close()

    try:
        await asyncio.to_thread(broker.wait_ready, process)
        ensure_topics(kafka)
        await asyncio.to_thread(send, 1)
        async with intake_running(kafka, ledger, producer, tmp_path) as intake:

            async def taken(number: int) -> bool:
                return len(await inbox(postgres_url)) == number

            async def alerted() -> bool:
                return any("has been silent" in record.getMessage() for record in caplog.records)

            await until(lambda: taken(1), "the first event")
            stop(broker.program, process)
            await until(alerted, "an alert about the silent broker")
            process = await asyncio.to_thread(start, broker.program)
            await asyncio.to_thread(broker.wait_ready, process)
            await asyncio.to_thread(send, 2)
            await until(lambda: taken(2), "the second event, from the broker that came back", 60)
            assert intake.taken == 2
    finally:
        stop(broker.program, process)
    assert json.dumps(await inbox(postgres_url)) == '[["SKU-1", 1], ["SKU-2", 1]]'
