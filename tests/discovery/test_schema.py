"""Schema discovery: what is proposed, and that a job's decoder takes every sampled row of it."""

import gzip
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from discovery.output import as_text, input_schema, source_yaml
from discovery.schema import DiscoveryError, discover
from pipeline.document import load
from tests.discovery.proposed import of, one, types
from udfs.decoding import decoder as decoding


@pytest.mark.parametrize(
    ("values", "type_"),
    [
        (["a", "b"], "STRING"),
        ([1.5, 2], "DOUBLE"),
        ([True, False], "BOOLEAN"),
        ([1, True, 2.5], "DOUBLE"),
        (list(range(20)), "BIGINT"),
        (list(range(19)), "DOUBLE"),  # too few to believe that fractions never come
        ([2**53] * 3, "BIGINT"),  # DOUBLE would lose digits
        ([2**63] * 30, "DECIMAL(38, 0)"),
        ([10**40] * 30, "STRING"),
        (["01234", "12345"], "STRING"),
        (["1700000000000", "1700000000001"], "BIGINT"),
        ([1, "2", 3.5], "DOUBLE"),
        ([1, "n/a"], "STRING"),
        ([[1], [2, 3]], "STRING"),
        ([{}, 3], "STRING"),
        ([None, None], "STRING"),
        (["2024-01-31T12:00:00Z", "2024-01-31 12:00"], "TIMESTAMP(3)"),
        (["2024-01-31T12:00:00.123456+02:00"], "TIMESTAMP(6)"),
        (["2024-02-30T12:00:00Z"], "STRING"),  # looks like a time, is none
        (["31/Jan/2024:12:00:00 +0000"], "STRING"),
    ],
)
def test_proposes_the_wider_type(values: list[Any], type_: str) -> None:
    assert one(*values)[0] == type_


@pytest.mark.parametrize(
    ("values", "note"),
    [
        (list(range(20)), "all samples would fit INTEGER"),
        ([1, 2], "whole numbers in only 2 samples: DOUBLE takes fractions too"),
        ([1_700_000_000_000] * 30, "looks like epoch milliseconds: TO_TIMESTAMP_LTZ(…, 3) in a view"),
        (["1700000000"] * 30, "as text; looks like epoch seconds: TO_TIMESTAMP_LTZ(… * 1000, 3) in a view"),
        (["13/02/2024 10:00:00"], ""),  # no form of ours: day 13 is no month
        (["02/13/2024 10:00:00"], "a time: TO_TIMESTAMP(…, 'MM/dd/yyyy HH:mm:ss') in a view"),
        (["Wed, 31 Jan 2024 12:00:00 GMT"], "a time as in mail headers (RFC 5322)"),
        ([1, 2, "n/a"], "mixed: 2 numbers, 1 texts; as text"),
    ],
)
def test_says_what_to_know(values: list[Any], note: str) -> None:
    assert one(*values)[1] == note


def test_nested_optional_and_mixed_fields() -> None:
    schema = of(
        {"userId": "a", "geo": {"lat": 1.5, "lon": 2.5}, "tags": ["x"], "either": {"a": 1}},
        {"userId": "b", "geo": {"lat": 1}, "either": "none", "gone": None},
    )
    found = {c.name: (c.path, c.type, c.present) for c in schema.columns}
    assert found == {
        "user_id": ("$.userId", "STRING", 2),
        "geo_lat": ("$.geo.lat", "DOUBLE", 2),
        "geo_lon": ("$.geo.lon", "DOUBLE", 1),
        "tags": ("$.tags", "STRING", 1),
        "either": ("$.either", "STRING", 2),
        "gone": ("$.gone", "STRING", 0),
    }


@pytest.mark.parametrize("name", "abcdefgh")  # the failure of old hung on the order of a set
def test_a_mixed_field_within_a_mixed_field(name: str) -> None:
    schema = of({name: 1}, {name: {name: 2}}, {name: {name: {name: 3}}})
    assert [(c.path, c.type, c.present) for c in schema.columns] == [(f"$.{name}", "STRING", 3)]


