"""What may be made and shown: named or denied, to the second, by the asset's own grant."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.decision import Decision
from schemas.grant import ConsentView, Scope
from schemas.use import Use
from tasks import protocol
from tasks.decide import may_make, may_serve
from tasks.ports import ConsentFact
from tests.protocol.made import DAY, GRANT, NOW, TALENT, granted, narrowed, use, withdrawn

TICK = timedelta(microseconds=1)


def view(*facts: ConsentFact, uses: int = 0) -> ConsentView:
    standing = protocol.Standing(TALENT)
    for fact in facts:
        standing = protocol.record(standing, fact).standing
    return protocol.view(standing, {GRANT: uses})


def codes(decision: Decision) -> set[str]:
    return {reason.code for reason in decision.reasons}


def asset(version: int = 1, **changes: Any) -> Any:
    facts = {"state": "PUBLISHED", "grant_id": GRANT, "grant_version": version, "talent_id": TALENT, "use": use()}
    return SimpleNamespace(**{**facts, **changes})


# ---------------------------------------------------------------- may_make
def test_what_a_grant_names_is_permitted_and_the_decision_says_by_which_version() -> None:
    decision = may_make(use(), view(granted()), NOW)
    assert (decision.outcome, decision.grant_id, decision.grant_version, decision.fence) == ("permit", GRANT, 1, 1)
    assert codes(decision) == {"permitted"}


@pytest.mark.parametrize(
    ("left_out", "code"),
    [
        ("brands", "brand_not_permitted"),
        ("garment_categories", "category_not_permitted"),
        ("territories", "territory_not_permitted"),
        ("channels", "channel_not_permitted"),
        ("formats", "format_not_permitted"),
        ("edits", "edit_not_permitted"),
    ],
)
def test_a_field_that_is_left_out_denies(left_out: str, code: str) -> None:
    assert codes(may_make(use(), view(granted(scope={left_out: ()})), NOW)) == {code}


def test_every_failing_reason_is_listed() -> None:
    wanted = use(brand="rival", territory="DE", channels=("web", "tv"), contexts=("swimwear",))
    decision = may_make(wanted, view(granted(max_uses=1), uses=1), NOW)
    assert codes(decision) == {
        "brand_not_permitted", "territory_not_permitted", "channel_not_permitted", "context_excluded",
        "max_uses_reached",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("shift", "code"),
    [(-TICK, "not_yet_effective"), (timedelta(0), None), (DAY - TICK, None), (DAY, "expired")],
)
def test_a_grant_is_good_from_its_first_moment_and_no_longer_at_its_last(shift: timedelta, code: str | None) -> None:
    consent = view(granted(effective_from=NOW, effective_to=NOW + DAY))
    wanted = use(starts_at=NOW - DAY)
    decision = may_make(wanted, consent, NOW + shift)
    assert codes(decision) == ({code} if code else {"permitted"})
    assert may_serve(asset(use=wanted), consent, NOW + shift).permitted == (code is None)


def test_a_hold_stops_new_work_and_leaves_live_assets() -> None:
    consent = view(granted()).model_copy(update={"on_hold": True})
    assert codes(may_make(use(), consent, NOW)) == {"on_hold"}
    assert may_serve(asset(), consent, NOW).permitted


def test_the_last_use_is_permitted_and_one_more_is_not() -> None:
    assert may_make(use(), view(granted(max_uses=3), uses=2), NOW).permitted
    assert codes(may_make(use(), view(granted(max_uses=3), uses=3), NOW)) == {"max_uses_reached"}


def test_approval_is_asked_for_only_when_all_else_is_permitted() -> None:
    consent = view(granted(approval="talent"))
    assert may_make(use(), consent, NOW).outcome == "needs_approval"
    assert may_make(use(brand="rival"), consent, NOW).outcome == "deny"


def test_exclusivity_promised_to_one_brand_blocks_the_others_where_it_was_promised() -> None:
    exclusive = granted(grant_id="gr-x", exclusive=True, scope={"brands": ("rival",), "territories": ("SE",)})
    consent = view(granted(), exclusive)
    assert codes(may_make(use(), consent, NOW)) == {"exclusive_to_other"}
    assert may_make(use(territory="JP"), consent, NOW).permitted
    assert may_make(use(brand="rival"), consent, NOW).grant_id == "gr-x"
    assert may_make(use(), view(granted(), exclusive, withdrawn(2, grant_id="gr-x")), NOW).permitted


def test_the_best_grant_answers_unless_one_is_named() -> None:
    narrow = granted(grant_id="gr-0", scope={"brands": (), "channels": ()})
    nearly = granted(grant_id="gr-1", scope={"brands": ()})
    assert may_make(use(), view(narrow, nearly), NOW).grant_id == "gr-1"
    consent = view(narrow, nearly, granted())
    assert may_make(use(), consent, NOW).grant_id == GRANT
    assert codes(may_make(use(), consent, NOW, grant_id="gr-1")) == {"brand_not_permitted"}
    assert codes(may_make(use(), consent, NOW, grant_id=GRANT, grant_version=2)) == {"superseded_grant"}


def test_union_territories_are_countries_as_of_the_signature() -> None:
    consent = view(granted(scope={"territories": ("EEA",)}))
    assert may_make(use(territory="NO"), consent, NOW).permitted
    assert not may_make(use(territory="GB"), consent, NOW).permitted
    assert not may_make(use(territory="NO"), view(granted(scope={"territories": ("EU",)})), NOW).permitted


def test_another_talents_consent_permits_nothing() -> None:
    assert codes(may_make(use(talent_id="tal-bo"), view(granted()), NOW)) == {"no_grant"}
    assert codes(may_make(use(), ConsentView(talent_id=TALENT), NOW)) == {"no_grant"}


# ---------------------------------------------------------------- may_serve
@pytest.mark.parametrize("state", ["INTENT", "REVOKING", "REVOKED"])
def test_only_published_assets_are_served(state: str) -> None:
    assert codes(may_serve(asset(state=state), view(granted()), NOW)) == {"asset_not_published"}


def test_a_regrant_revives_nothing_and_another_grant_saves_nothing() -> None:
    consent = view(granted(), withdrawn(2), granted(3), granted(grant_id="gr-2"))
    assert may_make(use(), consent, NOW).permitted
    assert codes(may_serve(asset(1), consent, NOW)) == {"withdrawn"}
    assert may_serve(asset(3), consent, NOW).permitted


def test_narrowing_bites_an_older_version_at_once() -> None:
    consent = view(granted(), narrowed(2, scope={"channels": ("social",)}))
    assert codes(may_serve(asset(1), consent, NOW)) == {"channel_not_permitted"}


@pytest.mark.parametrize(
    ("effect", "in_grant", "days", "served_for"),
    [
        ("take_down", "stop_new", 0, timedelta(0)),
        ("stop_new", "take_down", 0, timedelta(0)),
        ("stop_new", "stop_new", 0, 90 * DAY),  # the end of the use
        ("run_off", "stop_new", 5, 5 * DAY),
        ("stop_new", "run_off", 5, 5 * DAY),
        ("run_off", "run_off", 200, 90 * DAY),
    ],
)
def test_the_stronger_of_grant_and_withdrawal_says_how_long_assets_stay(
    effect: Any, in_grant: str, days: int, served_for: timedelta
) -> None:
    consent = view(granted(on_withdrawal=in_grant, run_off_days=days), withdrawn(effect=effect))
    assert not may_make(use(), consent, NOW).permitted
    assert may_serve(asset(), consent, NOW).permitted == (served_for > timedelta(0))
    if served_for:
        assert may_serve(asset(), consent, NOW + served_for - TICK).permitted
    assert not may_serve(asset(), consent, NOW + served_for).permitted


def test_a_spared_asset_still_obeys_the_narrowing_before_the_withdrawal() -> None:
    facts = (granted(on_withdrawal="stop_new"), narrowed(2, on_withdrawal="stop_new", scope={"territories": ("JP",)}))
    consent = view(*facts, withdrawn(3, effect="stop_new"))
    assert not may_serve(asset(1), consent, NOW).permitted
    assert may_serve(asset(1, use=use(territory="JP")), consent, NOW).permitted


# ---------------------------------------------------------------- properties
CHOICES: dict[str, tuple[str, ...]] = {
    "brands": ("example", "rival", "*"),
    "garment_categories": ("dress", "top", "*"),
    "territories": ("SE", "JP", "*"),
    "channels": ("web", "social", "*"),
    "formats": ("4:5", "1:1", "*"),
    "excluded_contexts": ("swimwear", "night", "*"),
    "edits": ("clothing", "background", "lighting", "*"),
}


def some(options: tuple[str, ...]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(options), unique=True).map(tuple)


scopes = st.fixed_dictionaries({name: some(options) for name, options in CHOICES.items()})
uses = st.builds(
    lambda brand, category, territory, channels, form, contexts, edits: use(
        brand=brand, category=category, territory=territory, channels=channels, format=form, contexts=contexts,
        edits=edits,
    ),
    st.sampled_from(["example", "rival", "third"]),
    st.sampled_from(["dress", "top", "skirt"]),
    st.sampled_from(["SE", "JP", "DE"]),
    some(("web", "social", "tv")),
    st.sampled_from(["4:5", "1:1", "9:16"]),
    some(("swimwear", "night", "beach")),
    some(("clothing", "background", "lighting", "face")),
)  # fmt: skip


def narrower(data: st.DataObject, scope: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """The same scope with some names taken out, and some more contexts excluded."""
    kept = {
        name: tuple(each for each in names if data.draw(st.booleans()))
        for name, names in scope.items()
        if name != "excluded_contexts"
    }
    more = data.draw(some(CHOICES["excluded_contexts"]))
    return {**kept, "excluded_contexts": tuple({*scope["excluded_contexts"], *more})}


@given(st.data(), scopes, uses)
def test_narrowing_never_permits_more(data: st.DataObject, scope: dict[str, Any], wanted: Use) -> None:
    wide, narrow = view(granted(scope=scope)), view(granted(scope=narrower(data, scope)))
    if may_make(wanted, narrow, NOW).permitted:
        assert may_make(wanted, wide, NOW).permitted
    if may_serve(asset(use=wanted), narrow, NOW).permitted:
        assert may_serve(asset(use=wanted), wide, NOW).permitted


@given(scopes, uses)
def test_a_permit_names_every_coordinate_of_the_use(scope: dict[str, Any], wanted: Use) -> None:
    """Said again in other words than the decision's own."""
    by_hand = Scope(**scope)

    def all_in(values: tuple[str, ...], names: tuple[str, ...]) -> bool:
        return "*" in names or set(values) <= set(names)

    expected = (
        all_in((wanted.brand,), by_hand.brands)
        and all_in((wanted.category,), by_hand.garment_categories)
        and all_in((wanted.territory,), by_hand.territories)
        and bool(wanted.channels)
        and all_in(wanted.channels, by_hand.channels)
        and all_in((wanted.format,), by_hand.formats)
        and all_in(wanted.edits, by_hand.edits)
        and not any(all_in((context,), by_hand.excluded_contexts) for context in wanted.contexts)
    )
    assert may_make(wanted, view(granted(scope=scope)), NOW).permitted == expected
