"""A row's values as JSON."""

import json
from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.row_json import object_json, value_json


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "null"),
        (True, "true"),
        (7, "7"),
        (2**63 - 1, "9223372036854775807"),
        (0.5, "0.5"),
        (float("nan"), "null"),
        (float("-inf"), "null"),
        (Decimal("12.50"), "12.50"),
        (Decimal("1E+3"), "1000"),
        (Decimal("NaN"), "null"),
        ('a"\n<b>ä', '"a\\"\\n<b>ä"'),
        (datetime(2024, 1, 31, 12, 34, 56, 789_999), '"2024-01-31 12:34:56.789"'),
        (SimpleNamespace(seconds=-2, nanos=500_000_000), '"1969-12-31 23:59:58.500"'),
        (date(1, 1, 1), '"0001-01-01"'),
        (time(12, 34, 56), '"12:34:56"'),
        (time(12, 34, 56, 7000), '"12:34:56.007"'),
        (b"\x01\x02", '"AQI="'),
        ([1, [None]], "[1,[null]]"),
        ({1: "x", datetime(2024, 1, 31): 2}, '{"1":"x","2024-01-31 00:00:00.000":2}'),
    ],
)
def test_each_sql_type(value: Any, expected: str) -> None:
    assert value_json(value) == expected


def test_a_type_that_no_column_has() -> None:
    with pytest.raises(TypeError, match="must be of a SQL type, got object"):
        value_json(object())


def test_half_a_surrogate_pair_becomes_a_question_mark() -> None:
    assert object_json(("a",), ("x\ud800y",)) == b'{"a":"x?y"}'


_scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
)
_values = st.recursive(
    _scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10
)


@given(st.dictionaries(st.text(), _values))
def test_json_reads_back_as_the_same_values(row: dict[str, Any]) -> None:
    def strip(value: Any) -> Any:  # surrogates can't be carried
        return json.loads(json.dumps(value).encode("ascii"), object_pairs_hook=_replaced)

    data = object_json(tuple(row), tuple(row.values()))
    assert json.loads(data, object_pairs_hook=_replaced) == _map_text(strip(row), _replace)


def _replace(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")


def _replaced(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {_replace(key): value for key, value in pairs}


def _map_text(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_map_text(v, change) for v in value]
    if isinstance(value, dict):
        return {k: _map_text(v, change) for k, v in value.items()}
    return value
