"""Compiled reading of plain records: the values are the decoder's, and the rows PyFlink's own."""

import json
import struct
from typing import Any

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pyflink.common import Row
from pyflink.fn_execution.coders import (
    BigIntCoder,
    BooleanCoder,
    CharCoder,
    DoubleCoder,
    IntCoder,
    RowCoder,
    SmallIntCoder,
)

from udfs.decoding.columns import Column
from udfs.decoding.decoder import RecordDecoder
from udfs.decoding.json_rows import JsonRows
from udfs.decoding.record_format import JSON, RecordFormat

COLUMNS = [
    Column("symbol", "VARCHAR(4)", "$.s"),
    Column("price", "DOUBLE", "$.price"),
    Column("size", "INTEGER", "$.size"),
    Column("id", "BIGINT", "$.id", required=True),
    Column("small", "SMALLINT", "$.small"),
    Column("flag", "BOOLEAN", "$.flag"),
]
CODERS = [CharCoder(), DoubleCoder(), IntCoder(), BigIntCoder(), SmallIntCoder(), BooleanCoder()]
DECODER, READER = RecordDecoder(COLUMNS), JsonRows(COLUMNS)


def read(records: list[bytes]) -> tuple[list[list[Any] | None], Any, Any, Any, Any]:
    """The values of each record, None for one that is not plain; and what they were read from."""
    joined = np.frombuffer(b"".join(records), np.uint8)
    ends = np.cumsum([len(r) for r in records]).astype(np.int64)
    begins = ends - [len(r) for r in records]
    found = READER.read(joined, begins, ends)
    rows: list[list[Any] | None] = []
    for k in range(len(records)):
        values: list[Any] = []
        for c, column in enumerate(COLUMNS):
            (first, end), bits = found.spans[k, c].tolist(), int(found.bits[k, c])
            if first < 0:
                values.append(None)
            elif column.type.startswith("VARCHAR"):
                values.append(bytes(joined[first:end]).decode())
            elif column.type == "DOUBLE":
                values.append(struct.unpack("d", struct.pack("Q", bits))[0])
            elif column.type == "BOOLEAN":
                values.append(bool(bits))
            else:
                values.append(bits - (1 << 64) if bits >> 63 else bits)
        rows.append(values if found.plain[k] else None)
    return rows, found, joined, begins, ends


def decoded(record: bytes) -> list[list[Any]]:
    return [list(row.values) if row.values else [] for row in DECODER.decode(record)]


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(-40_000, 40_000), st.floats(allow_nan=False),
    st.decimals(-1000, 1000, places=3).map(float), st.text(max_size=6), st.lists(st.integers(), max_size=2),
    st.integers().map(str), st.integers(-40_000, 40_000).map(str), st.floats().map(str),
    st.text(" +-.0123e", max_size=6),
)  # fmt: skip
MEMBERS = st.lists(
    st.tuples(st.sampled_from(["s", "price", "size", "id", "small", "flag", "more"]), VALUES), max_size=8
)


