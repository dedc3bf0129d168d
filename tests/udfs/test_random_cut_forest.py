"""The forest as its users see it."""

import numpy as np
import pytest

from udfs.random_cut_forest import RandomCutForest


def gaussian(n: int, dimensions: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, dimensions))


def test_score_is_zero_until_the_sample_is_full() -> None:
    scores = RandomCutForest(2, 10, 16).score_many(gaussian(40, 2))
    assert not scores[:16].any()
    assert (scores[16:] > 0).all()


@pytest.mark.parametrize("shingle", [1, 3])
def test_one_by_one_is_many_at_once(shingle: int) -> None:
    points = gaussian(700, 2)
    many = RandomCutForest(2, 10, 16, shingle_size=shingle, time_decay=50)
    one = RandomCutForest(2, 10, 16, shingle_size=shingle, time_decay=50)
    scores = np.concatenate([many.score_many(points[:300]), many.score_many(points[300:])])
    singly = []
    for point in points:
        singly.append(one.score(point))
        one.update(point)
    assert scores.tolist() == singly


def test_attribution_adds_up_to_the_score() -> None:
    forest = RandomCutForest(2, 20, 32)
    forest.score_many(gaussian(300, 2))
    for point in ([0.0, 0.0], [9.0, 0.0], [0.0, -9.0], gaussian(300, 2)[-1]):
        attribution = forest.attribution(point)
        assert attribution.high.sum() + attribution.low.sum() == pytest.approx(forest.score(point), abs=1e-9)
