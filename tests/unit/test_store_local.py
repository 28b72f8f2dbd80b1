"""The local store under attack and after a kill: links, leftovers, folders in the way."""

import os
from pathlib import Path

import pytest

from infra.store.local import INCOMING, LocalStore
from tasks.errors import PermanentError, ServiceUnavailable
from tasks.ports import AlreadyThere


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "store")


async def test_a_linked_folder_leads_nowhere(store: LocalStore, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (store.root / "pub").symlink_to(tmp_path / "outside")
    with pytest.raises(PermanentError):
        await store.create("pub/a.jpg", b"image", "image/jpeg")
    with pytest.raises(PermanentError):
        await store.read("pub/a.jpg")
    assert list((tmp_path / "outside").iterdir()) == []


async def test_a_linked_file_is_not_read_and_a_tombstone_replaces_the_link_itself(
    store: LocalStore, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    (store.root / "a.jpg").symlink_to(secret)
    with pytest.raises(PermanentError):
        await store.read("a.jpg")
    with pytest.raises(AlreadyThere):
        await store.create("a.jpg", b"image", "image/jpeg")
    await store.replace("a.jpg", b"tombstone", "application/json")
    assert secret.read_bytes() == b"secret"
    assert await store.read("a.jpg") == b"tombstone"


async def test_what_a_killed_writer_left_is_an_old_version_and_can_be_deleted(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(os, "link", killed)
        broken.setattr(os, "unlink", lambda *_, **__: None)
        with pytest.raises(KeyboardInterrupt):
            store._write("pub/a.jpg", b"image", create=True)
    (left,) = await store.versions("pub/a.jpg")
    assert not left.is_latest
    await store.delete_version("pub/a.jpg", left.version_id)
    assert list((store.root / INCOMING).iterdir()) == []


async def test_leftovers_go_only_after_the_longest_possible_write(store: LocalStore) -> None:
    old, fresh = store.root / INCOMING / "old", store.root / INCOMING / "fresh"
    old.write_bytes(b"image")
    fresh.write_bytes(b"image")
    os.utime(old, (1, 1))
    assert await store.clear_incoming() == 1
    assert not old.exists()
    assert fresh.exists()


async def test_nothing_half_written_is_ever_under_the_key(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ServiceUnavailable):
        await store.create("a.jpg", b"image", "image/jpeg")
    assert await store.read("a.jpg") is None
    assert list((store.root / INCOMING).iterdir()) == []


async def test_a_folder_in_the_way_of_a_key_is_for_a_person(store: LocalStore) -> None:
    await store.create("pub/a/b.jpg", b"image", "image/jpeg")
    with pytest.raises(PermanentError):
        await store.replace("pub/a", b"tombstone", "application/json")
    with pytest.raises(PermanentError):
        await store.create("pub/a/b.jpg/c.jpg", b"image", "image/jpeg")
