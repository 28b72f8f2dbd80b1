"""The store contract: memory, local folder, S3 on moto (versioned and not) and, where it is installed, versitygw."""

import asyncio
import hashlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from aiobotocore.session import get_session

from infra.store.local import LocalStore
from infra.store.s3 import S3Store
from schemas.asset import StoredObject
from tasks.errors import PermanentError, ServiceUnavailable
from tasks.evidence import tombstone_of
from tasks.ports import AlreadyThere, Store
from tasks.revoke import look_again, revoke
from tests.fakes.store import MemoryStore

USER, SECRET = "likeness-test", "likeness-test-secret"
KINDS = ["memory", "local", "moto", "moto_plain", "versitygw"]


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def _serve(command: list[str], port: int, environment: dict[str, str]) -> Iterator[str]:
    process = subprocess.Popen(
        command, env=os.environ | environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(300):
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
                break
            assert process.poll() is None, f"{command[0]} ended with {process.returncode}"
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="module")
def moto_url() -> Iterator[str]:
    port = _free_port()
    yield from _serve([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], port, {})


def _versitygw_binary() -> str | None:
    places = [shutil.which("versitygw")]
    if go := shutil.which("go"):
        root = subprocess.run([go, "env", "GOPATH"], capture_output=True, text=True, check=True).stdout.strip()
        places.append(shutil.which("versitygw", path=f"{root}/bin"))
    return next((place for place in places if place), None)


@pytest.fixture(scope="module")
def versitygw_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    binary = _versitygw_binary()
    if binary is None:
        pytest.skip("versitygw is not installed (go install github.com/versity/versitygw/cmd/versitygw@v1.7.0)")
    data, versions, port = tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("versions"), _free_port()
    command = [binary, "--port", f"127.0.0.1:{port}", "posix", "--versioning-dir", str(versions), str(data)]
    yield from _serve(command, port, {"ROOT_ACCESS_KEY": USER, "ROOT_SECRET_KEY": SECRET})


async def _open_bucket(url: str, *, versioned: bool, atomic_create: bool) -> S3Store:
    bucket = f"likeness-{uuid4().hex[:12]}"
    async with get_session().create_client(
        "s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id=USER, aws_secret_access_key=SECRET
    ) as client:
        await client.create_bucket(Bucket=bucket)
        if versioned:
            await client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    return await S3Store.open(
        bucket, "likeness", endpoint_url=url, access_key=USER, secret_key=SECRET, atomic_create=atomic_create
    )


@pytest.fixture(params=KINDS)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    opened: Store
    match request.param:
        case "memory":
            opened = MemoryStore()
        case "local":
            opened = LocalStore(tmp_path / "store")
        case "versitygw":
            url = request.getfixturevalue("versitygw_url")
            opened = await _open_bucket(url, versioned=True, atomic_create=False)
        case kind:
            url = request.getfixturevalue("moto_url")
            opened = await _open_bucket(url, versioned=kind == "moto", atomic_create=True)
    yield opened
    await opened.close()


async def test_create_then_read_gives_the_bytes(store: Store) -> None:
    await store.create("pub/tw/gr/1/as-a.1.jpg", b"image" * 40_000, "image/jpeg")
    assert await store.read("pub/tw/gr/1/as-a.1.jpg") == b"image" * 40_000


async def test_nothing_is_read_where_nothing_was_written(store: Store) -> None:
    assert await store.read("pub/none.jpg") is None
    assert await store.versions("pub/none.jpg") == []


async def test_create_refuses_a_taken_key_and_leaves_its_bytes(store: Store) -> None:
    await store.create("pub/a.jpg", b"first", "image/jpeg")
    with pytest.raises(AlreadyThere):
        await store.create("pub/a.jpg", b"second", "image/jpeg")
    assert await store.read("pub/a.jpg") == b"first"


async def test_create_after_a_tombstone_is_refused(store: Store) -> None:
    await store.create("pub/a.jpg", b"image", "image/jpeg")
    await store.replace("pub/a.jpg", b"tombstone", "application/json")
    with pytest.raises(AlreadyThere):
        await store.create("pub/a.jpg", b"image again", "image/jpeg")
    assert await store.read("pub/a.jpg") == b"tombstone"


async def test_replace_writes_where_nothing_was(store: Store) -> None:
    await store.replace("pub/never/created.jpg", b"tombstone", "application/json")
    assert await store.read("pub/never/created.jpg") == b"tombstone"


