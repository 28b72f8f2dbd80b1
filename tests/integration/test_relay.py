"""The relay: the outbox reaches Kafka in order and at least once, whatever stops in between."""

import asyncio
import json
from pathlib import Path

import asyncpg
import pytest
from kafka import KafkaConsumer, TopicPartition

from infra.kafka.producer import Producer, producing
from infra.kafka.relay import Relay
from infra.postgres.ledger import PostgresLedger
from infra.settings import KafkaSettings, Settings
from tasks.errors import ServiceUnavailable
from tests.waiting import until


async def put(url: str, count: int, *, topic: str = "likeness.assets", value: bytes | None = None) -> None:
    connection = await asyncpg.connect(url)
    headers = json.dumps([["error-code", "not_json"]])
    for number in range(count):
        await connection.execute(
            "insert into outbox (event_id, topic, key, value, headers) values ($1, $2, 'cell-1', $3, $4)",
            f"{topic}-{number}-{count}",
            topic,
            value or str(number).encode(),
            headers,
        )
    await connection.close()


async def waiting(url: str) -> int:
    connection = await asyncpg.connect(url)
    count: int = await connection.fetchval("select count(*) from outbox where sent_at is null")
    await connection.close()
    return count


def received(kafka: KafkaSettings, topic: str, count: int) -> list[tuple[bytes, bytes, dict[str, bytes]]]:
    consumer = KafkaConsumer(
        bootstrap_servers=kafka.bootstrap, auto_offset_reset="earliest", max_partition_fetch_bytes=8_000_000
    )
    consumer.assign([TopicPartition(topic, number) for number in range(3)])
    found = []
    while len(found) < count:
        batches = consumer.poll(10_000)
        assert batches, f"only {len(found)} of {count} records came"
        found += [(each.key, each.value, dict(each.headers)) for batch in batches.values() for each in batch]
    consumer.close()
    return found


async def test_what_the_outbox_holds_arrives_in_order_with_its_headers(
    topics: KafkaSettings, ledger: PostgresLedger, postgres_url: str, tmp_path: Path
) -> None:
    await put(postgres_url, 1200)
    ended = asyncio.Event()
    task = asyncio.create_task(Relay(Settings(home=tmp_path, kafka=topics), ledger, asyncio.Event()).run(ended))

    async def empty() -> bool:
        return await waiting(postgres_url) == 0

    await until(empty, "an empty outbox")
    ended.set()
    await task
    found = received(topics, "likeness.assets", 1200)
    assert [value for _, value, _ in found] == [str(number).encode() for number in range(1200)]
    assert found[0][0] == b"cell-1"
    assert found[0][2] == {"error-code": b"not_json"}


async def test_rows_that_kafka_did_not_take_stay_and_go_later(
    topics: KafkaSettings, ledger: PostgresLedger, postgres_url: str, tmp_path: Path
) -> None:
    class Lost(Producer):
        def relay(self, rows: object) -> None:
            raise ServiceUnavailable("no broker")

    await put(postgres_url, 3)
    relay = Relay(Settings(home=tmp_path, kafka=topics), ledger, asyncio.Event())
    with pytest.raises(ServiceUnavailable):
        await relay.once(Lost(None))
    assert await waiting(postgres_url) == 3
    with producing(topics, "test") as producer:
        assert await relay.once(producer) == 3
    assert await waiting(postgres_url) == 0


async def test_a_row_too_large_for_kafka_goes_without_its_value_and_blocks_nobody(
    topics: KafkaSettings, ledger: PostgresLedger, postgres_url: str, tmp_path: Path
) -> None:
    await put(postgres_url, 1, topic="likeness.deadletter", value=b"x" * 6_000_000)
    await put(postgres_url, 2, topic="likeness.deadletter", value=b"y" * 3_900_000)
    relay = Relay(Settings(home=tmp_path, kafka=topics), ledger, asyncio.Event())
    with producing(topics, "test") as producer:
        await relay.once(producer)
    assert await waiting(postgres_url) == 0
    found = received(topics, "likeness.deadletter", 3)
    assert sorted(len(value) for _, value, _ in found) == [0, 3_900_000, 3_900_000]
    assert [headers["value-left-out"] for _, value, headers in found if not value] == [b"6000000"]
