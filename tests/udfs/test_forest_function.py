"""The forest's function without a JVM, against a context that pickles at commit time, as Flink does."""

import json
import pickle
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from pyflink.common import Row

from udfs.forest_function import ForestFunction, ForestOptions
from udfs.random_cut_forest import RandomCutForest

FIELDS = ("symbol", "price", "quantity")
OPTIONS = ForestOptions(("price", "quantity"), number_of_trees=20, sub_sample_size=16, seed=3)
POINTS = np.random.default_rng(1).normal(100, 5, (80, 2))


class State:
    """A value state: a reference until the bundle commits, then bytes."""

    def __init__(self) -> None:
        self.committed: bytes | None = None
        self._value: Any = None
        self._changed = False

    def value(self) -> Any:
        if self._value is None and self.committed is not None:
            self._value = pickle.loads(self.committed)
        return self._value

    def update(self, value: Any) -> None:
        self._value, self._changed = value, True

    def commit(self) -> None:
        if self._changed:
            self.committed = pickle.dumps(self._value)
        self._changed = False

    def restored(self) -> "State":
        """What a new worker gets after a failure: only what was committed."""
        other = State()
        other.committed = self.committed
        return other


class Context:
    """Hands out one key's state, and keeps what was asked for."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.descriptor: Any = None

    def get_state(self, descriptor: Any) -> State:
        self.descriptor = descriptor
        return self.state


def opened(state: State, options: ForestOptions = OPTIONS) -> ForestFunction:
    # It travels to the workers pickled.
    function: ForestFunction = pickle.loads(pickle.dumps(ForestFunction(FIELDS, options)))
    function.open(Context(state))
    return function


def row(point: Any) -> Row:
    return Row("AMZN", float(point[0]), float(point[1]))


def scores(function: ForestFunction, points: Any) -> list[float]:
    return [out[3] for p in points for out in function.process_element(row(p), None)]


def expected(points: Any) -> list[float]:
    scores: list[float] = (
        RandomCutForest(2, number_of_trees=20, sub_sample_size=16, seed=3).score_many(points).tolist()
    )
    return scores


def test_one_row_out_for_each_row_in_with_the_forests_own_scores() -> None:
    function = opened(State())
    out = [r for p in POINTS for r in function.process_element(row(p), None)]
    assert [tuple(r)[:3] for r in out] == [tuple(row(p)) for p in POINTS]
    assert [r[3] for r in out] == expected(POINTS)
    assert all(tuple(r)[4:] == (None, None, None) for r in out)


@pytest.mark.parametrize("commit_every", [1, 7, 80])
def test_a_restored_worker_goes_on_as_if_nothing_had_happened(commit_every: int) -> None:
    state, got = State(), []
    for start in range(0, len(POINTS), commit_every):
        # A new worker for each bundle: nothing but the committed state may matter.
        state = state.restored()
        got += scores(opened(state), POINTS[start : start + commit_every])
        state.commit()
    assert got == expected(POINTS)


def test_what_was_not_committed_is_learned_again_not_twice() -> None:
    state = State()
    function = opened(state)
    first = scores(function, POINTS[:40])
    state.commit()
    scores(function, POINTS[40:60])  # lost with the worker
    assert first + scores(opened(state.restored()), POINTS[40:]) == expected(POINTS)


def test_a_micro_batch_is_one_element_with_the_same_scores() -> None:
    function = opened(State())
    got = []
    for start in range(0, len(POINTS), 9):
        (out,) = function.process_element([row(p) for p in POINTS[start : start + 9]], None)
        (rows,) = tuple(out)
        got += [r[3] for r in rows]
    assert got == expected(POINTS)


@pytest.mark.parametrize("bad", [None, float("nan"), float("inf")])
def test_a_row_that_cannot_be_scored_says_why_and_changes_nothing(bad: Any) -> None:
    function = opened(State())
    first = scores(function, POINTS[:40])
    (out,) = function.process_element(Row("AMZN", 1.0, bad), None)
    symbol, price, _, score, name, message, data_row = tuple(out)
    assert (symbol, price, score, name) == ("AMZN", 1.0, None, "NOT_SCORED")
    assert message.startswith("column quantity: required a finite number to score")
    assert json.loads(bytes.fromhex(data_row))["symbol"] == "AMZN"
    assert first + scores(function, POINTS[40:]) == expected(POINTS)


def test_explanations_name_the_columns_and_leave_the_scores_as_they_are() -> None:
    options = ForestOptions(
        ("price", "quantity"), number_of_trees=20, sub_sample_size=16, seed=3, explain=True
    )
    function = opened(State(), options)
    out = [r for p in POINTS for r in function.process_element(row(p), None)]
    assert [r[3] for r in out] == expected(POINTS)
    explanation = json.loads(out[-1][4])
    assert list(explanation) == ["price", "quantity"]
    total = sum(float(column["ATTRIBUTION_SCORE"]) for column in explanation.values())
    assert total == pytest.approx(out[-1][3], abs=2e-4)


def test_idle_keys_expire_only_when_asked_to() -> None:
    kept, expiring = Context(State()), Context(State())
    ForestFunction(FIELDS, OPTIONS).open(kept)
    ForestFunction(FIELDS, ForestOptions(("price",), idle_expiry=timedelta(hours=1))).open(expiring)
    assert kept.descriptor._ttl_config is None
    assert expiring.descriptor._ttl_config.get_ttl().to_milliseconds() == 3_600_000


def test_micro_batches_must_divide_a_second() -> None:
    with pytest.raises(ValueError, match="must divide one second, got 300 ms"):
        ForestOptions(("price",), micro_batch=timedelta(milliseconds=300))
