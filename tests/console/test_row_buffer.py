"""Row buffers: memory is bounded, hostile records are counted but not shown as rows, rates are by time of arrival."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from console.row_buffer import (
    MOST_RELATIONS,
    MOST_ROWS,
    RATE_SECONDS,
    RowBuffer,
    RowBuffers,
    bounded,
    decoded,
)

NOON = datetime(2024, 1, 31, 12, tzinfo=UTC)


def tapped(data: Any = '{"a": 1}', **changes: Any) -> bytes:
    record = {"relation": "r", "rowtime": "2024-01-31 12:00:00.5", "weight": 1.0, "data": data}
    return json.dumps(record | changes).encode()


def test_a_tapped_row_is_kept_with_its_rowtime_in_utc() -> None:
    buffers = RowBuffers()
    buffers.add_tapped(tapped(), NOON)
    (row,) = buffers.by_relation["r"].rows
    assert (row.values, row.rowtime, row.number) == ({"a": 1}, "2024-01-31T12:00:00.500Z", 1)


def test_columns_come_in_the_relations_order() -> None:
    buffers = RowBuffers()
    row = json.dumps({"a": 1, "key": 2, "z": 3})
    for columns in ('["key","z","gone"]', "no json", None, "7", "[[]]"):
        buffers.add_tapped(tapped(data=row, columns=columns), NOON)
    orders = [list(row.values) for row in buffers.by_relation["r"].rows]
    assert orders == [["key", "z", "a"], *[["a", "key", "z"]] * 4]


@pytest.mark.parametrize(
    "record",
    [
        b"",
        b"\xff",
        b"[]",
        b"null",
        b"{}",
        b"[" * 100_000,
        tapped(data="[1]"),
        tapped(data="no json"),
        tapped(data=None),
        tapped(relation=7),
        tapped(weight=0.5),
        tapped(weight="many"),
        tapped(weight=1e99),
    ],
)
def test_what_is_no_row_is_counted(record: bytes) -> None:
    buffers = RowBuffers()
    buffers.add_tapped(record, NOON)
    assert (buffers.by_relation, buffers.unreadable) == ({}, 1)


def test_memory_is_bounded() -> None:
    buffers = RowBuffers()
    for number in range(MOST_ROWS + 10):
        buffers.add_tapped(tapped(), NOON)
        buffers.add_tapped(tapped(relation=f"made up {number}"), NOON)
    assert len(buffers.by_relation) == MOST_RELATIONS
    assert len(buffers.by_relation["r"].rows) == MOST_ROWS
    assert buffers.by_relation["r"].total == MOST_ROWS + 10
    row = bounded({f"column {n}": "x" * 10_000 for n in range(1000)})
    assert len(json.dumps(row)) < 200_000


def test_values_that_a_browser_would_change_or_refuse_are_texts() -> None:
    row = bounded({"id": 2**60, "nan": float("nan"), "nested": {"a": [1]}, "small": 5})
    assert row == {"id": str(2**60), "nan": "nan", "nested": '{"a": [1]}', "small": 5}


def test_a_sampled_row_stands_for_several() -> None:
    buffer, now = RowBuffer(), NOON.timestamp()
    for tenth in range(100):
        buffer.add({}, "", now + tenth / 10, weight=4.0)
    assert (buffer.total, buffer.sampled) == (400.0, True)
    assert buffer.rate(now + 9.9) == 400.0 / RATE_SECONDS
    assert buffer.rate(now + 9.9 + RATE_SECONDS) == 0.0


def test_an_error_shows_its_record_decoded() -> None:
    buffers = RowBuffers()
    record = {"error_name": "INVALID_JSON", "error_time": "2024-01-31 12:00:00", "data_row": b"<b>\xff".hex()}
    buffers.add_error(json.dumps(record).encode(), NOON + timedelta(seconds=1), "error_stream")
    (row,) = buffers.by_relation["error_stream"].rows
    assert row.values["record"] == "<b>\\xff"
    assert "data_row" not in row.values
    assert decoded("zz") == "zz"
    assert decoded(7) == ""
