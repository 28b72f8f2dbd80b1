"""The ports: what the stages need from the world, as Protocols. Adapters live in infra, fakes in tests/fakes.

I/O ports are async; imaging ports are synchronous and called in a thread by the flows.
Every ledger method is one transaction unless it says otherwise, takes database time, and raises
TransientError when the database does not answer.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from schemas.asset import AssetRecord, Cause, Cell, ObjectKind, StoredObject
from schemas.consent import Effect, Granted, Narrowed, Withdrawn
from schemas.decision import Decision
from schemas.garment import Garment
from schemas.grant import ConsentView, Grant
from schemas.scene import Scene
from schemas.twin import Twin

if TYPE_CHECKING:  # numpy is a third of what consent code would load
    from tasks.imaging.pictures import F32, U8, GeneratedLook, GenerateRequest

ShouldStop = Callable[[], bool]
ConsentFact = Granted | Narrowed | Withdrawn


# ---------------------------------------------------------------- imaging
class Generator(Protocol):
    name: str
    """Name and version; part of the recipe."""
    commercial_use: bool

    def generate(self, requests: Sequence[GenerateRequest], should_stop: ShouldStop) -> list[GeneratedLook]:
        """One look per request. Raises Interrupted as soon as should_stop() says so, UnusablePhotograph otherwise."""


class Segmenter(Protocol):
    name: str

    def cut_out(self, image: U8) -> F32:
        """Alpha H x W in 0..1 of the foreground of an sRGB image H x W x 3; not stretched: all low = no subject."""


@dataclass(frozen=True)
class Recognition:
    """Probabilities: of each category and `not_garment`, and of each number of quarter turns, 0 to 3, that the
    photograph needs (counter-clockwise) to stand upright."""

    kinds: Mapping[str, float]
    turns: tuple[float, ...]


class Recogniser(Protocol):
    def recognise(self, image: U8) -> Recognition:
        """What kind of garment an sRGB image shows, and which way up it lies."""


# ---------------------------------------------------------------- signing
@dataclass(frozen=True)
class Verified:
    source: str
    key_id: str


class Signer(Protocol):
    key_id: str

    def sign_detached(self, payload: bytes) -> str:
        """Compact JWS (EdDSA) with detached payload (RFC 7515 appendix F)."""

    def sign(self, payload: bytes) -> str:
        """Compact JWS (EdDSA) with its payload inside."""


class SourceKeys(Protocol):
    def verify(self, payload: bytes, signature: str, *, source: str, event_type: str, subject: str) -> Verified:
        """Raises BadSignature unless a key of `source` signed and the source may say this type about this subject."""


class Marker(Protocol):
    """Writes XMP/IPTC, then C2PA, last."""

    def mark(self, image: U8, *, title: str, asset_id: str, scene_label: str, facts: Mapping[str, str]) -> Marked:
        """JPEG bytes with embedded credentials, read back and trusted. Raises ChecksFailed if not."""


@dataclass(frozen=True)
class Marked:
    data: bytes
    content_type: str
    sha256: str
    width: int
    height: int
    manifest: dict[str, Any] = field(default_factory=dict)


# ---------------------------------------------------------------- store
@dataclass(frozen=True)
class StoreCapabilities:
    atomic_create: bool
    versioned: bool
    replicated: bool
    max_put_seconds: float


@dataclass(frozen=True)
class StoredVersion:
    key: str
    version_id: str
    is_latest: bool
    is_delete_marker: bool = False


class AlreadyThere(Exception):
    """A create-only write found the key taken (HTTP 412). Read it back to learn by what."""


class Store(Protocol):
    capabilities: StoreCapabilities

    async def create(self, key: str, data: bytes, content_type: str) -> None:
        """Write, only if the key is free. Raises AlreadyThere, TransientError."""

    async def read(self, key: str) -> bytes | None:
        """The newest bytes, uncached; None if there are none."""

    async def replace(self, key: str, data: bytes, content_type: str) -> None:
        """Overwrite whatever is there (tombstones)."""

    async def versions(self, key: str) -> list[StoredVersion]: ...

    async def delete_version(self, key: str, version_id: str) -> None: ...

    def keys(self, prefix: str = "") -> AsyncIterator[str]:
        """Every key under the prefix, uncached; for proof and reconciliation."""

    async def close(self) -> None: ...


# ---------------------------------------------------------------- ledger: intake
@dataclass(frozen=True)
class InboxRow:
    """A garment event, verified, on its way into the inbox with its Kafka position."""

    topic: str
    partition: int
    offset: int
    source: str
    event_id: str
    digest: str
    type: str
    subject: str
    raw: bytes
    garment: Garment
    event_time: datetime


@dataclass(frozen=True)
class DeadLetter:
    topic: str
    partition: int
    offset: int
    key: bytes | None
    raw: bytes
    code: str
    message: str
    source: str | None = None
    event_id: str | None = None
    attempts: int = 1


@dataclass(frozen=True)
class Claim:
    """One inbox row leased to a worker. `deadline` is when the lease ends unless heartbeat extends it."""

    inbox_id: int
    source: str
    event_id: str
    type: str
    garment: Garment
    attempt: int
    lease_token: str
    deadline: datetime


class IntakeLedger(Protocol):
    async def positions(self, group: str, topic: str) -> dict[int, int]:
        """Next offset per partition that the ledger has taken in."""

    async def accept_garments(
        self, group: str, rows: Sequence[InboxRow], dead: Sequence[DeadLetter], positions: Mapping[tuple[str, int], int]
    ) -> int:
        """Inbox rows, dead letters (to outbox) and next offsets in ONE transaction. Records below the ledger's own
        offset are skipped; the same (source, id, digest) is a duplicate and has no effect; the same (source, id) with
        other bytes becomes a dead letter `same_id_other_bytes`. Returns rows accepted."""

    async def accept_consent(
        self,
        group: str,
        fact: ConsentFact | None,
        dead: DeadLetter | None,
        position: tuple[str, int, int],
        *,
        source: str,
        event_id: str,
        digest: str,
        raw: bytes,
        hold_talent: str | None = None,
    ) -> ConsentOutcome | None:
        """One consent record, its effect and its offset (topic, partition, next offset) in ONE transaction."""

    async def expect_partitions(self, topic: str, partitions: Iterable[int]) -> None:
        """Name the partitions that must be read to their end before the gate opens."""

    async def store_watermark(self, topic: str, partition: int, read_to_end_at: datetime) -> None:
        """The consent topic's partition had been read to its end as of this database time."""

    async def now(self) -> datetime: ...


