"""The reader of garment image addresses: local files under configured roots, S3 buckets and https hosts by name."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx

from tasks.errors import ServiceUnavailable, UnusablePhotograph


class ImageReader:
    """Implements tasks.fetch.ImageSource. `roots`: folders under which file:// images may lie; `https_hosts`: the only
    hosts that are asked over https (none: no network at all), so that an event cannot make us call inside addresses;
    `buckets`: the only S3 buckets that are read, by s3fs under this process's own credentials."""

    def __init__(
        self,
        roots: Sequence[Path],
        *,
        https_hosts: Sequence[str] = (),
        buckets: Sequence[str] = (),
        s3_options: Mapping[str, Any] | None = None,
    ) -> None:
        self._roots = tuple(root.resolve() for root in roots)
        self._https_hosts = frozenset(https_hosts)
        self._buckets = frozenset(buckets)
        self._s3_options = dict(s3_options or {})

    async def read(self, uri: str, limit: int) -> bytes:
        parts = urlsplit(uri)
        if parts.scheme == "file" and parts.netloc in ("", "localhost"):
            return await asyncio.to_thread(self._read_file, Path(unquote(parts.path)), uri, limit)
        if parts.scheme == "https" and parts.hostname in self._https_hosts:
            return await self._read_https(uri, limit)
        if parts.scheme == "s3" and parts.netloc in self._buckets:
            return await asyncio.to_thread(self._read_s3, f"{parts.netloc}{unquote(parts.path)}", uri, limit)
        raise UnusablePhotograph(f"{uri}: this address may not be read here", code="address_not_allowed")

    def _read_file(self, path: Path, uri: str, limit: int) -> bytes:
        """Resolves every `..` and link first, so that the check is made on the file that is opened."""
        real = path.resolve()
        if not any(real.is_relative_to(root) for root in self._roots):
            raise UnusablePhotograph(f"{uri}: outside the folders for images", code="address_not_allowed")
        if not real.is_file():
            raise UnusablePhotograph(f"{uri}: there is no such file", code="image_not_found")
        with real.open("rb") as file:
            data = file.read(limit + 1)
        _check_limit(len(data), uri, limit)
        return data

    def _read_s3(self, path: str, uri: str, limit: int) -> bytes:
        from botocore.exceptions import BotoCoreError, ClientError
        from s3fs import S3FileSystem

        system = S3FileSystem(use_listings_cache=False, skip_instance_cache=True, **self._s3_options)
        try:
            with system.open(path, "rb", cache_type="none") as file:
                _check_limit(file.size, uri, limit)
                return bytes(file.read())
        except FileNotFoundError:
            raise UnusablePhotograph(f"{uri}: there is no such object", code="image_not_found") from None
        except PermissionError as error:
            raise UnusablePhotograph(f"{uri}: may not be read: {error}", code="address_not_allowed") from None
        except (OSError, BotoCoreError, ClientError) as error:
            raise ServiceUnavailable(f"{uri} could not be read: {error}") from error

    async def _read_https(self, uri: str, limit: int) -> bytes:
        data = bytearray()
        try:
            async with (
                httpx.AsyncClient(timeout=20.0, follow_redirects=False) as client,
                client.stream("GET", uri) as answer,
            ):
                _check_answer(answer.status_code, uri)
                async for chunk in answer.aiter_bytes():
                    data += chunk
                    _check_limit(len(data), uri, limit)
        except httpx.HTTPError as error:
            raise ServiceUnavailable(f"{uri} did not answer: {error}") from error
        return bytes(data)


def _check_limit(size: int, uri: str, limit: int) -> None:
    if size > limit:
        raise UnusablePhotograph(f"{uri}: more than {limit // 1_048_576} MB", code="too_large")


def _check_answer(status: int, uri: str) -> None:
    if status >= 500 or status == 429:
        raise ServiceUnavailable(f"{uri} answered {status}")
    if status != 200:
        raise UnusablePhotograph(f"{uri} answered {status}", code="image_not_found")
