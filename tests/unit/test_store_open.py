"""Which store an address opens."""

from pathlib import Path

import pytest

from infra.settings import StoreSettings
from infra.store.local import LocalStore
from infra.store.open import open_store
from tasks.errors import Misconfigured


async def test_a_file_address_opens_a_folder(tmp_path: Path) -> None:
    store = await open_store(StoreSettings(url=f"file://{tmp_path}/with%20space"))
    assert isinstance(store, LocalStore)
    assert (tmp_path / "with space").is_dir()


@pytest.mark.parametrize(
    "url", ["", "store", "/var/store", "file://host/store", "s3://", "s3:///x", "gs://bucket", "http://x"]
)
async def test_any_other_address_is_refused(url: str) -> None:
    with pytest.raises(Misconfigured):
        await open_store(StoreSettings(url=url))
