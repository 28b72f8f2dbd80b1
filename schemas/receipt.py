"""Receipt: the signed proof of one withdrawal, in pseudonyms; and the facts that the ledger gives to write it."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from schemas.asset import ObjectKind
from schemas.base import Schema, Sha256
from schemas.consent import Effect

RECEIPT_FORMAT: Literal["likeness/receipt/1"] = "likeness/receipt/1"
MAX_LISTED_TARGETS = 10_000
"""Above this many targets a receipt holds counts and the hash of a manifest."""

Found = Literal["expected", "absent", "tombstone", "other"]
"""What lay under the key before the tombstone: the bytes that the ledger knew, nothing, a tombstone, other bytes."""


class RevokedTarget(Schema):
    """One object that had to vanish, as the ledger's evidence tells it (`evidence` is what `tasks.revoke` returned)."""

    object_id: str
    kind: ObjectKind
    key: str
    sha256: str
    asset_id: str | None = None
    phash: str | None = None
    evidence: dict[str, Any]
    second_look: dict[str, Any] | None = None
    """Evidence of the second look, where the store needed one."""


class KeptAsset(Schema):
    """An asset that this withdrawal leaves in place, and until when (run-off, stop_new)."""

    asset_id: str
    phash: str
    why: Literal["run_off", "stop_new", "other_grant"]
    until: datetime | None = None


class ReceiptFacts(Schema):
    """What `SweepLedger.receipt_facts` returns; ids are the real ones, the receipt gets pseudonyms."""

    withdrawal_id: str
    talent_id: str
    grant_ids: tuple[str, ...]
    effect: Effect
    recorded_at: datetime
    planned_at: datetime
    at: datetime
    """Database time of reading; becomes `completed_at`."""
    targets: tuple[RevokedTarget, ...]
    kept: tuple[KeptAsset, ...] = ()
    chain_position: int
    """Position and hash of the newest sealed evidence row; all evidence of this withdrawal lies at or before it."""
    chain_hash: Sha256


class ReceiptTarget(Schema):
    object: str
    kind: ObjectKind
    target: Literal["store"] = "store"
    key_sha256: Sha256
    sha256: Sha256
    found: Found
    tombstone_sha256: Sha256
    tombstoned_at: datetime
    verified_at: datetime
    second_look_at: datetime | None = None
    versions_deleted: int
    purged: tuple[str, ...] = ()
    outcome: Literal["revoked"] = "revoked"


class Kept(Schema):
    """What stays, and why. `identity`: only the id and the perceptual hash, so that copies can be told."""

    asset: str
    phash: str
    why: Literal["identity", "run_off", "stop_new", "other_grant"]
    until: datetime | None = None


class StoreStatement(Schema):
    """What the store could promise, in its own flags and in one sentence."""

    atomic_create: bool
    versioned: bool
    replicated: bool
    max_put_seconds: float
    statement: str


class ChainPoint(Schema):
    position: int
    hash: Sha256


class Receipt(Schema):
    """The payload of the receipt's JWS."""

    format: Literal["likeness/receipt/1"] = RECEIPT_FORMAT
    withdrawal_id: str
    talent: str
    grants: tuple[str, ...]
    effect: Effect
    recorded_at: datetime
    planned_at: datetime
    completed_at: datetime
    targets_total: int
    targets_by_kind: dict[str, int]
    targets: tuple[ReceiptTarget, ...] | None
    """None when there are more than MAX_LISTED_TARGETS: then `manifest_sha256` is the hash of the manifest file."""
    manifest_sha256: Sha256 | None = None
    kept_total: int
    kept: tuple[Kept, ...] = Field(default=())
    evidence: ChainPoint
    store: StoreStatement
