"""Fetch: the bytes of a garment image, verified against what the event says of them."""

import hashlib
from typing import Protocol

from schemas.garment import GarmentImage
from tasks.errors import UnusablePhotograph

MAX_IMAGE_BYTES = 40 * 1024 * 1024


class ImageSource(Protocol):
    async def read(self, uri: str, limit: int) -> bytes:
        """The bytes at `uri`. Raises UnusablePhotograph (not allowed, not there, more than `limit` bytes) or
        TransientError (did not answer)."""


async def fetch(image: GarmentImage, source: ImageSource) -> tuple[bytes, str]:
    """The verified bytes and their sha256. Raises UnusablePhotograph, also when the sha256 is not the event's."""
    data = await source.read(image.uri, MAX_IMAGE_BYTES)
    if not data:
        raise UnusablePhotograph(f"{image.uri}: the file is empty", code="empty_file")
    digest = hashlib.sha256(data).hexdigest()
    if image.sha256 is not None and digest != image.sha256:
        raise UnusablePhotograph(
            f"{image.uri} has sha256 {digest[:12]}…, the event says {image.sha256[:12]}…: the file was changed after "
            "the event was made",
            code="image_changed",
        )
    return data, digest