# ---------------------------------------------------------------- ledger: consent
@dataclass(frozen=True)
class ConsentOutcome:
    """What recording a fact did. effect: applied, duplicate, dead_on_arrival or conflict."""

    effect: str
    talent_id: str
    fence: int
    withdrawal_id: str | None = None
    next_free_version: int | None = None
    detail: str = ""


@dataclass(frozen=True)
class WithdrawalPreview:
    """What a withdrawal would stop, take down or leave. Lists of asset ids with counts by state."""

    talent_id: str
    grant_id: str | None
    effect: Effect
    take_down: tuple[str, ...]
    run_off: tuple[tuple[str, datetime], ...]
    stays: tuple[tuple[str, str], ...]
    stops: tuple[str, ...]


class ConsentLedger(Protocol):
    async def record_consent(self, fact: ConsentFact, *, source: str, event_id: str, raw: bytes) -> ConsentOutcome:
        """The one path that a consent fact takes, from API and event alike."""

    async def withdraw(
        self,
        talent_id: str,
        grant_id: str | None,
        effect: Effect,
        reason: str,
        *,
        by: str,
        effective_at: datetime | None,
    ) -> ConsentOutcome:
        """A withdrawal by hand: takes the next free version under the lock, and is published on the consent topic."""

    async def preview_withdrawal(self, talent_id: str, grant_id: str | None, effect: Effect) -> WithdrawalPreview: ...

    async def view(self, talent_id: str) -> ConsentView: ...

    async def views(self, talent_ids: Sequence[str]) -> dict[str, ConsentView]: ...

    async def hold(self, talent_id: str, reason: str) -> None: ...

    async def release(self, talent_id: str, *, by: str, reason: str) -> None: ...

    async def fence(self, talent_id: str) -> int: ...


# ---------------------------------------------------------------- ledger: work and publishing
@dataclass(frozen=True)
class PublishRequest:
    """All that is known of a finished, checked, marked image before its bytes are stored. `fence` is the talent's fence
    under which the work began."""

    cell: Cell
    asset_id: str
    grant_id: str
    grant_version: int
    fence: int
    decision_id: int
    recipe: dict[str, Any]
    recipe_digest: str
    phash: str
    measures: dict[str, Any]
    checks: dict[str, Any]
    sha256: str
    size: int
    content_type: str
    width: int
    height: int
    worker: str
    preview_only: bool = False


@dataclass(frozen=True)
class Intent:
    """An Object row in INTENT: the bytes may now be put under `key`."""

    object_id: str
    key: str
    attempt: int
    lease_until: datetime


@dataclass(frozen=True)
class PublishOutcome:
    """state: PUBLISHED, REVOKING or already (the same asset is live)."""

    state: str
    asset_id: str
    object_id: str | None = None
    decision: Decision | None = None


