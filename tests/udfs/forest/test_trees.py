"""Trees, samples and scores against what they must be, worked out from the points alone."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.udfs.forest.reference import check, reference_score
from udfs.forest.records import as_records
from udfs.random_cut_forest import RandomCutForest

# Few distinct values, so that points repeat, and some that widen a box or float32 itself.
AWKWARD = [0.0, -0.0, 1.0, 2.0, 2.5, 3.0, 1e-45, -1e-40, 1e30, -1e38, 1e300, 0.1]

# Sides of 2 to 4 in one column, ends at 1e30 in another.
FAR_OUT = np.array(
    [
        *([2.0, 0.0, 1e30], [0.0, 1.0, 1e30], [1e30, 0.1, 1.0], [2.5, 3.0, 0.0], [0.0, -1e38, 3.0]),
        *([0.0, -1e38, 1.0], [1e300, 3.0, 3.0], [-1e-40, 1e30, 2.0], [2.0, 2.0, 1e30], [2.0, 0.0, 0.0]),
        [2.0, 0.0, 1e30],
    ]
)


@st.composite
def streams(draw: st.DrawFn, least: int = 0) -> tuple[int, np.ndarray]:
    """Points (n, dimensions): few values or many, and one more to ask for."""
    dimensions, n = draw(st.integers(1, 3)), draw(st.integers(least, 60))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    values = draw(st.sampled_from([AWKWARD, AWKWARD[:2], [1.0, 2.0, 3.0], rng.normal(size=100).tolist()]))
    return dimensions, rng.choice(values, size=(n, dimensions))


@settings(max_examples=60, deadline=None)
@given(streams(), st.sampled_from([11, 20, 10**6]), st.integers(0, 2**64 - 1))
def test_every_tree_is_right_after_every_point(stream: tuple[int, np.ndarray], decay: int, seed: int) -> None:
    dimensions, points = stream
    forest = RandomCutForest(dimensions, 2, 10, time_decay=decay, seed=seed)
    for point in points:
        forest.update(point)
        check(forest)


@settings(max_examples=150, deadline=None)
@example((3, FAR_OUT), 0, True)
@given(streams(least=11), st.integers(0, 1000), st.booleans())
def test_score_and_attribution_are_the_formula(stream: tuple[int, np.ndarray], seed: int, seen: bool) -> None:
    dimensions, points = stream
    forest = RandomCutForest(dimensions, 3, 10, time_decay=30, seed=seed)
    forest.score_many(points[1:])
    asked = points[-1] if seen else points[0] * 1.5
    score = forest.score(asked)
    attribution = forest.attribution(asked)
    assert attribution.high.sum() + attribution.low.sum() == pytest.approx(score, abs=1e-9)
    expected, (low, high) = reference_score(forest, as_records(asked, 1, forest.parameters.dimensions)[0])
    assert score == pytest.approx(expected, rel=1e-5)
    assert attribution.high == pytest.approx(high, abs=1e-5 * expected)
    assert attribution.low == pytest.approx(low, abs=1e-5 * expected)


def test_shingles_are_the_last_records_oldest_first() -> None:
    records = np.arange(60.0).reshape(30, 2) % 7
    forest = RandomCutForest(2, 4, 10, shingle_size=3, seed=1)
    forest.score_many(records[:29])
    flat = RandomCutForest(6, 4, 10, seed=1)
    flat.score_many([records[k : k + 3].reshape(-1) for k in range(27)])
    assert forest.learned == 27
    assert forest.score(records[29]) == flat.score(records[27:30].reshape(-1))
    together, apart = forest.attribution(records[29]), flat.attribution(records[27:30].reshape(-1))
    assert together.high == pytest.approx(apart.high.reshape(3, 2).sum(axis=0))
    assert together.low == pytest.approx(apart.low.reshape(3, 2).sum(axis=0))


def test_the_law_of_the_trees_is_that_of_trees_cut_at_random_from_scratch() -> None:
    """Inserted, evicted and saved points leave the trees distributed as if built from the sample at once."""
    rng = np.random.default_rng(3)
    forest = RandomCutForest(2, 400, 16, time_decay=40, seed=5)
    forest.score_many(rng.normal(size=(150, 2)))
    forest = RandomCutForest.from_bytes(forest.to_bytes())
    forest.score_many(rng.normal(size=(150, 2)))
    queries = rng.normal(size=(20, 2)) * 1.5
    arrays = forest.arrays
    samples = [arrays.points[rows].astype(float) for rows in arrays.slot_row]

    def cut_down(points: np.ndarray, x: np.ndarray, depth: int = 0) -> float:
        low, high = points.min(axis=0), points.max(axis=0)
        sides = high - low
        excess = np.maximum(low - x, 0).sum() + np.maximum(x - high, 0).sum()
        if len(points) == 1:
            return 1.0 / (depth + 1)
        p = excess / (excess + sides.sum())
        d = rng.choice(2, p=sides / sides.sum())
        cut = rng.uniform(low[d], high[d])
        inner = cut_down(points[(points[:, d] <= cut) == (x[d] <= cut)], x, depth + 1)
        return p / (depth + 1) + (1.0 - p) * inner

    ours = np.mean([forest.score(x) for x in queries])
    theirs = np.mean([cut_down(sample, x) for sample in samples for x in queries]) * np.log2(16)
    # 8,000 draws a side; the spread of one is about 0.25.
    assert ours == pytest.approx(theirs, abs=0.015)


@pytest.mark.parametrize("decay", [50, 400])
def test_the_sample_weighs_points_by_their_age(decay: int) -> None:
    """Weight exp(-age / time_decay), drawn without replacement: compared with drawing it by numpy."""
    n, samples, trees = 600, 20, 1000
    forest = RandomCutForest(1, trees, samples, time_decay=decay, seed=11)
    forest.score_many(np.arange(n, dtype=float)[:, None])
    arrays = forest.arrays
    ages = n - 1 - arrays.point_number[arrays.slot_row]
    rng = np.random.default_rng(1)
    weights = np.exp(-np.arange(n) / decay)
    drawn = np.array([rng.choice(n, samples, replace=False, p=weights / weights.sum()) for _ in range(trees)])
    for below in (decay // 2, decay, 2 * decay):
        ours, theirs = (ages < below).sum(axis=1), (drawn < below).sum(axis=1)
        error = np.sqrt((ours.var() + theirs.var()) / trees)
        assert abs(ours.mean() - theirs.mean()) < 4 * error + 1e-9


@pytest.mark.parametrize("decay", [11, 200, 10**5])
def test_no_point_that_belongs_in_a_sample_is_passed_over(decay: int) -> None:
    """Most points are turned away by a bound computed ahead; the sample must be as if each had been judged."""
    forest = RandomCutForest(1, 3, 10, time_decay=decay, seed=2)
    rng = np.random.default_rng(1)
    for n in (1, 700, 1, 5000):
        forest.score_many(rng.normal(size=(n, 1)))
    check(forest)
