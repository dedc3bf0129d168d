"""What a detector would have reported of rows that are there already."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np

from pipeline.application import parse
from pipeline.backtest import Alert, Fit, Label, alerts_of, backtest, drawn, fit, watch
from pipeline.backtest_settings import AS_IT_IS, settings_to_try, watched_by
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


def test_other_thresholds_are_decided_exactly_as_if_each_had_its_own_run() -> None:
    rng = np.random.default_rng(2)
    rows = [{"x": float(a), "y": float(100 * b)} for a, b in rng.standard_t(3, (1_200, 2))]
    rows[400]["x"] = None
    times = [60.0 * (k + 5 * (k > 700)) for k in range(1_200)]
    options = DetectorOptions(
        ("x", "y"), missing="previous", interval=timedelta(minutes=1), number_of_trees=20
    )
    watched = watch(rows, times, options, (1.2, 1.8))
    assert list(watched[0].by_threshold) == [1.2, 1.5, 1.8]
    reported = {t: alerts_of(watched, options, t) for t in (1.2, 1.5, 1.8)}
    assert reported == {t: backtest(rows, times, replace(options, threshold=t)) for t in reported}
    assert len(set(map(len, reported.values()))) > 1


def test_a_forest_is_tried_as_detector_on_would_watch_it() -> None:
    forest = {"forest": "scored", "of": "rows", "columns": "x", "sub_sample_size": 64}
    tree = {
        "title": "t",
        "sources": {"rows": {"stream": "s", "columns": {"x": "DOUBLE"}}},
        "relations": [forest],
    }
    plain = parse(tree, name="plain", folder=Path(), queries={})
    chosen, detector = watched_by(plain)
    assert (detector.name, detector.of, detector.sub_sample_size) == ("detections", "scored", 64)
    assert plain.detectors == ()
    assert (
        watched_by(parse({**tree, "detector": "on"}, name="plain", folder=Path(), queries={}))[1] == detector
    )
    tried = settings_to_try(chosen, detector, ["threshold=2", " threshold=2 "], {"detector": {"again": "3"}})
    assert {name: (p.threshold, p.again) for name, p in tried.items()} == {
        AS_IT_IS: (1.5, 3),
        "threshold=2": (2, 3),
    }


def test_what_is_drawn_of_many_values_has_every_peak() -> None:
    values = np.sin(np.arange(10_000.0))
    values[[1_234, 7_777]] = 9.0, -9.0
    values[500:600] = np.nan
    points = drawn(values, 200)
    assert len(points) <= 200
    assert {1_234, 7_777} <= {*points.tolist()}
    assert drawn(values[:200], 200).tolist() == list(range(200))
