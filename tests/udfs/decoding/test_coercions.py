"""AWS's table of JSON to SQL, cell by cell; and the text of numbers, arrays and objects as the source has it."""

import re
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import pytest

from udfs.decoding.columns import Column
from udfs.decoding.decoder import RecordDecoder


class Refused(str):
    """What a message must hold of what was required."""


TABLE = {
    "null": dict.fromkeys(
        ("VARCHAR(8)", "INTEGER", "DOUBLE", "DECIMAL(9, 2)", "BOOLEAN", "TIMESTAMP(3)", "DATE", "TIME", "VARBINARY(4)")
    ),
    "true": {
        "VARCHAR(8)": "true",
        "VARCHAR(2)": "tr",
        "INTEGER": 1,
        "DOUBLE": 1.0,
        "DECIMAL(9, 2)": Decimal("1.00"),
        "BOOLEAN": True,
        "TIMESTAMP(3)": Refused("a time"),
        "DATE": Refused("a date"),
        "TIME": Refused("a time of day"),
        "VARBINARY(4)": b"\x01",
        "BINARY(3)": b"\0\0\x01",
    },
    "false": {"VARCHAR(8)": "false", "BIGINT": 0, "BOOLEAN": False, "VARBINARY(4)": b"\0", "BINARY(2)": b"\0\0"},
    "123.4": {
        "VARCHAR(8)": "123.4",
        "VARCHAR(4)": "123.",
        "INTEGER": Refused("a whole number"),
        "DOUBLE": 123.4,
        "REAL": 123.4,
        "DECIMAL(9, 2)": Decimal("123.40"),
        "DECIMAL(4, 2)": Refused("at most 4 digits"),
        "BOOLEAN": True,
        "TIMESTAMP(3)": Refused("a time"),
        "DATE": Refused("a date"),
        "TIME": Refused("a time of day"),
        "VARBINARY(4)": Refused("a binary literal"),
    },
    "2": {"BOOLEAN": True, "TINYINT": 2, "VARCHAR(8)": "2", "TIMESTAMP(3)": Refused("a time")},
    "0": {"BOOLEAN": False, "DOUBLE": 0.0},
    "0.00": {"BOOLEAN": False, "VARCHAR(8)": "0.00", "INTEGER": 0},
    "-0e7": {"BOOLEAN": False, "INTEGER": 0},
    "0.001": {"BOOLEAN": True},
    "1e-400": {"BOOLEAN": True, "DOUBLE": 0.0},
    "1.50": {"VARCHAR(8)": "1.50", "DECIMAL(9, 2)": Decimal("1.50"), "DECIMAL(9, 1)": Decimal("1.5")},
    "12.0": {"INTEGER": 12},
    "1e3": {"VARCHAR(8)": "1e3", "INTEGER": 1000},
    "300": {"TINYINT": Refused("between -128 and 127"), "SMALLINT": 300},
    "1e40": {"REAL": Refused("a finite number"), "DOUBLE": 1e40},
    "9007199254740993.0": {"BIGINT": 2**53 + 1},
    "123456789012345678.5": {"BIGINT": Refused("a whole number")},
    "1e99999999999999999999": {
        "DOUBLE": Refused("a finite number"),
        "DECIMAL(9, 2)": Refused("at most 9 digits"),
        "INTEGER": Refused("a whole number"),
    },
    '"text"': {
        "VARCHAR(8)": "text",
        "VARCHAR(2)": "te",
        "INTEGER": Refused("a whole number"),
        "DOUBLE": Refused("a number"),
        "DECIMAL(9, 2)": Refused("at most 9 digits"),
        "BOOLEAN": False,
        "TIMESTAMP(3)": Refused("a time"),
        "DATE": Refused("a date"),
        "TIME": Refused("a time of day"),
        "VARBINARY(4)": Refused("a binary literal"),
    },
    '"TRUE"': {"BOOLEAN": True, "VARCHAR(8)": "TRUE"},
    '"yes"': {"BOOLEAN": False},
    '"1"': {"BOOLEAN": False, "INTEGER": 1},
    '""': {"BOOLEAN": False, "VARCHAR(8)": "", "INTEGER": Refused("a whole number")},
    '" 12 "': {"INTEGER": 12, "DOUBLE": 12.0, "DECIMAL(9, 2)": Decimal("12.00"), "VARCHAR(8)": " 12 "},
    '"1_000"': {
        "INTEGER": Refused("a whole number"),
        "DOUBLE": Refused("a number"),
        "DECIMAL(9, 2)": Refused("at most 9 digits"),
    },
    '"1992-02-14"': {
        "TIMESTAMP(3)": datetime(1992, 2, 14),
        "DATE": date(1992, 2, 14),
        "TIME": Refused("a time of day"),
    },
    '"1992-02-14 18:35:44.0"': {"TIMESTAMP(3)": datetime(1992, 2, 14, 18, 35, 44), "DATE": date(1992, 2, 14)},
    '"18:35:44"': {"TIME": time(18, 35, 44), "DATE": Refused("a date")},
    "\"X'3F67A23A'\"": dict.fromkeys(("VARBINARY(4)", "BINARY(4)", "BYTES"), b"\x3f\x67\xa2\x3a"),
    "\"X'3F6'\"": {"VARBINARY(4)": Refused("a binary literal")},
    "\"X'3F67A23A00'\"": {"VARBINARY(4)": Refused("at most 4 bytes"), "BINARY(4)": Refused("of 4 bytes")},
    '[1, 2.50,"\\u00fc" ]': {
        "STRING": '[1, 2.50,"\\u00fc" ]',
        "VARCHAR(5)": "[1, 2",
        "INTEGER": Refused("a whole number"),
        "DOUBLE": Refused("a number"),
        "DECIMAL(9, 2)": Refused("at most 9 digits"),
        "BOOLEAN": Refused("a boolean"),
        "TIMESTAMP(3)": Refused("a time"),
        "DATE": Refused("a date"),
        "TIME": Refused("a time of day"),
        "VARBINARY(4)": Refused("a binary literal"),
    },
    '{"b": 1.0}': {"STRING": '{"b": 1.0}', "DOUBLE": Refused("a number"), "BOOLEAN": Refused("a boolean")},
}  # fmt: skip