class WorkLedger(Protocol):
    async def claim(self, worker: str, lease_seconds: float) -> Claim | None:
        """The oldest claimable inbox row (FOR UPDATE SKIP LOCKED), superseding older versions of the same SKU. One SKU
        is never worked on twice at a time."""

    async def heartbeat(self, claim: Claim, lease_seconds: float) -> bool:
        """Extend; False when the lease was lost (then stop)."""

    async def finish(self, claim: Claim, outcome: str, summary: Mapping[str, Any]) -> bool:
        """Mark done (dressed, accepted, failed, superseded) and put the answer event into the outbox, once."""

    async def give_back(self, claim: Claim, error: str, *, delay_seconds: float) -> None:
        """A transient failure: back to the queue; beyond the attempts limit it becomes a dead letter and `failed`."""

    async def current_version(self, sku: str) -> int | None:
        """The newest version of the SKU that was taken in."""

    async def record_decisions(self, run: str, decisions: Sequence[tuple[Cell, Decision, str | None]]) -> list[int]:
        """Every decision with its cell and a named alternative (or None); returns decision ids in order. Blocked
        cells go to the outbox as likeness.asset.blocked."""

    async def record_rejections(self, run: str, rejected: Sequence[tuple[Cell, str, Mapping[str, Any]]]) -> None:
        """Cells whose image failed its checks: (cell, recipe digest, failing measures); likeness.asset.rejected."""

    async def find_live(self, asset_id: str) -> AssetRecord | None:
        """The asset if it is PUBLISHED: a re-run skips it."""

    async def begin_publish(self, request: PublishRequest) -> Intent | PublishOutcome:
        """tx1. Locks the talent FOR SHARE, may_make, inserts the INTENT row. PublishOutcome when there is nothing to
        do: already PUBLISHED, or consent says no (state REVOKING, decision set)."""

    async def finish_publish(self, intent: Intent, request: PublishRequest) -> PublishOutcome:
        """tx3. Same lock: still permitted, still INTENT, fence still good -> PUBLISHED, pay accrual, outbox; else
        REVOKING."""

    async def abandon(self, intent: Intent, cause: Cause) -> None:
        """The INTENT will not be finished by us: REVOKING."""

    async def retire_older(self, sku: str, version: int) -> int:
        """Live assets of older versions of the SKU -> REVOKING, cause superseded. Returns how many."""

    async def discontinue(self, sku: str) -> int: ...

    async def reserve_object(
        self,
        kind: ObjectKind,
        *,
        talent_id: str,
        twin_id: str,
        fence: int,
        name: str,
        sha256: str,
        size: int,
        content_type: str,
    ) -> Intent | None:
        """Row before bytes for caches, contact sheets and twin references; None when the fence has moved on."""

    async def confirm_object(self, intent: Intent) -> bool:
        """The bytes are there; False (and REVOKING) when the fence has moved on meanwhile."""

    async def find_object(self, kind: ObjectKind, twin_id: str, name: str) -> StoredObject | None:
        """A confirmed object by name whose fence is still good, e.g. a cached stage result."""


# ---------------------------------------------------------------- ledger: sweep and proof
class SweepLedger(Protocol):
    async def now(self) -> datetime: ...

    async def reap(self) -> int:
        """Expired INTENT rows -> REVOKING (abandoned). Returns how many."""

    async def plan_withdrawals(self) -> list[str]:
        """Plan the targets of every unplanned withdrawal; returns their ids."""

    async def expire(self) -> int:
        """Objects whose grant expired, was narrowed past their use, or whose run-off ended -> REVOKING."""

    async def next_targets(self, limit: int) -> list[StoredObject]:
        """Objects to revoke now, oldest first."""

    async def record_revoked(self, object_id: str, evidence: Mapping[str, Any]) -> None:
        """Evidence row and REVOKED, in one transaction."""

    async def record_attempt_failed(self, object_id: str, error: str) -> None: ...

    async def due_second_looks(self, limit: int) -> list[StoredObject]:
        """Tombstones on stores without atomic create that must be verified again before 'complete'."""

    async def record_second_look(self, object_id: str, evidence: Mapping[str, Any]) -> None:
        """evidence["outcome"] is `held` (the look is done) or `returned` (a late write was removed: due again after
        the longest possible PUT)."""

    async def completable(self) -> list[str]:
        """Withdrawals that are planned and have no open target."""

    async def complete(self, withdrawal_id: str, receipt: str, payload: Mapping[str, Any]) -> None: ...

    async def receipt_facts(self, withdrawal_id: str) -> Mapping[str, Any]:
        """The fields of schemas.receipt.ReceiptFacts (validated by the caller)."""

    async def seal(self, sign: Callable[[bytes], str]) -> int:
        """Chain unsealed evidence rows (tasks.evidence.chain) and sign the new head (tasks.evidence.head_payload).
        Returns rows sealed. Only one sealer at a time."""


