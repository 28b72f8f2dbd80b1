"""Consent facts merge: any order, any repetition, the same consent; and objects only ever move forward."""

from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.consent import Granted
from tasks import protocol
from tasks.ports import ConsentFact
from tasks.protocol import Standing, Stored
from tests.protocol.made import DAY, GRANT, NOW, TALENT, granted, narrowed, withdrawn

FACTS: list[ConsentFact] = [
    granted(1),
    granted(1, scope={"brands": ("rival",)}),
    granted(2),
    narrowed(2, scope={"channels": ("web",)}),
    granted(3, on_withdrawal="run_off", run_off_days=7),
    granted(4, signed_at=NOW + timedelta(minutes=1)),
    withdrawn(2),
    withdrawn(3, effect="run_off"),
    withdrawn(3, effect="stop_new"),
    withdrawn(None, effective_at=NOW - 20 * DAY),
    withdrawn(None, effect="run_off"),
    granted(1, grant_id="gr-2"),
    withdrawn(5, grant_id="gr-unknown"),
]


def merged(facts: list[ConsentFact]) -> Standing:
    standing = Standing(TALENT)
    for fact in facts:
        standing = protocol.record(standing, fact).standing
    return standing


@given(st.data(), st.lists(st.sampled_from(FACTS), max_size=8))
def test_any_order_and_repetition_of_facts_gives_the_same_view(data: st.DataObject, facts: list[ConsentFact]) -> None:
    shuffled = data.draw(st.permutations(facts + facts[: len(facts) // 2]))
    assert protocol.view(merged(shuffled)) == protocol.view(merged(facts))


@given(st.lists(st.sampled_from(FACTS), max_size=8), st.sampled_from(FACTS))
def test_a_withdrawal_never_gives_anything_back(facts: list[ConsentFact], one_more: ConsentFact) -> None:
    """After any withdrawal no version is alive that was not before, and none is spared for longer."""
    if isinstance(one_more, Granted) or not hasattr(one_more, "effect"):
        return
    before, after = merged(facts), merged([*facts, one_more])
    for grant_id in protocol.grant_ids(before):
        was, now = protocol.status(before, grant_id), protocol.status(after, grant_id)
        assert set(now.alive) <= set(was.alive)
        for version, until in now.spared.items():
            assert version in was.alive or until <= was.spared[version]


@given(st.lists(st.sampled_from(FACTS), max_size=8))
def test_the_fence_counts_accepted_facts(facts: list[ConsentFact]) -> None:
    distinct = {protocol.content_digest(fact) for fact in facts}
    assert merged(facts).fence == len(distinct)


def test_withdrawal_beats_narrowing_beats_grant_and_the_talent_goes_on_hold() -> None:
    said = [granted(2), narrowed(2, scope={"channels": ("web",)}), withdrawn(2)]
    for order in permutations(said):
        standing = merged(list(order))
        assert standing.on_hold
        assert protocol.status(standing, GRANT).current is None
    for order in permutations(said[:2]):
        current = protocol.status(merged(list(order)), GRANT).current
        assert current is not None
        assert current.scope.channels == ("web",)


def test_a_grant_with_a_number_that_a_withdrawal_took_is_dead_on_arrival_and_told_the_next_free_one() -> None:
    told = protocol.record(merged([granted(1), withdrawn(2)]), granted(2))
    assert (told.effect, told.clash, told.next_free_version) == ("dead_on_arrival", True, 3)
    assert protocol.record(told.standing, granted(3)).effect == "applied"


def test_a_grant_that_was_overruled_and_comes_again_is_a_duplicate() -> None:
    standing = protocol.release(merged([granted(2), narrowed(2)]))
    told = protocol.record(standing, granted(2))
    assert (told.effect, told.standing.on_hold) == ("duplicate", False)


def test_everything_signed_up_to_the_withdrawal_dies_and_what_is_signed_after_lives() -> None:
    standing = merged([granted(1, signed_at=NOW), withdrawn(None, effective_at=NOW)])
    assert protocol.status(standing, GRANT).alive == ()
    again = merged([granted(1, signed_at=NOW), withdrawn(None), granted(2, signed_at=NOW + timedelta(seconds=1))])
    assert protocol.status(again, GRANT).alive == (2,)


def test_a_signature_from_the_future_is_refused_since_it_would_outlive_withdrawals() -> None:
    assert protocol.refusal(granted(signed_at=NOW + timedelta(hours=1)), NOW) is not None
    assert protocol.refusal(granted(signed_at=NOW + timedelta(minutes=1)), NOW) is None
    assert protocol.refusal(withdrawn(effective_at=NOW + DAY), NOW) is None


# ---------------------------------------------------------------- objects
@pytest.mark.parametrize("state", ["PUBLISHED", "REVOKING", "REVOKED"])
def test_only_an_intent_is_finished_confirmed_or_reaped(state: Any) -> None:
    decision: Any = type("Permit", (), {"permitted": True})()
    assert protocol.finish_publish(state, decision, 1, 1) == state
    assert protocol.confirm("stage_cache", state, 0, protocol.Keeping(5, 5)) == state
    assert protocol.reap(state, NOW, NOW) == state


def test_work_begun_under_a_lower_fence_is_not_published() -> None:
    decision: Any = type("Permit", (), {"permitted": True})()
    assert protocol.finish_publish("INTENT", decision, 1, 1) == "PUBLISHED"
    assert protocol.finish_publish("INTENT", decision, 2, 1) == "REVOKING"
    assert protocol.begin_publish(None, decision, 2, 1) == "refuse"


def test_a_withdrawal_of_one_grant_takes_its_assets_and_all_caches_and_leaves_the_twins_own_images() -> None:
    standing = merged([granted(1), granted(1, grant_id="gr-2"), withdrawn(2)])
    view = protocol.view(standing)

    def fate(kind: Any, grant: str | None = None, fence: int = 2, wd: str | None = GRANT) -> str:
        return protocol.plan(Stored(kind, "PUBLISHED", fence, grant, 1 if grant else None), wd, 3, view, NOW).fate

    assert fate("asset", GRANT) == "go"
    assert fate("asset", "gr-2") == "pass"
    assert {fate(kind) for kind in ("stage_cache", "contact_sheet", "rejected", "parked")} == {"go"}
    assert fate("stage_cache", fence=3) == "pass"  # made since
    assert fate("twin_reference") == "pass"
    assert fate("twin_reference", wd=None) == "go"


def test_a_spared_asset_is_kept_until_its_day_and_an_open_intent_goes_at_once() -> None:
    standing = merged([granted(1, on_withdrawal="run_off", run_off_days=5), withdrawn(2, effect="run_off")])
    view = protocol.view(standing)
    live, open_ = (Stored("asset", state, 1, GRANT, 1) for state in ("PUBLISHED", "INTENT"))
    assert protocol.plan(live, GRANT, 2, view, NOW) == protocol.Plan("keep", NOW + 5 * DAY)
    assert protocol.plan(live, GRANT, 2, view, NOW + 5 * DAY).fate == "go"
    assert protocol.plan(open_, GRANT, 2, view, NOW).fate == "go"


def test_caches_die_with_any_withdrawal_and_the_twins_own_images_with_that_of_everything() -> None:
    one_grant = protocol.Keeping(void_below=3)
    assert not protocol.may_keep("stage_cache", 2, one_grant)
    assert protocol.may_keep("stage_cache", 3, one_grant)
    assert protocol.may_keep("twin_reference", 2, one_grant)
    everything = protocol.Keeping(3, 3, withdrew_everything=True, granted=True)
    assert not protocol.may_keep("twin_reference", 2, everything)
    assert protocol.may_keep("twin_reference", 4, everything)
    nothing_since = protocol.Keeping(3, 3, withdrew_everything=True, granted=False)
    assert not protocol.may_keep("twin_reference", 4, nothing_since)


def test_nothing_is_complete_before_it_was_planned() -> None:
    assert not protocol.may_complete(False, 0)
    assert not protocol.may_complete(True, 1)
    assert protocol.may_complete(True, 0)
    assert protocol.sweep("REVOKING", False) == "REVOKING"
