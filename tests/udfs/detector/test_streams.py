"""The alerts of made streams, by one setting for all: few where nothing happens, one where something does."""

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.udfs.detector.streams import EVENT, ROWS, event, ordinary
from udfs.anomaly_detector import AnomalyDetector

#: Streams of each kind: of some 60,000 rows.
SEEDS = range(12)
#: Within so many rows a step is found.
WINDOW = 48


def alerts(values: NDArray[np.float64], seed: int) -> NDArray[np.int64]:
    return np.flatnonzero(AnomalyDetector(dimensions=1, seed=seed).detect_many(values[:, None]).alert)


@pytest.mark.parametrize(
    ("kind", "most"),
    [
        ("normal noise", 0.5),
        ("constant", 0.0),
        ("daily pattern", 0.0),
        ("noisy daily pattern", 0.05),
        # The first shift that ever was is news.
        ("daily shifts", 0.25),
        ("counts", 0.5),
        ("large counts", 0.5),
        ("few counts", 0.5),
        ("daily spike", 0.3),
        ("hourly spike", 0.3),
        ("heavy tails", 0.6),
    ],
)
def test_where_nothing_happens_there_are_few_alerts(kind: str, most: float) -> None:
    count = sum(len(alerts(ordinary(kind, seed), seed)) for seed in SEEDS)
    assert 1_000 * count / (ROWS * len(SEEDS)) <= most


@pytest.mark.parametrize(
    "kind",
    [
        "level step of 3",
        "level step of 6",
        "level step of 15",
        "spike of 10",
        "flat line",
        "amplitude times 4",
        "amplitude a quarter",
        "drop to nothing",
        "after a trend",
        "after a trend that just ended",
        "after a trend that goes on",
    ],
)
def test_what_happens_is_reported_once(kind: str) -> None:
    late, further = [], []
    for seed in range(10):
        after = [k for k in alerts(event(kind, seed), seed) if k >= EVENT]
        if not after or after[0] >= EVENT + WINDOW:
            late.append(seed)
        further.append(len(after) - 1)
    assert late == []
    # At most one more in the 1,500 rows that follow.
    assert max(further) <= 1


@pytest.mark.parametrize("kind", ["level step of 6", "drop to nothing", "amplitude times 4"])
def test_what_happens_in_the_first_rows_is_reported_too(kind: str) -> None:
    for seed in range(6):
        values = event(kind, seed)[EVENT - 150 : EVENT + WINDOW]
        rows = alerts(values, seed)
        assert len(rows) == 1
        assert rows[0] >= 150


def test_of_thirty_columns_of_any_size_the_one_that_moves_is_named() -> None:
    rng = np.random.default_rng(5)
    sizes = 10.0 ** rng.integers(-3, 6, 30)
    for column in (0, 7, 29):
        values = rng.normal(size=(2_000, 30)) * sizes + 3 * sizes
        values[EVENT:, column] += 8 * sizes[column]
        found = AnomalyDetector(dimensions=30, seed=column, number_of_trees=30).detect_many(values)
        rows = np.flatnonzero(found.alert)
        assert [k for k in rows if EVENT <= k < EVENT + WINDOW]
        first = next(k for k in rows if k >= EVENT)
        assert (found.column[first], found.direction[first]) == (column, 1)
