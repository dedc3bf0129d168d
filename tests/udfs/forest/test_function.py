"""The forest's function without a JVM, against a context that pickles at commit time, as Flink does."""

import json
import pickle
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest
from pyflink.common import Instant, Row

from udfs.forest import bucket as forest_bucket
from udfs.forest import function as forest_function
from udfs.forest.function import ForestFunction, ForestOptions
from udfs.random_cut_forest import RandomCutForest

FIELDS = ("symbol", "price", "quantity")
OPTIONS = ForestOptions(("price", "quantity"), number_of_trees=20, sub_sample_size=16, seed=3)
POINTS = np.random.default_rng(1).normal(100, 5, (80, 2))


class State:
    """A value state and a list state: references until the bundle commits, then bytes."""

    def __init__(self) -> None:
        self.committed: list[bytes] = []
        self._values: list[Any] = []
        self._cleared = False

    def get(self) -> list[Any]:
        return [] if self._cleared else [pickle.loads(b) for b in self.committed] + self._values

    def add(self, value: Any) -> None:
        self._values.append(value)

    def clear(self) -> None:
        self._values, self._cleared = [], True

    def value(self) -> Any:
        return next(iter(self.get()), None)

    def update(self, value: Any) -> None:
        self.clear()
        self.add(value)

    def commit(self) -> None:
        if self._cleared:
            self.committed = []
        self.committed += [pickle.dumps(v) for v in self._values]
        self._values, self._cleared = [], False


class Context:
    """One bucket's state."""

    def __init__(self) -> None:
        self.base, self.log = State(), State()

    def get_state(self, descriptor: Any) -> State:
        return self.base

    def get_list_state(self, descriptor: Any) -> State:
        return self.log

    def get_current_key(self) -> str:
        return ""

    def timestamp(self) -> int:
        return 0

    def commit(self) -> None:
        self.base.commit()
        self.log.commit()

    def restored(self) -> "Context":
        """What a new worker gets after a failure: only what was committed."""
        other = Context()
        other.base.committed, other.log.committed = list(self.base.committed), list(self.log.committed)
        return other


CONTEXT = Context()


def opened(state: Context, options: ForestOptions = OPTIONS) -> ForestFunction:
    # It travels to the workers pickled.
    function: ForestFunction = pickle.loads(pickle.dumps(ForestFunction(FIELDS, options)))
    function.open(state)
    return function


def row(point: Any) -> Row:
    return Row("AMZN", float(point[0]), float(point[1]))


def scores(function: ForestFunction, points: Any) -> list[float]:
    return [out[3] for p in points for out in function.process_element(row(p), CONTEXT)]


def batch(function: ForestFunction, rows: Iterable[Row], times: list[int] | None = None) -> list[list[Any]]:
    values = [list(r) for r in rows]
    return function.process_batch("", values, times or [0] * len(values))


def expected(points: Any) -> list[float]:
    scores: list[float] = (
        RandomCutForest(2, number_of_trees=20, sub_sample_size=16, seed=3).score_many(points).tolist()
    )
    return scores


def test_one_row_out_for_each_row_in_with_the_forests_own_scores() -> None:
    function = opened(Context())
    out = [r for p in POINTS for r in function.process_element(row(p), CONTEXT)]
    assert [tuple(r)[:3] for r in out] == [tuple(row(p)) for p in POINTS]
    assert [r[3] for r in out] == expected(POINTS)
    assert all(tuple(r)[4:] == (None, None, None) for r in out)


@pytest.mark.parametrize("commit_every", [1, 7, 80])
def test_a_restored_worker_goes_on_as_if_nothing_had_happened(commit_every: int) -> None:
    state, got = Context(), []
    for start in range(0, len(POINTS), commit_every):
        # A new worker for each bundle: nothing but the committed state may matter.
        state = state.restored()
        got += scores(opened(state), POINTS[start : start + commit_every])
        state.commit()
    assert got == expected(POINTS)


def test_what_was_not_committed_is_learned_again_not_twice() -> None:
    state = Context()
    function = opened(state)
    first = scores(function, POINTS[:40])
    state.commit()
    scores(function, POINTS[40:60])  # lost with the worker
    assert first + scores(opened(state.restored()), POINTS[40:]) == expected(POINTS)


def test_rows_that_come_together_get_the_same_scores() -> None:
    function = opened(Context())
    got = []
    for start in range(0, len(POINTS), 9):
        got += [out[3] for out in batch(function, map(row, POINTS[start : start + 9]))]
    assert got == expected(POINTS)


def test_a_large_row_that_cannot_be_scored_is_cut_and_says_so() -> None:
    (out,) = opened(Context()).process_element(Row("A" * 600_000, 1.0, None), CONTEXT)
    *_, message, data_row = tuple(out)
    assert len(data_row) == 49152
    assert message.endswith("bytes, cut to 24576)")


