"""What a detector would have told of rows that are there already."""

from datetime import timedelta

import numpy as np

from pipeline.backtest import Alert, Fit, Label, backtest, fit
from udfs.detector.function import DetectorOptions
from udfs.detector.rules import Rule

VALUES = np.random.default_rng(0).normal(20, 1, 900)
VALUES[700:] += 9
TIMES = [60.0 * k for k in range(900)]
ROWS = [{"x": float(x), "site": "a"} for x in VALUES]


def alert(time: float) -> Alert:
    return Alert(time, None, "x", "HIGH", 1.0, 0.0)


def test_alerts_say_when_what_and_what_was_expected() -> None:
    (found,) = backtest(ROWS, TIMES, DetectorOptions(("x",)))
    assert 0 <= found.time - TIMES[700] <= 120
    assert (found.key, found.column, found.direction) == (None, "x", "HIGH")
    assert found.value > 26
    assert 19 < found.expected < 24
    assert backtest(ROWS, TIMES, DetectorOptions(("x",), rules=(Rule("below"),))) == []


def test_each_key_has_a_detector_of_its_own() -> None:
    both = [{**row, "site": site} for row in ROWS for site in "ab"]
    for k in range(1_401, 1_800, 2):
        both[k]["x"] = ROWS[k // 2 - 200]["x"]  # site b goes on as it was
    times = [time for time in TIMES for _ in "ab"]
    options = DetectorOptions(("x",), partition_by="site", quiet_time=timedelta(minutes=5))
    assert [found.key for found in backtest(both, times, options)] == ["a"]


def test_what_is_no_number_is_missing() -> None:
    holes = [dict(row) for row in ROWS]
    holes[300]["x"], holes[301]["x"] = None, "n/a"
    assert len(backtest(holes, TIMES, DetectorOptions(("x",)))) == 1


def test_alerts_are_held_against_what_happened() -> None:
    labels = [Label(100, 200), Label(300, 400)]
    assert fit([alert(100), alert(150), alert(200), alert(250)], labels) == Fit(0.75, 0.5, 0)
    assert fit([alert(140), alert(320)], labels) == Fit(1.0, 1.0, 30)
    assert fit([], labels) == Fit(None, 0.0, None)
    assert fit([alert(1)], []) == Fit(0.0, None, None)
