"""Events: how soon one on Kafka reaches the flow's first line, and how fast the inbox fills."""

import asyncio
import hashlib
import json
import statistics
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import asyncpg
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from prefect import flow

import flows.routes
from benchmarks.measures import Result
from benchmarks.services import circumstances
from flows.context import Services, Shelf, bench
from flows.routes import Route, work_for_ever
from infra.bootstrap.imaging import Imaging
from infra.fetching import ImageReader
from infra.kafka.consumer import LedgerConsumer
from infra.kafka.intake import GarmentIntake
from infra.kafka.topics import ensure_topics
from infra.keys import DEMO_SOURCE, Ed25519Signer, SourceRegistry, load_source_signer, make_development_keys
from infra.postgres.fence import PostgresFence
from infra.postgres.ledger import PostgresLedger
from infra.prefect.runner import FlowRunner
from infra.settings import KafkaSettings, Settings
from infra.store.local import LocalStore
from schemas.envelope import TOPIC_GARMENTS

_first_lines: dict[str, float] = {}


@flow(name="first line", persist_result=False)
async def first_line(inbox_id: int, sku: str, version: int) -> None:
    """Says when it began, then answers as every flow of ours does."""
    _first_lines[sku] = time.perf_counter()
    if inbox_id:
        await bench().services.ledger.finish(bench().claim, "dressed", {})


def measured(home: Path, ledgers: Sequence[str], bootstrap: str, api_url: str, *, small: bool) -> Iterator[Result]:
    settings = Settings(home=home, kafka=KafkaSettings(bootstrap=bootstrap))
    signer = load_source_signer(make_development_keys(home), DEMO_SOURCE)
    ensure_topics(settings.kafka)
    sending = KafkaProducer(bootstrap_servers=bootstrap, acks="all")
    try:  # few events first: an intake begins with all that the topic holds
        yield asyncio.run(_first_line(settings, signer, sending, ledgers[0], api_url, 5 if small else 40))
        yield asyncio.run(_intake(settings, signer, sending, ledgers[1], 500 if small else 5_000))
    finally:
        sending.close()


def _event(number: int) -> tuple[str, bytes]:
    sku = f"SKU-{number}"
    data = {
        "sku": sku, "version": 1, "brand": "example", "category": "dress", "title": "Dress",
        "images": [{"uri": "file:///front.png"}], "markets": ["SE"], "channels": ["web"], "formats": ["4:5"],
    }  # fmt: skip
    event = {
        "specversion": "1.0", "id": f"e-{number}", "source": DEMO_SOURCE, "type": "likeness.garment.created",
        "subject": sku, "time": "2026-11-23T09:00:00Z", "datacontenttype": "application/json", "data": data,
    }  # fmt: skip
    return sku, json.dumps(event).encode()


def _send(sending: Any, signer: Ed25519Signer, number: int) -> str:
    sku, raw = _event(number)
    headers = [("likeness-signature", signer.sign_detached(raw).encode())]
    sending.send(TOPIC_GARMENTS, key=sku.encode(), value=raw, headers=headers)
    return sku


# ---------------------------------------------------------------- to the first line
async def _first_line(
    settings: Settings, signer: Ed25519Signer, sending: Any, url: str, api_url: str, count: int
) -> Result:
    """Intake and dresser run here with all of their loops; only the flow is another."""
    routes = flows.routes.ROUTES
    flows.routes.ROUTES = {"likeness.garment.created": Route("dress", first_line)}
    try:
        async with PostgresLedger.open(url) as ledger, PostgresFence.open(url) as fence:
            nothing: Any = None
            store = LocalStore(settings.home / "store")
            services = Services(
                ledger, store, Imaging({}, nothing, nothing, nothing, nothing), ImageReader([]), fence,
                Shelf(ledger, store), "draft", "bench", "http://127.0.0.1:9", asyncio.Semaphore(2),
            )  # fmt: skip
            ended = asyncio.Event()
            registry = SourceRegistry.load(settings.folder("keys") / "sources.json")
            intake = asyncio.create_task(GarmentIntake(settings, ledger, registry).run(ended))
            dresser = asyncio.create_task(work_for_ever(services, FlowRunner(api_url), 60))
            try:
                return await _compare(sending, signer, count)
            finally:
                ended.set()
                dresser.cancel()
                await asyncio.gather(intake, dresser, return_exceptions=True)
    finally:
        flows.routes.ROUTES = routes


