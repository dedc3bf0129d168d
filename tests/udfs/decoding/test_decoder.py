"""Records to columns: KDA's coercions on literal records; then records made to break things."""

import json
import random
import tracemalloc
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from tests.udfs.decoding.records import (
    EVERYTHING,
    HOSTILE,
    RECORDS,
    accounted_for,
)
from udfs.decoding.columns import Column
from udfs.decoding.decoder import MAX_ERRORS, RecordDecoder, late_record
from udfs.decoding.refused import MAX_DATA_ROW


def one(type_: str, value: Any) -> Any:
    (row,) = RecordDecoder([Column("x", type_, "$.x")]).decode(json.dumps({"x": value}).encode())
    return row.values[0] if row.values else row.message


@pytest.mark.parametrize(
    ("type_", "value", "column"),
    [
        ("VARCHAR(3)", "abcdef", "abc"),
        ("VARCHAR(20)", True, "true"),
        ("INTEGER", "12", 12),
        ("INTEGER", 12.0, 12),
        ("INTEGER", True, 1),
        ("TINYINT", -128, -128),
        ("BIGINT", "9223372036854775807", 2**63 - 1),
        ("DOUBLE", "1e3", 1000.0),
        ("DECIMAL(10, 2)", "1.005", Decimal("1.00")),
        ("DECIMAL(38, 0)", 10**38 - 1, Decimal(10**38 - 1)),
        ("DECIMAL(38, 18)", "12345678901234567890.5", Decimal("12345678901234567890.5")),
        ("BOOLEAN", "TRUE", True),
        ("BOOLEAN", 0, False),
        ("TIMESTAMP(3)", "2024-01-31T13:00:00.250+01:00", datetime(2024, 1, 31, 12, 0, 0, 250_000)),
        ("TIMESTAMP(3)", "2024-01-31 12:00:00", datetime(2024, 1, 31, 12)),
        ("DOUBLE", None, None),
    ],
)
def test_values_become_columns(type_: str, value: Any, column: Any) -> None:
    assert one(type_, value) == column


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        ("TINYINT", 128),
        ("INTEGER", 2**31),
        ("INTEGER", 1.5),
        ("INTEGER", "1_000"),
        ("INTEGER", "٣"),
        ("DOUBLE", "1_000"),
        ("DECIMAL(9, 2)", "1_000"),
        ("DECIMAL(9, 2)", "NaN"),
        ("BIGINT", 1e300),
        ("DOUBLE", "nan"),
        ("DOUBLE", "inf"),
        ("DOUBLE", "1e999"),
        ("DOUBLE", []),
        ("FLOAT", 1e39),
        ("DECIMAL(4, 2)", 123.45),
        ("DECIMAL(38, 0)", 10**38),
        ("DECIMAL(4, 2)", "1e999999999"),
        ("TIMESTAMP(3)", "0001-01-01T00:00:00+14:00"),
        ("TIMESTAMP(3)", 1706700000),
        ("STRING", "\ud800"),
    ],
)
def test_what_does_not_fit_is_reported(type_: str, value: Any) -> None:
    message = one(type_, value)
    assert isinstance(message, str)
    assert message.startswith(f"column x {type_}: required ")


def test_a_record_may_hold_several_documents() -> None:
    rows = list(EVERYTHING.decode(b'\xef\xbb\xbf{"a":"1"}\n{"a":"2"}{"a":"3"} \r\n'))
    assert [row.values and row.values[0] for row in rows] == ["1", "2", "3"]


