"""MemoryStore: the store port in a dict, with versions, and faults that tests can order."""

from collections.abc import AsyncIterator, Awaitable, Callable

from infra.store.keys import check_key
from tasks.errors import ServiceUnavailable
from tasks.ports import AlreadyThere, StoreCapabilities, StoredVersion


class MemoryStore:
    """Newest version last. `before[operation]` is awaited before that operation touches anything; it may raise."""

    def __init__(self, *, atomic_create: bool = True, versioned: bool = True, max_put_seconds: float = 1) -> None:
        self.capabilities = StoreCapabilities(atomic_create, versioned, False, max_put_seconds)
        self.objects: dict[str, list[tuple[str, bytes]]] = {}
        self.before: dict[str, Callable[[str], Awaitable[None]]] = {}
        self.calls: list[tuple[str, str]] = []
        self._written = 0

    async def create(self, key: str, data: bytes, content_type: str) -> None:
        await self._called("create", key)
        if self.objects.get(key):
            raise AlreadyThere(key)
        self.write_late(key, data)

    async def replace(self, key: str, data: bytes, content_type: str) -> None:
        await self._called("replace", key)
        self.write_late(key, data)

    async def read(self, key: str) -> bytes | None:
        await self._called("read", key)
        versions = self.objects.get(key)
        return versions[-1][1] if versions else None

    async def versions(self, key: str) -> list[StoredVersion]:
        await self._called("versions", key)
        kept = self.objects.get(key, [])
        return [StoredVersion(key, name, is_latest=name == kept[-1][0]) for name, _ in reversed(kept)]

    async def delete_version(self, key: str, version_id: str) -> None:
        await self._called("delete_version", key)
        self.objects[key] = [kept for kept in self.objects.get(key, []) if kept[0] != version_id]

    async def keys(self, prefix: str = "") -> AsyncIterator[str]:
        for key in sorted(self.objects):
            if key.startswith(prefix) and self.objects[key]:
                yield key

    async def close(self) -> None:
        self.objects.clear()

    def write_late(self, key: str, data: bytes) -> None:
        """A write that asks nobody: what a store without atomic create lets through."""
        self._written += 1
        kept = self.objects.setdefault(key, [])
        if not self.capabilities.versioned:
            kept.clear()
        kept.append((f"v{self._written}", data))

    def fail(self, operation: str, *, times: int = 1) -> None:
        """The next `times` calls of `operation` raise ServiceUnavailable."""
        left = [times]

        async def maybe(key: str) -> None:
            if left[0] > 0:
                left[0] -= 1
                raise ServiceUnavailable(f"{operation} {key}: told to fail")

        self.before[operation] = maybe

    async def _called(self, operation: str, key: str) -> None:
        check_key(key)
        self.calls.append((operation, key))
        if operation in self.before:
            await self.before[operation](key)