@pytest.mark.parametrize("bad", [None, float("nan"), float("inf")])
def test_a_row_that_cannot_be_scored_says_why_and_changes_nothing(bad: Any) -> None:
    function = opened(Context())
    first = scores(function, POINTS[:40])
    (out,) = function.process_element(Row("AMZN", 1.0, bad), CONTEXT)
    symbol, price, _, score, name, message, data_row = tuple(out)
    assert (symbol, price, score, name) == ("AMZN", 1.0, None, "NOT_SCORED")
    assert message.startswith("column quantity: required a finite number to score")
    assert json.loads(bytes.fromhex(data_row))["symbol"] == "AMZN"
    assert first + scores(function, POINTS[40:]) == expected(POINTS)


def test_an_unscorable_rows_times_are_written_as_times() -> None:
    function = ForestFunction(("at", "seen", "price"), ForestOptions(("price",), number_of_trees=20))
    function.open(Context())
    at = Instant.of_epoch_milli(1795991832_500)
    (out,) = function.process_element(Row(at, datetime(2026, 11, 30, 12), None), CONTEXT)
    shown = json.loads(bytes.fromhex(out[-1]))
    assert shown == {"at": "2026-11-29 22:37:12.500", "seen": "2026-11-30 12:00:00.000", "price": None}


def test_explanations_name_the_columns_and_leave_the_scores_as_they_are() -> None:
    options = ForestOptions(
        ("price", "quantity"), number_of_trees=20, sub_sample_size=16, seed=3, explain=True
    )
    function = opened(Context(), options)
    out = [r for p in POINTS for r in function.process_element(row(p), CONTEXT)]
    assert [r[3] for r in out] == expected(POINTS)
    explanation = json.loads(out[-1][4])
    assert list(explanation) == ["price", "quantity"]
    total = sum(float(column["ATTRIBUTION_SCORE"]) for column in explanation.values())
    assert total == pytest.approx(out[-1][3], abs=2e-4)


def keyed(state: Context, **options: Any) -> ForestFunction:
    return opened(
        state,
        ForestOptions(("price",), number_of_trees=5, sub_sample_size=16, partition_by="symbol", **options),
    )


def alone(points: Any) -> list[float]:
    """The scores of a forest that sees nothing else."""
    scores: list[float] = RandomCutForest(1, 5, 16).score_many(points[:, :1]).tolist()
    return scores


@pytest.mark.parametrize(("room", "compact"), [(10, 0), (3, 0), (1, 1), (1, 9)])
@pytest.mark.parametrize("size", [1, 10, 64])
@pytest.mark.parametrize("longest_log", [1, 50, 10_000])
def test_keys_of_one_bucket_have_forests_of_their_own_and_come_back_exactly(
    size: int, longest_log: int, room: int, compact: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forest_bucket, "LONGEST_LOG", longest_log)
    monkeypatch.setattr(forest_bucket, "_ROWS_PER_FOREST", 0)
    # Some forests are unpacked, some compact and some packed.
    monkeypatch.setattr(forest_function, "MOST_BYTES", room * 12_000)
    monkeypatch.setattr(forest_function, "MOST_COMPACT_BYTES", compact * 1_100)
    symbols = ["A", None, "", "1", "B"]
    rows = [Row(symbols[k % 5], float(p[0]), 1.0) for p, k in zip(POINTS, range(80), strict=True)]
    state, got = Context(), []
    for start in range(0, len(rows), size):
        state = state.restored()
        got += batch(keyed(state), rows[start : start + size])
        state.commit()
    assert [r[:3] for r in got] == [list(r) for r in rows]
    for k in range(5):
        assert [r[3] for r in got[k::5]] == alone(POINTS[k::5])


@pytest.mark.parametrize("size", [1, 7, 80])
@pytest.mark.parametrize("longest_log", [1, 7, 10_000])
def test_a_forest_that_was_idle_for_too_long_begins_anew(
    longest_log: int, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forest_bucket, "LONGEST_LOG", longest_log)
    monkeypatch.setattr(forest_bucket, "_ROWS_PER_FOREST", 0)
    # A rests for an hour and a millisecond once, B never for longer than an hour.
    times = np.cumsum([3_600_000 if k == 40 else 1 for k in range(80)]).tolist()
    rows = [
        Row("B" if k in (39, 40) or k % 2 else "A", float(point[0]), 1.0) for k, point in enumerate(POINTS)
    ]
    state, got = Context(), []
    for start in range(0, 80, size):
        state = state.restored()
        function = keyed(state, idle_expiry=timedelta(hours=1))
        got += batch(function, rows[start : start + size], times[start : start + size])
        state.commit()
    of_a = [k for k in range(80) if rows[k][0] == "A"]
    before, after = [k for k in of_a if k < 40], [k for k in of_a if k > 40]
    assert [got[k][3] for k in of_a] == alone(POINTS[before]) + alone(POINTS[after])
    of_b = [k for k in range(80) if rows[k][0] == "B"]
    assert [got[k][3] for k in of_b] == alone(POINTS[of_b])


def test_the_log_is_what_grows_not_the_base() -> None:
    state = Context()
    function = opened(state)
    for point in POINTS:
        list(function.process_element(row(point), CONTEXT))
        state.commit()
    assert not state.base.committed
    assert sum(map(len, state.log.committed)) < 80 * 300
