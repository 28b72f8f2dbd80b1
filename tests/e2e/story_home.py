"""A small story on one real home: two twins, two garments, one scene; told by outside clients, seen from outside."""

import asyncio
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import httpx
from jwcrypto.jwk import JWK
from jwcrypto.jws import JWS
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from console.cli.twins import import_twins, read_scenes
from infra.bootstrap.core import open_core
from infra.embedded import running
from infra.embedded.home import Record
from infra.keys import DEMO_SOURCE, load_source_signer
from infra.settings import Settings
from tasks.library import take_in_scene
from tests import said
from tests.waiting import until

ROOT = Path(__file__).parents[2]
PACK = ROOT / "samples" / "pack"
TWINS = {"tal-ada": "tw-ada", "tal-bo": "tw-bo"}
SCENE, MARKET = "stockholm", "SE"
SKIRT, TEE = "SKU-1007", "SKU-1002"
LEASE_SECONDS = 10
LONG = 800.0
"""Limit of every wait: for a machine that is overloaded, never a measure."""


@dataclass(frozen=True)
class Sent:
    """A garment event that Kafka took."""

    event_id: str
    sku: str
    version: int
    raw: bytes = field(repr=False)


class StoryHome:
    """The home while it is up. Looks into PostgreSQL, Kafka, the gate and the store's folder by clients of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.settings = Settings.load(path)
        self.gate = self.settings.gate_url
        self.store = path / "store"
        self._signer = load_source_signer(path / "keys", DEMO_SOURCE)
        self._entries = {entry["sku"]: entry for entry in json.loads((PACK / "garments" / "garments.json").read_text())}

    # ------------------------------------------------------------ say
    def garment(self, like: str, sku: str, *, version: int = 1, formats: Sequence[str] = ("4:5",)) -> Sent:
        """The event of a garment like the pack's `like`, with a photograph of its own: no earlier result fits it."""
        entry = self._entries[like]
        photograph = self.path / "photographs" / f"{sku}-{version}.jpg"
        photograph.write_bytes(with_comment((PACK / "garments" / entry["image"]).read_bytes(), photograph.name))
        image = {"uri": photograph.as_uri(), "view": "front", "kind": "photo", "sha256": sha256(photograph)}
        data = {name: entry[name] for name in ("brand", "category", "title", "channels", "colours", "lifecycle")}
        data |= {"sku": sku, "version": version, "images": [image], "markets": [MARKET], "formats": list(formats)}
        type_ = "likeness.garment.created" if version == 1 else "likeness.garment.updated"
        event = said.event(type_, sku, data, id_=f"e-{sku}-{version}")
        return Sent(event["id"], sku, version, json.dumps(event).encode())

    def pair(self, name: str, *, version: int = 1) -> list[Sent]:
        """Events of a skirt and a tee that are new."""
        return [self.garment(like, f"{like}-{name}", version=version) for like in (SKIRT, TEE)]

    async def send(self, *garments: Sent) -> None:
        await asyncio.to_thread(self._send, "likeness.garments", [(each.sku, each.raw) for each in garments])

    async def say_consent(self, *events: dict[str, Any]) -> None:
        records = [(str(event["subject"]), json.dumps(event).encode()) for event in events]
        await asyncio.to_thread(self._send, "likeness.consent", records)

    def _send(self, topic: str, records: Sequence[tuple[str, bytes]]) -> None:
        """A bare client; returns once Kafka has all."""
        client = KafkaProducer(bootstrap_servers=self.settings.kafka.bootstrap, acks="all")
        try:
            waiting = [
                client.send(
                    topic, raw, key.encode(), [("likeness-signature", self._signer.sign_detached(raw).encode())]
                )
                for key, raw in records
            ]
            for each in waiting:
                each.get(60)
        finally:
            client.close()

    # ------------------------------------------------------------ see
    async def rows(self, statement: str, *values: object) -> list[dict[str, Any]]:
        connection = await asyncpg.connect(self.settings.ledger.url, timeout=60)
        try:
            return [dict(row) for row in await connection.fetch(statement, *values)]
        finally:
            await connection.close()

    async def count(self, statement: str, *values: object) -> int:
        return int((await self.rows(f"select count(*) as n from {statement}", *values))[0]["n"])

    async def said(self, topic: str = "likeness.assets") -> list[dict[str, Any]]:
        """Every event on the topic, each once. A record may come twice (the relay sends at least once), but then its
        bytes are the same, so that readers who go by (source, id) see it once."""
        seen: dict[str, bytes] = {}
        for raw in await asyncio.to_thread(self._records, topic):
            event_id = json.loads(raw)["id"]
            assert seen.setdefault(event_id, raw) == raw, f"{event_id} was said twice, differently"
        return [json.loads(raw) for raw in seen.values()]

    def _records(self, topic: str) -> list[bytes]:
        consumer = KafkaConsumer(bootstrap_servers=self.settings.kafka.bootstrap, enable_auto_commit=False)
        try:
            parts = [TopicPartition(topic, number) for number in range(3)]
            consumer.assign(parts)
            consumer.seek_to_beginning(*parts)
            ends = consumer.end_offsets(parts)
            found: list[bytes] = []
            while any(consumer.position(part) < ends[part] for part in parts):
                found += [each.value for batch in consumer.poll(1000).values() for each in batch]
            return found
        finally:
            consumer.close()

    async def answers(self, path: str) -> httpx.Response:
        async with httpx.AsyncClient(timeout=60) as client:
            return await client.get(f"{self.gate}{path}")

    def files(self) -> dict[str, bytes]:
        """Every file of the store's folder, half-written ones included."""
        return {
            file.relative_to(self.store).as_posix(): file.read_bytes()
            for file in sorted(self.store.rglob("*"))
            if file.is_file()
        }

    # ------------------------------------------------------------ processes
    def pid(self, name: str) -> int:
        record = Record.read(self.path)
        assert record is not None
        return record.children[name].pid

    async def kill(self, name: str) -> int:
        """kill -9; returns the process id that is no more."""
        pid = self.pid(name)
        os.kill(pid, signal.SIGKILL)
        return pid

    async def back(self, name: str, killed: int) -> None:
        async def restarted() -> bool:
            record = Record.read(self.path)
            return record is not None and record.children[name].pid != killed and record.children[name].alive

        await until(restarted, f"{name} started again", LONG)

    def likeness(self, *words: str) -> str:
        """The command line on this home, as a person runs it."""
        done = subprocess.run(
            [sys.executable, "-m", "console.cli.main", *words],
            env=os.environ | {"LIKENESS_HOME": str(self.path), "PYTHONPATH": str(ROOT)},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=LONG,
        )
        assert done.returncode == 0, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    # ------------------------------------------------------------ wait
    async def planned(self, sku: str) -> None:
        """The garment's cells are decided; its images are being made."""
        await self.soon("decisions where sku = $1 and outcome = 'permit'", sku)

    async def storing(self, *garments: Sent) -> None:
        """The first image of these garments is being put into the store."""
        await self.soon("assets where sku = any($1::text[])", [each.sku for each in garments])

    async def soon(self, statement: str, value: object) -> None:
        """Returns within milliseconds of the first such row."""
        connection = await asyncpg.connect(self.settings.ledger.url, timeout=60)
        try:
            end = time.monotonic() + LONG
            while not await connection.fetchval(f"select exists (select 1 from {statement})", value):
                assert time.monotonic() < end, f"not within {LONG:.0f} s: {statement}"
                await asyncio.sleep(0.002)
        finally:
            await connection.close()

    async def answered(self, *garments: Sent) -> None:
        """Every event is in the inbox and done, nothing is on its way out, nothing half done."""
        ids = [each.event_id for each in garments]

        async def settled() -> bool:
            return (
                await self.count("inbox where event_id = any($1::text[]) and state = 'done'", ids) == len(ids)
                and await self.count("objects where state in ('INTENT', 'REVOKING')") == 0
                and await self.count("outbox where sent_at is null") == 0
            )

        await until(away_counts_as_not_yet(settled), f"all is settled after {ids}", LONG)


