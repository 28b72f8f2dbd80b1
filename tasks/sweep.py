"""Sweep: take down everything that must vanish, prove it, sign the receipt. One round, safe to repeat after any crash.

    reap · expire · plan -> revoke targets, 16 at a time -> second looks -> seal -> complete with receipt

Each step takes its work from the ledger and gives its result back; nothing is remembered between rounds.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from pydantic import ValidationError

from schemas.asset import StoredObject
from schemas.receipt import ReceiptFacts
from tasks.errors import ChecksFailed, LikenessError, TransientError
from tasks.ports import Signer, Store, SweepLedger
from tasks.receipts import Issued, Pseudonym, issue_receipt
from tasks.revoke import Now, Purger, look_again, revoke

log = logging.getLogger(__name__)

AT_ONCE = 16
BATCH = 256


class Archive(Protocol):
    async def keep(self, issued: Issued) -> None:
        """File the receipt, and its manifest; the same withdrawal again replaces it."""


@dataclass(frozen=True)
class SweepServices:
    ledger: SweepLedger
    store: Store
    signer: Signer
    pseudonym: Pseudonym
    archive: Archive
    purgers: Sequence[Purger] = ()


@dataclass(frozen=True)
class SweepReport:
    """What one round did. `issued`: the receipts of withdrawals that it completed."""

    reaped: int = 0
    expired: int = 0
    planned: int = 0
    revoked: int = 0
    looked_again: int = 0
    failed: int = 0
    sealed: int = 0
    issued: tuple[Issued, ...] = field(default=(), repr=False)

    @property
    def idle(self) -> bool:
        """Nothing moved: wait before the next round."""
        return not (self.planned or self.revoked or self.looked_again or self.sealed or self.issued)


async def sweep_once(services: SweepServices) -> SweepReport:
    """Raises TransientError when the ledger does not answer; what one object's store does never stops the others."""
    ledger = services.ledger
    now = _clock(await ledger.now())
    planned = await ledger.plan_withdrawals()
    reaped, expired = await ledger.reap(), await ledger.expire()
    revoked = await _each(await ledger.next_targets(BATCH), services, now, _revoke_one)
    looks = await _each(await ledger.due_second_looks(BATCH), services, now, _look_again_one)
    sealed = await ledger.seal(services.signer.sign)
    issued = [await _complete(withdrawal_id, services) for withdrawal_id in await ledger.completable()]
    done = [receipt for receipt in issued if receipt is not None]
    return SweepReport(
        reaped=reaped,
        expired=expired,
        planned=len(planned),
        revoked=sum(revoked),
        looked_again=sum(looks),
        failed=len(revoked) - sum(revoked) + len(looks) - sum(looks) + len(issued) - len(done),
        sealed=sealed,
        issued=tuple(done),
    )


def _clock(at: datetime) -> Now:
    """Database time, carried on by this machine's monotonic clock for the length of one round."""
    began = time.monotonic()
    return lambda: at + timedelta(seconds=time.monotonic() - began)


Act = Callable[[StoredObject, SweepServices, Now], Awaitable[None]]


async def _each(targets: Sequence[StoredObject], services: SweepServices, now: Now, act: Act) -> list[bool]:
    """Act on all, AT_ONCE at a time; which ones went well. A failure is recorded and comes up again next round."""
    free = asyncio.Semaphore(AT_ONCE)

    async def one(target: StoredObject) -> bool:
        async with free:
            try:
                await act(target, services, now)
            except LikenessError as error:
                level = logging.WARNING if isinstance(error, TransientError) else logging.ERROR
                log.log(level, "object %s is not gone yet, %s: %s", target.object_id, error.code, error.message)
                await services.ledger.record_attempt_failed(target.object_id, f"{error.code}: {error.message}")
                return False
            return True

    outcomes = await asyncio.gather(*(one(target) for target in targets), return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
    return [outcome is True for outcome in outcomes]


async def _revoke_one(target: StoredObject, services: SweepServices, now: Now) -> None:
    evidence = await revoke(target, services.store, now, services.purgers)
    await services.ledger.record_revoked(target.object_id, evidence)


async def _look_again_one(target: StoredObject, services: SweepServices, now: Now) -> None:
    evidence = await look_again(target, services.store, now, services.purgers)
    await services.ledger.record_second_look(target.object_id, evidence)


async def _complete(withdrawal_id: str, services: SweepServices) -> Issued | None:
    """Sign, file and record the receipt, in this order: after a crash between it is written anew.

    Evidence that proves too little is for a person: it alerts, and other withdrawals go on.
    """
    facts = await services.ledger.receipt_facts(withdrawal_id)
    try:
        known = ReceiptFacts.model_validate(facts)
        issued = issue_receipt(known, services.store.capabilities, services.signer, services.pseudonym)
    except (ValidationError, ChecksFailed) as error:
        log.error("alert: no receipt for withdrawal %s: %s", withdrawal_id, error)
        return None
    await services.archive.keep(issued)
    await services.ledger.complete(withdrawal_id, issued.token, issued.receipt.model_dump(mode="json"))
    return issued
