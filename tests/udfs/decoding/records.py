"""Records of any kind, and what must hold for what a decoder makes of them."""

import json
import math
from datetime import datetime
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from udfs.decoding.columns import Column
from udfs.decoding.decoder import RecordDecoder
from udfs.decoding.refused import MAX_DATA_ROW, MAX_MESSAGE, Decoded

TYPES = (
    "VARCHAR(8)",
    "STRING",
    "BOOLEAN",
    "TINYINT",
    "INTEGER",
    "BIGINT",
    "FLOAT",
    "DOUBLE",
    "DECIMAL(10, 2)",
    "TIMESTAMP(3)",
)
EVERYTHING = RecordDecoder([Column(f"c{i}", type_, f"$.{'abcdefghij'[i]}") for i, type_ in enumerate(TYPES)])
REQUIRED = RecordDecoder(
    [Column("a", "VARCHAR(8)", "$.a", required=True), Column("deep", "DOUBLE", "$.a.b.c")]
)


HOSTILE = (
    "=cmd|' /C calc'!A0",
    "'; DROP TABLE trades; --",
    "<img src=x onerror=alert(1)>",
    "\x00",
    "\ud800",
    "1e999999",
    "-0",
    "٣",
    "9" * 400,
    "2024-02-30T00:00:00Z",
    "\u202e\u2028",
    10**400,
    1e308,
    -1,
    0.1,
    True,
    None,
    [],
    {"a": {"b": {"c": 1}}},
)

_KEYS = st.one_of(st.sampled_from([*"abcdefghij", "", "a.b", "$"]), st.text(max_size=5))
_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**40), 10**40),
    st.floats(allow_nan=True, allow_infinity=True),
    st.text(max_size=40),
    st.sampled_from(HOSTILE),
)
VALUES = st.recursive(
    _SCALARS,
    lambda v: st.one_of(st.lists(v, max_size=4), st.dictionaries(_KEYS, v, max_size=4)),
    max_leaves=12,
)
OBJECTS = st.dictionaries(_KEYS, VALUES, max_size=12)
JSON = st.builds(
    lambda v, ascii_: json.dumps(v, ensure_ascii=ascii_), st.one_of(OBJECTS, VALUES), st.booleans()
)


def torn(text: str, at: int, byte: int) -> bytes:
    """The text's bytes, one of them replaced, or cut there."""
    data = bytearray(text.encode("utf-8", "surrogatepass"))
    if data:
        data[at % len(data)] = byte
    return bytes(data[: at % (len(data) + 1)] if byte < 64 else data)


RECORDS = st.one_of(
    JSON.map(lambda t: t.encode("utf-8", "surrogatepass")),
    st.lists(JSON, max_size=4).map(lambda docs: " ".join(docs).encode("utf-8", "surrogatepass")),
    st.builds(torn, JSON, st.integers(0, 10_000), st.integers(0, 255)),
    st.binary(max_size=200),
)


def accounted_for(data: bytes) -> None:
    for decoder in (EVERYTHING, REQUIRED):
        rows = list(decoder.decode(data))
        assert rows
        same(rows, decoder, data)
        for row in rows:
            if row.values is None:
                assert row.error_name
                assert 0 < len(row.message or "") <= MAX_MESSAGE
                (row.message or "").encode("utf-8")
                assert row.data_row == data[: MAX_DATA_ROW // 2].hex()
            else:
                assert row.error_name is None
                fits(row.values)


def same(rows: list[Decoded], decoder: RecordDecoder, data: bytes) -> None:
    """What the quick way takes is what the long way gives, to the sign of a zero."""
    plain = decoder.plain(data)
    assert plain is None or repr([Decoded(plain)]) == repr(rows)


def fits(values: tuple[Any, ...]) -> None:
    """Every value can be carried by its column's type."""
    if len(values) != len(TYPES):
        return
    for type_, value in zip(TYPES, values, strict=True):
        if value is None:
            continue
        if isinstance(value, str):
            value.encode("utf-8")
            assert type_ == "STRING" or len(value) <= 8
        elif isinstance(value, float):
            assert math.isfinite(value)
            assert type_ == "DOUBLE" or abs(value) <= 3.4028235e38
        elif isinstance(value, bool):
            assert type_ == "BOOLEAN"
        elif isinstance(value, int):
            assert abs(value) <= 2 ** {"TINYINT": 7, "INTEGER": 31, "BIGINT": 63}[type_]
        elif isinstance(value, Decimal):
            assert abs(value) < 10**8
        else:
            assert isinstance(value, datetime)
            assert value.tzinfo is None
