"""Rows read and answered as bytes are what PyFlink's own coders read and write."""

from typing import Any

import numpy as np
from pyflink.common import Instant, Row, RowKind
from pyflink.fn_execution.coder_impl_fast import InternalRow
from pyflink.fn_execution.coders import (
    BigIntCoder,
    BooleanCoder,
    CharCoder,
    DoubleCoder,
    FloatCoder,
    InstantCoder,
    IntCoder,
    RowCoder,
    SmallIntCoder,
    TinyIntCoder,
)

from udfs.row_columns import RowLayout, Rows

#: More fields than a mask of one byte has room for, so that masks of rows and answers differ in length.
FIELDS: dict[str, Any] = {
    "name": CharCoder(),
    "note": CharCoder(),
    "price": DoubleCoder(),
    "size": IntCoder(),
    "id": BigIntCoder(),
    "ratio": FloatCoder(),
    "moment": InstantCoder(),
    "small": SmallIntCoder(),
    "tiny": TinyIntCoder(),
    "flag": BooleanCoder(),
}
ANSWER = {"score": DoubleCoder(), "error": CharCoder(), "message": CharCoder()}
CODERS = [type(c).__name__ for c in FIELDS.values()]


def row_coder(**fields: Any) -> RowCoder:
    return RowCoder(list(fields.values()), list(fields))


KEYED = row_coder(key=CharCoder(), element=row_coder(**FIELDS), rowtime=InstantCoder())
GIVEN = row_coder(time=BigIntCoder(), watermark=BigIntCoder(), row=KEYED).get_impl()
TAKEN = row_coder(time=BigIntCoder(), row=row_coder(**FIELDS, **ANSWER)).get_impl()


def message(coder: Any, rows: list[Any]) -> bytes:
    out = bytearray()
    for row in rows:
        data, length = coder.encode(row), []
        size = len(data)
        while size > 0x7F:
            length.append(size & 0x7F | 0x80)
            size >>= 7
        out += bytes([*length, size]) + data
    return bytes(out)


def given(values: list[list[Any]], key: Any = "") -> bytes:
    keys = key if isinstance(key, list) else [key] * len(values)
    return message(
        GIVEN,
        [
            Row(10 * k - 20, -(2**63), Row(name, Row(*v), Instant.of_epoch_milli(k)))
            for k, (v, name) in enumerate(zip(values, keys, strict=True))
        ],
    )


def values(k: int) -> list[Any]:
    return [
        "x" * (k % 300), None if k % 3 else "ä日", k / 7, -k, -(2**40) * k, k * 0.5, Instant(k, k), -3 * k, k % 9, True
    ]  # fmt: skip


def test_what_is_read_and_answered_is_what_pyflink_reads_and_writes() -> None:
    wanted = [values(k) for k in range(400)]
    names = [str(k % 16) for k in range(400)]
    numbers = [5, 2, 3, 4, 7]
    rows = Rows.read(given(wanted, names), RowLayout(CODERS, numbers, 0))
    assert list(rows.runs()) == [(True, 0, 400)]
    assert rows.points.tolist() == [[v[n] for n in numbers] for v in wanted]
    assert rows.keys(3, 400) == names[3:]
    assert rows.values(3, 400) == [v[0] for v in wanted[3:]]
    assert rows.times(0, 3) == [-20, -10, 0]
    scores = np.random.default_rng(1).normal(0, 1, 398)
    assert rows.scored(2, 400, scores, 2) == message(
        TAKEN,
        [
            InternalRow([10 * k - 20, InternalRow([*wanted[k], score, None, None], 0)], 0)
            for k, score in enumerate(scores.tolist(), 2)
        ],
    )


def test_rows_that_are_not_plain_are_reported_apart_and_given_back_as_they_came() -> None:
    data = [values(k) for k in range(12)]
    data[2][2] = None
    data[3][2] = float("nan")
    data[7][2] = float("-inf")
    data[9][1] = data[9][4] = None
    came = given(data, "k")
    rows = Rows.read(came, RowLayout(CODERS, [2, 3], 4))
    runs = list(rows.runs())
    assert runs == [(True, 0, 2), (False, 2, 4), (True, 4, 7), (False, 7, 8), (True, 8, 12)]
    assert b"".join(rows.record(first, end) for _, first, end in runs) == came
    assert rows.keys(0, 2) == ["k", "k"]
    assert rows.values(8, 11) == [data[8][4], None, data[10][4]]


def test_a_change_is_no_plain_row() -> None:
    element = Row(*values(1))
    element.set_row_kind(RowKind.DELETE)
    row = Row(1, 1, Row("", element, Instant(0, 0)))
    assert not Rows.read(message(GIVEN, [row]), RowLayout(CODERS, [2])).plain.any()


def test_what_can_not_be_read_is_said_beforehand() -> None:
    assert RowLayout.reads(CODERS, [2, 3, 4], 0)
    assert RowLayout.reads(["BigDecimalCoder", "DoubleCoder"], [1])
    assert not RowLayout.reads(["BigDecimalCoder"], [0])
    assert not RowLayout.reads(["PickledBytesCoder", "DoubleCoder"], [1])
    assert not RowLayout.reads(CODERS, [2], 2)
    assert not RowLayout.reads(CODERS, [2, 2])
