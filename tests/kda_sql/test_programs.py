"""Programs of every kind become applications: nothing is left out, and what is written reads back."""

import re
from pathlib import Path

import pytest

from kda_sql.description import Described, Input, InputColumn, Reference, Schema
from kda_sql.translate import application, translate
from kda_sql.types import parse_type
from pipeline.application import parse

COLUMNS = """
    TICKER_SYMBOL VARCHAR(4), SECTOR VARCHAR(16), CHANGE REAL, PRICE REAL, EVENT_TIME TIMESTAMP, FLAG BOOLEAN,
    Systolic INTEGER, referrer VARCHAR(64), log VARCHAR(256), COL_timestamp VARCHAR(32), RecordType VARCHAR(10),
    Oid INTEGER, Otype VARCHAR(10), Oticker VARCHAR(4), Oprice DOUBLE,
    Tid INTEGER, Toid INTEGER, Tprice DOUBLE, Tticker VARCHAR(4)
"""
PROGRAMS = {
    name: program
    for path in sorted(Path(__file__).with_name("programs").iterdir())
    for name, program in re.findall(r"(?ms)^-- ### (\w+)\n(.*?)(?=^-- ### |\Z)", path.read_text())
}


def schema(columns: str) -> Schema:
    pairs = [column.split(None, 1) for column in columns.split(",")]
    return Schema(tuple(InputColumn(name, parse_type(type_)) for name, type_ in pairs))


@pytest.mark.parametrize("name", PROGRAMS)
def test_becomes_an_application(name: str, tmp_path: Path) -> None:
    source = Input(("SOURCE_SQL_STREAM_001",), schema(COLUMNS), "records")
    companies = Reference(
        "CompanyName", schema("Ticker VARCHAR(4), Company VARCHAR(20)"), "s3://bucket/names.csv"
    )
    made = translate(Described(name, PROGRAMS[name], (source,), (companies,)))
    assert made.plan.refused == {}
    queries = {step.name: step.sql for step in made.plan.steps if step.sql}
    parse(application(made), name=name, folder=tmp_path, queries=queries)
