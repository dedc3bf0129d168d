"""Rings: bounded, hostile records counted and not shown as rows, rates by the time of arrival."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from console.rings import MOST_RELATIONS, MOST_ROWS, RATE_SECONDS, Ring, Rings, bounded, decoded

NOON = datetime(2024, 1, 31, 12, tzinfo=UTC)


def tapped(data: Any = '{"a": 1}', **changes: Any) -> bytes:
    record = {"relation": "r", "rowtime": "2024-01-31 12:00:00.5", "weight": 1.0, "data": data}
    return json.dumps(record | changes).encode()


def test_a_tapped_row_is_kept_with_its_rowtime_in_utc() -> None:
    rings = Rings()
    rings.add_tapped(tapped(), NOON)
    (row,) = rings.by_relation["r"].rows
    assert (row.values, row.rowtime, row.number) == ({"a": 1}, "2024-01-31T12:00:00.5Z", 1)


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
    rings = Rings()
    rings.add_tapped(record, NOON)
    assert (rings.by_relation, rings.unreadable) == ({}, 1)


def test_memory_is_bounded() -> None:
    rings = Rings()
    for number in range(MOST_ROWS + 10):
        rings.add_tapped(tapped(), NOON)
        rings.add_tapped(tapped(relation=f"made up {number}"), NOON)
    assert len(rings.by_relation) == MOST_RELATIONS
    assert len(rings.by_relation["r"].rows) == MOST_ROWS
    assert rings.by_relation["r"].total == MOST_ROWS + 10
    row = bounded({f"column {n}": "x" * 10_000 for n in range(1000)})
    assert len(json.dumps(row)) < 200_000


def test_values_that_a_browser_would_change_or_refuse_are_texts() -> None:
    row = bounded({"id": 2**60, "nan": float("nan"), "nested": {"a": [1]}, "small": 5})
    assert row == {"id": str(2**60), "nan": "nan", "nested": '{"a": [1]}', "small": 5}


def test_a_sampled_row_stands_for_several() -> None:
    ring, now = Ring(), NOON.timestamp()
    for tenth in range(100):
        ring.add({}, "", now + tenth / 10, weight=4.0)
    assert (ring.total, ring.sampled) == (400.0, True)
    assert ring.rate(now + 9.9) == 400.0 / RATE_SECONDS
    assert ring.rate(now + 9.9 + RATE_SECONDS) == 0.0


def test_an_error_shows_its_record_decoded() -> None:
    rings = Rings()
    told = {"error_name": "INVALID_JSON", "error_time": "2024-01-31 12:00:00", "data_row": b"<b>\xff".hex()}
    rings.add_error(json.dumps(told).encode(), NOON + timedelta(seconds=1), "error_stream")
    (row,) = rings.by_relation["error_stream"].rows
    assert row.values["record"] == "<b>\\xff"
    assert "data_row" not in row.values
    assert decoded("zz") == "zz"
    assert decoded(7) == ""
