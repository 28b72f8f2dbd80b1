"""Protocol: the pure state transitions of consent, publish, reap, sweep and complete.

The ledger calls these functions under its locks, the model in tests/protocol calls the same ones: what is proved there
holds here. Facts are kept as a set and everything else is derived from the set, so order and repetition don't matter.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

from schemas.asset import ObjectKind, ObjectState
from schemas.consent import Effect, Granted, Narrowed, Withdrawn
from schemas.decision import Decision
from schemas.grant import ConsentView, Grant, GrantStatus
from schemas.recipe import digest_of
from tasks.ports import ConsentFact
from tasks.territories import with_countries

SIGNED_AHEAD = timedelta(minutes=5)
"""How far a signer's clock may run ahead of ours."""


# ---------------------------------------------------------------- consent: the set of facts
@dataclass(frozen=True)
class Version:
    """One version of a grant as first said, or as the stronger of two that said different things."""

    narrowed: bool
    digest: str
    grant: Grant
    overruled: frozenset[str] = frozenset()
    """Digests of what else was said under this number."""


@dataclass(frozen=True)
class Withdrawal:
    """A withdrawal as it merges: of one grant up to `version`, or of everything (`grant_id` None)."""

    grant_id: str | None
    version: int | None
    effective_at: datetime
    effect: Effect
    digest: str


@dataclass(frozen=True)
class Standing:
    """All that the ledger knows of one talent's consent. `void_below`: caches and previews made under a lower fence are
    void; `twin_void_below`: so are the twin's own reference images."""

    talent_id: str
    fence: int = 0
    on_hold: bool = False
    void_below: int = 0
    twin_void_below: int = 0
    versions: Mapping[tuple[str, int], Version] = field(default_factory=dict)
    withdrawals: tuple[Withdrawal, ...] = ()


@dataclass(frozen=True)
class Recorded:
    """What a fact did. `clash`: the same number said two things; the talent is on hold and someone is told."""

    standing: Standing
    effect: Literal["applied", "duplicate", "dead_on_arrival", "conflict"]
    clash: bool = False
    withdraws: bool = False
    next_free_version: int | None = None
    detail: str = ""


def content_digest(fact: ConsentFact) -> str:
    """What the fact says, whoever sent it and however it was written."""
    return digest_of([type(fact).__name__.lower(), fact.model_dump(mode="json")])


def refusal(fact: ConsentFact, at: datetime) -> str | None:
    """Why the fact can't be taken at all: a signature from the future would survive withdrawals made today."""
    if isinstance(fact, Withdrawn):
        return None
    if fact.signed_at > at + SIGNED_AHEAD:
        return f"signed_at {fact.signed_at.isoformat()} lies in the future"
    return None


def record(standing: Standing, fact: ConsentFact) -> Recorded:
    """Add one fact to the talent's facts."""
    if isinstance(fact, Withdrawn):
        return _record_withdrawal(standing, fact)
    return _record_version(standing, fact)


def _record_version(standing: Standing, fact: Granted | Narrowed) -> Recorded:
    slot = (fact.grant_id, fact.version)
    said = Version(isinstance(fact, Narrowed), content_digest(fact), with_countries(_as_grant(fact)))
    known = standing.versions.get(slot)
    taken = any((each.grant_id, each.version) == slot for each in standing.withdrawals)
    if known is not None and (said.digest == known.digest or said.digest in known.overruled):
        return Recorded(standing, "duplicate")
    winner = said if known is None else _overrule(known, said)
    clash = taken or known is not None
    after = replace(
        standing,
        fence=standing.fence + 1,
        on_hold=standing.on_hold or clash,
        versions={**standing.versions, slot: winner},
    )
    free = next_free_version(after, fact.grant_id)
    if clash:
        detail = f"grant {fact.grant_id} version {fact.version} was said before with other content"
        return Recorded(after, "dead_on_arrival" if taken else "conflict", True, False, free, detail)
    if not alive(after, winner.grant):
        detail = f"grant {fact.grant_id} version {fact.version} was withdrawn before it arrived"
        return Recorded(after, "dead_on_arrival", False, False, free, detail)
    return Recorded(after, "applied")


def _overrule(known: Version, said: Version) -> Version:
    """Narrowing beats grant; between equals the digest decides, so that order of arrival does not."""
    winner, loser = (said, known) if (said.narrowed, said.digest) > (known.narrowed, known.digest) else (known, said)
    return replace(winner, overruled=known.overruled | {loser.digest})


