"""Records as KDA took them in: row paths, separated values, gzip, aggregation; what is broken beside what is not."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.udfs.decoding.decoded import V, rows, values
from udfs.decoding.columns import Column
from udfs.decoding.decoder import MAX_ERRORS, RecordDecoder
from udfs.decoding.record_format import RecordFormat
from udfs.decoding.refused import MAX_MESSAGE

ITEMS = [Column("sku", "VARCHAR(6)", "$.sku"), Column("pieces", "INTEGER", "$.count.pieces")]
QUAKES = [
    Column("STATION", "VARCHAR(5)", "$.STATION"),
    Column("MAGNITUDE", "DECIMAL(4,2)", "$.MAGNITUDE"),
    Column("DEPTH", "INTEGER", "$.DEPTH"),
    Column("FELT", "BOOLEAN", "$.FELT"),
]


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b'{"v":1}\n{"v":oops}\n{"v":3}', [1, "INVALID_JSON", 3]),
        (b'{"v":1}{"v":oops}{"v":3}', [1, "INVALID_JSON", 3]),
        (b'{"v":1} {"v":} {"v":3} {"v":', [1, "INVALID_JSON", 3, "INVALID_JSON"]),
        (b'{"v":1}\r\n{"v":\r\n{"v":3}', [1, "INVALID_JSON"]),  # an object may well begin behind a colon
        (b'{"v":1}\n{"v":2\n{"v":3}', [1, "INVALID_JSON", 3]),
        (b'{"v":1}\n{"v":"\xff"}\n{"v":3}', [1, "INVALID_UTF8", 3]),
        (b'{"v":1}\nINFO {"v":2}\n{"v":3}', [1, "INVALID_JSON", 2, 3]),
        (b'{"v":1}\n{"v":NaN}\n{"v":3}', [1, "INVALID_JSON", 3]),
        (b'{"v":1}\n[{"v":2}]\n{"v":3}', [1, "INVALID_JSON", 3]),
        (b'{"v":1}\n' + b"[" * 100_000 + b'\n{"v":3}', [1, "INVALID_JSON"]),
        # Objects within one that can't be read are no rows.
        (b'{"v": oops,\n"items": [\n{"v": 7},\n{"v": 8}\n]\n}\n{"v":3}', ["INVALID_JSON", 3]),
    ],
)
def test_what_can_be_read_beside_what_can_not_is_read(data: bytes, found: list[Any]) -> None:
    assert values(data) == found


def test_an_error_says_for_how_much_of_the_record_it_stands() -> None:
    data = '{"v":1,"t":"ü"}\n{"v":oops}\n{"v":3}'.encode()
    (_, bad, _) = RecordDecoder(V).decode(data)
    assert (bad.message or "").endswith("(bytes 17 to 27 of 35)")
    assert data[17:27] == b'{"v":oops}'
    assert bad.data_row == data.hex()
    (bad,) = RecordDecoder(V).decode(b' {"v":oops}\n')
    assert "bytes" not in (bad.message or "")


def test_of_a_long_record_the_error_keeps_what_it_is_about() -> None:
    data = b'{"v":1}\n' * 10_000 + b'{"v":"oops"}\n' + b'{"v":1}\n' * 10_000
    (bad,) = (row for row in RecordDecoder(V).decode(data) if row.values is None)
    assert bytes.fromhex(bad.data_row or "") == b'{"v":"oops"}'
    assert f"(bytes 80000 to 80012 of {len(data)}) (record of {len(data)} bytes, cut to 12)" in (
        bad.message or ""
    )


_BROKEN = (
    b'{"v":oops}',
    b'{"v":',
    b'{"v":1]',
    b'{"v":"\xff"}',
    b"{'v':1}",
    b'{"v":1,}',
    b'{"v":"',
    b"}",
    b"]",
    b"oops",
)


@settings(deadline=None)
@given(st.lists(st.one_of(st.integers(0, 9), st.sampled_from(_BROKEN)), max_size=8))
def test_no_line_is_lost_for_another_ones_sake(lines: list[int | bytes]) -> None:
    # What is torn right behind a comma, colon or bracket may go on in the next line.
    torn = (b'{"v":',)
    data = b"\n".join(line if isinstance(line, bytes) else b'{"v":%d}' % line for line in lines)
    found = values(data)
    kept = [
        line for k, line in enumerate(lines) if isinstance(line, int) and (not k or lines[k - 1] not in torn)
    ]
    assert [v for v in found if isinstance(v, int)] == kept
    assert any(isinstance(v, str) for v in found) == (len(kept) < len(lines) or not lines)


@pytest.mark.parametrize(
    ("path", "data", "found"),
    [
        ("$", '{"sku":"A"}', [("A", None)]),
        ("$.a", '{"a":{"sku":"A"}}{"a":{"sku":"B"}}', [("A", None), ("B", None)]),
        ("$[0:]", '[{"sku":"A"},{"sku":"B"}]', [("A", None), ("B", None)]),
        ("$[0:]", '[{"sku":"A"}]\n[]\n[{"sku":"B"}]', [("A", None), ("B", None)]),
        ("$[0:]", '[{"sku":"A"}, 7, null, {"sku":"B"}]', [("A", None), "INVALID_JSON", "INVALID_JSON", ("B", None)]),
        ("$[0:]", '{"sku":"A"}', ["INVALID_JSON"]),
        ("$", '[{"sku":"A"}]', ["INVALID_JSON"]),
        ("$.basket.items[0:]", '{"basket":{"items":[{"sku":"BREAD-01","count":{"pieces":2}},{"sku":"MILK"}]}}',
         [("BREAD-", 2), ("MILK", None)]),
        ("$.basket.items[0:]", '{"basket":{"items":[{"count":{"pieces":2.5}},{"sku":"S","count":{"pieces":"3"}}]}}',
         ["COERCION", ("S", 3)]),
        ("$.basket.items[0:]", '{"basket":{"items":[]}}', []),
        ("$.basket.items[0:]", '{"basket":{}}', ["INVALID_JSON"]),
        ("$.basket.items[0:]", '{"basket":{"items":{"sku":"A"}}}', ["INVALID_JSON"]),
    ],
)  # fmt: skip
def test_rows_are_where_the_row_path_says(path: str, data: str, found: list[Any]) -> None:
    assert rows(RecordDecoder(ITEMS, RecordFormat(row_path=path)), data.encode()) == found


def test_an_array_without_its_row_path_is_named() -> None:
    (row,) = RecordDecoder(ITEMS).decode(b"[{}]")
    hint = "got an array: its elements are rows with the row path $[0:]"
    assert row.message == f"record: required a JSON object, {hint}"


@pytest.mark.parametrize(
    ("data", "found"),
    [
        ('{"name":"J","orders":[{"id":1},{"id":2}]}',
         [("J", 1, '[{"id":1},{"id":2}]'), ("J", 2, '[{"id":1},{"id":2}]')]),
        ('{"name":"J","orders":[{"id":1},{}]}', [("J", 1, '[{"id":1},{}]'), ("J", None, '[{"id":1},{}]')]),
        ('{"name":"J","orders":[]}', [("J", None, "[]")]),
        ('{"name":"J"}', [("J", None, None)]),
        ('{"name":"J","orders":[{"id":"x"},{"id":3}]}', ["COERCION", ("J", 3, '[{"id":"x"},{"id":3}]')]),
    ],
)  # fmt: skip
def test_one_array_may_be_flattened_by_a_columns_path(data: str, found: list[Any]) -> None:
    columns = [
        Column("name", "STRING", "$.name"),
        Column("id", "INTEGER", "$.orders[0:].id"),
        Column("all", "STRING", "$.orders[0:]"),
    ]
    assert rows(RecordDecoder(columns), data.encode()) == found


def test_text_within_arrays_is_the_sources_too() -> None:
    columns = [
        Column("a", "STRING", "$.a"),
        Column("b", "STRING", "$.xs[0:].b"),
        Column("c", "STRING", "$.xs[0:].n"),
    ]
    data = b'{"rows": [{"a": {"k": 1.0}, "xs": [{"b": [1 ]}, {"b": [2.50], "n": 2.50}]}]}'
    assert rows(RecordDecoder(columns, RecordFormat(row_path="$.rows[0:]")), data) == [
        ('{"k": 1.0}', "[1 ]", None),
        ('{"k": 1.0}', "[2.50]", "2.50"),
    ]


def test_only_one_array_can_be_flattened() -> None:
    columns = [Column("a", "STRING", "$.x[0:].a"), Column("b", "STRING", "$.y[0:].b")]
    with pytest.raises(ValueError, match=r"one array at most .* got \$\.x and \$\.y"):
        RecordDecoder(columns)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        ("ALPHA|2.25|12|true", [("ALPHA", 2.25, 12, True)]),
        ("BRAVO NORTH|0.50|3|false\nDELTA|1.75|8|1\n", [("BRAVO", 0.5, 3, False), ("DELTA", 1.75, 8, True)]),
        ("ECHO|3.00|deep|true\nGOLF|1.00|1|0", ["COERCION", ("GOLF", 1, 1, False)]),
        ('"A|B"|1|2|true\r\n"C\nD"|1|2|true\r\n', [("A|B", 1, 2, True), ("C\nD", 1, 2, True)]),
        ('"say ""a"""|||\n', [('say "', None, None, None)]),
        ("|||", [(None, None, None, None)]),
        ('""|1|2|TRUE', [("", 1, 2, True)]),
        ("A|1|2", ["INVALID_CSV"]),
        ("A|1|2|true|more|and more", [("A", 1, 2, True)]),  # KDA took the first columns
        ('"A|1|2|true\nB|1|2|true', ["INVALID_CSV", ("B", 1, 2, True)]),
        ('"A"B|1|2|true\nB|1|2|true', ["INVALID_CSV", ("B", 1, 2, True)]),
        ('A"B|1|2|true', [('A"B', 1, 2, True)]),
        ("\n \n", ["EMPTY_RECORD"]),
        ("\ufeffA|1|2|true", [("A", 1, 2, True)]),
    ],
)
def test_separated_values(data: str, found: list[Any]) -> None:
    decoder = RecordDecoder(QUAKES, RecordFormat("csv", column_delimiter="|"))
    assert rows(decoder, data.encode()) == found


