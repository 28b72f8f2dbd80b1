"""One contract for the judge on Great Expectations and the plain one: the same rows get the same verdicts."""

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tasks.errors import ChecksFailed
from tasks.judge import MEASURES, THRESHOLDS, Judge
from tests.fakes.judge import PlainJudge


@pytest.fixture(scope="module", params=["plain", "great expectations"])
def judge(request: pytest.FixtureRequest) -> Judge:
    if request.param == "plain":
        return PlainJudge()
    from infra.quality.great_expectations import GreatExpectationsJudge  # seconds to import: only where it is used

    return GreatExpectationsJudge()


def good(image_id: str = "good", **changed: Any) -> dict[str, Any]:
    """A row in the middle of, or exactly on, every limit."""
    values = {t.measure: t.least if t.least is not None else t.most for t in THRESHOLDS}
    return {"image_id": image_id, **values, **changed}


def beyond(measure: str) -> float:
    threshold = next(t for t in THRESHOLDS if t.measure == measure)
    if threshold.most is not None:
        return threshold.most + 0.01
    assert threshold.least is not None
    return threshold.least - 0.01


def test_a_row_on_every_limit_passes(judge: Judge) -> None:
    [verdict] = judge.judge([good()])
    assert verdict.passed
    assert verdict.failures == ()


@pytest.mark.parametrize("measure", MEASURES)
def test_each_measure_alone_fails_its_image_and_says_why(judge: Judge, measure: str) -> None:
    value = beyond(measure)
    verdicts = judge.judge([good("a"), good("b", **{measure: value}), good("c")])
    assert [v.image_id for v in verdicts] == ["a", "b", "c"]
    assert [v.passed for v in verdicts] == [True, False, True]
    [failure] = verdicts[1].failures
    assert failure.measure == measure
    assert failure.value == pytest.approx(value)
    assert failure.sentence
    assert failure.limit


@pytest.mark.parametrize("missing", [math.nan, None, math.inf])
def test_a_missing_value_never_passes(judge: Judge, missing: float | None) -> None:
    verdicts = judge.judge([good("a", halo=missing), good("b")])
    assert [(f.measure, f.value) for f in verdicts[0].failures] == [("halo", None)]
    assert verdicts[1].passed


def test_a_batch_where_every_value_of_a_measure_is_missing_fails_every_image(judge: Judge) -> None:
    verdicts = judge.judge([good("a", halo=None), good("b", halo=math.nan)])
    assert [[f.measure for f in v.failures] for v in verdicts] == [["halo"], ["halo"]]


def test_several_failures_are_all_named_in_the_thresholds_order(judge: Judge) -> None:
    [verdict] = judge.judge([good(label_match=0.1, garment_delta_e=40.0, holes=0.5)])
    assert [f.measure for f in verdict.failures] == ["garment_delta_e", "holes", "label_match"]


def test_an_absent_measure_is_an_error_of_the_whole_batch(judge: Judge) -> None:
    rows = [{k: v for k, v in good(name).items() if k != "sharpness"} for name in ("a", "b")]
    with pytest.raises(ChecksFailed, match="sharpness"):
        judge.judge(rows)


def test_a_measure_that_is_absent_in_one_row_fails_that_image(judge: Judge) -> None:
    lacking = {k: v for k, v in good("b").items() if k != "sharpness"}
    verdicts = judge.judge([good("a"), lacking])
    assert [v.passed for v in verdicts] == [True, False]


def test_nothing_to_judge_is_an_error(judge: Judge) -> None:
    with pytest.raises(ChecksFailed):
        judge.judge([])


def test_rows_that_could_be_confused_are_an_error(judge: Judge) -> None:
    with pytest.raises(ChecksFailed):
        judge.judge([good("a"), good("a", halo=1.0)])


def test_words_beside_the_measures_are_ignored(judge: Judge) -> None:
    [verdict] = judge.judge([good(twin="tw-1", phash="ffff", note="any")])
    assert verdict.passed


def test_threads_that_judge_at_once_get_their_own_verdicts(judge: Judge) -> None:
    def ask(number: int) -> list[bool]:
        rows = [good(f"{number}-{i}", halo=0.9 if i == number else 0.0) for i in range(4)]
        return [verdict.passed for verdict in judge.judge(rows)]

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(ask, [0, 1, 2, 3]))
    assert answers == [[i != number for i in range(4)] for number in range(4)]


def test_a_verdict_can_be_stored_as_json(judge: Judge) -> None:
    import json

    [verdict] = judge.judge([good(halo=0.9)])
    stored: Callable[..., str] = json.dumps
    assert '"halo"' in stored(verdict.as_checks())
