"""A small story on a whole home: what it promises holds when processes are killed, Prefect stops or consent ends."""

import asyncio
import hashlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import pytest_asyncio
from kafka import KafkaProducer

from tests import said
from tests.e2e.story_home import (
    LONG,
    TWINS,
    Sent,
    StoryHome,
    away_counts_as_not_yet,
    is_tombstone,
    told_home,
    verified,
)
from tests.waiting import until

pytestmark = pytest.mark.timeout(1800)


@pytest.fixture(scope="module")
def open_folder() -> Iterator[Path]:
    """Open to the user that PostgreSQL runs as."""
    with tempfile.TemporaryDirectory(prefix="likeness-story-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest_asyncio.fixture(scope="module")
async def home(open_folder: Path) -> AsyncIterator[StoryHome]:
    async with told_home(open_folder / "home") as told:
        yield told


# ---------------------------------------------------------------- what must hold after every round
async def check_all_is_there_once(home: StoryHome, garments: list[Sent]) -> None:
    """Nothing lost: each permitted cell has its image, each event its answer. Nothing doubled: one of each."""
    await home.answered(*garments)
    events = await home.said()
    for garment in garments:
        await check_answered_once(home, garment, events)
        await check_published_once(home, garment, events)
    await check_the_store_holds_what_the_ledger_says(home)


async def check_answered_once(home: StoryHome, garment: Sent, events: list[dict[str, Any]]) -> None:
    inbox = await home.rows("select outcome, last_error from inbox where event_id = $1", garment.event_id)
    assert [row["outcome"] for row in inbox] == ["dressed"], (garment, inbox)
    answers = Counter(
        event["type"] for event in events if event["data"].get("in_answer_to", {}).get("id") == garment.event_id
    )
    assert answers == {"likeness.garment.accepted": 1, "likeness.garment.dressed": 1}


async def check_published_once(home: StoryHome, garment: Sent, events: list[dict[str, Any]]) -> None:
    permitted = await home.rows(
        "select distinct cell_id from decisions where sku = $1 and garment_version = $2 and outcome = 'permit'",
        garment.sku,
        garment.version,
    )
    assert len(permitted) == len(TWINS)
    live = await home.rows(
        "select a.asset_id, a.cell_id, a.garment_version, o.sha256 from assets a join objects o using (object_id)"
        " where a.sku = $1 and o.state = 'PUBLISHED'",
        garment.sku,
    )
    rejected = await home.rows("select measures from rejections where sku = $1", garment.sku)
    assert sorted(row["cell_id"] for row in live) == sorted(row["cell_id"] for row in permitted), rejected
    assert {row["garment_version"] for row in live} == {garment.version}
    for row in live:
        said_published = [
            event
            for event in events
            if event["type"] == "likeness.asset.published" and event["data"]["asset_id"] == row["asset_id"]
        ]
        assert len(said_published) == 1
        assert await home.count("accruals where asset_id = $1", row["asset_id"]) == 1
        answer = await home.answers(f"/assets/{row['asset_id']}")
        assert answer.status_code == 200
        assert hashlib.sha256(answer.content).hexdigest() == row["sha256"]
    paid = await home.count("accruals where asset_id in (select asset_id from assets where sku = $1)", garment.sku)
    assert paid == len(TWINS) * garment.version  # each version was published, and paid for, once


async def check_the_store_holds_what_the_ledger_says(home: StoryHome) -> None:
    """Every file is a live object's very bytes, a tombstone, or a scene's backdrop; every live object has its file."""
    live = {row["key"]: row["sha256"] for row in await home.rows("select * from objects where state = 'PUBLISHED'")}
    scenes = {row["key"] for row in await home.rows("select key from scenes")}
    files = {name: data for name, data in home.files().items() if not name.startswith(".incoming/")}
    shown = {name: hashlib.sha256(data).hexdigest() for name, data in files.items() if not is_tombstone(data)}
    assert {name: digest for name, digest in shown.items() if name not in scenes} == live


# ---------------------------------------------------------------- an outsider
@pytest.mark.parametrize("client", ["kafka-python", "kcat"])
async def test_an_outsider_with_the_design_s_json_and_the_printed_header_is_heard(
    home: StoryHome, tmp_path: Path, client: str
) -> None:
    if client == "kcat" and shutil.which("kcat") is None:
        pytest.skip("kcat is not installed")
    grant = said.granted(f"tal-of-{client}", id_=f"outside-{client}")
    garment = home.garment("SKU-1007", f"SKU-of-{client}")
    said_by = {"likeness.consent": json.dumps(grant).encode(), "likeness.garments": garment.raw}
    for topic, raw in said_by.items():
        file = tmp_path / f"{topic}.json"
        file.write_bytes(raw)
        header = home.likeness("sign", str(file)).strip()
        send = with_kcat if client == "kcat" else with_a_bare_client
        await asyncio.to_thread(send, home.settings.kafka.bootstrap, topic, json.loads(raw)["subject"], file, header)

    async def granted() -> bool:
        return await home.count("grants where talent_id = $1", f"tal-of-{client}") == 1

    await until(granted, "the outsider's grant", LONG)
    await check_all_is_there_once(home, [garment])
    assert await home.rows("select code, message from dead_letters") == []


def with_kcat(bootstrap: str, topic: str, key: str, file: Path, header: str) -> None:
    command = ["kcat", "-P", "-b", bootstrap, "-t", topic, "-k", key, "-H", header, str(file)]
    subprocess.run(command, check=True, capture_output=True, timeout=LONG)


def with_a_bare_client(bootstrap: str, topic: str, key: str, file: Path, header: str) -> None:
    name, _, value = header.partition("=")
    client = KafkaProducer(bootstrap_servers=bootstrap)
    client.send(topic, file.read_bytes(), key.encode(), [(name, value.encode())]).get(60)
    client.close()


# ---------------------------------------------------------------- kill -9
async def intake_with_a_full_topic(home: StoryHome) -> list[Sent]:
    """Killed while it takes in hundreds of copies of the same two events, the last of them sent when it is dead."""
    garments = home.pair("intake")
    await home.send(garments[0], *garments * 200)
    killed = await home.kill("intake")
    await home.send(*garments * 20)
    await home.back("intake", killed)
    return garments


async def consent_with_a_full_topic(home: StoryHome) -> list[Sent]:
    """Killed while grants come in; each must be recorded, once, and the garments dressed meanwhile."""
    garments = home.pair("consent")
    grants = [said.granted(f"tal-new-{number}", id_=f"new-{number}") for number in range(200)]
    await home.send(*garments)
    await home.say_consent(*grants)
    killed = await home.kill("consent")
    await home.say_consent(*grants[:20])
    await home.back("consent", killed)

    async def recorded() -> bool:
        return await home.count("grants where talent_id like 'tal-new-%'") == len(grants)

    await until(away_counts_as_not_yet(recorded), "every grant recorded", LONG)
    assert await home.count("consent_facts where event_id like 'new-%'") == len(grants)
    return garments


async def dresser_while_images_are_made(home: StoryHome) -> list[Sent]:
    return await killed_when(home, "dresser", "dresser-making", planned)


async def dresser_while_images_are_stored(home: StoryHome) -> list[Sent]:
    return await killed_when(home, "dresser", "dresser-storing", storing)


async def relay_with_answers_to_send(home: StoryHome) -> list[Sent]:
    return await killed_when(home, "relay", "relay", storing)


async def console_meanwhile(home: StoryHome) -> list[Sent]:
    return await killed_when(home, "console", "console", planned)


async def prefect_while_images_are_made(home: StoryHome) -> list[Sent]:
    return await killed_when(home, "prefect", "prefect", planned)


async def kafka_while_images_are_made(home: StoryHome) -> list[Sent]:
    return await killed_when(home, "kafka", "kafka", planned)


async def postgres_while_images_are_stored(home: StoryHome) -> list[Sent]:
    return await killed_when(home, "postgres", "postgres", storing)


async def sweeper_in_the_middle_of_a_sweep(home: StoryHome) -> list[Sent]:
    """A second version replaces the first; the sweeper is killed when it has begun to take the first one down."""
    await home.send(*(first := home.pair("sweeper")))
    await home.answered(*first)
    sweeper = home.pid("sweeper")
    os.kill(sweeper, signal.SIGSTOP)
    await home.send(*(second := home.pair("sweeper", version=2)))

    async def due() -> list[str]:
        rows = await home.rows("select object_id from objects where state = 'REVOKING' and kind = 'asset'")
        return [row["object_id"] for row in rows]

    async def all_due() -> bool:
        return len(await due()) == len(TWINS) * len(second)

    await until(all_due, "the first version's images to take down", LONG)
    to_go = await due()
    os.kill(sweeper, signal.SIGCONT)
    await home.soon("evidence where object_id = any($1::text[])", to_go)
    await home.kill("sweeper")
    await home.back("sweeper", sweeper)
    return second


async def gate_while_it_is_read(home: StoryHome) -> list[Sent]:
    """Readers get the right image or none, and the image again once the gate is back."""
    await home.send(*(garments := home.pair("gate")))
    await home.answered(*garments)
    asset = (await home.rows("select a.asset_id, o.sha256 from assets a join objects o using (object_id)"
                             " where a.sku = $1", garments[0].sku))[0]  # fmt: skip
    read: list[str] = []
    ended = asyncio.Event()

    async def reader() -> None:
        while not ended.is_set():
            try:
                answer = await home.answers(f"/assets/{asset['asset_id']}")
            except httpx.TransportError:
                read.append("away")
                await asyncio.sleep(0.05)
                continue
            right = hashlib.sha256(answer.content).hexdigest() == asset["sha256"]
            read.append("right" if answer.status_code == 200 and right else f"wrong: {answer.status_code}")

    readers = [asyncio.create_task(reader()) for _ in range(4)]

    async def seen(what: str) -> None:
        async def again() -> bool:
            return what in read

        read.clear()
        await until(again, f"readers to see: {what}", LONG)

    try:
        await seen("right")
        killed = await home.kill("gate")
        await seen("away")
        await home.back("gate", killed)
        await seen("right")
    finally:
        ended.set()
        await asyncio.gather(*readers)
    assert set(read) <= {"right", "away"}
    return garments


async def planned(home: StoryHome, garments: list[Sent]) -> None:
    await home.planned(garments[0].sku)


async def storing(home: StoryHome, garments: list[Sent]) -> None:
    await home.storing(*garments)


async def killed_when(
    home: StoryHome, process: str, name: str, moment: Callable[[StoryHome, list[Sent]], Awaitable[None]]
) -> list[Sent]:
    await home.send(*(garments := home.pair(name)))
    await moment(home, garments)
    assert await home.count("inbox where state = 'claimed'") > 0, f"{name}: the work was over before the kill"
    await home.back(process, await home.kill(process))
    return garments


ROUNDS = (
    intake_with_a_full_topic,
    consent_with_a_full_topic,
    dresser_while_images_are_made,
    dresser_while_images_are_stored,
    sweeper_in_the_middle_of_a_sweep,
    relay_with_answers_to_send,
    gate_while_it_is_read,
    console_meanwhile,
    prefect_while_images_are_made,
    kafka_while_images_are_made,
    postgres_while_images_are_stored,
)


@pytest.mark.parametrize("killed", ROUNDS, ids=lambda each: each.__name__)
async def test_kill_9_loses_nothing_and_doubles_nothing(
    home: StoryHome, killed: Callable[[StoryHome], Awaitable[list[Sent]]]
) -> None:
    await check_all_is_there_once(home, await killed(home))


# ---------------------------------------------------------------- withdrawals
async def test_a_stopped_prefect_delays_no_withdrawal(home: StoryHome) -> None:
    garments = home.pair("prefect-stopped")
    await home.send(*garments)
    await home.answered(*garments)
    live = [row["asset_id"] for row in await assets_of(home, "tal-bo", "PUBLISHED")]
    assert live
    prefect = psutil.Process(home.pid("prefect"))
    prefect.send_signal(signal.SIGSTOP)
    try:
        assert not await answers(f"{home.settings.prefect.api_url}/health")
        withdrawal = await withdraw(home, "tal-bo")
        receipt = verified(await receipt_of(home, withdrawal))
        for asset_id in live:
            assert (await home.answers(f"/assets/{asset_id}")).status_code == 410
        assert prefect.status() == psutil.STATUS_STOPPED
    finally:
        prefect.send_signal(signal.SIGCONT)
    assert receipt["withdrawal_id"] == withdrawal
    assert {target["outcome"] for target in receipt["targets"]} == {"revoked"}
    await check_nothing_is_left_of(home, "tal-bo", receipt)

    async def mirrored() -> bool:
        async with httpx.AsyncClient(timeout=30) as client:
            found = await client.post(f"{home.settings.prefect.api_url}/flow_runs/filter", json={"limit": 20})
            return any(withdrawal in json.dumps(run) and run["state_type"] == "COMPLETED" for run in found.json())

    await until(away_counts_as_not_yet(mirrored), "Prefect shows the withdrawal once it is back", LONG)


async def test_a_talent_who_withdraws_while_a_garment_is_made_is_in_nothing_of_it(home: StoryHome) -> None:
    before = home.garment("SKU-1002", "SKU-before")
    await home.send(before)
    await home.answered(before)
    assert await assets_of(home, "tal-ada", "PUBLISHED")
    during = home.garment("SKU-1007", "SKU-during", formats=["4:5", "1:1", "9:16"])
    await home.send(during)
    await home.planned(during.sku)
    assert await home.count("inbox where state = 'claimed'") == 1
    withdrawal = await withdraw(home, "tal-ada")
    receipt = verified(await receipt_of(home, withdrawal))
    await home.answered(during)
    await check_nothing_is_left_of(home, "tal-ada", receipt)

    withdrawn_at = (await home.rows("select recorded_at from withdrawals where withdrawal_id = $1", withdrawal))[0]
    for event in await home.said():
        if event["type"] == "likeness.asset.published" and event["data"]["twin_id"] == "tw-ada":
            assert datetime.fromisoformat(event["time"]) < withdrawn_at["recorded_at"]


async def test_a_withdrawn_talent_is_in_no_later_garment(home: StoryHome) -> None:
    if await home.count("withdrawals where talent_id = 'tal-ada'") == 0:
        await receipt_of(home, await withdraw(home, "tal-ada"))
    after = home.garment("SKU-1007", "SKU-after")
    await home.send(after)
    await home.answered(after)
    assert await home.rows("select 1 from assets where sku = $1 and talent_id = 'tal-ada'", after.sku) == []
    blocked = [
        event["data"]
        for event in await home.said()
        if event["type"] == "likeness.asset.blocked" and event["data"]["sku"] == after.sku
    ]
    # a twin whose files are gone makes no cell at all
    assert all(data["reasons"] for data in blocked if data["twin_id"] == "tw-ada")


async def answers(url: str) -> bool:
    async with httpx.AsyncClient(timeout=2) as client:
        try:
            await client.get(url)
        except httpx.TimeoutException:
            return False
        return True


async def withdraw(home: StoryHome, talent: str) -> str:
    """By event, everything; returns the withdrawal's id once it is complete."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    await home.say_consent(said.withdrawn(talent, id_=f"w-{talent}", effective_at=now))

    async def complete() -> bool:
        found = await home.rows("select completed_at from withdrawals where talent_id = $1", talent)
        return len(found) == 1 and found[0]["completed_at"] is not None

    await until(complete, f"the withdrawal of {talent} is complete", LONG)
    return str(
        (await home.rows("select withdrawal_id from withdrawals where talent_id = $1", talent))[0]["withdrawal_id"]
    )


async def receipt_of(home: StoryHome, withdrawal: str) -> Path:
    file = home.path / "receipts" / f"{withdrawal}.jws"

    async def written() -> bool:
        return file.exists()

    await until(written, f"{file.name} on disk", LONG)
    return file


async def assets_of(home: StoryHome, talent: str, state: str) -> list[dict[str, Any]]:
    return await home.rows(
        "select a.asset_id, o.sha256 from assets a join objects o using (object_id)"
        " where a.talent_id = $1 and o.state = $2",
        talent,
        state,
    )


async def check_nothing_is_left_of(home: StoryHome, talent: str, receipt: dict[str, Any]) -> None:
    """Not at the gate, not in the store: every object that ever showed them is a tombstone on the disk."""
    assert await assets_of(home, talent, "PUBLISHED") == []
    for row in await home.rows("select asset_id from assets where talent_id = $1", talent):
        answer = await home.answers(f"/assets/{row['asset_id']}")
        assert answer.status_code == 410, row
        assert not answer.headers["content-type"].startswith("image/")
    objects = await home.rows("select key, sha256, state from objects where talent_id = $1", talent)
    assert {row["state"] for row in objects} == {"REVOKED"}
    files = home.files()
    assert all(is_tombstone(files[row["key"]]) for row in objects)
    pseudonym = await home.rows("select pseudonym from twin_pseudonyms where twin_id = $1", TWINS[talent])
    named = [name for name in files if pseudonym[0]["pseudonym"] in name]
    assert len(named) >= len(objects)
    assert all(is_tombstone(files[name]) for name in named)
    assert {row["sha256"] for row in objects}.isdisjoint(hashlib.sha256(data).hexdigest() for data in files.values())
    assert receipt["targets_total"] == len(receipt["targets"]) > 0
    assert {target["sha256"] for target in receipt["targets"]} <= {row["sha256"] for row in objects}