# ---------------------------------------------------------------- ledger: gate
@dataclass(frozen=True)
class ServeRow:
    """All that the gate decides on, read in one statement on the primary. `consent_current_as_of` is the oldest
    watermark over the partitions of the consent topic, None if one was never read."""

    asset: AssetRecord | None
    consent: ConsentView | None
    consent_current_as_of: datetime | None
    at: datetime


class GateLedger(Protocol):
    async def serve_row(self, asset_id: str) -> ServeRow: ...

    async def locate(self, asset_id: str) -> tuple[str, str] | None:
        """(store key, sha256) of the asset's bytes, without any decision."""

    async def current_look(self, sku: str, twin_id: str, scene: str, format: str) -> str | None:
        """asset_id of what is current there."""

    async def find_by_phash(self, phash: str, max_distance: int = 6) -> list[tuple[str, int]]: ...

    async def log_accesses(self, accesses: Sequence[tuple[str, str, str]]) -> None:
        """(asset id, outcome, reader), in the order in which they happened."""


# ---------------------------------------------------------------- ledger: outbox and catalogue
@dataclass(frozen=True)
class OutboxRow:
    outbox_id: int
    topic: str
    key: str
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()


class OutboxLedger(Protocol):
    def lease_outbox(self, limit: int) -> AbstractAsyncContextManager[list[OutboxRow]]:
        """Unsent rows in order, locked while the block runs; marked sent when it ends well, left when it raises."""


class Catalogue(Protocol):
    """Read side for pages and lists, and the master data."""

    async def put_twin(self, twin: Twin, folder_key: str) -> None: ...
    async def twin(self, twin_id: str) -> Twin | None: ...
    async def twins(self, *, available: bool = True) -> list[Twin]: ...
    async def put_scene(self, scene: Scene, key: str) -> None: ...
    async def scenes(self) -> list[Scene]: ...
    async def garment(self, sku: str) -> Garment | None: ...
    async def garments(self) -> list[Garment]: ...
    async def grants(self, talent_id: str | None = None) -> list[Grant]: ...
    async def asset(self, asset_id: str) -> AssetRecord | None: ...
    async def assets(
        self,
        *,
        sku: str | None = None,
        talent_id: str | None = None,
        twin_id: str | None = None,
        scene: str | None = None,
        state: str | None = None,
        limit: int = 500,
    ) -> list[AssetRecord]: ...
    async def talents(self) -> list[dict[str, Any]]:
        """Per talent: talent_id, name, twins (list of twin_id), state (granted, withdrawn, hold, none), on_hold,
        hold_reason, fence, withdrawn_at, live (count of PUBLISHED assets)."""

    async def talent(self, talent_id: str) -> dict[str, Any] | None:
        """One of talents(), or None."""

    async def withdrawals(self, talent_id: str | None = None) -> list[dict[str, Any]]:
        """Per withdrawal, newest first: withdrawal_id, talent_id, grant_id, effect, reason, status (open, planned,
        complete), recorded_at, planned_at, completed_at, total, done, open (counts of targets), waiting (on what, or
        None)."""

    async def withdrawal(self, withdrawal_id: str) -> dict[str, Any] | None:
        """One of withdrawals() plus receipt (compact JWS, None until complete), or None."""

    async def where(self, sku: str) -> dict[str, Any]:
        """{sku, garment (current or None), inbox: [{inbox_id, version, type, state, attempts, error, received_at}],
        cells: as cells(sku)}."""

    async def cells(self, sku: str | None = None) -> list[dict[str, Any]]:
        """Per cell: sku, garment_version, talent_id, twin_id, scene, format, cell_id, state (PUBLISHED, REVOKED,
        REVOKING, blocked, rejected, needs_approval, planned), asset_id (latest or None), decision (Decision as dict),
        alternative, rejection (failing measures as dict, or None), cause, changed_at."""

    async def dead_letters(self, limit: int = 200) -> list[dict[str, Any]]:
        """Newest first: dead_letter_id, topic, partition, offset, key, code, message, source, event_id, attempts, at,
        replayed_at."""

    async def dead_letter(self, dead_letter_id: int) -> dict[str, Any] | None:
        """One of dead_letters() plus raw (bytes), or None."""

    async def counts(self) -> dict[str, int]:
        """talents, twins, garments, published, blocked, rejected, revoked, withdrawals_open, inbox_open, outbox_open,
        dead_letters."""
