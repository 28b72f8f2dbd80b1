"""A blocked cell names what would be permitted instead."""

from schemas.grant import ConsentView
from tasks import protocol
from tasks.ports import ConsentFact
from tasks.suggest import first_alternative, suggest
from tests.protocol.made import GRANT, NOW, TALENT, cell, granted, use


def view(*facts: ConsentFact, talent: str = TALENT) -> ConsentView:
    standing = protocol.Standing(talent)
    for fact in facts:
        standing = protocol.record(standing, fact).standing
    return protocol.view(standing)


def test_fewer_channels_are_named_first() -> None:
    blocked = cell(channels=("web", "tv"))
    assert suggest(blocked, {TALENT: view(granted())}, NOW) == "the same without tv"


def test_another_format_market_or_twin_is_named_when_it_is_permitted() -> None:
    narrow = {TALENT: view(granted(scope={"formats": ("1:1",)}))}
    assert suggest(cell(format="4:5"), narrow, NOW) == "the same in format 1:1"
    assert suggest(cell(territory="DE"), {TALENT: view(granted())}, NOW) == "the same for the market JP"
    bo = view(granted(talent_id="tal-bo", scope={"brands": ("*",)}), talent="tal-bo")
    found = first_alternative(use(brand="rival"), {TALENT: view(granted()), "tal-bo": bo}, NOW)
    assert found is not None
    assert (found.changed, found.use.talent_id, found.decision.grant_id) == ("twin", "tal-bo", GRANT)


def test_nothing_is_named_when_nothing_close_is_permitted() -> None:
    assert suggest(cell(brand="rival"), {TALENT: view(granted())}, NOW) is None
