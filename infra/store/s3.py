"""S3 as a store, through aiobotocore alone: create-only PUT, strongly consistent reads, versions listed and deleted.

Every write is one part (a condition on a multipart upload binds only its last step). Failures are never swallowed: a
DELETE that the bucket refuses raises. Of the client's own retries there is one; so a 412 may be our own first try, and
the caller reads back to learn whose bytes lie there.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import BotoCoreError, ClientError

from infra.store.keys import check_key
from tasks.errors import PermanentError, ServiceUnavailable
from tasks.ports import AlreadyThere, StoreCapabilities, StoredVersion

_FAILURES = (ClientError, BotoCoreError, aiohttp.ClientError, OSError, TimeoutError)
_ABSENT = ("NoSuchKey", "404")
_TAKEN = ("PreconditionFailed", "412")
_FOR_A_PERSON = ("AccessDenied", "NoSuchBucket", "InvalidAccessKeyId", "SignatureDoesNotMatch", "403")


class S3Store:
    """Implements tasks.ports.Store on one bucket, under `prefix`. Made by `S3Store.open`."""

    def __init__(self, client: Any, stack: AsyncExitStack, bucket: str, prefix: str, can: StoreCapabilities) -> None:
        self._client, self._stack = client, stack
        self._bucket, self._prefix = bucket, f"{prefix}/" if prefix else ""
        self.capabilities = can

    @classmethod
    async def open(
        cls,
        bucket: str,
        prefix: str = "",
        *,
        endpoint_url: str | None = None,
        region: str | None = None,
        access_key: str | None = None,
        secret_key: str | None = None,
        atomic_create: bool = True,
        replicated: bool = False,
        max_put_seconds: float = 60,
    ) -> "S3Store":
        """Connect and ask the bucket whether it keeps versions. Without keys, AWS's own chain of credentials is used.

        `atomic_create`: whether If-None-Match lets exactly one of two racing writers win (AWS: yes; versitygw: no).
        Raises PermanentError when the bucket is not there or not ours, ServiceUnavailable when nothing answers.
        """
        config = AioConfig(
            retries={"max_attempts": 1, "mode": "standard"},
            connect_timeout=5,
            read_timeout=max_put_seconds / 2,
            max_pool_connections=64,
            s3={"addressing_style": "path" if endpoint_url else "auto"},
        )
        stack = AsyncExitStack()
        client = await stack.enter_async_context(
            get_session().create_client(
                "s3",
                endpoint_url=endpoint_url or None,
                region_name=region or ("us-east-1" if endpoint_url else None),
                aws_access_key_id=access_key,
                aws_secret_access_key=secret_key,
                config=config,
            )
        )
        can = StoreCapabilities(atomic_create, versioned=False, replicated=replicated, max_put_seconds=max_put_seconds)
        store = cls(client, stack, bucket, prefix.strip("/"), can)
        try:
            store.capabilities = StoreCapabilities(
                atomic_create, await store._keeps_versions(), replicated, max_put_seconds
            )
        except BaseException:
            await stack.aclose()
            raise
        return store

    async def create(self, key: str, data: bytes, content_type: str) -> None:
        await self._put(key, data, content_type, {"IfNoneMatch": "*"})

    async def replace(self, key: str, data: bytes, content_type: str) -> None:
        await self._put(key, data, content_type, {})

    async def read(self, key: str) -> bytes | None:
        try:
            answer = await self._client.get_object(Bucket=self._bucket, Key=self._name(key))
            async with answer["Body"] as body:
                data: bytes = await body.read()
        except _FAILURES as error:
            if _code(error) in _ABSENT:
                return None
            raise _told(key, error) from None
        return data

    async def versions(self, key: str) -> list[StoredVersion]:
        name = self._name(key)
        found: list[StoredVersion] = []
        pages = self._client.get_paginator("list_object_versions").paginate(Bucket=self._bucket, Prefix=name)
        try:
            async for page in pages:
                found += [_version(key, row, False) for row in page.get("Versions", ()) if row["Key"] == name]
                found += [_version(key, row, True) for row in page.get("DeleteMarkers", ()) if row["Key"] == name]
        except _FAILURES as error:
            raise _told(key, error) from None
        return found

    async def delete_version(self, key: str, version_id: str) -> None:
        try:
            await self._client.delete_object(Bucket=self._bucket, Key=self._name(key), VersionId=version_id)
        except _FAILURES as error:
            raise _told(key, error) from None

    async def keys(self, prefix: str = "") -> AsyncIterator[str]:
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=self._prefix + prefix
        )
        try:
            async for page in pages:
                for row in page.get("Contents", ()):
                    yield row["Key"].removeprefix(self._prefix)
        except _FAILURES as error:
            raise _told(prefix or self._bucket, error) from None

    async def close(self) -> None:
        await self._stack.aclose()

    def _name(self, key: str) -> str:
        return self._prefix + check_key(key)

    async def _put(self, key: str, data: bytes, content_type: str, condition: dict[str, str]) -> None:
        """One part, within max_put_seconds: beyond that we say it failed, and the sweep's second look catches it."""
        put = self._client.put_object(
            Bucket=self._bucket, Key=self._name(key), Body=data, ContentType=content_type, **condition
        )
        try:
            async with asyncio.timeout(self.capabilities.max_put_seconds):
                await put
        except _FAILURES as error:
            if _code(error) in _TAKEN:
                raise AlreadyThere(key) from None
            raise _told(key, error) from None

    async def _keeps_versions(self) -> bool:
        try:
            answer = await self._client.get_bucket_versioning(Bucket=self._bucket)
        except _FAILURES as error:
            raise _told(self._bucket, error) from None
        return answer.get("Status") in ("Enabled", "Suspended")


def _version(key: str, row: dict[str, Any], marker: bool) -> StoredVersion:
    return StoredVersion(key, row["VersionId"], is_latest=bool(row["IsLatest"]), is_delete_marker=marker)


def _code(error: Exception) -> str:
    return str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, ClientError) else ""


def _told(key: str, error: Exception) -> PermanentError | ServiceUnavailable:
    if _code(error) in _FOR_A_PERSON:
        return PermanentError(f"{key}: the store refused: {error}", code="store_refused")
    return ServiceUnavailable(f"{key}: the store did not answer: {error}", code="store_unavailable")