def test_separated_values_that_are_no_text_are_lines_of_their_own() -> None:
    decoder = RecordDecoder(QUAKES, RecordFormat("csv", column_delimiter="|"))
    assert rows(decoder, b"A|1|2|true\nB\xff|1|2|true\nC|1|2|true")[1] == "INVALID_UTF8"
    (bad,) = decoder.decode(b"ECHO|3.00|deep|true")
    assert (
        bad.message
        == "column DEPTH INTEGER: required a whole number between -2147483648 and 2147483647, got 'deep'"
    )


@pytest.mark.parametrize(
    ("column", "row"), [(",", "\n"), ("\t", "\r"), ("::", "||"), ("*", ";"), (" ", "\n"), (".", "$^")]
)
def test_delimiters_may_be_any(column: str, row: str) -> None:
    lines = [["a", "b c"], ["", "x" + column + row + '"y'], ["1", "2"]]
    quoted = [
        column.join(
            '"' + v.replace('"', '""') + '"' if any(d in v for d in (column, row, '"')) else v for v in line
        )
        for line in lines
    ]
    decoder = RecordDecoder(
        [Column("a", "STRING", "0"), Column("b", "STRING", "1")], RecordFormat("csv", "$", column, row)
    )
    assert rows(decoder, row.join(quoted).encode()) == [("a", "b c"), (None, lines[1][1]), ("1", "2")]


