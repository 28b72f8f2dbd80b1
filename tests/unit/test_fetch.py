"""Garment images: only from where they may come, only as the event says they are."""

import hashlib
from pathlib import Path

import pytest

from infra.fetching import ImageReader
from schemas.garment import GarmentImage
from tasks.errors import UnusablePhotograph
from tasks.fetch import fetch

CONTENT = b"a picture"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    (folder / "front.png").write_bytes(CONTENT)
    (tmp_path / "secret.png").write_bytes(b"not for you")
    return folder


async def refusal(reader: ImageReader, uri: str, sha256: str | None = None) -> str:
    with pytest.raises(UnusablePhotograph) as refused:
        await fetch(GarmentImage(uri=uri, sha256=sha256), reader)
    return refused.value.code


async def test_a_file_under_a_root_is_read_and_verified(root: Path) -> None:
    digest = hashlib.sha256(CONTENT).hexdigest()
    image = GarmentImage(uri=(root / "front.png").as_uri(), sha256=digest)
    assert await fetch(image, ImageReader([root])) == (CONTENT, digest)


async def test_other_bytes_than_the_event_says_are_refused(root: Path) -> None:
    assert await refusal(ImageReader([root]), (root / "front.png").as_uri(), "0" * 64) == "image_changed"


@pytest.mark.parametrize("path", ["../secret.png", "%2e%2e/secret.png", "link.png", "linked/secret.png"])
async def test_no_way_leads_out_of_the_roots(root: Path, path: str) -> None:
    (root / "link.png").symlink_to(root.parent / "secret.png")
    (root / "linked").symlink_to(root.parent)
    assert await refusal(ImageReader([root]), f"file://{root}/{path}") == "address_not_allowed"


@pytest.mark.parametrize("uri", [
    "https://example.org/a.png", "http://127.0.0.1/a.png", "ftp://example.org/a.png", "a.png",
    "file://elsewhere/images/front.png", "data:image/png;base64,AAAA",
])  # fmt: skip
async def test_addresses_that_nobody_allowed_are_never_asked(root: Path, uri: str) -> None:
    assert await refusal(ImageReader([root]), uri) == "address_not_allowed"


async def test_a_folder_a_missing_and_an_empty_file_are_refused(root: Path) -> None:
    (root / "empty.png").touch()
    reader = ImageReader([root])
    assert await refusal(reader, root.as_uri()) == "image_not_found"
    assert await refusal(reader, (root / "none.png").as_uri()) == "image_not_found"
    assert await refusal(reader, (root / "empty.png").as_uri()) == "empty_file"


async def test_a_file_over_the_limit_is_refused_without_reading_it_all(root: Path) -> None:
    with pytest.raises(UnusablePhotograph) as refused:
        await ImageReader([root]).read((root / "front.png").as_uri(), limit=4)
    assert refused.value.code == "too_large"