def _record_withdrawal(standing: Standing, fact: Withdrawn) -> Recorded:
    said = Withdrawal(fact.grant_id, fact.version, fact.effective_at, fact.effect, content_digest(fact))
    if any(each.digest == said.digest for each in standing.withdrawals):
        return Recorded(standing, "duplicate")
    slot = None if fact.grant_id is None or fact.version is None else (fact.grant_id, fact.version)
    clash = slot is not None and (
        slot in standing.versions or any((each.grant_id, each.version) == slot for each in standing.withdrawals)
    )
    fence = standing.fence + 1
    after = replace(
        standing,
        fence=fence,
        on_hold=standing.on_hold or clash,
        void_below=fence,
        twin_void_below=fence if fact.grant_id is None else standing.twin_void_below,
        withdrawals=(*standing.withdrawals, said),
    )
    if not clash or fact.grant_id is None:
        return Recorded(after, "applied", False, True)
    detail = f"grant {fact.grant_id} version {fact.version} was said before with other content"
    return Recorded(after, "conflict", True, True, next_free_version(after, fact.grant_id), detail)


def hold(standing: Standing) -> Standing:
    """New work stops until a person decides; live assets stay."""
    return replace(standing, fence=standing.fence + 1, on_hold=True)


def release(standing: Standing) -> Standing:
    return replace(standing, on_hold=False)


def next_free_version(standing: Standing, grant_id: str) -> int:
    """The lowest number of the grant above every one that was ever said."""
    said = [version for grant, version in standing.versions if grant == grant_id]
    withdrawn = [each.version or 0 for each in standing.withdrawals if each.grant_id == grant_id]
    return max((0, *said, *withdrawn)) + 1


def _as_grant(fact: Grant) -> Grant:
    return Grant.model_construct(**{name: getattr(fact, name) for name in Grant.model_fields})


# ---------------------------------------------------------------- consent: what follows from the facts
def floor(standing: Standing, grant_id: str) -> int:
    return max((0, *(each.version or 0 for each in standing.withdrawals if each.grant_id == grant_id)))


def withdrawn_at(standing: Standing) -> datetime | None:
    return max((each.effective_at for each in standing.withdrawals if each.grant_id is None), default=None)


def alive(standing: Standing, grant: Grant) -> bool:
    return not _covering(standing, grant)


def _covering(standing: Standing, grant: Grant) -> list[Withdrawal]:
    """The withdrawals that this version falls under."""
    return [
        each
        for each in standing.withdrawals
        if (each.grant_id is None and grant.signed_at <= each.effective_at)
        or (each.grant_id == grant.grant_id and each.version is not None and grant.version <= each.version)
    ]


def stronger(grant: Grant, effect: Effect) -> Effect:
    """The stronger of what the grant and the withdrawal say."""
    said = (grant.on_withdrawal, effect)
    return "take_down" if "take_down" in said else "run_off" if "run_off" in said else "stop_new"


def _spared_until(standing: Standing, grant: Grant) -> datetime | None:
    """Until when assets of a withdrawn version may be served; None: not at all. The strongest withdrawal decides."""
    until = grant.effective_to
    for each in _covering(standing, grant):
        effect = stronger(grant, each.effect)
        if effect == "take_down":
            return None
        if effect == "run_off":
            until = min(until, each.effective_at + timedelta(days=grant.run_off_days))
    return until


def status(standing: Standing, grant_id: str, uses: int = 0) -> GrantStatus:
    """One grant as it stands."""
    grants = sorted(
        (version.grant for (grant, _), version in standing.versions.items() if grant == grant_id),
        key=lambda grant: grant.version,
    )
    living = [grant for grant in grants if alive(standing, grant)]
    dead = [(grant.version, _spared_until(standing, grant)) for grant in grants if grant not in living]
    return GrantStatus.model_construct(
        grant_id=grant_id,
        floor=floor(standing, grant_id),
        alive=tuple(grant.version for grant in living),
        current=living[-1] if living else None,
        latest=grants[-1] if grants else None,
        spared={version: until for version, until in dead if until is not None},
        uses=uses,
    )


def grant_ids(standing: Standing) -> tuple[str, ...]:
    """Every grant that any fact names, sorted; also those of which only a withdrawal is known."""
    named = {grant for grant, _ in standing.versions} | {each.grant_id for each in standing.withdrawals}
    return tuple(sorted(grant for grant in named if grant is not None))


