"""Settings suggested from rows that are there already."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.backtest import Label, backtest, fit
from pipeline.suggest import THRESHOLDS, Suggestion, suggest
from udfs.detector.function import DetectorOptions

OPTIONS = DetectorOptions(("x",), number_of_trees=20)


def suggested(
    values: NDArray[np.float64], apart: float = 60.0, labels: tuple[Label, ...] = ()
) -> dict[str, Suggestion]:
    rows = [{"x": float(x)} for x in values]
    found = suggest(rows, [apart * k for k in range(len(rows))], OPTIONS, labels)
    assert [each.of for each in found] == ["window", "sub_sample_size", "threshold"]
    return {each.of: each for each in found}


def test_what_is_well_as_it_is_stays() -> None:
    found = suggested(np.random.default_rng(0).normal(20, 1, 3_000))
    assert {of: each.value for of, each in found.items()} == {
        "window": 60,
        "sub_sample_size": 256,
        "threshold": 1.5,
    }
    assert "x is usually within" in found["window"].reason
    assert "no pattern" in found["sub_sample_size"].reason
    assert "the usual one" in found["threshold"].reason


def test_small_counts_want_longer_windows() -> None:
    counts = np.random.default_rng(1).poisson(2.0, 3_000).astype(float)
    longer = suggested(counts)["window"]
    assert 600 <= longer.value <= 3_600
    # As promised: in windows of that length the band is half as wide as what is expected, or less.
    rows = int(longer.value / 60)
    summed = counts[: len(counts) // rows * rows].reshape(-1, rows).sum(axis=1)
    assert np.subtract(*np.percentile(summed, [95, 5])) <= 0.6 * summed.mean()


@pytest.mark.parametrize(("period", "size"), [(48, 256), (288, 256), (1_500, 512)])
def test_the_sample_is_as_large_as_the_pattern_asks(period: int, size: int) -> None:
    time = np.arange(6 * max(period, 300))
    values = 50 + 10 * np.sin(2 * np.pi * time / period) + np.random.default_rng(2).normal(size=len(time))
    found = suggested(values)["sub_sample_size"]
    assert found.value == size
    reported = int(found.reason.split("every ")[1].split(" rows")[0].replace(",", ""))
    assert abs(reported - period) <= 0.05 * period


def test_a_short_recording_must_not_be_spent_on_learning() -> None:
    found = suggested(np.random.default_rng(3).normal(20, 1, 300))["sub_sample_size"]
    assert (found.value, found.reason) == (64, "300 rows are few: a smaller sample alerts sooner")


def test_labels_choose_the_threshold() -> None:
    rng = np.random.default_rng(4)
    values = rng.normal(20, 1, 2_500)
    events = (1_100, 1_500, 1_900, 2_300)
    for event in events:
        values[event : event + 2] += 9
    labels = tuple(Label(60.0 * (e - 2), 60.0 * (e + 10)) for e in events)
    found = suggested(values, labels=labels)
    rows, times = [{"x": float(x)} for x in values], [60.0 * k for k in range(len(values))]

    def quality(threshold: float) -> float:
        size = int(found["sub_sample_size"].value)
        options = replace(OPTIONS, threshold=threshold, sub_sample_size=size)
        got = fit(backtest(rows, times, options), labels)
        p, r = got.precision or 0.0, got.recall or 0.0
        return 2 * p * r / (p + r) if p + r else 0.0

    assert quality(found["threshold"].value) == max(map(quality, THRESHOLDS)) > 0.6
    assert "known events" in found["threshold"].reason


def test_where_the_usual_threshold_tells_too_often_it_is_raised() -> None:
    rng = np.random.default_rng(5)
    values = 20 + rng.normal(size=3_000)
    for begin in range(1_000, 3_000, 200):
        values[begin : begin + 3] += rng.normal(0, 40, 3)
    found = suggested(values)["threshold"]
    assert found.value > 1.5
    assert found.reason.endswith(" with 1.5")
    rows, times = [{"x": float(x)} for x in values], [60.0 * k for k in range(3_000)]
    reported = [len(backtest(rows, times, replace(OPTIONS, threshold=t))) for t in (1.5, found.value)]
    assert reported[0] > 3
    assert reported[1] < reported[0] / 2


def test_the_only_event_of_a_short_recording_still_alerts() -> None:
    values = 100 + np.random.default_rng(0).normal(0, 0.5, 101)
    values[60:63] = 400
    found = suggested(values)["threshold"]
    assert found.value == 1.5
    assert "9.90 alerts in 1,000 rows" in found.reason, "one alert in 101 rows"


def test_without_rows_nothing_is_suggested() -> None:
    assert suggest([], [], OPTIONS) == []