def test_a_column_may_name_its_place() -> None:
    decoder = RecordDecoder([Column("c", "INTEGER", "2"), Column("a", "STRING", "0")], RecordFormat("csv"))
    assert rows(decoder, b"x,y,3") == [(3, "x")]


@pytest.mark.parametrize(
    "options",
    [
        {"kind": "xml"},
        {"row_path": "a.b"},
        {"row_path": "$.a[1]"},
        {"row_path": "$.a[0:].b"},
        {"column_delimiter": ""},
        {"row_delimiter": '"'},
        {"column_delimiter": "\n"},
        {"column_delimiter": "x" * 17},
    ],
)
def test_a_format_that_can_not_be_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="record format: "):
        RecordFormat(**options)


@pytest.mark.parametrize("path", ["a", "$", "$.", "$.a[1]", "$.a[0:]b", "@time", "-1", "$.a[0:].b[0:].c[0:]"])
def test_a_path_that_can_not_be_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="column x: the record path must look like"):
        Column("x", "STRING", path)


ANY = st.one_of(st.binary(max_size=80), st.text('{}[]",:|\n\r\\ 1ae\ufeff', max_size=60).map(str.encode))


@settings(max_examples=300, deadline=None)
@given(ANY, st.sampled_from(["$", "$[0:]", "$.a", "$.a[0:]", "csv"]))
def test_no_record_stops_any_format(data: bytes, layout: str) -> None:
    form = RecordFormat("csv", column_delimiter="|") if layout == "csv" else RecordFormat(row_path=layout)
    columns = [
        Column("a", "STRING", "$.a"),
        Column("b", "DECIMAL(9, 2)", "$.b[0:].e"),
        Column("c", "INTEGER", "$.e.a"),
    ]
    found = list(RecordDecoder(columns, form).decode(data))
    assert found or b"[" in data
    assert sum(row.values is None for row in found) <= MAX_ERRORS
    for row in found:
        assert row.values is not None or 0 < len(row.message or "") <= MAX_MESSAGE


def test_the_root_may_be_the_array_that_is_flattened() -> None:
    columns = [Column("b", "STRING", "$[0:].b"), Column("n", "INTEGER", "$[0:].n")]
    assert rows(RecordDecoder(columns), b'[{"b": [1.0 ], "n": 1}, {"b": {"x": 0}}]') == [
        ("[1.0 ]", 1),
        ('{"x": 0}', None),
    ]
