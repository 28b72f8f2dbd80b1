"""Library: the twins and scenes that Likeness has. A twin's files show a talent, so each has an Object row first."""

import hashlib
from collections.abc import Callable
from typing import Protocol

from schemas.asset import ObjectKind
from schemas.scene import Scene
from schemas.twin import Twin
from tasks.errors import ChecksFailed, Interrupted, NotFound
from tasks.imaging.load import load_backdrop, load_twin
from tasks.imaging.pictures import U8, TwinReference
from tasks.ports import Catalogue, ConsentLedger, Store, WorkLedger
from tasks.publish import keep, recall

KIND: ObjectKind = "twin_reference"
CONTENT_TYPES = {"png": "image/png", "webp": "image/webp", "jpg": "image/jpeg", "json": "application/json"}


class LibraryLedger(WorkLedger, ConsentLedger, Catalogue, Protocol):
    """The parts of the ledger that the library needs."""


def scene_key(scene: Scene) -> str:
    """Where the backdrop lies; scenes show nobody and need no Object row."""
    return f"scenes/{scene.sha256}.{scene.backdrop.rpartition('.')[2].lower()}"


async def take_in_twin(twin: Twin, read: Callable[[str], bytes], ledger: LibraryLedger, store: Store) -> int:
    """Validate the twin, store each of its files under an Object row, and put it in the catalogue.

    Doing it again stores only what is missing. Returns the number of files stored. Raises UnusableTwin, and
    Interrupted when the talent's consent changed meanwhile.
    """
    for pose in twin.poses:
        load_twin(twin, read, pose.pose)
    await ledger.put_twin(twin, f"twins/{twin.twin_id}")
    fence = await ledger.fence(twin.talent_id)
    stored = 0
    for name in sorted(twin.sha256):
        stored += await _take_in_file(twin, name, read(name), fence, ledger, store)
    return stored


async def _take_in_file(twin: Twin, name: str, data: bytes, fence: int, ledger: LibraryLedger, store: Store) -> int:
    if await recall(KIND, twin_id=twin.twin_id, name=name, ledger=ledger, store=store) == data:
        return 0
    kept = await keep(
        KIND,
        data,
        name=name,
        talent_id=twin.talent_id,
        twin_id=twin.twin_id,
        fence=fence,
        content_type=_content_type(name),
        ledger=ledger,
        store=store,
    )
    if not kept:
        raise Interrupted(f"{twin.twin_id}: consent of {twin.talent_id} changed while its files were stored")
    return 1


def _content_type(name: str) -> str:
    return CONTENT_TYPES.get(name.rpartition(".")[2].lower(), "application/octet-stream")


async def read_twin(twin: Twin, ledger: LibraryLedger, store: Store, pose: str = "standing") -> TwinReference:
    """One pose out of the store. Raises NotFound when a file is gone (withdrawn), UnusableTwin when it is damaged."""
    chosen = next((candidate for candidate in twin.poses if candidate.pose == pose), None)
    if chosen is None:
        raise NotFound(f"{twin.twin_id} has no pose {pose!r}")
    files: dict[str, bytes] = {}
    for name in (chosen.image, chosen.parts, chosen.body_parts, chosen.depth, chosen.normals):
        if name is None:
            continue
        data = await recall(KIND, twin_id=twin.twin_id, name=name, ledger=ledger, store=store)
        if data is None:
            raise NotFound(f"{twin.twin_id}: {name} is not in the store; import the twin again", code="twin_not_there")
        files[name] = data
    return load_twin(twin, files.__getitem__, pose)


async def take_in_scene(scene: Scene, data: bytes, ledger: LibraryLedger, store: Store) -> None:
    """Store the backdrop and put the scene in the catalogue. Raises ChecksFailed when it is not the file described."""
    if hashlib.sha256(data).hexdigest() != scene.sha256:
        raise ChecksFailed(f"scene {scene.scene}: {scene.backdrop} is not the file that was recorded (sha256 differs)")
    load_backdrop(data)
    key = scene_key(scene)
    if await store.read(key) != data:
        await store.create(key, data, _content_type(key))
    await ledger.put_scene(scene, key)


async def read_backdrop(scene: Scene, store: Store) -> U8:
    data = await store.read(scene_key(scene))
    if data is None or hashlib.sha256(data).hexdigest() != scene.sha256:
        raise NotFound(f"scene {scene.scene}: its backdrop is not in the store; import the scene again")
    return load_backdrop(data)
