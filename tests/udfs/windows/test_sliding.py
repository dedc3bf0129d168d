"""Windows that look back, row by row, against a plain computation over all rows."""

import math
import random
import statistics
from decimal import Decimal
from typing import Any

import pytest

from udfs.windows.aggregates import FUNCTIONS, Aggregate, accumulator
from udfs.windows.sliding import Call, SlidingWindows

TYPES = {"count": "BIGINT", "sum": "DOUBLE", "avg": "DOUBLE"}


def call(function: str, type_: str = "BIGINT", **more: Any) -> Call:
    frame = {k: more.pop(k) for k in ("rows", "milliseconds") if k in more}
    default = more.pop("default", None)
    return Call(Aggregate(function, type_, "v", **more), 0, default, **frame)


def results(calls: list[Call], rows: list[tuple[int, Any]]) -> list[tuple[Any, ...]]:
    windows = SlidingWindows(calls)
    return [windows.push(time, (value, -1)) for time, value in rows]


def test_rows_of_one_moment_are_taken_one_by_one_and_the_oldest_still_counts() -> None:
    rows = [(0, 9), (0, 2), (30_000, 4), (60_000, 7), (60_001, 1)]
    calls = [call("min", milliseconds=60_000), call("count", milliseconds=60_000)]
    assert results(calls, rows) == [(9, 1), (2, 2), (2, 3), (2, 4), (1, 3)]


def test_rows_2_preceding_are_three_rows() -> None:
    calls = [call("avg", "INT", rows=2), call("sum", rows=0)]
    assert results(calls, [(0, 29), (1, 32), (2, -7), (3, -8), (4, -10)]) == [
        (29, 29), (30, 32), (18, -7), (5, -8), (-8, -10)
    ]  # fmt: skip


def test_lag_looks_back_inside_its_window_and_its_default_replaces_no_null() -> None:
    rows = [(0, 3), (10, None), (15, 5), (40, 7), (60, 9)]
    plain = results([call("lag", "INT", rows=1, default=1)], rows)
    assert [r for (r,) in plain] == [-1, 3, None, 5, 7]
    aged = results([call("lag", "INT", milliseconds=20, default=1)], rows)
    assert [r for (r,) in aged] == [-1, 3, None, -1, 7]
    known = results([call("lag", "INT", milliseconds=60, ignore_nulls=True, default=1)], rows)
    assert [r for (r,) in known] == [-1, 3, 3, 5, 7]
    second = results([call("lag", "INT", rows=5, offset=2, ignore_nulls=True)], rows)
    assert [r for (r,) in second] == [None, None, None, 3, 5]
    assert [r for (r,) in results([call("lag", "INT", rows=0, offset=0)], rows)] == [3, None, 5, 7, 9]


def test_first_and_last_respect_nulls_unless_reported_not_to() -> None:
    calls = [
        call(f, "INT", milliseconds=30, ignore_nulls=ignore)
        for f in ("first_value", "last_value")
        for ignore in (False, True)
    ]
    rows = [(0, None), (10, 4), (20, None), (41, None), (51, None)]
    assert results(calls, rows) == [
        (None, None, None, None),
        (None, 4, 4, 4),
        (None, 4, None, 4),
        (None, None, None, None),
        (None, None, None, None),
    ]


@pytest.mark.parametrize("function", [f for f in FUNCTIONS if f not in ("lag", "exp_avg")])
@pytest.mark.parametrize("frame", [{"rows": 7}, {"milliseconds": 500}])
def test_against_a_plain_computation(function: str, frame: dict[str, int]) -> None:
    rng = random.Random(3)
    time, rows = 0, []
    for _ in range(400):
        time += rng.choice([0, 0, 40, 300])
        rows.append((time, rng.choice([None, rng.uniform(-1e9, 1e9), 1e16, 0.1])))
    got = results([call(function, TYPES.get(function, "DOUBLE"), **frame)], rows)
    for i, (result,) in enumerate(got):
        inside = [
            v for j, (t, v) in enumerate(rows[: i + 1])
            if (i - j <= frame["rows"] if "rows" in frame else rows[i][0] - t <= frame["milliseconds"])
        ]  # fmt: skip
        assert result == plainly(function, inside) or math.isclose(
            result, plainly(function, inside), rel_tol=1e-9, abs_tol=1e-15
        )


def plainly(function: str, values: list[Any]) -> Any:
    there = [v for v in values if v is not None]
    if function == "count":
        return len(there)
    if function in ("first_value", "last_value"):
        return values[0 if function == "first_value" else -1]
    if function == "nth_value":
        return values[0]
    if not there or (function.endswith("samp") and len(there) < 2):
        return None
    computed: dict[str, Any] = {
        "sum": math.fsum,
        "avg": lambda v: math.fsum(v) / len(v),
        "min": min,
        "max": max,
        "stddev_pop": statistics.pstdev,
        "stddev_samp": statistics.stdev,
        "var_pop": statistics.pvariance,
        "var_samp": statistics.variance,
    }
    return computed[function](there)


def test_what_has_left_a_window_leaves_no_rounding_behind() -> None:
    total = accumulator(Aggregate("sum", "DOUBLE", "v"))
    for value in (1e308, 1.0, -1e308, 0.1):
        total.add(value, 0)
    for value in (1e308, 1.0, -1e308):
        total.remove(value, 0)
    assert total.result(None, 0) == 0.1


def test_decimals_stay_exact() -> None:
    total = accumulator(Aggregate("sum", "DECIMAL(38, 2)", "v"))
    for value in (Decimal("0.10"), Decimal("99999999999999999999.99")):
        total.add(value, 0)
    total.remove(Decimal("99999999999999999999.99"), 0)
    assert total.result(None, 0) == Decimal("0.10")


def test_windows_keep_no_more_rows_than_they_need() -> None:
    windows = SlidingWindows([call("count", rows=3), call("count", milliseconds=100)])
    for time in range(0, 100_000, 10):
        windows.push(time, (1,))
    assert len(windows.rows) == 11


def test_made_again_from_its_rows_it_goes_on_alike() -> None:
    calls = [
        call("sum", milliseconds=50),
        call("min", rows=4),
        call("lag", "INT", rows=2, ignore_nulls=True),
        call("last_value", "INT", milliseconds=20, ignore_nulls=True),
    ]
    rng = random.Random(5)
    rows = [(10 * i, rng.choice([None, rng.randint(0, 9)])) for i in range(60)]
    whole = results(calls, rows)
    first = SlidingWindows(calls)
    for time, value in rows[:30]:
        first.push(time, (value, -1))
    again = SlidingWindows(calls)
    for time, values in first.rows:
        again.push(time, values)
    assert [again.push(time, (value, -1)) for time, value in rows[30:]] == whole[30:]


@pytest.mark.parametrize("frame", [{}, {"rows": 1, "milliseconds": 1}, {"rows": -1}])
def test_a_window_has_one_length(frame: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="count"):
        Call(Aggregate("count", "BIGINT"), None, None, **frame)
