"""How soon nothing is served any more once a withdrawal is committed, and what the gate's deciding costs."""

import asyncio
import hashlib
import os
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import httpx
import psutil

from benchmarks.measures import Result
from benchmarks.readers import Readers, Seen, readers
from benchmarks.services import circumstances, new_ledger, postgres, temporary_home
from infra.embedded.ports import pick
from infra.keys import make_development_keys
from infra.postgres.ledger import PostgresLedger
from infra.store.local import LocalStore
from schemas.asset import Cell
from schemas.consent import Granted, Withdrawn
from schemas.envelope import TOPIC_CONSENT
from schemas.grant import Scope
from schemas.use import Use
from tasks.ports import PublishRequest
from tasks.publish import publish

MEASURES = ("withdraw_to_closed_p99_ms_1k", "withdraw_to_closed_p99_ms_10k", "gate_over_static")
Listening = tuple[int, subprocess.Popen[bytes]]
"""Port and process of a gate."""
READERS, PACE_SECONDS = 32, 0.1
BYTES = 150_000
START, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2036, 1, 1, tzinfo=UTC)


def run(*, small: bool = False) -> Iterator[Result]:
    sizes = {"1k": 40} if small else {"1k": 1_000, "10k": 10_000}
    talents = 4 if small else 40
    with temporary_home() as home, postgres(home) as server, readers() as crowd:
        for name, assets in sizes.items():
            place = Place(home / name, new_ledger(server, f"ledger_{name}"))
            yield from asyncio.run(_measure(name, place, crowd, talents, assets // talents, small=small))


@dataclass(frozen=True)
class Place:
    """A home of its own, and its ledger."""

    home: Path
    url: str

    @property
    def store(self) -> Path:
        return self.home / "store"

    def environment(self, port: int) -> dict[str, str]:
        return {
            **os.environ, "LIKENESS_HOME": str(self.home), "LIKENESS_LEDGER__URL": self.url,
            "LIKENESS_STORE__URL": self.store.as_uri(), "LIKENESS_GATE__PORT": str(port),
            "LIKENESS_LOG_LEVEL": "WARNING",
            "LIKENESS_KAFKA__BOOTSTRAP": "127.0.0.1:9",
        }  # fmt: skip


async def _measure(name: str, place: Place, crowd: Readers, talents: int, each: int, *, small: bool) -> list[Result]:
    place.home.mkdir()
    make_development_keys(place.home)
    async with PostgresLedger.open(place.url) as ledger:
        await _publish_all(ledger, place, talents, each)
        async with _consent_current(ledger):
            found = {}
            for number in range(talents):
                live = await ledger.assets(talent_id=f"tal-{number}", state="PUBLISHED", limit=each)
                found[f"tal-{number}"] = [asset.asset_id for asset in live]
            results = []
            with gate(place, "console.gate") as (port, process):
                if name == "1k":
                    with gate(place, "benchmarks.static_gate") as static:
                        assets = [one for each in found.values() for one in each]
                        results.append(await _against_static(crowd, (port, process), static, assets, small=small))
                results.append(await _withdraw_all(f"withdraw_to_closed_p99_ms_{name}", ledger, crowd, port, found))
            return results


# ---------------------------------------------------------------- the measures
async def _withdraw_all(
    measure: str, ledger: PostgresLedger, crowd: Readers, port: int, found: dict[str, list[str]]
) -> Result:
    """Every reader asks for assets of the talent who withdraws: as many answers as can be are on their way."""
    after: list[float] = []
    since_asked: list[float] = []
    served = refused = wrong = 0
    for talent_id, assets in found.items():
        crowd.begin(port, assets, READERS, PACE_SECONDS)
        await asyncio.sleep(0.6)
        fact = Withdrawn(talent_id=talent_id, grant_id=None, effective_at=datetime.now(UTC), effect="take_down")
        asked = time.monotonic()
        await ledger.record_consent(fact, source="urn:bench", event_id=f"w-{talent_id}", raw=b"{}")
        committed = time.monotonic()
        await asyncio.sleep(0.5)
        seen = await asyncio.to_thread(crowd.end)
        last = max((end for _, end, status in seen if status == 200), default=0.0)
        after.append(1000 * max(0.0, last - committed))
        since_asked.append(1000 * max(0.0, last - asked))
        served += sum(status == 200 for _, _, status in seen)
        refused += sum(status == 410 for _, _, status in seen)
        wrong += sum(begun > committed and status == 200 for begun, _, status in seen)
    detail = (
        f"{len(after)} withdrawals, {sum(map(len, found.values())):,} assets live, {READERS} readers at "
        f"{1 / PACE_SECONDS:.0f}/s each on the assets of whom withdraws ({served:,} served, {refused:,} refused, "
        f"{wrong} of them begun after the commit and served); median {statistics.median(after):.1f} ms; from the call "
        f"that withdraws p99 {_p99(since_asked):.1f} ms; durable PostgreSQL; {circumstances()}"
    )
    return Result(measure, _p99(after), detail)


async def _against_static(
    crowd: Readers, deciding: Listening, static: Listening, assets: Sequence[str], *, small: bool
) -> Result:
    """Turn by turn, as fast as they go."""
    turns, seconds = (2, 2.0) if small else (5, 5.0)
    rates: dict[int, list[float]] = {deciding[0]: [], static[0]: []}
    costs: dict[int, list[float]] = {deciding[0]: [], static[0]: []}
    for turn in range(turns):
        for port, process in (deciding, static) if turn % 2 else (static, deciding):
            crowd.begin(port, assets, 16, 0.0)
            await asyncio.sleep(0.5)
            begun, cpu = time.monotonic(), _cpu(process)
            await asyncio.sleep(seconds)
            ended, spent = time.monotonic(), _cpu(process) - cpu
            served = _served_between(await asyncio.to_thread(crowd.end), begun, ended)
            rates[port].append(served / (ended - begun))
            costs[port].append(1000 * spent / max(served, 1))
    pairs = [mine / plain for mine, plain in zip(rates[deciding[0]], rates[static[0]], strict=True)]
    said = [f"{statistics.median(rates[p]):.0f}/s ({statistics.median(costs[p]):.2f} ms CPU each)" for p in rates]
    detail = (
        f"median of {len(pairs)} pairs of {seconds:.0f} s ({min(pairs):.2f} to {max(pairs):.2f}): {said[0]} over "
        f"{said[1]}, 16 connections, {BYTES // 1000} kB images, one process each, client and PostgreSQL on the same "
        f"cores; {circumstances()}"
    )
    return Result("gate_over_static", statistics.median(pairs), detail)


def _cpu(process: subprocess.Popen[bytes]) -> float:
    times = psutil.Process(process.pid).cpu_times()
    return float(times.user + times.system)


def _served_between(seen: Sequence[Seen], begun: float, ended: float) -> int:
    return sum(status == 200 and begun <= end <= ended for _, end, status in seen)


def _p99(values: Sequence[float]) -> float:
    """The highest, where there are fewer than a hundred."""
    return sorted(values)[max(0, -(-99 * len(values) // 100) - 1)]


# ---------------------------------------------------------------- the gate as it runs, and what stands behind it
@contextmanager
def gate(place: Place, module: str) -> Iterator[Listening]:
    """A gate in its own process."""
    port = pick(1)[0]
    process = subprocess.Popen([sys.executable, "-m", module], env=place.environment(port))
    try:
        for _ in range(600):
            if _answers(port):
                break
            if process.poll() is not None:
                raise RuntimeError(f"{module} ended with status {process.returncode} at its start")
            time.sleep(0.1)
        else:
            raise TimeoutError(f"{module} did not answer within a minute")
        yield port, process
    finally:
        process.terminate()
        process.wait(20)


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/assets/none", timeout=5).status_code == 404
    except httpx.TransportError:
        return False


@asynccontextmanager
async def _consent_current(ledger: PostgresLedger) -> AsyncIterator[None]:
    """What the consent process says every second."""

    async def say() -> None:
        while True:
            await ledger.store_watermark(TOPIC_CONSENT, 0, await ledger.now())
            await asyncio.sleep(1)

    await ledger.store_watermark(TOPIC_CONSENT, 0, await ledger.now())
    saying = asyncio.create_task(say())
    try:
        yield
    finally:
        saying.cancel()
        with suppress(asyncio.CancelledError):
            await saying


async def _publish_all(ledger: PostgresLedger, place: Place, talents: int, each: int) -> None:
    """One asset per talent is published as always; the others are the same rows under other names, and the same
    bytes under other keys."""
    store, image = LocalStore(place.store), b"\xff\xd8" + os.urandom(BYTES)
    for number in range(talents):
        fact = _granted(f"tal-{number}")
        await ledger.record_consent(fact, source="urn:bench", event_id=f"g-{number}", raw=b"{}")
        asked = _request(f"tal-{number}", image, await ledger.fence(f"tal-{number}"))
        outcome = await publish(asked, image, ledger, store)
        if outcome.state != "PUBLISHED":
            raise RuntimeError(f"the first asset of tal-{number} is {outcome.state}: {outcome.decision}")
    connection = await asyncpg.connect(place.url)
    try:
        originals = [row["key"] for row in await connection.fetch("select key from objects")]
        await connection.execute(_MORE_OBJECTS, each - 1)
        await connection.execute(_MORE_ASSETS, each - 1)
        await connection.execute("analyze")
    finally:
        await connection.close()
    for key in originals:
        folder, name = (place.store / key).parent, Path(key).name
        asset_id, rest = name.split(".", 1)
        for number in range(1, each):
            os.link(folder / name, folder / f"{asset_id}-{number}.{rest}")


_MORE_OBJECTS = """
    insert into objects select (jsonb_populate_record(o, jsonb_build_object(
        'object_id', o.object_id || '-' || n, 'asset_id', o.asset_id || '-' || n, 'name', o.name || '-' || n,
        'cell_id', o.cell_id || '-' || n, 'key', replace(o.key, o.asset_id, o.asset_id || '-' || n)))).*
    from objects o, generate_series(1, $1::int) n where o.asset_id is not null"""
_MORE_ASSETS = """
    insert into assets select (jsonb_populate_record(a, jsonb_build_object(
        'object_id', a.object_id || '-' || n, 'asset_id', a.asset_id || '-' || n, 'cell_id', a.cell_id || '-' || n,
        'sku', a.sku || '-' || n))).*
    from assets a, generate_series(1, $1::int) n"""


def _granted(talent_id: str) -> Granted:
    scope = Scope(
        brands=("example",), garment_categories=("dress",), territories=("SE",), channels=("web",), formats=("*",),
        edits=("clothing", "background", "lighting"),
    )  # fmt: skip
    return Granted(
        talent_id=talent_id, grant_id=f"gr-{talent_id}", version=1, signed_at=START, effective_from=START,
        effective_to=END, scope=scope,
    )  # fmt: skip


def _request(talent_id: str, data: bytes, fence: int) -> PublishRequest:
    use = Use(
        talent_id=talent_id, twin_id=f"tw-{talent_id}", brand="example", category="dress", territory="SE",
        channels=("web",), format="4:5", starts_at=START, ends_at=END - timedelta(days=1),
    )  # fmt: skip
    cell = Cell(sku="SKU-1", garment_version=1, twin_id=use.twin_id, scene="studio", format="4:5", use=use)
    digest = hashlib.sha256(talent_id.encode()).hexdigest()
    return PublishRequest(
        cell=cell, asset_id=cell.asset_id(digest, f"gr-{talent_id}", 1), grant_id=f"gr-{talent_id}", grant_version=1,
        fence=fence, decision_id=0, recipe={"generator": "draft 1"}, recipe_digest=digest, phash="00ff00ff00ff00ff",
        measures={}, checks={}, sha256=hashlib.sha256(data).hexdigest(), size=len(data), content_type="image/jpeg",
        width=1080, height=1350, worker="bench",
    )  # fmt: skip