def view(standing: Standing, uses: Mapping[str, int] | None = None) -> ConsentView:
    """What decisions look at."""
    taken = uses or {}
    return ConsentView.model_construct(
        talent_id=standing.talent_id,
        fence=standing.fence,
        on_hold=standing.on_hold,
        withdrawn_at=withdrawn_at(standing),
        grants=tuple(status(standing, grant, taken.get(grant, 0)) for grant in grant_ids(standing)),
    )


# ---------------------------------------------------------------- objects
@dataclass(frozen=True)
class Stored:
    """What a transition needs to know of an Object row."""

    kind: ObjectKind
    state: ObjectState
    fence: int
    grant_id: str | None = None
    grant_version: int | None = None
    second_look_due: bool = False
    """REVOKED, but a late PUT may still land on the tombstone."""


Begin = Literal["refuse", "already", "intend", "intend_anew"]


def begin_publish(latest: ObjectState | None, decision: Decision, fence: int, begun_under: int) -> Begin:
    """tx1, under the talent's lock. `intend_anew`: the open INTENT is another worker's who lost its lease; it goes to
    REVOKING and this attempt takes the next number."""
    if not decision.permitted or fence != begun_under:
        return "refuse"
    if latest == "PUBLISHED":
        return "already"
    return "intend_anew" if latest == "INTENT" else "intend"


def finish_publish(state: ObjectState, decision: Decision, fence: int, begun_under: int) -> ObjectState:
    """tx3, under the talent's lock: what the row becomes once the bytes lie in the store."""
    if state != "INTENT":
        return state
    return "PUBLISHED" if decision.permitted and fence == begun_under else "REVOKING"


@dataclass(frozen=True)
class Keeping:
    """What decides if bytes of a talent, other than assets, may be kept. `granted`: some grant version is alive."""

    void_below: int = 0
    twin_void_below: int = 0
    withdrew_everything: bool = False
    granted: bool = True


def may_keep(kind: ObjectKind, made_under: int, keeping: Keeping) -> bool:
    """An Object other than an asset is valid only while its fence is, and none is kept of someone who withdrew
    everything and gave nothing since."""
    if keeping.withdrew_everything and not keeping.granted:
        return False
    return made_under >= (keeping.twin_void_below if kind == "twin_reference" else keeping.void_below)


def confirm(kind: ObjectKind, state: ObjectState, made_under: int, keeping: Keeping) -> ObjectState:
    """The bytes of an Object that is no asset are there."""
    if state != "INTENT":
        return state
    return "PUBLISHED" if may_keep(kind, made_under, keeping) else "REVOKING"


def reap(state: ObjectState, lease_until: datetime | None, at: datetime) -> ObjectState:
    """An INTENT whose lease ran out is abandoned."""
    return "REVOKING" if state == "INTENT" and lease_until is not None and lease_until <= at else state


# ---------------------------------------------------------------- sweep
@dataclass(frozen=True)
class Plan:
    """What a withdrawal does to one Object: `go` now, `keep` until a time, or `pass` by."""

    fate: Literal["go", "keep", "pass"]
    until: datetime | None = None


def plan(stored: Stored, grant_id: str | None, fence: int, consent: ConsentView, at: datetime) -> Plan:
    """The fate of an Object under the withdrawal of `grant_id` (None: of everything) that raised the fence to `fence`.

    Assets follow their own grant version: what is dead goes, what is spared stays until then, what was signed since
    stays. All else made before goes; a twin's reference images only when everything is withdrawn. What was revoked for
    another reason but still waits for its second look is a target too.
    """
    if (stored.state == "REVOKED" and not stored.second_look_due) or stored.fence >= fence:
        return Plan("pass")
    if stored.grant_id is None:
        return Plan("pass" if stored.kind == "twin_reference" and grant_id is not None else "go")
    if grant_id is not None and stored.grant_id != grant_id:
        return Plan("pass")
    found = next((each for each in consent.grants if each.grant_id == stored.grant_id), None)
    if found is None or stored.grant_version is None:
        return Plan("go")
    if stored.grant_version in found.alive:
        return Plan("pass")
    until = found.spared.get(stored.grant_version)
    if until is None or at >= until or stored.state != "PUBLISHED":
        return Plan("go")
    return Plan("keep", until)


def sweep(state: ObjectState, tombstone_read_back: bool) -> ObjectState:
    """REVOKED only once the tombstone was read back: absence proves nothing, a late PUT could follow."""
    return "REVOKED" if state == "REVOKING" and tombstone_read_back else state


def may_complete(planned: bool, open_targets: int) -> bool:
    return planned and open_targets == 0
