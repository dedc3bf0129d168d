"""The detector's function without a JVM, against a context that pickles at commit time, as Flink does."""

import pickle
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from pyflink.common import Row

from tests.udfs.forest.test_function import Context
from udfs.anomaly_detector import REASONS, AnomalyDetector, Rule
from udfs.detector import function as detector_function
from udfs.detector.function import DetectorFunction, DetectorOptions
from udfs.forest import bucket as forest_bucket

FIELDS = ("symbol", "price", "quantity")
SMALL = {"number_of_trees": 10, "sub_sample_size": 16}
OPTIONS = DetectorOptions(("price", "quantity"), seed=3, **SMALL)  # type: ignore[arg-type]
WITH_QUIET_TIME = DetectorOptions(
    ("price", "quantity"),
    seed=3,
    quiet_time=timedelta(minutes=5),
    **SMALL,  # type: ignore[arg-type]
)
POINTS = np.random.default_rng(1).normal(100, 5, (90, 2))
POINTS[70:] += 60


class AtRow:
    """What Flink tells of a row: its time, one a minute, and its bucket."""

    def __init__(self, number: int) -> None:
        self._number = number

    def timestamp(self) -> int:
        return 60_000 * self._number

    def get_current_key(self) -> str:
        return ""


def opened(state: Context, options: DetectorOptions = OPTIONS) -> DetectorFunction:
    # It travels to the workers pickled.
    function: DetectorFunction = pickle.loads(pickle.dumps(DetectorFunction(FIELDS, options)))
    function.open(state)
    return function


def through(
    function: DetectorFunction, points: Any, first: int = 0, symbol: str = "AMZN"
) -> list[tuple[Any, ...]]:
    rows = [Row(symbol, *(None if np.isnan(x) else float(x) for x in point)) for point in points]
    return [
        tuple(out) for k, row in enumerate(rows) for out in function.process_element(row, AtRow(first + k))
    ]


def test_a_row_comes_out_with_what_the_detector_says_of_it() -> None:
    out = through(opened(Context()), POINTS)
    found = AnomalyDetector(2, 3, **SMALL).detect_many(POINTS)  # type: ignore[arg-type]
    names = [*FIELDS, *OPTIONS.results]
    assert all(len(row) == len(names) for row in out)
    rows = [dict(zip(names, row, strict=True)) for row in out]
    assert [row["anomaly_score"] for row in rows] == found.score.tolist()
    assert [row["alert"] for row in rows] == found.alert.tolist()
    assert [row["anomaly_grade"] for row in rows] == found.grade.tolist()
    assert [row["reason"] for row in rows] == [REASONS[k] for k in found.reason]
    assert [row["expected_quantity"] for row in rows] == found.expected[:, 1].tolist()
    assert [row["low_price"] for row in rows] == found.low[:, 0].tolist()
    (alert,) = [row for row in rows if row["alert"]]
    assert alert["direction"] == "HIGH"
    assert all(type(value) in (str, float, bool) for value in alert.values())


def test_rows_that_come_together_are_judged_as_if_each_came_alone() -> None:
    function, got = opened(Context(), WITH_QUIET_TIME), []
    for start in range(0, len(POINTS), 13):
        points = POINTS[start : start + 13].tolist()
        times = [AtRow(start + k).timestamp() for k in range(len(points))]
        got += function.process_batch("", [["AMZN", *point] for point in points], times)
    assert [tuple(row) for row in got] == through(opened(Context(), WITH_QUIET_TIME), POINTS)


@pytest.mark.parametrize("commit_every", [1, 7, 90])
@pytest.mark.parametrize("longest_log", [20, 10_000])
def test_a_restored_worker_goes_on_as_if_nothing_had_happened(
    commit_every: int, longest_log: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forest_bucket, "LONGEST_LOG", longest_log)
    options = DetectorOptions(  # type: ignore[arg-type]
        ("price", "quantity"), quiet_time=timedelta(minutes=5), missing="expected", **SMALL
    )
    holes = POINTS.copy()
    holes[40, 1] = np.nan
    state, got = Context(), []
    for start in range(0, len(holes), commit_every):
        # A new worker for each bundle: nothing but the committed state may matter.
        state = state.restored()
        got += through(opened(state, options), holes[start : start + commit_every], start)
        state.commit()
    assert got == through(opened(Context(), options), holes)


def test_each_key_has_a_detector_of_its_own_and_room_for_one_is_enough(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(detector_function, "MOST_BYTES", 1)
    options = DetectorOptions(("price", "quantity"), partition_by="symbol", seed=3, **SMALL)  # type: ignore[arg-type]
    both = opened(Context(), options)
    alone = {s: through(opened(Context()), POINTS[:40] + n, symbol=s) for n, s in enumerate("ab")}
    got: dict[str, list[Any]] = {"a": [], "b": []}
    for k in range(40):
        for n, symbol in enumerate("ab"):
            got[symbol] += through(both, POINTS[k : k + 1] + n, k, symbol)
    assert got == alone


def test_a_missing_value_is_reported_and_changes_nothing() -> None:
    function = opened(Context())
    first = through(function, POINTS[:40])
    (hole,) = through(function, [[np.nan, 1.0]], 40)
    assert dict(zip([*FIELDS, *OPTIONS.results], hole, strict=True))["reason"] == "MISSING_VALUE"
    assert first + through(function, POINTS[40:], 40) == through(opened(Context()), POINTS)


def test_of_history_it_learns_and_nothing_is_reported() -> None:
    known = through(opened(Context()), POINTS)
    names = [*FIELDS, *OPTIONS.results]
    (row,) = [k for k, out in enumerate(known) if out[names.index("alert")]]

    def found(tell_from: float) -> list[dict[str, Any]]:
        options = replace(OPTIONS, tell_from=tell_from)
        return [dict(zip(names, out, strict=True)) for out in through(opened(Context(), options), POINTS)]

    # A row a minute: from its own time on it is reported.
    reported, history = found(60.0 * row), found(60.0 * row + 1)
    assert (reported[row]["alert"], reported[row]["reason"]) == (True, "ALERT")
    assert (history[row]["alert"], history[row]["reason"]) == (False, "HISTORY")
    assert [r for k, r in enumerate(reported) if k != row] == [r for k, r in enumerate(history) if k != row]


def test_state_of_other_parameters_is_reported() -> None:
    state = Context()
    through(opened(state), POINTS[:20])
    state.base.update({"": (0, AnomalyDetector(2, 3, **SMALL).to_bytes())})  # type: ignore[arg-type]
    state.log.clear()
    state.commit()
    other = DetectorOptions(("price", "quantity"), rules=(Rule("above"),), seed=3, **SMALL)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="set the job's parameters back to the saved ones"):
        through(opened(state.restored(), other), POINTS[:1])
