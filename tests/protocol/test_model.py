"""Nothing that was withdrawn is served, published or left, in every order of events; broken variants are found out."""

from datetime import timedelta
from typing import Any

import pytest

from schemas.consent import Withdrawn
from tasks import decide, protocol
from tests.protocol.made import NOW, granted, narrowed, withdrawn
from tests.protocol.model import Bounds, Rules, explore, variant

LATER = NOW + timedelta(minutes=1)
REGRANT = granted(3, signed_at=LATER)
ONE_GRANT = Bounds((granted(), withdrawn(2), REGRANT), (0, 1, 1))
AGAIN = Bounds((granted(), withdrawn(2), REGRANT), (1, 2, 2), publishers=1)
EVERYTHING = Bounds((granted(), withdrawn(None), REGRANT, withdrawn(2)), (0, 1, 1, 1), publishers=1, objects=2)
OTHER_STORE = Bounds((granted(), withdrawn(2), REGRANT), (0, 1, 1), publishers=1, objects=2, atomic=False)
CONFLICT = Bounds((granted(), narrowed(2), withdrawn(2)), (0, 1, 1), publishers=1)


@pytest.mark.parametrize(
    "bounds",
    [ONE_GRANT, AGAIN, EVERYTHING, OTHER_STORE, CONFLICT],
    ids=["one grant and a re-grant", "facts again", "everything", "store without atomic create", "a number said twice"],
)
def test_every_order_of_events_keeps_every_promise(bounds: Bounds) -> None:
    found = explore(bounds)
    assert found.violations == {}
    assert found.states > 1000


# ---------------------------------------------------------------- broken on purpose
def _trusts_the_current_version(asset: Any, consent: Any, at: Any) -> Any:
    """A re-grant revives what was made under a version that was withdrawn."""
    return decide.may_make(asset.use, consent, at)


def _ignores_late_withdrawals(standing: protocol.Standing, fact: Any) -> protocol.Recorded:
    """A withdrawal whose number is below the newest is called stale."""
    said = [version for _, version in standing.versions]
    if isinstance(fact, Withdrawn) and fact.version is not None and fact.version < max(said, default=0):
        return protocol.Recorded(standing, "duplicate")
    return protocol.record(standing, fact)


def _finishes_unasked(state: str, decision: Any, fence: int, begun_under: int) -> str:
    """tx3 publishes whatever is still INTENT."""
    return "PUBLISHED" if state == "INTENT" else state


def _plans_what_is_published(stored: protocol.Stored, *rest: Any) -> protocol.Plan:
    """Images on their way are no targets."""
    return protocol.plan(stored, *rest) if stored.state == "PUBLISHED" else protocol.Plan("pass")


BROKEN: dict[str, tuple[Bounds, Rules]] = {
    "a re-grant revives": (ONE_GRANT, variant(may_serve=_trusts_the_current_version)),
    "a late withdrawal is stale": (ONE_GRANT, variant(record=_ignores_late_withdrawals)),
    "tx1 without the talent's lock": (ONE_GRANT, variant(locked=False, finish=_finishes_unasked)),
    "only published images are planned": (ONE_GRANT, variant(plan=_plans_what_is_published)),
    "deletes instead of tombstones": (ONE_GRANT, variant(tombstones=False)),
    "PUT overwrites": (ONE_GRANT, variant(create_only=False)),
    "no second look where create is not atomic": (OTHER_STORE, variant(second_look=False)),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_variant_is_found_out(name: str) -> None:
    bounds, rules = BROKEN[name]
    found = explore(bounds, rules, stop_at_first=True)
    assert found.violations
