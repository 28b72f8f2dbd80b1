"""Local folder as a store: create by hard link, tombstone by rename, every step on disk before it counts.

A file is written whole and fsynced under `.incoming/`, then linked (create: fails if the key is taken) or renamed
(replace) into place, and the folder is fsynced. Folders are opened one by one without following links, so nothing
outside the root can be reached. What a killed writer leaves under `.incoming/` is listed as an old version of its key.
"""

import asyncio
import errno
import hashlib
import os
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from infra.store.keys import check_key
from tasks.errors import PermanentError, ServiceUnavailable
from tasks.ports import AlreadyThere, StoreCapabilities, StoredVersion

INCOMING = ".incoming"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_CURRENT = "current"
_FOR_A_PERSON = (errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.EACCES, errno.EPERM)


class LocalStore:
    """Implements tasks.ports.Store on one file system."""

    def __init__(self, root: Path, *, max_put_seconds: float = 30) -> None:
        self.root = root
        self.capabilities = StoreCapabilities(
            atomic_create=True, versioned=False, replicated=False, max_put_seconds=max_put_seconds
        )
        (root / INCOMING).mkdir(parents=True, exist_ok=True)

    async def create(self, key: str, data: bytes, content_type: str) -> None:
        await asyncio.to_thread(self._write, check_key(key), data, create=True)

    async def replace(self, key: str, data: bytes, content_type: str) -> None:
        await asyncio.to_thread(self._write, check_key(key), data, create=False)

    async def read(self, key: str) -> bytes | None:
        return await asyncio.to_thread(self._read, check_key(key))

    async def versions(self, key: str) -> list[StoredVersion]:
        return await asyncio.to_thread(self._versions, check_key(key))

    async def delete_version(self, key: str, version_id: str) -> None:
        await asyncio.to_thread(self._delete_version, check_key(key), version_id)

    async def keys(self, prefix: str = "") -> AsyncIterator[str]:
        for key in await asyncio.to_thread(lambda: sorted(self._walk())):
            if key.startswith(prefix):
                yield key

    async def close(self) -> None:
        """Nothing is held open."""

    async def clear_incoming(self) -> int:
        """Remove what killed writers left longer ago than the longest possible write. Returns how many files."""
        return await asyncio.to_thread(self._clear_incoming, time.time() - self.capabilities.max_put_seconds)

    # ------------------------------------------------------------ blocking parts, in a thread
    def _write(self, key: str, data: bytes, *, create: bool) -> None:
        with _told(key), self._folder(key, make=True) as (folder, leaf), self._incoming() as incoming:
            part = f"{_stem(key)}.{uuid.uuid4().hex}"
            try:
                _write_whole(incoming, part, data)
                if create:
                    os.link(part, leaf, src_dir_fd=incoming, dst_dir_fd=folder, follow_symlinks=False)
                else:
                    os.replace(part, leaf, src_dir_fd=incoming, dst_dir_fd=folder)
                os.fsync(folder)
            except FileExistsError:
                raise AlreadyThere(key) from None
            finally:
                _unlink(incoming, part)

    def _read(self, key: str) -> bytes | None:
        with _told(key):
            try:
                with self._folder(key) as (folder, leaf):
                    descriptor = os.open(leaf, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
            except FileNotFoundError:
                return None
            with os.fdopen(descriptor, "rb") as file:
                return file.read()

    def _versions(self, key: str) -> list[StoredVersion]:
        found = [] if self._read(key) is None else [StoredVersion(key, _CURRENT, is_latest=True)]
        with _told(key), self._incoming() as incoming:
            parts = [name for name in _names(incoming) if name.startswith(_stem(key) + ".")]
        return found + [StoredVersion(key, part, is_latest=False) for part in sorted(parts)]

    def _delete_version(self, key: str, version_id: str) -> None:
        if version_id == _CURRENT:
            with _told(key), self._folder(key) as (folder, leaf):
                _unlink(folder, leaf)
                os.fsync(folder)
        elif version_id.startswith(_stem(key) + ".") and "/" not in version_id:
            with _told(key), self._incoming() as incoming:
                _unlink(incoming, version_id)
                os.fsync(incoming)

    def _clear_incoming(self, before: float) -> int:
        with _told(INCOMING), self._incoming() as incoming:
            left = [name for name in _names(incoming) if _written_before(incoming, name, before)]
            for name in left:
                _unlink(incoming, name)
        return len(left)

    def _walk(self) -> Iterator[str]:
        for folder, _, names in os.walk(self.root):
            inside = Path(folder).relative_to(self.root)
            if inside.parts[:1] != (INCOMING,):
                yield from ((inside / name).as_posix() for name in names)

    @contextmanager
    def _folder(self, key: str, *, make: bool = False) -> Iterator[tuple[int, str]]:
        """(descriptor of the key's folder, leaf name), opened part by part, links refused."""
        *parts, leaf = key.split("/")
        here = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for part in parts:
                below = _enter(here, part, make=make)
                os.close(here)
                here = below
            yield here, leaf
        finally:
            os.close(here)

    @contextmanager
    def _incoming(self) -> Iterator[int]:
        with self._folder(f"{INCOMING}/.") as (folder, _):
            yield folder


def _stem(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:32]


def _enter(here: int, part: str, *, make: bool) -> int:
    try:
        return os.open(part, _FOLDER, dir_fd=here)
    except FileNotFoundError:
        if not make:
            raise
    with suppress(FileExistsError):  # another writer made it first
        os.mkdir(part, dir_fd=here)
        os.fsync(here)
    return os.open(part, _FOLDER, dir_fd=here)


def _write_whole(folder: int, name: str, data: bytes) -> None:
    descriptor = os.open(
        name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o640, dir_fd=folder
    )
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)


def _names(folder: int) -> list[str]:
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries]


def _written_before(folder: int, name: str, before: float) -> bool:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False).st_mtime < before
    except FileNotFoundError:
        return False


def _unlink(folder: int, name: str) -> None:
    with suppress(FileNotFoundError):  # renamed into place, or the sweep removed it
        os.unlink(name, dir_fd=folder)


@contextmanager
def _told(key: str) -> Iterator[None]:
    """Errors of the file system in our words: a link or a folder in the way is for a person, the rest may pass."""
    try:
        yield
    except OSError as error:
        if error.errno in _FOR_A_PERSON:
            raise PermanentError(f"{key}: {error.strerror}", code="store_refused") from None
        raise ServiceUnavailable(f"{key}: {error.strerror}", code="store_unavailable") from None
