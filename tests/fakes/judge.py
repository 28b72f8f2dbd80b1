"""A judge in plain Python, to the letter of tasks.judge.Judge."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from tasks.errors import ChecksFailed
from tasks.judge import MEASURES, THRESHOLDS, Failure, Threshold, Verdict, failure_of


class PlainJudge:
    name = "plain"

    def judge(self, rows: Sequence[Mapping[str, Any]]) -> list[Verdict]:
        if not rows:
            raise ChecksFailed("no image to judge", code="nothing_to_judge")
        for measure in MEASURES:
            if not any(measure in row for row in rows):
                raise ChecksFailed(f"measure {measure!r} is in no row", code="batch_error")
        if len({row["image_id"] for row in rows}) < len(rows):
            raise ChecksFailed("two rows have one image_id", code="ambiguous_rows")
        return [self._verdict(row) for row in rows]

    def _verdict(self, row: Mapping[str, Any]) -> Verdict:
        found = [_failure(threshold, row.get(threshold.measure)) for threshold in THRESHOLDS]
        failures = tuple(failure for failure in found if failure is not None)
        return Verdict(str(row["image_id"]), not failures, failures)


def _failure(threshold: Threshold, value: Any) -> Failure | None:
    if value is None or not math.isfinite(value):
        return failure_of(threshold, None)
    low = threshold.least is not None and value < threshold.least
    high = threshold.most is not None and value > threshold.most
    return failure_of(threshold, float(value)) if low or high else None
