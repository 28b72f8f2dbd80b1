"""Producers: `likeness emit`, and kcat or any other client with the header that `likeness sign` prints."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from kafka import KafkaProducer

from infra.kafka.intake import ConsentIntake, GarmentIntake
from infra.postgres.ledger import PostgresLedger
from infra.settings import KafkaSettings, Settings
from tests import said
from tests.waiting import until

ROOT = Path(__file__).parents[2]


@pytest.fixture
def producer(tmp_path: Path) -> said.Producer:
    return said.Producer(tmp_path)


def likeness(home: Path, kafka: KafkaSettings, *words: str) -> str:
    environment = os.environ | {
        "LIKENESS_HOME": str(home),
        "LIKENESS_KAFKA__BOOTSTRAP": kafka.bootstrap,
        "LIKENESS_LEDGER__URL": "postgresql://not-asked/for-this",
    }
    command = [sys.executable, "-m", "console.cli.main", *words]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


async def test_emitted_files_of_every_shape_arrive_at_their_topics(
    topics: KafkaSettings, ledger: PostgresLedger, producer: said.Producer, tmp_path: Path
) -> None:
    one, array, lines = tmp_path / "one.json", tmp_path / "array.json", tmp_path / "lines.jsonl"
    one.write_text(json.dumps(said.granted("tal-ada", id_="g-1"), indent=2) + "\n")
    array.write_text(json.dumps([said.garment("SKU-1", id_="a-1"), said.garment("SKU-2", id_="a-2")]))
    lines.write_text("".join(json.dumps(said.garment(f"SKU-{n}", id_=f"l-{n}")) + "\n" for n in (3, 4)))
    shown = await asyncio.to_thread(likeness, tmp_path, topics, "emit", *map(str, (one, array, lines)), "--json")
    assert [row["topic"] for row in json.loads(shown)] == ["likeness.consent", *["likeness.garments"] * 4]

    await take_in(topics, ledger, producer, tmp_path, garments=4, grants=1)
    assert await ledger.dead_letters() == []


async def test_a_dry_run_sends_nothing(
    topics: KafkaSettings, ledger: PostgresLedger, producer: said.Producer, tmp_path: Path
) -> None:
    file = tmp_path / "event.json"
    file.write_text(json.dumps(said.garment("SKU-1")))
    assert "valid for likeness.garments" in likeness(tmp_path, topics, "emit", "--dry-run", str(file))
    file.write_text(json.dumps(said.garment("SKU-2", id_="e-2")))
    await asyncio.to_thread(likeness, tmp_path, topics, "emit", str(file))
    await take_in(topics, ledger, producer, tmp_path, garments=1, grants=0)
    assert await ledger.garment("SKU-1") is None


async def test_a_stranger_with_json_and_the_printed_header_is_understood(
    topics: KafkaSettings, ledger: PostgresLedger, producer: said.Producer, tmp_path: Path
) -> None:
    file = tmp_path / "granted.json"
    file.write_text(json.dumps(said.granted("tal-ada")))
    header = likeness(tmp_path, topics, "sign", str(file)).strip()
    await asyncio.to_thread(send_as_a_stranger, topics.bootstrap, file, header)
    await take_in(topics, ledger, producer, tmp_path, garments=0, grants=1)
    assert await ledger.dead_letters() == []


def send_as_a_stranger(bootstrap: str, file: Path, header: str) -> None:
    """By kcat where it is installed, else by a bare client."""
    if shutil.which("kcat"):
        command = ["kcat", "-P", "-b", bootstrap, "-t", "likeness.consent", "-k", "tal-ada", "-H", header, file]
        subprocess.run(command, check=True)
        return
    name, _, value = header.partition("=")
    client = KafkaProducer(bootstrap_servers=bootstrap)
    client.send("likeness.consent", file.read_bytes(), b"tal-ada", [(name, value.encode())]).get(10)
    client.close()


async def take_in(
    kafka: KafkaSettings, ledger: PostgresLedger, producer: said.Producer, home: Path, *, garments: int, grants: int
) -> None:
    """Run both intakes until the ledger holds so many."""
    ended = asyncio.Event()
    settings = Settings(home=home, kafka=kafka)
    running = [
        asyncio.create_task(intake(settings, ledger, producer.registry).run(ended))
        for intake in (GarmentIntake, ConsentIntake)
    ]

    async def all_there() -> bool:
        return len(await ledger.garments()) == garments and len(await ledger.grants()) == grants

    try:
        await until(all_there, f"{garments} garments and {grants} grants")
    finally:
        ended.set()
        await asyncio.gather(*running)
