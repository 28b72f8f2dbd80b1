"""Decide: may this Use be made, may this asset be served? Pure, deny by default, every failing reason listed.

may_make looks at each grant of the talent on its own and lets the best one answer (permit, then needs_approval, then
the fewest reasons against). may_serve looks only at the grant that the asset was made under. Times are half-open: a
grant is good from `effective_from` on and no longer at `effective_to`.
"""

from collections.abc import Iterator
from datetime import datetime

from schemas.asset import AssetRecord
from schemas.decision import Decision, Outcome, Reason, ReasonCode
from schemas.grant import ConsentView, Grant, GrantStatus
from schemas.use import Use

Finding = tuple[ReasonCode, str]
_RANK: dict[Outcome, int] = {"permit": 0, "needs_approval": 1, "deny": 2}


def may_make(
    use: Use, consent: ConsentView, at: datetime, *, grant_id: str | None = None, grant_version: int | None = None
) -> Decision:
    """May new work for this Use begin or be published now?

    With `grant_id` only that grant may answer, with `grant_version` only as that very version while it is current:
    what was planned under one grant is not published under another.
    """
    if consent.talent_id != use.talent_id:
        return _decision("deny", (_reason("no_grant", "the consent is another talent's"),), consent, at)
    best: tuple[int, int, Outcome, tuple[Reason, ...], Grant | None] | None = None
    for status in consent.grants:
        if grant_id is not None and status.grant_id != grant_id:
            continue
        outcome, reasons = _weigh(use, consent, status, at, grant_version)
        rank = (_RANK[outcome], len(reasons))
        if best is None or rank < best[:2]:
            best = (*rank, outcome, reasons, status.current)
    if best is None:
        held = (_reason("on_hold", "new work is on hold"),) if consent.on_hold else ()
        return _decision("deny", (*held, _reason("no_grant", "no grant of this talent is known")), consent, at)
    _, _, outcome, reasons, grant = best
    return _decision(outcome, reasons, consent, at, grant)


def may_serve(asset: AssetRecord, consent: ConsentView, at: datetime) -> Decision:
    """May this asset be shown now? Its own grant decides, alone; holds, approvals and counters stop new work only."""
    if asset.state != "PUBLISHED":
        return _decision("deny", (_reason("asset_not_published", f"the asset is {asset.state}"),), consent, at)
    status = next((each for each in consent.grants if each.grant_id == asset.grant_id), None)
    if status is None or consent.talent_id != asset.talent_id or asset.use.talent_id != asset.talent_id:
        return _decision("deny", (_reason("no_grant", "the asset's grant is not known", asset.grant_id),), consent, at)
    standard = status.current or status.latest
    findings = [*_own_version(asset.grant_version, consent, status, at), *_use_period(asset.use, at)]
    if standard is None:
        findings.append(("no_grant", "no version of the grant is known"))
    else:
        findings.extend(_period(standard, at))
        findings.extend(_scope(asset.use, standard))
    if findings:
        reasons = tuple(_reason(code, detail, asset.grant_id) for code, detail in findings)
        return _decision("deny", reasons, consent, at, standard)
    permitted = (_reason("permitted", f"version {asset.grant_version} stands", asset.grant_id),)
    return _decision("permit", permitted, consent, at, standard)


# ---------------------------------------------------------------- one grant
def _weigh(
    use: Use, consent: ConsentView, status: GrantStatus, at: datetime, named: int | None
) -> tuple[Outcome, tuple[Reason, ...]]:
    grant = status.current
    findings: list[Finding] = [("on_hold", "new work is on hold")] if consent.on_hold else []
    if grant is None or not is_alive(grant, consent, status):
        findings.append(("withdrawn", f"withdrawn up to version {status.floor}"))
        return "deny", tuple(_reason(code, detail, status.grant_id) for code, detail in findings)
    if named is not None and named != grant.version:
        findings.append(("superseded_grant", f"version {named} is not current, version {grant.version} is"))
    findings.extend(_period(grant, at))
    findings.extend(_use_within(use, grant, at))
    findings.extend(_scope(use, grant))
    if grant.max_uses is not None and status.uses >= grant.max_uses:
        findings.append(("max_uses_reached", f"{status.uses} of {grant.max_uses} uses are taken"))
    findings.extend(_promised_to_others(use, consent, status, at))
    if findings:
        return "deny", tuple(_reason(code, detail, status.grant_id) for code, detail in findings)
    if grant.approval != "none":
        return "needs_approval", (_reason("approval_required", f"{grant.approval} approves first", status.grant_id),)
    return "permit", (_reason("permitted", f"version {grant.version} permits this", status.grant_id),)


