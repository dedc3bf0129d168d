"""The forest as its users see it."""

import doctest
import json
from fractions import Fraction

import krcf
import numpy as np
import pytest

import udfs.forest.attribution
import udfs.random_cut_forest
from udfs.random_cut_forest import RandomCutForest


def gaussian(n: int, dimensions: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, dimensions))


def test_the_examples_in_the_docstrings_are_true() -> None:
    for module in (udfs.random_cut_forest, udfs.forest.attribution):
        tested = doctest.testmod(module)
        assert tested.attempted > 0
        assert tested.failed == 0


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"dimensions": 0}, "random_cut_forest.dimensions must be between 1 and 30, got 0"),
        ({"dimensions": 31}, "got 31"),
        ({"number_of_trees": 1001}, "number_of_trees must be between 1 and 1000, got 1001"),
        ({"number_of_trees": 10.0}, "number_of_trees must be an integer, got 10.0"),
        ({"number_of_trees": True}, "must be an integer, got True"),
        ({"number_of_trees": "10"}, "must be an integer, got '10'"),
        ({"sub_sample_size": 9}, "sub_sample_size must be between 10 and 1000, got 9"),
        ({"time_decay": 0}, "time_decay must be between 1 and 2147483647, got 0"),
        ({"time_decay": 256}, "sub_sample_size must be less than .*time_decay, got 256 and 256"),
        ({"shingle_size": 31}, "shingle_size must be between 1 and 30, got 31"),
        ({"seed": -1}, "seed must be between 0 and"),
    ],
)
def test_parameters_out_of_range_are_named(changed: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RandomCutForest(**({"dimensions": 1} | changed))  # type: ignore[arg-type]


def test_numpy_integers_are_integers() -> None:
    assert RandomCutForest(np.int64(2), np.int32(5)).parameters == RandomCutForest(2, 5).parameters


@pytest.mark.parametrize(
    "point",
    [
        [1.0],
        [1.0, 2.0, 3.0],
        [],
        1.0,
        [[1.0, 2.0]],
        [1.0, np.nan],
        [np.inf, 1.0],
        [1.0, None],
        ["1", "2"],
        [1, 2j],
    ],
)
def test_a_bad_point_is_refused_and_changes_nothing(point: object) -> None:
    forest = RandomCutForest(2, 5, 10, shingle_size=2)
    forest.score_many(gaussian(30, 2))
    before = forest.to_bytes()
    for verb in (forest.score, forest.update, forest.attribution, forest.explain):
        with pytest.raises(ValueError, match="point"):
            verb(point)  # type: ignore[operator]
    with pytest.raises(ValueError, match="point"):
        forest.score_many([[1.0, 2.0], point])
    assert forest.to_bytes() == before


def test_the_row_of_a_bad_value_is_named() -> None:
    with pytest.raises(ValueError, match=r"finite numbers, got \[nan\] in row 2"):
        RandomCutForest(1).score_many([[1.0], [2.0], [np.nan]])


def test_all_kinds_of_numbers_are_taken() -> None:
    forest = RandomCutForest(1, 5, 10)
    for point in ([1], [np.float32(1)], [True], [Fraction(1)], (1,), np.array([1], np.uint8)):
        forest.update(point)
    forest.update([10**400])
    assert forest.learned == 7
    assert forest.score_many([]).shape == (0,)


def test_score_is_zero_until_the_sample_is_full() -> None:
    scores = RandomCutForest(2, 10, 16).score_many(gaussian(40, 2))
    assert not scores[:16].any()
    assert (scores[16:] > 0).all()
    shingled = RandomCutForest(2, 10, 16, shingle_size=4).score_many(gaussian(40, 2))
    assert not shingled[:19].any()
    assert (shingled[19:] > 0).all()


@pytest.mark.parametrize(
    ("dimensions", "shingle", "samples"), [(2, 1, 16), (2, 3, 16), (1, 1, 12), (5, 1, 256)]
)
# Rounded, most points are equal to a leaf; with a short decay, a tree learns between few points.
@pytest.mark.parametrize(("decimals", "decay"), [(9, 257), (0, 5000)])
def test_one_by_one_is_many_at_once(
    dimensions: int, shingle: int, samples: int, decimals: int, decay: int
) -> None:
    points = gaussian(1500, dimensions).round(decimals)
    many, one = (RandomCutForest(dimensions, 70, samples, decay, shingle) for _ in range(2))
    scores = np.concatenate([many.score_many(part) for part in np.split(points, [1, 300, 305])])
    singly = []
    for point in points:
        score = one.score(point)
        assert one.score_many([point])[0] == score
        singly.append(score)
    assert scores.tolist() == singly


def test_update_alone_learns_the_same() -> None:
    points = gaussian(400, 2)
    scored, updated, trained = (RandomCutForest(2, 10, 16) for _ in range(3))
    scored.score_many(points)
    trained.update_many(points)
    for point in points:
        updated.update(point)
    assert scored.to_bytes() == updated.to_bytes() == trained.to_bytes()


def test_scores_are_those_of_every_machine() -> None:
    """Written down once: a change here changes the scores of every saved forest, and needs a line in CHANGELOG.md."""
    points = (np.arange(600) * 37 % 101 / 7.0).reshape(300, 2)
    scores = RandomCutForest(2, 20, 32, time_decay=100, seed=42).score_many(points)
    assert scores[[32, 100, 200, 299]].tolist() == pytest.approx(EXPECTED, rel=1e-12)


EXPECTED = [0.8246276123679154, 0.8157476761955029, 0.9103658369735808, 1.0837270758301778]


@pytest.mark.parametrize(
    "value", [0.0, -0.0, 1e-45, -1e-320, 1e30, -1e38, 1e39, 1e300, -1.7e308, 3.4028235e38]
)
def test_one_value_for_ever_is_as_ordinary_as_can_be(value: float) -> None:
    """The leaf is the whole tree: 1 / (M + 1) times log2 M."""
    forest = RandomCutForest(1, 5, 10, time_decay=30)
    usual = np.log2(10) / 11
    assert forest.score_many(np.full((300, 1), value))[10:] == pytest.approx(usual)
    attribution = forest.attribution([value])
    assert attribution.high == attribution.low == pytest.approx(usual / 2)
    # Anything else is as far out as can be.
    assert forest.score([7.0]) == pytest.approx(np.log2(10))


def test_a_constant_stream_scores_what_kda_scored() -> None:
    scores = RandomCutForest(1).score_many(np.full((700, 1), 21.5))
    assert not scores[:256].any()
    assert scores[256:] == pytest.approx(8 / 257, rel=1e-12)


def test_the_levels_of_a_square_wave_score_what_kda_scored() -> None:
    """148 of the 256 samples are equal, at depth 1."""
    forest = RandomCutForest(1)
    forest.update_many(np.repeat([[3.0], [8.0]], [108, 148], axis=0))
    assert forest.score([8.0]) == pytest.approx(8 / (1 + np.log2(148)), rel=1e-12)
    assert forest.score([3.0]) == pytest.approx(8 / (1 + np.log2(108)), rel=1e-12)


def test_huge_and_tiny_values_side_by_side_stay_finite() -> None:
    values = np.array([1e300, -1e300, 1e38, -1e38, 1e-45, -1e-45, 0.0, 1.0])
    points = np.random.default_rng(1).choice(values, size=(500, 30))
    forest = RandomCutForest(30, 5, 10, time_decay=30, shingle_size=30)
    scores = forest.score_many(points)
    assert np.isfinite(scores).all()
    assert (scores[39:] > 0).all()
    assert (scores <= np.log2(10) + 1e-9).all()
    attribution = forest.attribution(points[0])
    assert attribution.high.sum() + attribution.low.sum() == pytest.approx(forest.score(points[0]), abs=1e-9)


def test_beyond_the_largest_value_all_are_one() -> None:
    forest = RandomCutForest(1, 5, 10, time_decay=30)
    forest.score_many(gaussian(50, 1))
    assert forest.score([2.0**116]) == forest.score([1e300]) == forest.score([10**400])


def test_attribution_adds_up_to_the_score() -> None:
    forest = RandomCutForest(2, 20, 32, shingle_size=2)
    forest.score_many(gaussian(300, 2).round(1))
    for point in ([0.0, 0.0], [9.0, 0.0], [0.0, -9.0], gaussian(300, 2)[-1].round(1)):
        attribution = forest.attribution(point)
        assert attribution.high.shape == attribution.low.shape == (2,)
        assert attribution.high.sum() + attribution.low.sum() == pytest.approx(forest.score(point), abs=1e-9)


def test_explanation_is_the_documented_json() -> None:
    forest = RandomCutForest(2, 50, 64)
    learning = '{"x":{"DIRECTION":"LOW","STRENGTH":"0.0000","ATTRIBUTION_SCORE":"0.0000"},'
    assert forest.explain([1, 2], columns=["x", "y"]).startswith(learning)
    forest.score_many(gaussian(200, 2))
    explained = json.loads(forest.explain([8.0, -0.1], columns=["x", "y"]))
    assert list(explained) == ["x", "y"]
    assert list(explained["x"]) == ["DIRECTION", "STRENGTH", "ATTRIBUTION_SCORE"]
    assert explained["x"]["DIRECTION"] == "HIGH"
    attribution, score = forest.attribution([8.0, -0.1]), forest.score([8.0, -0.1])
    one_sided = np.abs(attribution.high - attribution.low) * score
    assert [float(column["STRENGTH"]) for column in explained.values()] == pytest.approx(one_sided, abs=1e-4)
    assert 1.0 < float(explained["x"]["STRENGTH"]) < score**2
    total = sum(float(column["ATTRIBUTION_SCORE"]) for column in explained.values())
    assert total == pytest.approx(forest.score([8.0, -0.1]), abs=1e-4)
    plain = json.loads(forest.explain([8.0, -0.1], with_directionality=False))
    assert [list(column) for column in plain.values()] == [["ATTRIBUTION_SCORE"]] * 2
    with pytest.raises(ValueError, match="columns must have 2 names, got 1"):
        forest.explain([1, 2], columns=["x"])


def test_explain_many_is_score_and_explain_record_by_record() -> None:
    points = gaussian(60, 2)
    many, one = RandomCutForest(2, 10, 16, shingle_size=2), RandomCutForest(2, 10, 16, shingle_size=2)
    scores, explanations = many.explain_many(points, with_directionality=False, columns=["a", "b"])
    for point, score, explanation in zip(points, scores, explanations, strict=True):
        assert explanation == one.explain(point, False, ["a", "b"])
        assert score == one.score_many([point])[0]


@pytest.mark.parametrize("shingle", [1, 4])
def test_score_and_attribution_agree_with_krcf(shingle: int) -> None:
    """Within what its own seeds differ by: krcf is another implementation of the same forest."""
    points = np.cumsum(gaussian(700, 2), axis=0)
    points[-1] += [15.0, 0.0]

    def theirs(seed: int) -> np.ndarray:
        options = {"dimensions": 2, "shingle_size": shingle, "num_trees": 100, "sample_size": 64}
        extra = {
            "random_seed": seed,
            "output_after": 64,
            "initial_accept_fraction": 1.0,
            "internal_shingling": True,
        }
        forest = krcf.RandomCutForest(options | extra)
        for point in points[:-1].tolist():
            forest.update(point)
        vector = forest.attribution(points[-1].tolist())
        parts = np.array([vector["high"], vector["low"]]).reshape(2, shingle, 2).sum(axis=1)
        # Its factor is log2(M + 1).
        return np.append(parts.reshape(-1), forest.score(points[-1].tolist())) * (np.log2(64) / np.log2(65))

    def ours(seed: int) -> np.ndarray:
        # krcf's own decay: 0.1 per sample size.
        forest = RandomCutForest(2, 100, 64, time_decay=640, shingle_size=shingle, seed=seed)
        forest.score_many(points[:-1])
        attribution = forest.attribution(points[-1])
        return np.concatenate([attribution.high, attribution.low, [forest.score(points[-1])]])

    one, other = np.array([theirs(s) for s in range(1, 9)]), np.array([ours(s) for s in range(8)])
    error = np.sqrt((one.var(axis=0, ddof=1) + other.var(axis=0, ddof=1)) / 8)
    assert (abs(one.mean(axis=0) - other.mean(axis=0)) < 5 * error + 0.005).all()


def test_a_forest_keeps_the_memory_that_its_compiled_calls_know_by_address() -> None:
    points = np.random.default_rng(1).normal(size=(60, 1))
    forest = RandomCutForest(1, 3, 12, seed=1)
    expected = forest.score_many(points[:30]).tolist() + forest.score_many(points[30:]).tolist()
    forest = RandomCutForest(1, 3, 12, seed=1)
    got = forest.score_many(points[:30]).tolist()
    # Room to work in is shared by forests of one size, and kept for the last few sizes.
    for samples in range(13, 40):
        RandomCutForest(1, 40, samples).score_many(points[:samples])
    assert got + forest.score_many(points[30:]).tolist() == expected