def test_an_undecodable_rest_is_one_error_and_what_came_before_counts() -> None:
    good, bad = EVERYTHING.decode(b'{"a":"1"}{"a":')
    assert good.values is not None
    assert (bad.error_name, bad.data_row) == ("INVALID_JSON", b'{"a":"1"}{"a":'.hex())


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"", "EMPTY_RECORD"),
        (b" \n\t", "EMPTY_RECORD"),
        (b"\xff\xfe", "INVALID_UTF8"),
        (b'{"a": "\xff"}', "INVALID_UTF8"),
        (b"null", "INVALID_JSON"),
        (b"[1]", "INVALID_JSON"),
        (b'{"a": NaN}', "INVALID_JSON"),
        (b'{"a": Infinity}', "INVALID_JSON"),
        (b"[" * 100_000, "INVALID_JSON"),
        (b'{"a":' * 100_000, "INVALID_JSON"),
        (b"1" * 5000, "INVALID_JSON"),
        (b'<script>alert("1")</script>', "INVALID_JSON"),
        (b"=HYPERLINK(1)", "INVALID_JSON"),
    ],
)
def test_rubbish_has_a_name(data: bytes, name: str) -> None:
    (row,) = EVERYTHING.decode(data)
    assert row.error_name == name
    assert row.data_row == data[: MAX_DATA_ROW // 2].hex()


@pytest.mark.parametrize("depth", range(300, 1000, 7))
def test_no_depth_of_nesting_is_too_much_to_tell(depth: int) -> None:
    """Readable at some depths, too deep to be written or shown at others."""
    for opening, closing in (("[", "]"), ('{"a":', "}")):
        record = (
            f'{{"a": {opening * depth}1{closing * depth}, "h": {opening * depth}1{closing * depth}}}'.encode()
        )
        (row,) = EVERYTHING.decode(record)
        assert row.error_name in ("INVALID_JSON", "COERCION")


def test_a_record_of_many_errors_is_reported_in_few_rows() -> None:
    rows = list(EVERYTHING.decode(b"1 " * 100_000))
    assert len(rows) == MAX_ERRORS
    assert "and 99990 more errors in this record" in (rows[-1].message or "")
    rows = list(EVERYTHING.decode(b'1 {"a":"x"} ' * MAX_ERRORS))
    assert len(rows) == 2 * MAX_ERRORS
    assert "more errors" not in (rows[-1].message or "")


def test_a_late_record_says_by_how_much() -> None:
    row = late_record(b"{}", arrival=1000, counted=5500)
    assert (row.error_name, row.data_row) == ("LATE_RECORD", "7b7d")
    assert "4.500 s" in (row.message or "")


@pytest.mark.parametrize(
    "record",
    [b'{"a": "' + b"x" * 1_000_000 + b'"}', b'{"x": "' + b"\\u0000" * 160_000 + b'"', b"\xff" * 1_000_000],
)
def test_a_megabyte_takes_megabytes(record: bytes) -> None:
    tracemalloc.start()
    list(EVERYTHING.decode(record))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 12_000_000


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(RECORDS)
def test_no_record_stops_the_decoder_and_none_vanishes(data: bytes) -> None:
    accounted_for(data)


def test_twenty_thousand_damaged_records_are_all_accounted_for() -> None:
    rng = random.Random(7)
    whole = [json.dumps({k: rng.choice(HOSTILE) for k in "abcdefghij"}).encode() for _ in range(200)]
    parts = [
        b"{",
        b"}",
        b"[",
        b'"',
        b"\\",
        b"\xff",
        b"\x00",
        b":",
        b",",
        b"\xed\xa0\x80",
        b"1e999",
        b"NaN",
        b"null",
        b"{}",
    ]
    for _ in range(20_000):
        data = bytearray(rng.choice(whole))
        for _ in range(rng.randint(0, 4)):
            at = rng.randrange(len(data))
            data[at : at + rng.choice((0, 1, 1, 9))] = rng.choice(parts)
        accounted_for(
            bytes(
                data[
                    rng.choice((0, 0, 0, 1)) : rng.choice(
                        (len(data), len(data), rng.randrange(len(data) + 1))
                    )
                ]
            )
        )


def test_no_record_is_no_row() -> None:
    """What only tells that time has passed."""
    assert EVERYTHING.plain(None) is None
    assert list(EVERYTHING.decode(None)) == []