def is_alive(grant: Grant, consent: ConsentView, status: GrantStatus) -> bool:
    """Its number is above the floor and it was signed after everything was withdrawn."""
    return grant.version > status.floor and (consent.withdrawn_at is None or grant.signed_at > consent.withdrawn_at)


def _own_version(version: int, consent: ConsentView, status: GrantStatus, at: datetime) -> Iterator[Finding]:
    if version in status.alive and version > status.floor:
        return
    spared_until = status.spared.get(version)
    if spared_until is None:
        yield "withdrawn", f"version {version} is withdrawn"
    elif at >= spared_until:
        yield "withdrawn", f"version {version} was withdrawn and its run-off ended at {spared_until.isoformat()}"


def _period(grant: Grant, at: datetime) -> Iterator[Finding]:
    if at < grant.effective_from:
        yield "not_yet_effective", f"effective from {grant.effective_from.isoformat()}"
    if at >= grant.effective_to:
        yield "expired", f"ended at {grant.effective_to.isoformat()}"


def _use_period(use: Use, at: datetime) -> Iterator[Finding]:
    if at < use.starts_at:
        yield "not_yet_effective", f"the use starts at {use.starts_at.isoformat()}"
    if at >= use.ends_at:
        yield "expired", f"the use ended at {use.ends_at.isoformat()}"


def _use_within(use: Use, grant: Grant, at: datetime) -> Iterator[Finding]:
    """The use must be able to begin under the grant; where it outlasts the grant, the gate ends it with the grant."""
    if use.ends_at <= use.starts_at or use.ends_at <= at:
        yield "expired", "the use is over"
    if use.starts_at >= grant.effective_to:
        yield "expired", f"the use starts after the grant's end at {grant.effective_to.isoformat()}"


def _scope(use: Use, grant: Grant) -> Iterator[Finding]:
    scope = grant.scope
    if not _named(use.brand, scope.brands):
        yield "brand_not_permitted", f"brand {use.brand} is not named"
    if not _named(use.category, scope.garment_categories):
        yield "category_not_permitted", f"category {use.category} is not named"
    if not _named(use.territory, scope.territories):
        yield "territory_not_permitted", f"territory {use.territory} is not named"
    if not use.channels:
        yield "channel_not_permitted", "the use names no channel"
    for channel in use.channels:
        if not _named(channel, scope.channels):
            yield "channel_not_permitted", f"channel {channel} is not named"
    if not _named(use.format, scope.formats):
        yield "format_not_permitted", f"format {use.format} is not named"
    for context in use.contexts:
        if _named(context, scope.excluded_contexts):
            yield "context_excluded", f"context {context} is excluded"
    for edit in use.edits:
        if not _named(edit, scope.edits):
            yield "edit_not_permitted", f"edit {edit} is not named"


def _promised_to_others(use: Use, consent: ConsentView, own: GrantStatus, at: datetime) -> Iterator[Finding]:
    """Another grant that promised exclusivity in this category and territory to brands that are not this one."""
    for status in consent.grants:
        grant = status.current
        if grant is None or not grant.exclusive or status.grant_id == own.grant_id:
            continue
        scope = grant.scope
        if (
            is_alive(grant, consent, status)
            and max(grant.effective_from, at) < min(grant.effective_to, use.ends_at)
            and not _named(use.brand, scope.brands)
            and _named(use.category, scope.garment_categories)
            and _named(use.territory, scope.territories)
        ):
            yield "exclusive_to_other", f"grant {status.grant_id} is exclusive for {use.category} in {use.territory}"


def _named(value: str, permitted: tuple[str, ...]) -> bool:
    return value in permitted or "*" in permitted


def _reason(code: ReasonCode, detail: str, grant_id: str | None = None) -> Reason:
    return Reason.model_construct(code=code, detail=detail, grant_id=grant_id)


def _decision(
    outcome: Outcome, reasons: tuple[Reason, ...], consent: ConsentView, at: datetime, grant: Grant | None = None
) -> Decision:
    return Decision.model_construct(
        outcome=outcome,
        reasons=reasons,
        talent_id=consent.talent_id,
        grant_id=None if grant is None else grant.grant_id,
        grant_version=None if grant is None else grant.version,
        fence=consent.fence,
        at=at,
    )


def fence_raised(use: Use, consent: ConsentView, begun_under: int, at: datetime) -> Decision:
    """Consent changed while the work was made: it stops, whatever is permitted now."""
    detail = f"work began under fence {begun_under}, it is {consent.fence} now"
    return _decision("deny", (_reason("fence_raised", detail),), consent, at)