def test_confidence_falls_with_the_sample() -> None:
    assert of(*[{"x": 1.5}] * 100).columns[0].others_below == pytest.approx(0.0295, abs=1e-3)
    assert of({"x": None}).columns[0].others_below == 1.0


def test_names_are_unique_and_never_the_jobs_own() -> None:
    schema = of({"a": {"b": 1}, "a_b": 2, "A_B": 3, "ROWTIME": 4, "1": 5, "é": 6})
    names = [c.name for c in schema.columns]
    assert names == ["a_b", "a_b_2", "a_b_3", "rowtime_2", "col_1", "col"]
    assert [c.json_name for c in schema.columns] == [
        "COL_a_b",
        "a_b",
        "A_B_2",
        "COL_ROWTIME",
        "COL_1",
        "COL_5",
    ]


def test_paths_that_no_column_can_have_are_reported() -> None:
    schema = of({"a.b": 1, "ok": 2})
    assert [c.name for c in schema.columns] == ["ok"]
    assert schema.left_out == ("a.b: its name holds a dot or bracket",)


def test_some_bad_records_are_counted_and_most_are_an_error() -> None:
    good = [b'{"x": 1}\n{"x": 2}', b'{"x": 3}']
    schema = discover([*good, b"\xff", b"NaN"])
    assert len(schema.rows) == 3
    assert [record for _, record in schema.refused] == [b"\xff", b"NaN"]
    with pytest.raises(
        DiscoveryError, match=r"3 of 5 .* the first: not JSON: Expecting value at character 0"
    ):
        discover([*good, b"x", b"y", b"{z"])
    with pytest.raises(DiscoveryError, match="required JSON objects, or lines"):
        discover([good[1], b"x", b"y", b"z"])
    with pytest.raises(DiscoveryError, match="got none"):
        discover([])


def test_the_answer_of_discover_input_schema() -> None:
    record = b'{"user name": "ab", "n": 1, "t": "2024-01-31T12:00:00Z"}'
    assert input_schema(discover([record]), [record]) == {
        "InputSchema": {
            "RecordFormat": {
                "RecordFormatType": "JSON",
                "MappingParameters": {"JSONMappingParameters": {"RecordRowPath": "$"}},
            },
            "RecordEncoding": "UTF-8",
            "RecordColumns": [
                {"Name": "COL_username", "SqlType": "VARCHAR(64)", "Mapping": "$.user name"},
                {"Name": "n", "SqlType": "DOUBLE", "Mapping": "$.n"},
                {"Name": "t", "SqlType": "TIMESTAMP", "Mapping": "$.t"},
            ],
        },
        "ParsedInputRecords": [["ab", "1", "2024-01-31T12:00:00Z"]],
        "RawInputRecords": [record.decode()],
    }


def test_the_source_is_one_whatever_the_records_hold() -> None:
    hostile = {"it's`; DROP": 1, "x'); --": 2, "new\nline": 3}
    schema = of(hostile)
    text = source_yaml(schema, "source_sql_stream", "s\ntitle: x # y")
    [(name, source)] = load(text).items()
    assert (name, source["stream"]) == ("source_sql_stream", "s\ntitle: x # y")
    assert source["columns"] == {c.name: f"{c.type} {c.path}" for c in schema.columns}


LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"))
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("ab.é 1", max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(deadline=None)
@given(st.lists(st.dictionaries(st.text("ab.é 1", max_size=3), VALUES, max_size=4), min_size=1, max_size=6))
def test_a_jobs_decoder_takes_every_sampled_record(documents: list[dict[str, Any]]) -> None:
    schema = of(*documents)
    columns = [decoding.Column(c.name, c.type, c.path) for c in schema.columns]
    decoder = decoding.RecordDecoder(columns)
    for document in documents:
        (row,) = decoder.decode(json.dumps(document).encode())
        assert row.message is None
        for column, value in zip(schema.columns, row.values or (), strict=True):
            assert (value is not None) <= (column.present > 0)


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (b'{"a": NaN, "b": 2}', "NaN is not a JSON number"),
        (b'{"a": 1, "b": 2,}', "not JSON: "),
        (b'[{"a": 1}, {"b": 2}', "not JSON: "),
        (b"{'a': 1, 'b': 2}", "not JSON: "),
        (b"[1, 2]", "not a JSON object"),
        (b"\xff\xfe{\x00}\x00", "not UTF-8: byte 0xff at 0"),
        (gzip.compress(b'{"a": 1}', mtime=0)[:-4], "gzip record: it ends too early"),
        (b"\x1f\x8b,1", "gzip record: "),
        (b"\xf3\x89\x9a\xc2,1", "aggregated record: its MD5"),
        (
            b'127.0.0.1 - - [10/Oct/2000:13:55:36 -0700] "GET /a?b=1,2 HTTP/1.0" 200 2326',
            "a web server's access log",
        ),
    ],
)
def test_what_can_not_be_read_is_named_and_is_no_separated_values(record: bytes, reason: str) -> None:
    with pytest.raises(DiscoveryError) as refused:
        discover([record] * 3)
    assert reason in str(refused.value)


def test_an_array_at_the_root_is_recognised() -> None:
    records = [b'[{"sku": "A", "n": 1}, {"sku": "B"}]', b"[]", b'[{"sku": "C", "n": 2.5}]']
    schema = discover(records)
    assert (schema.row_path, len(schema.rows)) == ("$[0:]", 3)
    assert types(schema) == {"sku": "STRING", "n": "DOUBLE"}
    answer = input_schema(schema, records)["InputSchema"]["RecordFormat"]["MappingParameters"]
    assert answer == {"JSONMappingParameters": {"RecordRowPath": "$[0:]"}}
    assert load(source_yaml(schema, "source", "stream"))["source"]["row_path"] == "$[0:]"
    mixed = discover([*records, b'{"sku": "D"}'])
    assert [reason for reason, _ in mixed.refused] == ["a JSON object, while most are arrays of them"]


def test_packed_records_are_unpacked() -> None:
    schema = discover([gzip.compress(b'{"x": 1.5}', mtime=0), b'{"x": 2.5}'])
    assert [row["x"] for row in schema.rows] == ["1.5", "2.5"]


@pytest.mark.parametrize(
    ("written", "type_"),
    [
        ("123456789012345.6789", "DECIMAL(38, 4)"),
        ("0.1", "DOUBLE"),
        ("1e-7", "DOUBLE"),
        ("9007199254740993.5", "DECIMAL(38, 1)"),
        ("1e400", "DOUBLE"),
        ("0.12345678901234567890123456789012345678901", "DOUBLE"),
    ],
)
def test_digits_that_a_double_would_lose_are_kept(written: str, type_: str) -> None:
    schema = discover([b'{"x": ' + written.encode() + b"}"] * 3)
    assert schema.columns[0].type == type_
    assert as_text(schema.rows[0]["x"]) == written


@pytest.mark.parametrize(
    ("name", "called"),
    [
        ("USER", "COL_USER"),
        ("user", "COL_user"),
        ("TIMESTAMP", "COL_TIMESTAMP"),
        ("USER@DOMAIN", "COL_USERDOMAIN"),
        ("@@", "COL_1"),
        ("2nd", "COL_2nd"),
        ("price", "price"),
        ("_x", "_x"),
        ("x" * 101, "COL_" + "x" * 100),
    ],
)
def test_names_are_those_of_awss_call(name: str, called: str) -> None:
    assert [c.json_name for c in of({"first": 1, name: 2}).columns][1] == called
