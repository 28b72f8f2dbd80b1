"""How many consent decisions one core makes."""

import statistics
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import product

from benchmarks.measures import Result
from schemas.consent import Granted
from schemas.grant import ConsentView, Scope
from schemas.use import Use
from tasks import protocol
from tasks.decide import may_make

MEASURES = ("decisions_per_minute",)
TALENT = "tal-ada"
NOW = datetime(2026, 11, 23, tzinfo=UTC)


def run(*, small: bool = False) -> list[Result]:
    rounds = 20 if small else 200
    uses = list(_uses())
    rates = {count: _per_minute(uses, _consent(count), rounds) for count in (1, 3)}
    permitted = {count: _permitted(uses, _consent(count)) for count in (1, 3)}
    said = ", ".join(f"{count} grant(s) {rates[count]:,.0f} ({permitted[count]:.0%} permitted)" for count in rates)
    detail = (
        f"the slower of: {said}; {len(uses)} different uses, median of 5 passes of {rounds * len(uses):,} decisions by "
        "CPU time of one thread"
    )
    return [Result("decisions_per_minute", min(rates.values()), detail)]


def _uses() -> list[Use]:
    """Half of them in what the first grant names, half beyond it in one way or two."""
    return [
        Use(
            talent_id=TALENT, twin_id="tw-ada", brand=brand, category=category, territory=territory,
            channels=channels, format=shape, contexts=contexts, starts_at=NOW, ends_at=NOW + timedelta(days=90),
        )
        for brand, category, territory, channels, shape, contexts in product(
            ("example", "rival"), ("dress", "top"), ("SE", "JP"), (("web",), ("web", "social")), ("4:5", "1:1"),
            ((), ("party",)),
        )
    ]  # fmt: skip


def _consent(grants: int) -> ConsentView:
    """The first grant is to the brand of half of the uses, the others to brands that nobody asks for."""
    standing = protocol.Standing(TALENT)
    for number in range(grants):
        scope = Scope(
            brands=("example" if number == 0 else f"other-{number}",), garment_categories=("dress", "top", "skirt"),
            territories=("SE", "JP", "FR"), channels=("web", "social"), formats=("*",),
            excluded_contexts=("swimwear",), edits=("clothing", "background", "lighting"),
        )  # fmt: skip
        fact = Granted(
            talent_id=TALENT, grant_id=f"gr-{number}", version=1, signed_at=NOW - timedelta(days=2),
            effective_from=NOW - timedelta(days=1), effective_to=NOW + timedelta(days=300), scope=scope,
        )  # fmt: skip
        standing = protocol.record(standing, fact).standing
    return protocol.view(standing, {})


def _permitted(uses: Sequence[Use], consent: ConsentView) -> float:
    return statistics.mean(may_make(use, consent, NOW).permitted for use in uses)


def _per_minute(uses: Sequence[Use], consent: ConsentView, rounds: int) -> float:
    def one_pass() -> float:
        begun = time.thread_time()
        for _ in range(rounds):
            for use in uses:
                may_make(use, consent, NOW)
        return 60 * rounds * len(uses) / (time.thread_time() - begun)

    return statistics.median(one_pass() for _ in range(5))