async def _compare(sending: Any, signer: Ed25519Signer, count: int) -> Result:
    async def by_event(number: int) -> float:
        begun = time.perf_counter()
        sku = _send(sending, signer, 1_000_000 + number)
        sending.flush()
        return await _reached(sku) - begun

    async def directly(number: int) -> float:
        begun = time.perf_counter()
        await first_line(0, f"DIRECT-{number}", 1)
        return _first_lines[f"DIRECT-{number}"] - begun

    await by_event(0)
    await directly(0)
    events, direct = [], []
    for number in range(1, count + 1):
        events.append(await by_event(number))
        direct.append(await directly(number))
    detail = (
        f"median of {count} events {_ms(events)} over median of {count} direct calls {_ms(direct)}, turn by turn; from "
        "signing and sending to the first line, with real Kafka, PostgreSQL and Prefect server, intake and dresser in "
        f"one process; {circumstances()}"
    )
    return Result("first_line_over_direct", statistics.median(events) / statistics.median(direct), detail)


async def _reached(sku: str) -> float:
    until = time.perf_counter() + 60
    while sku not in _first_lines:
        if time.perf_counter() > until:
            raise TimeoutError(f"{sku} did not reach the flow within a minute")
        await asyncio.sleep(0.005)
    return _first_lines[sku]


def _ms(values: Sequence[float]) -> str:
    return f"{1000 * statistics.median(values):.0f} ms"


# ---------------------------------------------------------------- into the inbox
async def _intake(settings: Settings, signer: Ed25519Signer, sending: Any, url: str, count: int) -> Result:
    """The same records from the same topic: verified, checked and in the inbox, or polled and copied as raw bytes."""
    for number in range(count):
        _send(sending, signer, number)
    sending.flush()
    connection = await asyncpg.connect(url)
    await connection.execute("create table raw_events (digest text, raw bytea)")
    try:
        bare = await _bare_intake(settings, connection, count)
        async with PostgresLedger.open(url) as ledger:
            ours = await _our_intake(settings, ledger, count)
    finally:
        await connection.close()
    detail = (
        f"{count / ours:,.0f} events/s over {count / bare:,.0f} events/s of poll + COPY of the raw bytes with their "
        f"sha256, {count:,} signed events, batches of {settings.limits.intake_batch}; {circumstances()}"
    )
    return Result("intake_over_bare", bare / ours, detail)


async def _bare_intake(settings: Settings, connection: asyncpg.Connection, count: int) -> float:
    consumer: Any = KafkaConsumer(**settings.kafka.client_options(), auto_offset_reset="earliest")
    try:
        partitions = [TopicPartition(TOPIC_GARMENTS, each) for each in consumer.partitions_for_topic(TOPIC_GARMENTS)]
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        begun, taken = 0.0, 0
        while taken < count:
            polled = await asyncio.to_thread(consumer.poll, timeout_ms=250, max_records=settings.limits.intake_batch)
            raw = [record.value for each in polled.values() for record in each]
            begun = begun or (time.perf_counter() if raw else 0.0)
            await connection.copy_records_to_table(
                "raw_events", records=[(hashlib.sha256(each).hexdigest(), each) for each in raw]
            )
            taken += len(raw)
        return time.perf_counter() - begun
    finally:
        consumer.close()


async def _our_intake(settings: Settings, ledger: PostgresLedger, count: int) -> float:
    """From the first record in hand to the last in the inbox: joining the group is not counted, as in the other."""
    registry = SourceRegistry.load(settings.folder("keys") / "sources.json")
    intake = GarmentIntake(settings, ledger, registry)

    async def positions(name: str) -> dict[int, int]:
        return await ledger.positions(intake.group, name)

    consumer = LedgerConsumer(
        settings.kafka, TOPIC_GARMENTS, intake.group, positions, batch=settings.limits.intake_batch, session_ms=10_000
    )
    async with consumer:
        while not (records := await consumer.poll(0.25)):
            pass
        begun = time.perf_counter()
        while intake.taken < count:
            if records:
                await intake.take(records)
            records = await consumer.poll(0.25)
        return time.perf_counter() - begun
