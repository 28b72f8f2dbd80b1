"""Open the store that an address names: file:///folder or s3://bucket/prefix."""

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from infra.store.local import LocalStore
from tasks.errors import Misconfigured
from tasks.ports import Store

if TYPE_CHECKING:
    from infra.settings import StoreSettings


async def open_store(settings: "StoreSettings") -> Store:
    """Raises Misconfigured for an address of another kind; what S3Store.open raises for S3."""
    address = urlsplit(settings.url)
    if address.scheme == "file" and not address.netloc and address.path:
        return LocalStore(Path(unquote(address.path)))
    if address.scheme == "s3" and address.netloc:
        from infra.store.s3 import S3Store  # aiobotocore takes 0.4 s to import, and a local store has no use for it

        return await S3Store.open(
            address.netloc,
            address.path.strip("/"),
            endpoint_url=settings.endpoint_url or None,
            region=settings.region or None,
            atomic_create=settings.atomic_create,
            replicated=settings.replicated,
        )
    raise Misconfigured(f"store.url {settings.url!r} is neither file:///folder nor s3://bucket/prefix")