@pytest.mark.parametrize(
    ("written", "type_", "value"),
    [(written, type_, value) for written, cells in TABLE.items() for type_, value in cells.items()],
)
def test_a_cell_of_the_table(written: str, type_: str, value: Any) -> None:
    decoder = RecordDecoder([Column("x", type_, "$.x")])
    data = f'{{"x": {written}}}'.encode()
    (row,) = decoder.decode(data)
    if isinstance(value, Refused):
        assert row.values is None
        assert re.match(rf"column x {re.escape(type_)}: required .*{value}.*, got ", row.message or "")
        assert decoder.plain(data) is None
        return
    assert (row.message, row.values) == (None, (value,))
    assert type(row.values[0]) in (type(value), type(None)) or isinstance(value, str)
    assert decoder.plain(data) in (None, (value,))


@pytest.mark.parametrize(
    ("document", "path", "text"),
    [
        ('{"a": {"a": [{"x" : 1.0} , 2]}}', "$.a.a", '[{"x" : 1.0} , 2]'),
        ('{"x": [1], "x": [2.0 ,3], "y": {"x": 0}}', "$.x", "[2.0 ,3]"),
        ('{"a\\u0062": {"c":\t[ ]}, "q": "}{\\""}', "$.ab.c", "[ ]"),
        ('{"q": "\\\\", "x": {"k": "\\"]}"}}', "$.x", '{"k": "\\"]}"}'),
    ],
)
def test_the_source_text_is_found_wherever_it_stands(document: str, path: str, text: str) -> None:
    (row,) = RecordDecoder([Column("x", "STRING", path)]).decode(f" {document}".encode())
    assert row.values == (text,)
