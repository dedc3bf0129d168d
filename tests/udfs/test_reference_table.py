"""Reference tables in memory: what is found, what is refused, and when the file is read again."""

import doctest
import gzip
import logging
from decimal import Decimal
from typing import Any

import pytest

from udfs import reference_table
from udfs.decoding.columns import Column
from udfs.decoding.record_format import RecordFormat
from udfs.reference_table import Reference, ReferenceTable

LOAVES = ReferenceTable(
    (
        Column("code", "VARCHAR(4)", "$.code"),
        Column("title", "VARCHAR(16)", "$.title"),
        Column("grams", "INT", "$.grams"),
    ),
    RecordFormat("csv"),
)
CSV = b'R1,Rye,750\nS1,Spelt,500\nS1,"Spelt, sliced",480\nW1,Wheat,\n,Nothing,1\n'


class File:
    """A file that changes; counts what is asked of it."""

    path = "s3://bucket/loaves.csv"

    def __init__(self, *versions: bytes | Exception) -> None:
        self.versions = list(versions)
        self.asked: list[str | None] = []

    def read(self, known: str | None = None) -> tuple[str, bytes] | None:
        self.asked.append(known)
        newest = self.versions.pop(0) if len(self.versions) > 1 else self.versions[0]
        if isinstance(newest, Exception):
            raise newest
        version = f"{hash(newest)}"
        return None if version == known else (version, newest)


def test_each_match_is_a_row_and_a_null_key_equals_nothing() -> None:
    rows = LOAVES.load(CSV, ["code"])
    assert rows == {
        ("R1",): [("R1", "Rye", 750)],
        ("S1",): [("S1", "Spelt", 500), ("S1", "Spelt, sliced", 480)],
        ("W1",): [("W1", "Wheat", None)],
    }


@pytest.mark.parametrize(
    "data",
    [CSV.replace(b"\n", b"\r\n"), b"\xef\xbb\xbf" + CSV, gzip.compress(CSV, mtime=0)],
    ids=["crlf", "bom", "gzip"],
)
def test_a_file_is_read_as_spreadsheets_and_programs_write_it(data: bytes) -> None:
    assert LOAVES.load(data, ["code"]) == LOAVES.load(CSV, ["code"])


@pytest.mark.parametrize("data", [b"", b" \n", gzip.compress(b"", mtime=0)])
def test_an_empty_file_is_an_empty_table(data: bytes) -> None:
    assert LOAVES.load(data, ["code"]) == {}


@pytest.mark.parametrize("packed", [False, True])
def test_a_header_is_passed_over(packed: bool) -> None:
    data = b"\xef\xbb\xbfCode,Title,Grams\n" + CSV
    table = ReferenceTable(LOAVES.columns, LOAVES.record_format, header=True)
    assert table.load(gzip.compress(data, mtime=0) if packed else data, ["code"]) == LOAVES.load(
        CSV, ["code"]
    )
    with pytest.raises(ValueError, match=r"^row 3: column grams INT: required a whole number .*, got 'x'"):
        table.load(b"Code,Title,Grams\nA,B,1\nA,B,x\n", ["code"])


def test_json_and_several_key_columns() -> None:
    columns = (
        Column("a", "INT", "$.a"),
        Column("b", "DECIMAL(3, 1)", "$.of.b"),
        Column("c", "STRING", "$.c"),
    )
    data = b'{"rows": [{"a": 1, "of": {"b": 0.5}, "c": "x"}, {"a": 1, "c": "y"}]}'
    rows = ReferenceTable(columns, RecordFormat("json", row_path="$.rows[0:]")).load(data, ["b", "a"])
    assert rows == {(Decimal("0.5"), 1): [(1, Decimal("0.5"), "x")]}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"R1,Rye,750\nS1,Spelt,heavy\n", "row 2: column grams INT: required a whole number"),
        (b'R1,"Rye,750\n', "row 1: record: value 1 has an unclosed quote"),
        (b"\xff,Rye,1\n", "row 1: record: required UTF-8"),
        (gzip.compress(CSV, mtime=0)[:-9], "gzip"),
    ],
)
def test_a_row_that_does_not_fit_is_reported(data: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LOAVES.load(data, ["code"])


def test_the_start_says_which_file_and_why() -> None:
    with pytest.raises(
        ValueError, match=r"^reference table s3://bucket/loaves\.csv: row 1: column grams INT"
    ):
        Reference(File(b"R1,Rye,x"), LOAVES, ["code"])
    with pytest.raises(RuntimeError, match="none of that name"):
        Reference(File(RuntimeError("none of that name")), LOAVES, ["code"])


def test_it_is_read_again_when_it_is_old_and_only_where_it_has_changed() -> None:
    now = [0.0]
    file = File(b"R1,Rye,750", b"R1,Rye,750", b"R1,Rye,800")
    reference = Reference(file, LOAVES, ["code"], 60.0, lambda: now[0])

    def grams() -> Any:
        return [row[2] for row in reference.find(("R1",))]

    assert grams() == [750]
    now[0] = 59.9
    assert (grams(), len(file.asked)) == ([750], 1)
    now[0] = 60.0
    assert (grams(), len(file.asked)) == ([750], 2)
    assert file.asked[1] is not None
    now[0] = 119.9
    assert (grams(), len(file.asked)) == ([750], 2)
    now[0] = 120.0
    assert (grams(), len(file.asked)) == ([800], 3)


@pytest.mark.parametrize("spoiled", [b"R1,Rye,heavy", RuntimeError("S3 can't be reached")])
def test_a_file_that_cant_be_read_again_changes_nothing_and_is_reported(
    spoiled: Any, caplog: pytest.LogCaptureFixture
) -> None:
    now = [0.0]
    reference = Reference(File(b"R1,Rye,750", spoiled, b"R1,Rye,800"), LOAVES, ["code"], 60.0, lambda: now[0])
    now[0] = 60.0
    with caplog.at_level(logging.WARNING):
        assert reference.find(("R1",)) == [("R1", "Rye", 750)]
    assert "keeping the rows read before" in caplog.text
    now[0] = 120.0
    assert reference.find(("R1",)) == [("R1", "Rye", 800)]


def test_without_a_time_it_is_read_once() -> None:
    file = File(CSV)
    reference = Reference(file, LOAVES, ["code"], 0.0, lambda: 1e9)
    assert [len(reference.find((code,))) for code in ("R1", "S1", "Z9", None)] == [1, 2, 0, 0]
    assert len(file.asked) == 1


def test_the_examples_in_the_docstrings() -> None:
    result = doctest.testmod(reference_table)
    assert result.attempted > 0
    assert result.failed == 0
