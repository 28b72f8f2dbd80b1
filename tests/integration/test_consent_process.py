"""Consent events from real Kafka into the real ledger: applied in any order, held when broken, provably current."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from kafka import KafkaProducer

from infra.embedded.kafka import EmbeddedKafka
from infra.embedded.ports import pick
from infra.embedded.program import start, stop
from infra.kafka.intake import ConsentIntake
from infra.kafka.topics import ensure_topics
from infra.postgres.ledger import PostgresLedger
from infra.settings import KafkaSettings, Settings
from tests import said
from tests.waiting import until


@pytest.fixture(scope="module")
def producer(tmp_path_factory: pytest.TempPathFactory) -> said.Producer:
    return said.Producer(tmp_path_factory.mktemp("home"))


@pytest.fixture
def send(topics: KafkaSettings, producer: said.Producer) -> Callable[..., None]:
    client = KafkaProducer(bootstrap_servers=topics.bootstrap, acks="all")

    def now(content: dict[str, Any] | bytes, *, partition: int | None = None, **changes: Any) -> None:
        record = producer.record(content, **changes)
        client.send(
            record.topic, key=record.key, value=record.value, headers=list(record.headers), partition=partition
        ).get(10)

    return now


@asynccontextmanager
async def consent_running(
    kafka: KafkaSettings, ledger: PostgresLedger, producer: said.Producer, home: Path
) -> AsyncIterator[None]:
    ended = asyncio.Event()
    task = asyncio.create_task(ConsentIntake(Settings(home=home, kafka=kafka), ledger, producer.registry).run(ended))
    try:
        yield
    finally:
        ended.set()
        await task


async def watermarks(url: str) -> dict[int, datetime | None]:
    connection = await asyncpg.connect(url)
    rows = await connection.fetch("select partition, read_to_end_at from watermarks")
    await connection.close()
    return {row["partition"]: row["read_to_end_at"] for row in rows}


async def test_a_withdrawal_before_its_grant_in_other_partitions_still_holds(
    topics: KafkaSettings, ledger: PostgresLedger, producer: said.Producer, send: Callable[..., None], tmp_path: Path
) -> None:
    send(said.withdrawn("tal-ada", 2), partition=0)
    send(said.granted("tal-ada", 2, id_="g-2"), partition=1)
    send(said.granted("tal-ada", 1, id_="g-1"), partition=2)
    send(said.granted("tal-bea", 1, id_="g-3"), partition=2)
    async with consent_running(topics, ledger, producer, tmp_path):

        async def all_read() -> bool:
            return sum((await ledger.positions("likeness-consent", "likeness.consent")).values()) == 4

        await until(all_read, "four consent records")
    (ada,) = (await ledger.view("tal-ada")).grants
    (bea,) = (await ledger.view("tal-bea")).grants
    assert (ada.current, ada.floor) == (None, 2)
    assert bea.current is not None
    assert {"SE", "FR", "JP"} <= set(bea.current.scope.territories)
    assert "EU" not in bea.current.scope.territories


async def test_a_broken_withdrawal_puts_new_work_on_hold_and_is_a_dead_letter(
    topics: KafkaSettings,
    ledger: PostgresLedger,
    producer: said.Producer,
    send: Callable[..., None],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    send(said.granted("tal-ada", id_="g-1"))
    send(said.granted("tal-bea", id_="g-2"))
    send(said.withdrawn("tal-ada"), headers=[])
    send(said.granted("tal-bea", version=2, id_="g-3"), headers=[])
    async with consent_running(topics, ledger, producer, tmp_path):

        async def refused() -> bool:
            return len(await ledger.dead_letters()) == 2

        await until(refused, "two dead letters")
    assert (await ledger.view("tal-ada")).on_hold
    assert (await ledger.view("tal-ada")).grants[0].current is not None
    assert not (await ledger.view("tal-bea")).on_hold
    alerts = [record.getMessage() for record in caplog.records if record.levelname == "CRITICAL"]
    assert len(alerts) == 1
    assert "tal-ada" in alerts[0]


async def test_the_ledger_is_proven_current_while_nobody_says_anything(
    topics: KafkaSettings, ledger: PostgresLedger, postgres_url: str, producer: said.Producer, tmp_path: Path
) -> None:
    began = await ledger.now()
    async with consent_running(topics, ledger, producer, tmp_path):

        async def current() -> bool:
            marks = await watermarks(postgres_url)
            return set(marks) == {0, 1, 2} and all(at is not None and at > began for at in marks.values())

        await until(current, "a watermark on each partition")


async def test_no_watermark_moves_while_a_record_waits_to_be_taken(
    topics: KafkaSettings,
    ledger: PostgresLedger,
    postgres_url: str,
    producer: said.Producer,
    send: Callable[..., None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from tasks.errors import ServiceUnavailable

    async def away(*_: Any, **__: Any) -> None:
        raise ServiceUnavailable("the ledger is away")

    accept = ledger.accept_consent
    monkeypatch.setattr(ledger, "accept_consent", away)
    send(said.withdrawn("tal-ada"), partition=1)
    async with consent_running(topics, ledger, producer, tmp_path):

        async def others_move() -> bool:
            marks = await watermarks(postgres_url)
            return marks.get(0) is not None and marks.get(2) is not None

        await asyncio.sleep(4)
        assert (await watermarks(postgres_url)).get(1) is None
        monkeypatch.setattr(ledger, "accept_consent", accept)
        await until(others_move, "the other partitions are current")

        async def taken() -> bool:
            return (await watermarks(postgres_url)).get(1) is not None

        await until(taken, "the withdrawal taken and its partition current")
    assert (await ledger.view("tal-ada")).withdrawn_at is not None


async def test_watermarks_stop_with_the_broker_and_move_when_it_is_back(
    session_home: Path, ledger: PostgresLedger, postgres_url: str, producer: said.Producer, tmp_path: Path
) -> None:
    broker = EmbeddedKafka(session_home / "stopping-consent", *pick(2))
    broker.prepare()
    kafka = KafkaSettings(bootstrap=broker.bootstrap)
    process = await asyncio.to_thread(start, broker.program)
    try:
        await asyncio.to_thread(broker.wait_ready, process)
        ensure_topics(kafka)
        async with consent_running(kafka, ledger, producer, tmp_path):

            async def newer_than(moment: datetime) -> bool:
                marks = await watermarks(postgres_url)
                return len(marks) == 3 and all(at is not None and at > moment for at in marks.values())

            began = await ledger.now()
            await until(lambda: newer_than(began), "current at first")
            await asyncio.to_thread(stop, broker.program, process)
            gone = await ledger.now()
            await asyncio.sleep(3)
            assert not await newer_than(gone)
            process = await asyncio.to_thread(start, broker.program)
            await asyncio.to_thread(broker.wait_ready, process)
            await until(lambda: newer_than(gone), "current again", 60)
    finally:
        stop(broker.program, process)


async def test_a_topic_made_anew_is_not_taken_for_one_that_was_read(
    topics: KafkaSettings,
    ledger: PostgresLedger,
    postgres_url: str,
    producer: said.Producer,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    raw = said.granted("tal-ada", id_="g-1")
    record = producer.record(raw)
    await ledger.accept_consent(
        "likeness-consent",
        None,
        None,
        ("likeness.consent", 0, 7),
        source="",
        event_id="before",
        digest=record.digest,
        raw=record.value,
    )
    async with consent_running(topics, ledger, producer, tmp_path):

        async def said_so() -> bool:
            return any("the topic was made anew" in each.getMessage() for each in caplog.records)

        await until(said_so, "a warning that the topic went back")
        assert (await watermarks(postgres_url)).get(0) is None
