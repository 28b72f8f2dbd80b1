"""The judge on Great Expectations: one suite over one row per image, one call per garment."""

import math
import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import great_expectations as gx
import pandas as pd
from great_expectations.data_context.types.base import ProgressBarsConfig
from great_expectations.expectations.core.expect_column_values_to_be_between import ExpectColumnValuesToBeBetween
from great_expectations.expectations.core.expect_column_values_to_not_be_null import ExpectColumnValuesToNotBeNull
from great_expectations.expectations.core.expect_table_row_count_to_be_between import ExpectTableRowCountToBeBetween

from tasks.errors import ChecksFailed
from tasks.judge import MEASURES, THRESHOLDS, Failure, Threshold, Verdict, failure_of

SUITE = "publishable image"
_BY_MEASURE = {threshold.measure: threshold for threshold in THRESHOLDS}


def suite_of(thresholds: Sequence[Threshold]) -> Any:
    """Between and NotBeNull for every measure (Between ignores what is missing), and at least one row."""
    expectations: list[Any] = [ExpectTableRowCountToBeBetween(min_value=1)]
    for threshold in thresholds:
        meta = {"protects": threshold.protects, "sentence": threshold.sentence}
        expectations.append(ExpectColumnValuesToNotBeNull(column=threshold.measure, meta=meta))
        expectations.append(
            ExpectColumnValuesToBeBetween(
                column=threshold.measure, min_value=threshold.least, max_value=threshold.most, meta=meta
            )
        )
    return gx.ExpectationSuite(name=SUITE, expectations=expectations)


def as_frame(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """One row per image: image_id and the measures, as floats; infinities count as missing."""
    columns = [name for name in MEASURES if any(name in row for row in rows)]
    frame = pd.DataFrame({name: [_number(row.get(name)) for row in rows] for name in columns}, dtype="float64")
    frame.insert(0, "image_id", [str(row["image_id"]) for row in rows])
    return frame


def _number(value: Any) -> float:
    number = math.nan if value is None else float(value)
    return number if math.isfinite(number) else math.nan


class GreatExpectationsJudge:
    """Implements tasks.judge.Judge. One context per process; it is not thread-safe, so calls take turns."""

    name = f"great-expectations-{gx.__version__}"

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._context = gx.get_context(mode="ephemeral")
        self._context.variables.progress_bars = ProgressBarsConfig(globally=False)
        self._context.enable_analytics(False)
        source = self._context.data_sources.add_pandas("measures")
        self._batch = source.add_dataframe_asset("images").add_batch_definition_whole_dataframe("garment")
        self._suite = self._context.suites.add(suite_of(THRESHOLDS))

    def judge(self, rows: Sequence[Mapping[str, Any]]) -> list[Verdict]:
        report = self.validate(rows)
        failures: dict[str, dict[str, Failure]] = defaultdict(dict)
        for result in report["results"]:
            _refuse_broken(result)
            if result["success"]:
                continue
            measure = result["expectation_config"]["kwargs"]["column"]
            for found in result["result"]["unexpected_index_list"] or []:
                value = found.get(measure)
                failures[found["image_id"]].setdefault(measure, failure_of(_BY_MEASURE[measure], value))
        return [_verdict(str(row["image_id"]), failures) for row in rows]

    def validate(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """The suite's whole report as JSON. Raises ChecksFailed for no rows or ids that repeat."""
        if not rows:
            raise ChecksFailed("no image to judge", code="nothing_to_judge")
        frame = as_frame(rows)
        if frame["image_id"].duplicated().any():
            raise ChecksFailed("two rows have one image_id: verdicts could not be told apart", code="ambiguous_rows")
        wanted = {"result_format": "COMPLETE", "unexpected_index_column_names": ["image_id"]}
        with self._lock:
            batch = self._batch.get_batch({"dataframe": frame})
            result: Any = batch.validate(self._suite, result_format=wanted)
            return dict(result.to_json_dict())


def _verdict(image_id: str, failures: Mapping[str, Mapping[str, Failure]]) -> Verdict:
    mine = failures.get(image_id, {})
    ordered = tuple(mine[name] for name in MEASURES if name in mine)
    return Verdict(image_id, not ordered, ordered)


def _refuse_broken(result: Mapping[str, Any]) -> None:
    """An exception inside an expectation, e.g. a missing column, is about the batch: no row may pass on it."""
    raised = result.get("exception_info") or {}
    inner = raised.values() if "exception_message" not in raised else [raised]
    messages = [i["exception_message"] for i in inner if isinstance(i, dict) and i.get("exception_message")]
    kwargs = result["expectation_config"]["kwargs"]
    if messages:
        raise ChecksFailed(f"measure {kwargs.get('column')!r} could not be checked: {messages[0]}", code="batch_error")
    if not result["success"] and "column" not in kwargs:
        raise ChecksFailed("no image to judge", code="nothing_to_judge")
