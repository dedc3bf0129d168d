"""Samples of separated values: delimiter, header line, types."""

import pytest

from discovery.output import input_schema, source_yaml
from discovery.schema import discover
from tests.discovery.proposed import types


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
def test_separated_values(delimiter: str) -> None:
    lines = [["AMZN", "1.5", "01234", "true", '"a b"', ""]] * 2 + [["X", "2", "1", "false", "c", ""]]
    schema = discover(["\n".join(delimiter.join(line) for line in lines).encode()])
    assert schema.delimiter == delimiter
    assert types(schema) == {
        "col_0": "STRING",
        "col_1": "DOUBLE",
        "col_2": "STRING",
        "col_3": "BOOLEAN",
        "col_4": "STRING",
        "col_5": "STRING",
    }
    answer = input_schema(schema, [])["InputSchema"]
    assert (
        answer["RecordFormat"]["MappingParameters"]["CSVMappingParameters"]["RecordColumnDelimiter"]
        == delimiter
    )
    assert "Mapping" not in answer["RecordColumns"][0]


@pytest.mark.parametrize(
    ("lines", "delimiter", "found"),
    [
        (['1;"Huber";4,25', '2;"Maier";3,5'], ";", ["DOUBLE", "STRING", "STRING"]),
        (["1,25;2,50", "3,75;4,00"], ";", ["STRING", "STRING"]),
        (["1,2,3", "4,5,6"], ",", ["DOUBLE", "DOUBLE", "DOUBLE"]),
        (['Mozilla (X;Y),1,2', 'Opera (Z;W),3,4'], ",", ["STRING", "DOUBLE", "DOUBLE"]),
        (['1;"Huber, Anna";4', '2;"Maier";5'], ";", ["DOUBLE", "STRING", "DOUBLE"]),
    ],
)  # fmt: skip
def test_the_delimiter_is_the_one_that_divides(lines: list[str], delimiter: str, found: list[str]) -> None:
    schema = discover([line.encode() for line in lines])
    assert (schema.delimiter, list(types(schema).values())) == (delimiter, found)


def test_decimal_commas_are_named() -> None:
    (_, amount) = discover([b"Huber;4,25", b"Maier;3,5"]).columns
    assert amount.note == "numbers with a decimal comma: CAST(REPLACE(…, ',', '.') AS DOUBLE) in a view"


def test_a_header_line_gives_the_names() -> None:
    schema = discover(
        [b"Ticker,Trade Price,USER\nAMZN,1.5,x\nAAPL,2.5,y", b"Ticker,Trade Price,USER\nMSFT,3.5,z"]
    )
    assert [(c.name, c.json_name, c.path, c.type) for c in schema.columns] == [
        ("ticker", "Ticker", "0", "STRING"),
        ("trade_price", "COL_TradePrice", "1", "DOUBLE"),
        ("user", "COL_USER", "2", "STRING"),
    ]
    assert (schema.header, len(schema.rows)) == (True, 3)
    assert "The sample has header lines" in source_yaml(schema, "source", "stream")


@pytest.mark.parametrize("lines", [b"a,b\nc,d", b"1,2\n3,4", b"AMZN,1.5\nAAPL,2.5", b"a,a\n1,2", b"a,\n1,2"])
def test_a_first_line_like_the_others_is_no_header(lines: bytes) -> None:
    schema = discover([lines])
    assert (schema.header, len(schema.rows)) == (False, 2)