@settings(max_examples=400, deadline=None)
@given(MEMBERS, st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", "\t: ")]), st.booleans())
def test_what_is_read_is_what_the_decoder_reads(
    members: list[tuple[str, Any]], separators: tuple[str, str], ascii_: bool
) -> None:
    comma, colon = separators
    text = comma.join(f'"{k}"{colon}{json.dumps(v, ensure_ascii=ascii_)}' for k, v in members)
    record = ("{" + text + "}").encode("utf-8", "surrogatepass")
    [values], *_ = read([record])
    if values is not None:
        assert [values] == decoded(record)
        assert str([values]) == str(decoded(record))  # -0.0


@settings(max_examples=400, deadline=None)
@given(st.text('{}[]",: \t\n\\\x00-+.0123456789eEnulltruefalses', max_size=24))
@example('"s":"abcd","id":01')
@example('"s":"abcd","id":1}{"id":2')
@example('"price":1e400,"id":1')
@example('"price":1.,"id":1')
@example('"price":-,"id":1')
@example('"price":123456789012345678901234567890,"id":1')
@example('"price":9007199254740993,"id":1')
@example('"price":"-0","size":"007","id":"1"')
@example('"price":"+.5e1","size":" 7","id":"1."')
@example('"price":"","id":"-"')
@example('"price":"1e2","size":"1e2","id":"1.0","flag":"1"')
@example('"small":"32768","size":"-2147483648","id":"9223372036854775808"')
@example('"price":1E-5,"id":9223372036854775807,"flag":nul')
def test_what_is_not_json_is_left_to_the_decoder(text: str) -> None:
    record = ("{" + text + "}").encode()
    [values], *_ = read([record])
    if values is not None:
        assert [values] == decoded(record)


def test_the_usual_record_is_plain() -> None:
    records = [
        b'{"s": "AMZN", "price": 99.12, "size": 7, "id": 1, "small": -3, "flag": true, "other": "x"}',
        b' {"id":9007199254740993,"price":100,"s":null,"flag":false,"more":1.5e3,"size":-2147483647} ',
        b'{"price": 1e22, "id": 0}',
        b'{"price": "-9.5e1", "id": "1700006400000", "small": "-3", "size":"0"}',
    ]
    rows, *_ = read(records)
    assert rows == [
        ["AMZN", 99.12, 7, 1, -3, True],
        [None, 100.0, -2147483647, 9007199254740993, None, False],
        [None, 1e22, None, 0, None, None],
        [None, -95.0, 0, 1700006400000, -3, None],
    ]
    assert rows == [decoded(r)[0] for r in records]


def test_written_rows_are_those_that_pyflink_writes() -> None:
    records = [
        json.dumps(
            {"s": "ab"[k % 2] * (k % 4), "price": k / 4, "size": None if k % 3 else k, "id": -k}
        ).encode()
        for k in range(200)
    ]
    rows, found, data, begins, _ = read(records)
    # The record itself stands for fields that are copied, and for what comes before the row.
    copied = np.stack([np.stack([begins, begins + 8 * (np.arange(200) % 2)], axis=1)], axis=1)
    heads = np.stack([begins, begins + 3], axis=1)
    numbers = np.arange(400, dtype=np.uint64).reshape(200, 2)
    fields = [*CODERS, BigIntCoder(), CharCoder(), CharCoder(), BigIntCoder(), BigIntCoder()]
    coder = RowCoder(fields, [f"f{k}" for k in range(len(fields))]).get_impl()
    for ended in (False, True):
        expected = b""
        for k, values in enumerate(rows):
            assert values is not None
            number = int.from_bytes(records[k][:8], "big", signed=True) if k % 2 else None
            row = records[k][:3] + coder.encode(Row(*values, number, None, None, 2 * k, 2 * k + 1))
            assert len(row) < 128
            expected += bytes([len(row)]) + row + (b"\1\0" if ended else b"")
        assert READER.written(data, found, 0, 200, heads, copied, numbers, 2, ended) == expected
    assert READER.written(data, found, 7, 9, heads[7:9], copied[7:9], numbers[7:9], 2) in expected.replace(
        b"\1\0", b""
    )


def test_only_some_columns_can_be_plain() -> None:
    assert JsonRows.readable(COLUMNS, JSON)
    for type_, path in [("DATE", "$.a"), ("DOUBLE", "$.a.b"), ("STRING", "$.a[0:]"), ("CHAR(3)", "$.a")]:
        assert not JsonRows.readable([*COLUMNS, Column("a", type_, path)], JSON)
    assert not JsonRows.readable([*COLUMNS, Column("again", "DOUBLE", "$.price")], JSON)
    assert not JsonRows.readable(COLUMNS, RecordFormat("csv"))
    assert not JsonRows.readable([], JSON)