def away_counts_as_not_yet(reached: Callable[[], Awaitable[bool]]) -> Callable[[], Awaitable[bool]]:
    """While a service comes back, a question that it can't answer is answered no."""

    async def ask() -> bool:
        try:
            return await reached()
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, httpx.TransportError):
            return False

    return ask


@asynccontextmanager
async def told_home(path: Path) -> AsyncIterator[StoryHome]:
    """Up, with the grants, twins and scene of the story; down at the end."""
    (path / "photographs").mkdir(parents=True)
    (path / "likeness.toml").write_text(
        f"image_roots = [{json.dumps(str(path / 'photographs'))}]\n"
        f"[limits]\ninbox_lease_seconds = {LEASE_SECONDS}\npublish_lease_seconds = {LEASE_SECONDS}\n"
        "inbox_attempts = 9\n"  # an overloaded machine may lose a lease as well
    )
    try:
        await asyncio.to_thread(running.up, Settings.load(path, running=False))
        home = StoryHome(path)
        await _furnish(home)
        yield home
    finally:
        await asyncio.to_thread(running.down, path)


async def _furnish(home: StoryHome) -> None:
    grants = {grant["talent_id"]: grant for grant in json.loads((PACK / "grants.json").read_text())}
    await home.say_consent(
        *(said.event("likeness.consent.granted", talent, grants[talent], id_=f"g-{talent}") for talent in TWINS)
    )
    async with open_core(home.settings) as core:
        for twin in TWINS.values():
            await import_twins(PACK / "twins" / twin, core)
        for scene, folder in read_scenes(PACK / "scenes"):
            if scene.scene == SCENE:
                await take_in_scene(scene, (folder / scene.backdrop).read_bytes(), core.ledger, core.store)

    async def granted() -> bool:
        return await home.count("grants") == len(TWINS)

    await until(granted, "the grants in the ledger", LONG)


def with_comment(jpeg: bytes, words: str) -> bytes:
    """The same picture in other bytes."""
    comment = words.encode()
    return jpeg[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + jpeg[2:]


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def is_tombstone(data: bytes) -> bool:
    """Told without our own code: a few bytes of JSON that say so and show nothing."""
    try:
        content = json.loads(data)
    except ValueError:
        return False
    return isinstance(content, dict) and set(content) == {"likeness", "object_id", "at"}


def verified(receipt: Path) -> dict[str, Any]:
    """The payload of a receipt whose signature another JOSE implementation finds right."""
    key = JWK.from_json((receipt.parents[1] / "keys" / "receipt.pub.jwk").read_text())
    token = JWS()
    token.allowed_algs = ["EdDSA"]
    token.deserialize(receipt.read_text().strip())
    token.verify(key)
    payload: dict[str, Any] = json.loads(token.payload)
    return payload
