"""Receipts: write the signed proof of one withdrawal from the ledger's facts, and verify one offline."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from schemas.envelope import explain
from schemas.receipt import (
    MAX_LISTED_TARGETS,
    ChainPoint,
    Kept,
    KeptAsset,
    Receipt,
    ReceiptFacts,
    ReceiptTarget,
    RevokedTarget,
    StoreStatement,
)
from tasks import jws
from tasks.errors import BadSignature, ChecksFailed
from tasks.evidence import canonical
from tasks.ports import Signer, StoreCapabilities

Pseudonym = Callable[[str, str], str]
"""(kind, id) -> stable pseudonym; kinds are talent, grant, object, asset."""


@dataclass(frozen=True)
class Issued:
    """A signed receipt. `manifest` (JSON lines) goes with it when there are too many targets to list."""

    receipt: Receipt
    token: str
    manifest: bytes | None


def issue_receipt(
    facts: ReceiptFacts,
    can: StoreCapabilities,
    signer: Signer,
    pseudonym: Pseudonym,
    *,
    listed: int = MAX_LISTED_TARGETS,
) -> Issued:
    """Raises ChecksFailed when a target's evidence does not prove that it is gone: then there is no receipt."""
    targets = tuple(_target(target, can, pseudonym) for target in facts.targets)
    kept = (*_identities(facts.targets, pseudonym), *(_kept(asset, pseudonym) for asset in facts.kept))
    manifest = None
    if len(targets) + len(kept) > listed:
        manifest = b"".join(canonical(row.model_dump(mode="json")) + b"\n" for row in (*targets, *kept))
    receipt = Receipt(
        withdrawal_id=facts.withdrawal_id,
        talent=pseudonym("talent", facts.talent_id),
        grants=tuple(pseudonym("grant", grant) for grant in facts.grant_ids),
        effect=facts.effect,
        recorded_at=facts.recorded_at,
        planned_at=facts.planned_at,
        completed_at=facts.at,
        targets_total=len(targets),
        targets_by_kind=dict(sorted(Counter(target.kind for target in targets).items())),
        targets=None if manifest else targets,
        manifest_sha256=None if manifest is None else hashlib.sha256(manifest).hexdigest(),
        kept_total=len(kept),
        kept=() if manifest else kept,
        evidence=ChainPoint(position=facts.chain_position, hash=facts.chain_hash),
        store=_statement(can),
    )
    return Issued(receipt, signer.sign(canonical(receipt.model_dump(mode="json"))), manifest)


def _target(target: RevokedTarget, can: StoreCapabilities, pseudonym: Pseudonym) -> ReceiptTarget:
    look = target.second_look
    proof = target.evidence if look is None else look
    if not can.atomic_create and (look is None or look.get("outcome") != "held"):
        raise ChecksFailed(f"object {target.object_id} has had no second look", code="receipt_unproven")
    try:
        return ReceiptTarget(
            object=pseudonym("object", target.object_id),
            kind=target.kind,
            key_sha256=hashlib.sha256(target.key.encode()).hexdigest(),
            sha256=target.sha256,
            found=target.evidence["found"],
            tombstone_sha256=proof["tombstone_sha256"],
            tombstoned_at=proof["tombstoned_at"],
            verified_at=proof["verified_at"],
            second_look_at=None if look is None else look["verified_at"],
            versions_deleted=target.evidence["versions_deleted"],
            purged=tuple(target.evidence.get("purged", ())),
        )
    except (KeyError, ValidationError) as error:
        raise ChecksFailed(
            f"the evidence of object {target.object_id} does not prove that it is gone: {error}",
            code="receipt_unproven",
        ) from None


def _identities(targets: Iterable[RevokedTarget], pseudonym: Pseudonym) -> list[Kept]:
    return [
        Kept(asset=pseudonym("asset", target.asset_id), phash=target.phash, why="identity")
        for target in targets
        if target.asset_id and target.phash
    ]


def _kept(asset: KeptAsset, pseudonym: Pseudonym) -> Kept:
    return Kept(asset=pseudonym("asset", asset.asset_id), phash=asset.phash, why=asset.why, until=asset.until)


def _statement(can: StoreCapabilities) -> StoreStatement:
    if can.atomic_create:
        sentence = "The store lets no write land on a taken key, so nothing can have followed a tombstone."
    else:
        sentence = (
            "The store may let a racing write land on a tombstone; every tombstone was verified a second time, "
            f"at least {can.max_put_seconds:g} s (the longest possible write) after it was placed."
        )
    if can.replicated:
        sentence += " The store is replicated elsewhere; copies there are not covered by this receipt."
    return StoreStatement(
        atomic_create=can.atomic_create,
        versioned=can.versioned,
        replicated=can.replicated,
        max_put_seconds=can.max_put_seconds,
        statement=sentence,
    )


# ---------------------------------------------------------------- verify
@dataclass(frozen=True)
class ReceiptVerdict:
    """`valid` only when the signature holds, the receipt is complete in itself and the manifest, if any, fits."""

    valid: bool
    problems: tuple[str, ...] = ()
    receipt: Receipt | None = field(default=None, repr=False)

    @property
    def problem(self) -> str:
        return "; ".join(self.problems)

    @property
    def payload(self) -> dict[str, Any]:
        """The receipt as JSON; empty when the bytes were none."""
        return {} if self.receipt is None else self.receipt.model_dump(mode="json")


def verify_receipt(token: str, public_jwk: Mapping[str, Any], manifest: bytes | None = None) -> ReceiptVerdict:
    """Offline: needs only the receipt, the public key and, where it names one, the manifest."""
    try:
        receipt = Receipt.model_validate_json(jws.verify(token.strip(), public_jwk))
    except BadSignature as error:
        return ReceiptVerdict(False, (error.message,))
    except ValidationError as error:
        return ReceiptVerdict(False, (f"signed, but not a receipt: {explain(error)}",))
    problems = (*_count_problems(receipt), *_time_problems(receipt), *_manifest_problems(receipt, manifest))
    return ReceiptVerdict(not problems, problems, receipt)


def _count_problems(receipt: Receipt) -> list[str]:
    problems = []
    if sum(receipt.targets_by_kind.values()) != receipt.targets_total:
        problems.append("targets_by_kind does not add up to targets_total")
    if receipt.targets is None and receipt.manifest_sha256 is None:
        problems.append("neither targets nor the hash of a manifest are there")
    if receipt.targets is not None and len(receipt.targets) != receipt.targets_total:
        problems.append("the list of targets is not as long as targets_total says")
    return problems


def _time_problems(receipt: Receipt) -> list[str]:
    problems = []
    if not receipt.recorded_at <= receipt.planned_at <= receipt.completed_at:
        problems.append("recorded, planned and completed are not in this order")
    for target in receipt.targets or ():
        if target.verified_at < target.tombstoned_at:
            problems.append(f"{target.object}: verified before its tombstone was placed")
        if not receipt.store.atomic_create and target.second_look_at is None:
            problems.append(f"{target.object}: the store needs a second look, and there was none")
    return problems


def _manifest_problems(receipt: Receipt, manifest: bytes | None) -> list[str]:
    if receipt.manifest_sha256 is None:
        return []
    if manifest is None:
        return ["the receipt rests on a manifest: give it too"]
    if hashlib.sha256(manifest).hexdigest() != receipt.manifest_sha256:
        return ["the manifest is not the one that was signed"]
    if len(manifest.splitlines()) != receipt.targets_total + receipt.kept_total:
        return ["the manifest does not have as many rows as the receipt says"]
    return []
