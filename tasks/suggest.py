"""Suggest: what would be permitted instead of a blocked cell, in one sentence. Pure; one thing is changed at a time."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from schemas.asset import Cell
from schemas.base import FORMATS
from schemas.decision import Decision
from schemas.grant import ConsentView, Grant
from schemas.use import Use
from tasks.decide import may_make

Changed = Literal["channels", "format", "territory", "edits", "twin"]


@dataclass(frozen=True)
class Alternative:
    """A Use that differs from the blocked one in `changed` and is permitted by `decision`."""

    changed: Changed
    use: Use
    decision: Decision
    sentence: str


def suggest(cell: Cell, views: Mapping[str, ConsentView], at: datetime) -> str | None:
    """The first alternative's sentence, None when nothing close is permitted. `views` are the talents of the plan."""
    found = first_alternative(cell.use, views, at)
    return None if found is None else found.sentence


def first_alternative(use: Use, views: Mapping[str, ConsentView], at: datetime) -> Alternative | None:
    """Closest first: fewer channels, another format, another market, fewer edits, another twin."""
    for changed, candidate, sentence in _candidates(use, views):
        decision = may_make(candidate, views[candidate.talent_id], at)
        if decision.permitted:
            return Alternative(changed, candidate, decision, sentence)
    return None


def _candidates(use: Use, views: Mapping[str, ConsentView]) -> Iterator[tuple[Changed, Use, str]]:
    own = views.get(use.talent_id)
    grants = [] if own is None else [status.current for status in own.grants if status.current is not None]
    yield from _other_scope(use, grants)
    for talent_id in sorted(views):
        if talent_id != use.talent_id:
            other = use.model_copy(update={"talent_id": talent_id})
            yield "twin", other, f"a twin of {talent_id} may be used for exactly this"


def _other_scope(use: Use, grants: Sequence[Grant]) -> Iterator[tuple[Changed, Use, str]]:
    for grant in grants:
        channels = tuple(channel for channel in use.channels if channel in grant.scope.channels)
        if channels and channels != use.channels:
            yield "channels", _with(use, channels=channels), f"the same without {_without(use.channels, channels)}"
    for other in FORMATS:
        if other != use.format:
            yield "format", _with(use, format=other), f"the same in format {other}"
    for territory in sorted({each for grant in grants for each in grant.scope.territories} - {"*", use.territory}):
        yield "territory", _with(use, territory=territory), f"the same for the market {territory}"
    for grant in grants:
        edits = tuple(edit for edit in use.edits if edit in grant.scope.edits)
        if edits and edits != use.edits:
            yield "edits", _with(use, edits=edits), f"the same without editing {_without(use.edits, edits)}"


def _with(use: Use, **changes: object) -> Use:
    return use.model_copy(update=changes)


def _without(asked: Sequence[str], permitted: Sequence[str]) -> str:
    return ", ".join(each for each in asked if each not in permitted)
