"""Territories: the dated table by which `EU` and `EEA` in a grant become countries, once, at intake.

Membership is as of the day on which the talent signed, so a country that joins later is not slipped into an old grant
and one that has left is not kept in a new one. Source: EU treaties and accession acts since 1995; EEA Agreement with
its enlargements. Earlier than 1995 nothing is expanded: what is not in the table is not permitted.
"""

from collections.abc import Sequence
from datetime import date, datetime

from schemas.grant import Grant

EVER = date.max
_EFTA_IN_EEA = ("IS", "NO", "LI")
EU_MEMBERS: tuple[tuple[str, date, date], ...] = (
    *(
        (code, date(1995, 1, 1), EVER)
        for code in ("AT", "BE", "DE", "DK", "ES", "FI", "FR", "GR", "IE", "IT", "LU", "NL", "PT", "SE")
    ),
    ("GB", date(1995, 1, 1), date(2020, 2, 1)),
    *((code, date(2004, 5, 1), EVER) for code in ("CY", "CZ", "EE", "HU", "LT", "LV", "MT", "PL", "SI", "SK")),
    *((code, date(2007, 1, 1), EVER) for code in ("BG", "RO")),
    ("HR", date(2013, 7, 1), EVER),
)
"""(ISO 3166 alpha-2, member from, no longer member from)."""


def members(union: str, on: date) -> tuple[str, ...]:
    """Countries of `EU` or `EEA` on that day, sorted; nothing for any other name."""
    inside = [code for code, since, until in EU_MEMBERS if since <= on < until]
    if union == "EU":
        return tuple(sorted(inside))
    if union == "EEA":
        return tuple(sorted([*inside, *(_EFTA_IN_EEA if on >= date(1995, 5, 1) else ())]))
    return ()


def expand(territories: Sequence[str], at: datetime) -> tuple[str, ...]:
    """`EU` and `EEA` replaced by their members on that day; each territory once, in order of first mention."""
    found: dict[str, None] = {}
    for territory in territories:
        for code in members(territory, at.date()) if territory in ("EU", "EEA") else (territory,):
            found.setdefault(code)
    return tuple(found)


def with_countries(grant: Grant) -> Grant:
    """The same grant with its territories expanded as of its signature."""
    scope = grant.scope.model_copy(update={"territories": expand(grant.scope.territories, grant.signed_at)})
    return grant.model_copy(update={"scope": scope})