async def test_older_versions_can_all_be_deleted_and_the_newest_stays(store: Store) -> None:
    await store.create("pub/a.jpg", b"image", "image/jpeg")
    await store.replace("pub/a.jpg", b"one", "application/json")
    await store.replace("pub/a.jpg", b"two", "application/json")
    versions = await store.versions("pub/a.jpg")
    assert len(versions) == (3 if store.capabilities.versioned else 1)
    for version in versions:
        if not version.is_latest:
            await store.delete_version("pub/a.jpg", version.version_id)
    assert [version.is_latest for version in await store.versions("pub/a.jpg")] == [True]
    assert await store.read("pub/a.jpg") == b"two"


async def test_versions_are_those_of_one_key_not_of_its_neighbours(store: Store) -> None:
    await store.create("pub/a.1", b"one", "text/plain")
    await store.create("pub/a.10", b"ten", "text/plain")
    assert {version.key for version in await store.versions("pub/a.1")} == {"pub/a.1"}
    assert len(await store.versions("pub/a.1")) == 1


async def test_keys_lists_every_key_under_the_prefix_at_once(store: Store) -> None:
    for key in ("pub/a/1.jpg", "pub/b/2.jpg", "cache/c.bin"):
        await store.create(key, b"x", "application/octet-stream")
        assert key in [found async for found in store.keys("")]
    assert sorted([key async for key in store.keys("pub/")]) == ["pub/a/1.jpg", "pub/b/2.jpg"]


@pytest.mark.parametrize(
    "key", ["", "/etc/passwd", "../up", "a/../../b", "a//b", ".hidden", "a/.incoming", "a\0b", "å"]
)
async def test_keys_that_could_lead_elsewhere_are_refused(store: Store, key: str) -> None:
    with pytest.raises(PermanentError):
        await store.create(key, b"x", "text/plain")
    with pytest.raises(PermanentError):
        await store.read(key)


async def test_of_racing_writers_one_wins_where_the_store_says_so(store: Store) -> None:
    if not store.capabilities.atomic_create:
        pytest.skip("this store does not say that its create is atomic")
    for race in range(10):
        key = f"race/{race}.jpg"
        outcomes = await asyncio.gather(
            *(store.create(key, f"writer {n}".encode(), "text/plain") for n in range(8)), return_exceptions=True
        )
        winners = [n for n, outcome in enumerate(outcomes) if outcome is None]
        assert len(winners) == 1
        assert all(isinstance(outcome, AlreadyThere) for n, outcome in enumerate(outcomes) if n not in winners)
        assert await store.read(key) == f"writer {winners[0]}".encode()


def _target(key: str, data: bytes) -> StoredObject:
    at = datetime.now(UTC)
    return StoredObject(
        object_id="ob-1", kind="asset", key=key, state="REVOKING", talent_id="tal-ada", twin_id="tw-ada", fence=1,
        sha256=hashlib.sha256(data).hexdigest(), size=len(data), content_type="image/jpeg", created_at=at,
        changed_at=at,
    )  # fmt: skip


async def test_a_revoked_object_leaves_one_tombstone_and_no_older_version(store: Store) -> None:
    await store.create("pub/a.jpg", b"image", "image/jpeg")
    await store.replace("pub/a.jpg", b"image again", "image/jpeg")
    evidence = await revoke(_target("pub/a.jpg", b"image again"), store, lambda: datetime.now(UTC))
    assert evidence["found"] == "expected"
    assert tombstone_of(await store.read("pub/a.jpg")) == "ob-1"
    assert len(await store.versions("pub/a.jpg")) == 1
    if store.capabilities.versioned:
        assert evidence["versions_deleted"] == 2


async def test_puts_that_race_a_revocation_leave_nothing_but_its_tombstone(store: Store) -> None:
    """Where create is not atomic a late write may land on the tombstone: the second look takes it away."""

    async def put_late(key: str, delay: float) -> None:
        await asyncio.sleep(delay)
        with suppress(AlreadyThere, ServiceUnavailable):
            await store.create(key, b"image", "image/jpeg")

    for race in range(12):
        target = _target(f"race/{race}.jpg", b"image")
        puts = (put_late(target.key, race * n * 0.0005) for n in range(4))
        await asyncio.gather(revoke(target, store, lambda: datetime.now(UTC)), *puts)
        look = await look_again(target, store, lambda: datetime.now(UTC))
        assert look["outcome"] == "held" or not store.capabilities.atomic_create
        assert tombstone_of(await store.read(target.key)) == "ob-1"
        assert len(await store.versions(target.key)) == 1


async def test_a_bucket_that_is_not_there_is_for_a_person(moto_url: str) -> None:
    store = await _open_bucket(moto_url, versioned=False, atomic_create=True)
    await store.close()
    with pytest.raises(PermanentError):
        await S3Store.open("no-such-bucket", endpoint_url=moto_url, access_key=USER, secret_key=SECRET)
