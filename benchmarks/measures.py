"""The names, units and goals of every measure, as docs/benchmarks.md lists them; measured or not."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

GOALS: dict[str, tuple[str, str]] = {
    "pipeline_over_bare": ("ratio", "<= 1.15"),
    "pipeline_tax_ms_per_asset": ("ms", "<= 25"),
    "pipeline_over_bare_gpu_like": ("ratio", "<= 1.05"),
    "first_line_over_direct": ("ratio", "<= 2.5"),
    "process_worker_over_first_line": ("ratio", ">= 40"),
    "intake_over_bare": ("ratio", ">= 0.75"),
    "withdraw_to_closed_p99_ms_1k": ("ms", "<= 250"),
    "withdraw_to_closed_p99_ms_10k": ("ms", "<= 250"),
    "withdraw_to_closed_p99_ms_100k": ("ms", "<= 250"),
    "gate_over_static": ("ratio", ">= 0.5"),
    "sweep_over_raw_deletes": ("ratio", "<= 1.5"),
    "publish_growth_exponent": ("exponent", "<= 0.10"),
    "revoke_growth_exponent": ("exponent", "<= 0.10"),
    "check_over_bare_256": ("ratio", "<= 1.10"),
    "backdrop_rerun_over_suffix": ("ratio", "<= 1.10"),
    "consent_only_pixel_calls": ("calls", "<= 0"),
    "suffix_4mp_over_bare": ("ratio", "<= 1.10"),
    "memory_over_bare": ("ratio", "<= 1.15"),
    "memory_growth_mb_per_1000": ("MB", "<= 10"),
    "decisions_per_minute": ("1/min", ">= 1000000"),
    "draft_seconds_per_look": ("s", "report"),
    "gpu_queue_over_bare": ("ratio", ">= 0.97"),
    "gpu_over_roofline": ("ratio", "<= 1.5"),
    "gpu_cold_start_over_floor": ("ratio", "<= 1.5"),
}


@dataclass(frozen=True)
class Result:
    name: str
    value: float | None
    detail: str

    def row(self) -> dict[str, Any]:
        unit, goal = GOALS[self.name]
        return {
            "name": self.name,
            "value": self.value,
            "unit": unit,
            "goal": goal,
            "detail": self.detail,
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
        }


def met(row: dict[str, Any]) -> bool | None:
    """Whether the goal holds; None where nothing was measured or the goal is to report."""
    relation, _, bound = str(row["goal"]).partition(" ")
    if row["value"] is None or not bound:
        return None
    return row["value"] <= float(bound) if relation == "<=" else row["value"] >= float(bound)
