"""Garment images out of S3 buckets, read by s3fs from a real S3 server (moto's)."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
from s3fs import S3FileSystem

from infra.fetching import ImageReader
from tasks.errors import ServiceUnavailable, UnusablePhotograph

PICTURE = bytes(range(256)) * 64
KEYS = {"key": "likeness-test", "secret": "likeness-test-secret"}


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = int(taken.getsockname()[1])
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    for _ in range(600):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
            break
        time.sleep(0.1)
    yield f"http://127.0.0.1:{port}"
    server.terminate()
    server.wait(10)


@pytest.fixture(scope="module")
def reader(endpoint: str) -> ImageReader:
    options = {**KEYS, "endpoint_url": endpoint}
    system = S3FileSystem(skip_instance_cache=True, **options)
    for bucket in ("articles", "secrets"):
        system.mkdir(bucket)
        system.pipe_file(f"{bucket}/front picture.png", PICTURE)
    return ImageReader([], buckets=["articles"], s3_options=options)


async def test_an_object_of_an_allowed_bucket_is_read(reader: ImageReader) -> None:
    assert await reader.read("s3://articles/front%20picture.png", limit=1 << 20) == PICTURE


@pytest.mark.parametrize(
    ("uri", "code"),
    [
        ("s3://secrets/front%20picture.png", "address_not_allowed"),
        ("s3://articles/none.png", "image_not_found"),
    ],
)
async def test_other_buckets_and_missing_objects_are_refused(reader: ImageReader, uri: str, code: str) -> None:
    with pytest.raises(UnusablePhotograph) as refused:
        await reader.read(uri, limit=1 << 20)
    assert refused.value.code == code


async def test_an_object_over_the_limit_is_refused(reader: ImageReader) -> None:
    with pytest.raises(UnusablePhotograph) as refused:
        await reader.read("s3://articles/front%20picture.png", limit=100)
    assert refused.value.code == "too_large"


async def test_a_server_that_is_away_is_tried_again_later() -> None:
    away = ImageReader([], buckets=["articles"], s3_options={**KEYS, "endpoint_url": "http://127.0.0.1:9"})
    with pytest.raises(ServiceUnavailable):
        await away.read("s3://articles/front.png", limit=1 << 20)
