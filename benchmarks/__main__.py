"""`python -m benchmarks [NAME…]`: runs the measures, writes benchmarks/results.json and draws docs/benchmarks.md."""

import argparse
import importlib
import json
import os
import traceback
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.measures import GOALS, Result, met

RESULTS = Path(__file__).parent / "results.json"
PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"
# before a suite loads numpy: its own threads only spin against the processes and threads that are measured
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

SUITES = ("bench_decisions", "bench_imaging", "bench_withdraw", "bench_pipeline")
"""Modules of this package; each has MEASURES (names) and run(*, small) -> Iterable[Result]."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="suites (bench_…) or measures to run; all when none is named")
    parser.add_argument("--small", action="store_true", help="few and small: to see that it runs; writes nothing")
    given = parser.parse_args(arguments)
    wanted = set(given.names)
    rows = {row["name"]: row for row in json.loads(RESULTS.read_text())} if RESULTS.exists() else {}
    broken = False
    for suite in SUITES:
        module = importlib.import_module(f"benchmarks.{suite}")  # light: what is measured is imported by its run()
        if wanted and suite not in wanted and not wanted & set(module.MEASURES):
            continue
        results = _run(module.run, suite, given.small)
        rows |= {result.name: result.row() for result in results}
        broken |= {result.name for result in results} != set(module.MEASURES)
    if given.small:
        return int(broken)
    for name in GOALS:
        rows.setdefault(name, Result(name, None, "not run").row())
    ordered = [rows[name] for name in GOALS]
    RESULTS.write_text(json.dumps(ordered, indent=1) + "\n")
    PAGE.write_text(_page(ordered))
    print(f"wrote {RESULTS.name} and docs/{PAGE.name}")
    return int(broken)


def _run(run: Callable[..., Iterable[Result]], suite: str, small: bool) -> list[Result]:
    print(f"· {suite}", flush=True)
    results = []
    try:
        for result in run(small=small):
            print(f"  {result.name} = {result.value} ({result.detail})", flush=True)
            results.append(result)
    except Exception:  # one broken suite must not hide the figures of the others; its traceback is printed
        traceback.print_exc()
    return results


def _page(rows: Sequence[dict[str, Any]]) -> str:
    lines = [
        "# Benchmarks",
        "Ratios, each measured side by side in one run by `make bench`; the machines are shared and noisy. "
        "What could not run here says so.",
        "",
        "| measure | value | goal | met | how |",
        "|---|---:|---|---|---|",
    ]
    for row in rows:
        verdict = {True: "yes", False: "**no**", None: "–"}[met(row)]
        value = "not run" if row["value"] is None else f"{row['value']:.4g} {row['unit']}"
        lines.append(f"| `{row['name']}` | {value} | {row['goal']} | {verdict} | {row['detail']} |")
    lines += [
        "",
        "## Value over goal",
        "A bar at 1.0 is exactly the goal; for `>=` goals the ratio is turned over.",
        "",
    ]
    lines += ["```text", *_bars(rows), "```", ""]
    return "\n".join(lines)


def _bars(rows: Sequence[dict[str, Any]]) -> list[str]:
    bars = []
    for row in rows:
        relation, _, bound = str(row["goal"]).partition(" ")
        if row["value"] is None or not bound or float(bound) == 0:
            continue
        share = row["value"] / float(bound) if relation == "<=" else float(bound) / max(row["value"], 1e-9)
        bars.append(f"{row['name']:<34}{'█' * min(60, round(30 * share)):<31} {share:.2f}")
    return bars


if __name__ == "__main__":
    raise SystemExit(main())
