"""The detector's contract: the same however it is split and saved; rules; missing rows; what it says of a row."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.udfs.detector.rows import SMALL, equal, noise, rows_of, stepped
from udfs.anomaly_detector import REASONS, AnomalyDetector, Rule, StateError
from udfs.detector.detections import joined


@settings(max_examples=25, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 90), min_size=1, max_size=12),
    columns=st.integers(1, 3),
    missing=st.sampled_from(["skip", "previous", "expected"]),
    saved=st.sets(st.integers(0, 11)),
    seed=st.integers(0, 99),
)
def test_any_split_and_any_save_give_the_same(
    sizes: list[int], columns: int, missing: str, saved: set[int], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(sum(sizes), columns)) * 10.0 ** np.arange(columns) * rng.choice([1, 100])
    values[rng.random(values.shape) < 0.03] = np.nan
    times = np.cumsum(rng.choice([60.0, 60.0, 60.0, 200.0], len(values)))
    options: dict[str, Any] = {**SMALL, "missing": missing, "interval": 60.0, "quiet_time": 600.0}
    whole = AnomalyDetector(columns, seed, **options)
    expected = whole.detect_many(values, times)
    parts, start, detector = [], 0, AnomalyDetector(columns, seed, **options)
    for k, size in enumerate(sizes):
        parts.append(detector.detect_many(values[start : start + size], times[start : start + size]))
        start += size
        if k in saved:
            detector = AnomalyDetector.from_bytes(detector.to_bytes())
    assert equal(joined(parts), expected)
    assert detector.to_bytes() == whole.to_bytes()
    more = np.resize(values, (60, columns)) if len(values) else np.ones((60, columns))
    later = (times[-1] if len(times) else 0.0) + 60.0 * np.arange(1, 61)
    assert equal(detector.detect_many(more, later), whole.detect_many(more, later))


def test_rescaled_columns_are_restored_exactly() -> None:
    values = noise(2_000, 2) * [1.0, 1e6]
    values[700:, 1] *= 1e-3
    whole = AnomalyDetector(2, 1, **SMALL).detect_many(values)
    parts, detector = [], AnomalyDetector(2, 1, **SMALL)
    for start in range(0, 2_000, 125):
        parts.append(detector.detect_many(values[start : start + 125]))
        detector = pickle.loads(pickle.dumps(detector))
    assert equal(joined(parts), whole)


def test_a_step_is_reported_once_with_what_was_expected() -> None:
    found = AnomalyDetector(dimensions=1, seed=0).detect_many(stepped())
    assert rows_of(found) == [800]
    assert 19 < found.expected[800, 0] < 21
    assert 17 < found.low[800, 0] < 19
    assert 21 < found.high[800, 0] < 23
    assert (found.column[800], found.direction[800], REASONS[found.reason[800]]) == (0, 1, "ALERT")
    assert found.in_run[800:830].all()
    assert not found.in_run[799]
    assert not found.score[:32].any()
    assert found.score[32:].all()
    assert not found.confidence[:32].any()
    assert (np.diff(found.confidence[256:]) > 0).all()


def test_the_grade_rises_with_how_far_the_score_is_above_its_threshold() -> None:
    found = AnomalyDetector(seed=0).detect_many(stepped())
    ratio = found.smoothed / found.threshold
    hot = np.isin(found.reason, [REASONS.index("ALERT"), REASONS.index("IN_RUN")])
    assert hot.sum() > 5
    assert (found.grade[~hot] == 0).all()
    assert ((found.grade[hot] > 0) & (found.grade[hot] < 1)).all()
    order = np.argsort(ratio[hot])
    assert (np.diff(found.grade[hot][order]) >= 0).all()


def test_nine_in_ten_values_lie_in_the_band() -> None:
    wave = 10 * np.sin(np.arange(4_000) / 40)[:, None]
    for values in (
        noise(4_000),
        wave + 0.3 * noise(4_000),
        np.random.default_rng(1).lognormal(0, 1, (4_000, 1)),
    ):
        found = AnomalyDetector(seed=0).detect_many(values)
        inside = ((found.low <= values) & (values <= found.high))[300:].mean()
        assert 0.87 < inside < 0.93


def test_a_slow_wave_is_forecast_better_than_by_a_median() -> None:
    wave = 10 * np.sin(np.arange(3_000) / 40)[:, None] + 0.3 * noise(3_000)
    found = AnomalyDetector(seed=0).detect_many(wave)
    medians = np.array([np.median(wave[k - 48 : k]) for k in range(300, 3_000)])
    assert np.abs(wave - found.expected)[300:].mean() < 0.2 * np.abs(wave[300:, 0] - medians).mean()


def test_a_skipped_row_changes_nothing() -> None:
    values = stepped()
    whole = AnomalyDetector().detect_many(values)
    holes = np.insert(values, [300, 500, 800], np.nan, axis=0)
    found = AnomalyDetector(missing="skip").detect_many(holes)
    assert equal(found[~np.isnan(holes[:, 0])], whole)
    assert {REASONS[k] for k in found.reason[np.isnan(holes[:, 0])]} == {"MISSING_VALUE"}


@pytest.mark.parametrize("missing", ["previous", "expected"])
def test_a_filled_row_counts_as_one_that_came(missing: str) -> None:
    values = stepped()
    holes = values.copy()
    holes[100:110] = np.nan
    detector = AnomalyDetector(missing=missing)
    found = detector.detect_many(holes)
    assert detector.rows == 1_000
    filled = holes.copy()
    filled[100:110] = holes[99] if missing == "previous" else found.expected[100:110]
    assert equal(AnomalyDetector(missing=missing).detect_many(filled), found)


def test_rows_that_never_came_are_filled_in_by_time() -> None:
    values = stepped()
    times = np.arange(1_000) * 60.0
    came = np.ones(1_000, bool)
    came[400:420] = False
    holes = np.where(came[:, None], values, np.nan)
    options: dict[str, Any] = {"missing": "expected", "interval": 60.0}
    by_time = AnomalyDetector(**options).detect_many(values[came], times[came])
    assert equal(by_time, AnomalyDetector(**options).detect_many(holes, times)[came])


def test_a_warm_start_is_history_without_a_word() -> None:
    values = stepped(at=900)
    warm = AnomalyDetector()
    warm.update_many(values[:600])
    assert equal(warm.detect_many(values[600:]), AnomalyDetector().detect_many(values)[600:])


@pytest.mark.parametrize("rows", [100, 3_000])
def test_state_is_hardly_larger_than_the_forests(rows: int) -> None:
    from udfs.forest.state import ForestState, pack

    detector = AnomalyDetector()
    detector.update_many(noise(rows))
    packed = detector.to_bytes()
    state = detector._state
    forest = pack(ForestState(detector.parameters.forest, np.zeros((0, 0), np.float32), state.arrays))
    assert len(packed) - len(forest) < 2_000


def test_state_of_version_2_goes_on() -> None:
    """Saved after 50 rows, with the forest that stood in."""
    values = np.random.default_rng(7).normal(20, 1, (200, 1)).round(2)
    whole = AnomalyDetector(1, 3, number_of_trees=2, sub_sample_size=80)
    whole.update_many(values[:50])
    saved = AnomalyDetector.from_bytes((Path(__file__).parent / "detector" / "version_2.bin").read_bytes())
    assert equal(saved.detect_many(values[50:]), whole.detect_many(values[50:]))
    assert saved.to_bytes() == whole.to_bytes()


@pytest.mark.parametrize("place", [0, 5, 8, 30, 100, -1])
def test_damaged_bytes_are_reported(place: int) -> None:
    detector = AnomalyDetector(**SMALL)  # type: ignore[arg-type]
    detector.update_many(noise(100))
    data = bytearray(detector.to_bytes())
    data[place] ^= 0xFF
    with pytest.raises(StateError, match="saved detector"):
        AnomalyDetector.from_bytes(bytes(data))
    with pytest.raises(StateError, match="saved detector"):
        AnomalyDetector.from_bytes(bytes(data[:40]))


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ([[1.0, 2.0]], "dimensions 1"),
        ([1.0, 2.0], "shape"),
        ([[np.inf]], "infinite"),
        ([["a"]], "rows of numbers"),
    ],
)
def test_what_is_no_row_is_reported_and_nothing_learned(points: Any, message: str) -> None:
    detector = AnomalyDetector()
    with pytest.raises(ValueError, match=message):
        detector.detect_many(points)
    assert detector.rows == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dimensions": 31}, "dimensions must be between 1 and 30"),
        ({"sub_sample_size": "many"}, "sub_sample_size must be an integer"),
        ({"again": 0.5}, r"detector.again must be a number of at least 1, got 0.5"),
        ({"missing": "guess"}, "detector.missing must be one of skip, previous, expected"),
        ({"quiet_time": -1.0}, "detector.quiet_time"),
        ({"rules": [Rule(), Rule()]}, "detector.rules"),
    ],
)
def test_a_parameter_out_of_range_is_reported(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AnomalyDetector(**options)


def test_no_rows_give_no_rows() -> None:
    assert len(AnomalyDetector(2).detect_many([])) == 0


def test_extreme_numbers_do_no_harm() -> None:
    values = noise(600) * np.random.default_rng(3).choice([1e-300, 1.0, 1e300], (600, 1))
    found = AnomalyDetector(seed=0).detect_many(values)
    assert np.isfinite(found.score).all()
    assert np.isfinite(found.smoothed).all()
