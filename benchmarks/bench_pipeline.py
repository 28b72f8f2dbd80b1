"""What the flow adds to the bare stage functions."""

from benchmarks.measures import Result

MEASURES: tuple[str, ...] = ()


def run(*, small: bool = False) -> list[Result]:
    return []
