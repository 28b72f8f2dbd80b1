"""Serve: read the bytes, check them, THEN decide on the primary. A decision is used at once and never kept."""

import asyncio
import hashlib
import logging
import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from schemas.asset import AssetRecord
from tasks.decide import may_serve
from tasks.errors import LikenessError
from tasks.ports import GateLedger, ServeRow, Store

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ServeLimits:
    consent_freshness: timedelta = timedelta(seconds=60)
    """Older knowledge of the consent topic than this serves nothing."""
    read_seconds: float = 5.0
    """How long the store may take to give the bytes, and the ledger to decide."""


@dataclass(frozen=True)
class Served:
    asset: AssetRecord
    data: bytes
    decided_at: datetime
    """Database time of the statement that the decision rests on."""
    asked_at: float
    """time.monotonic() before that statement was sent: how old the decision is, at most."""


@dataclass(frozen=True)
class Gone:
    """It was there and is not shown any more. `because` is a word without personal data."""

    asset: AssetRecord
    because: Literal["revoked", "not_permitted"]


@dataclass(frozen=True)
class Unavailable:
    """Whether it may be shown cannot be told, or the bytes are not right: fail closed. `because` is for operators."""

    because: str


@dataclass(frozen=True)
class Missing:
    asset_id: str


@dataclass(frozen=True)
class PreviewOnly:
    """Its garment does not exist yet: signed-in people only, never through the public gate."""

    asset_id: str


Answer = Served | Gone | Unavailable | Missing | PreviewOnly
Place = tuple[str, str]
"""(store key, sha256)."""


class Places:
    """Where assets' bytes lie, remembered. A key's bytes never change; `serve` checks the place again."""

    def __init__(self, most: int = 50_000) -> None:
        self._known: OrderedDict[str, Place] = OrderedDict()
        self._most = most

    async def of(self, asset_id: str, ledger: GateLedger) -> Place | None:
        if (known := self._known.get(asset_id)) is not None:
            return known
        found = await ledger.locate(asset_id)
        if found is not None:
            self._known[asset_id] = found
            if len(self._known) > self._most:
                self._known.popitem(last=False)
        return found

    def forget(self, asset_id: str) -> None:
        self._known.pop(asset_id, None)


async def serve(
    asset_id: str, ledger: GateLedger, store: Store, limits: ServeLimits, places: Places | None = None
) -> Answer:
    """Never raises for a ledger or store that fails: that is Unavailable. A refusal does not wait for the bytes' fate:
    bytes that cannot be read or are wrong matter only when the decision is yes."""
    places = places or Places()
    try:
        async with asyncio.timeout(limits.read_seconds):
            place = await places.of(asset_id, ledger)
            data = None if place is None else await _read(place, store)
            asked_at = time.monotonic()
            row = await ledger.serve_row(asset_id)
    except (LikenessError, TimeoutError) as error:
        log.error("alert: asset %s: cannot decide: %s", asset_id, error)
        return Unavailable("no_decision")
    answer = judge(row, asset_id, limits)
    if not isinstance(answer, AssetRecord):
        return answer
    if place is None or place != (answer.key, answer.sha256):
        places.forget(asset_id)
        return Unavailable("moved")
    if data is None or hashlib.sha256(data).hexdigest() != answer.sha256:
        log.error("alert: asset %s: the store does not hold the bytes that were published", asset_id)
        return Unavailable("bytes_wrong")
    return Served(answer, data, row.at, asked_at)


def judge(
    row: ServeRow, asset_id: str, limits: ServeLimits
) -> AssetRecord | Gone | Missing | Unavailable | PreviewOnly:
    """The decision alone, of one row read in one statement; the asset itself when it may be shown.

    A no needs no fresh consent: nothing that is not known yet could turn it into a yes that matters.
    """
    asset = row.asset
    if asset is None or asset.state == "INTENT":
        return Missing(asset_id)
    if asset.state != "PUBLISHED":
        return Gone(asset, "revoked")
    if row.consent is None or not may_serve(asset, row.consent, row.at).permitted:
        return Gone(asset, "not_permitted")
    if asset.preview_only:
        return PreviewOnly(asset_id)
    if row.consent_current_as_of is None or row.at - row.consent_current_as_of > limits.consent_freshness:
        return Unavailable("consent_not_current")
    return asset


async def still_served(served: Served, ledger: GateLedger, limits: ServeLimits) -> bool:
    """Decide again for bytes that are being sent: same bytes, still permitted. A ledger that fails means no."""
    try:
        async with asyncio.timeout(limits.read_seconds):
            row = await ledger.serve_row(served.asset.asset_id)
    except (LikenessError, TimeoutError):
        return False
    answer = judge(row, served.asset.asset_id, limits)
    return isinstance(answer, AssetRecord) and answer.sha256 == served.asset.sha256


async def _read(place: Place, store: Store) -> bytes | None:
    try:
        return await store.read(place[0])
    except LikenessError as error:
        log.error("alert: the store does not give %s: %s", place[0], error)
        return None
