"""Records that fit as they stand: the quick way takes them, and gives what the long way would."""

import json
import random
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.udfs.decoding.records import EVERYTHING, TYPES, VALUES, same
from udfs.decoding.columns import Column
from udfs.decoding.decoder import RecordDecoder

#: Values that need no coercion, most of the time.
_PLAIN = {
    "a": st.text(max_size=9),
    "b": st.text(),
    "c": st.booleans(),
    "d": st.one_of(st.integers(-129, 128), st.integers(-129, 128).map(str)),
    "e": st.integers(-(2**31) - 1, 2**31),
    "f": st.integers(-(2**63) - 1, 2**63),
    "g": st.one_of(st.floats(allow_nan=False), st.integers()),
    "h": st.one_of(st.floats(allow_nan=False), st.integers(), st.floats().map(str)),
    "i": st.one_of(st.floats(-1e8, 1e8), st.integers(-(10**8), 10**8), st.floats(-1e8, 1e8).map(str)),
    "j": st.datetimes().map(datetime.isoformat),
}


@settings(max_examples=500, deadline=None)
@given(
    st.builds(
        lambda plain, more, ascii_: json.dumps(more | plain, ensure_ascii=ascii_),
        st.fixed_dictionaries({}, optional={k: st.one_of(v, st.none()) for k, v in _PLAIN.items()}),
        st.dictionaries(st.text(min_size=2), VALUES, max_size=2),
        st.booleans(),
    )
)
def test_a_plain_record_has_the_same_values_either_way(text: str) -> None:
    data = text.encode("utf-8", "surrogatepass")
    same(list(EVERYTHING.decode(data)), EVERYTHING, data)


@pytest.mark.parametrize(
    ("type_", "written", "value"),
    [
        ("DECIMAL(19, 4)", "123456789012345.6789", Decimal("123456789012345.6789")),
        ("DECIMAL(38, 18)", "1234567890.123456789012345678", Decimal("1234567890.123456789012345678")),
        ("DECIMAL(38, 0)", "9" * 38, Decimal("9" * 38)),
        ("DECIMAL(9, 2)", "-0", Decimal("0.00")),
        ("DECIMAL(9, 2)", '"0.1e1"', Decimal("1.00")),
        ("BIGINT", "9223372036854775807", 2**63 - 1),
        ("DOUBLE", "0.1", 0.1),
    ],
)  # fmt: skip
def test_numbers_keep_their_digits_on_both_ways(type_: str, written: str, value: Any) -> None:
    decoder = RecordDecoder([Column("x", type_, "$.x")])
    data = f'{{"x": {written}}}'.encode()
    assert decoder.plain(data) == (value,)
    (row,) = decoder.decode(data)
    assert repr(row.values) == repr((value,))


def test_five_thousand_numbers_are_read_the_same_either_way() -> None:
    rng = random.Random(11)
    types = ("DOUBLE", "FLOAT", "BIGINT", "DECIMAL(38, 18)")
    decoders = [RecordDecoder([Column("x", type_, "$.x")]) for type_ in types]
    for _ in range(5_000):
        digits = "".join(rng.choices("0123456789", k=rng.choice((1, 3, 17, 19, 25, 40))))
        fraction = (
            "." + "".join(rng.choices("0123456789", k=rng.choice((1, 16, 30)))) if rng.random() < 0.7 else ""
        )
        exponent = rng.choice(("e", "E")) + str(rng.randint(-340, 320)) if rng.random() < 0.5 else ""
        data = f'{{"x": {rng.choice(("", "-"))}{digits.lstrip("0") or 0}{fraction}{exponent}}}'.encode()
        for decoder in decoders:
            same(list(decoder.decode(data)), decoder, data)


@pytest.mark.parametrize(
    ("columns", "record", "values"),
    [
        (["$.a.b", "$.c"], {"a": {"b": "x"}, "c": "y"}, ("x", "y")),
        (["$.a.b", "$.c"], {"c": "y"}, (None, "y")),
        (["$.a.b", "$.c"], {"a": None, "c": "y"}, (None, "y")),
        (["$.a.b", "$.c"], {"a": [1], "c": "y"}, (None, "y")),
        (["$.a.b.c", "$.a.b.d"], {"a": {"b": {"c": "x", "d": "y"}}}, ("x", "y")),
        (["$.a.b.c", "$.a.d"], {"a": {"d": "y"}}, (None, "y")),
        (["$.a", "$.a"], {"a": "x"}, ("x", "x")),
        (["$.a", "$.a.b"], {"a": {"b": "x"}}, ('{"b": "x"}', "x")),
        (["$.a.b", "$.a"], {"a": {"b": "x"}}, ("x", '{"b": "x"}')),
        (['$.a"b', "$.ü $"], {'a"b': "x", "ü $": "y"}, ("x", "y")),
    ],
)
def test_columns_stand_anywhere_in_a_document(
    columns: list[str], record: dict[str, Any], values: tuple[Any, ...]
) -> None:
    decoder = RecordDecoder([Column(f"c{k}", "STRING", path) for k, path in enumerate(columns)])
    data = json.dumps(record).encode()
    (row,) = decoder.decode(data)
    assert row.values == values
    assert decoder.plain(data) in (values, None)


@pytest.mark.parametrize("type_", TYPES)
@pytest.mark.parametrize("record", [{}, {"a": None}, {"a": {}}, {"a": {"x": None}}, {"b": 1}])
def test_a_required_value_that_is_missing_is_reported(type_: str, record: dict[str, Any]) -> None:
    decoder = RecordDecoder([Column("deep", type_, "$.a.x", required=True), Column("b", "INTEGER", "$.b")])
    data = json.dumps(record).encode()
    (row,) = decoder.decode(data)
    assert row.error_name == "COERCION"
    assert decoder.plain(data) is None


@pytest.mark.parametrize(
    ("columns", "record", "values"),
    [
        (
            [("browseraction", "VARCHAR(32)"), ("site", "VARCHAR(253)")],
            {"browseraction": "Click", "site": "https://www.mysite.com"},
            ("Click", "https://www.mysite.com"),
        ),
        ([("event_timestamp", "BIGINT"), ("user_id", "STRING")], {"event_timestamp": 1, "user_id": "a"}, (1, "a")),
        ([("event_timestamp", "BIGINT"), ("user_id", "STRING")], {"event_timestamp": "1"}, (1, None)),
        (
            [("tickerSymbol", "VARCHAR(8)"), ("price", "DOUBLE"), ("quantity", "INTEGER"), ("id", "INTEGER")],
            {"tickerSymbol": "AMZN", "tradeType": "BUY", "price": 93, "quantity": 5, "id": 7},
            ("AMZN", 93.0, 5, 7),
        ),
        ([("paid", "DECIMAL(10, 2)"), ("at", "TIMESTAMP(3)")], {"paid": 1.5}, (Decimal("1.50"), None)),
        ([("at", "DATE"), ("b", "TIME")], {"at": "2024-01-31", "b": "12:00"}, (date(2024, 1, 31), time(12))),
    ],
)  # fmt: skip
def test_what_the_labs_send_goes_the_quick_way(
    columns: list[tuple[str, str]], record: dict[str, Any], values: tuple[Any, ...]
) -> None:
    """Or it would be no use."""
    decoder = RecordDecoder([Column(name, type_, f"$.{name}") for name, type_ in columns])
    assert decoder.plain(json.dumps(record).encode()) == values
