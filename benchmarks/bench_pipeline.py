"""What the flow adds to its bare stage functions, and how soon an event reaches the flow's first line."""

from collections.abc import Iterator
from pathlib import Path

from benchmarks.measures import Result
from benchmarks.services import kafka, new_ledger, postgres, prefect, temporary_home

MEASURES = (
    "pipeline_over_bare",
    "pipeline_tax_ms_per_asset",
    "pipeline_over_bare_gpu_like",
    "first_line_over_direct",
    "intake_over_bare",
)


def run(*, small: bool = False) -> Iterator[Result]:
    """Prefect reads its address when it is imported, so all that imports it is imported once the server runs."""
    with temporary_home() as home, postgres(home) as server, prefect(home, server) as api_url:
        from infra.prefect.environment import prepare

        prepare(api_url, home / "client")
        from benchmarks import first_line, pipeline

        yield from pipeline.measured(_folder(home, "dress"), new_ledger(server, "dress"), api_url, small=small)
        with kafka(home) as bootstrap:
            ledgers = [new_ledger(server, name) for name in ("first", "taken")]
            yield from first_line.measured(_folder(home, "events"), ledgers, bootstrap, api_url, small=small)


def _folder(home: Path, name: str) -> Path:
    (home / name).mkdir()
    return home / name
