"""Programs over one stream and one reference table, translated."""

import pytest

from kda_sql.description import Described, Input, InputColumn, Output, Reference, Schema
from kda_sql.errors import KdaSqlError
from kda_sql.translate import Translation, translate
from kda_sql.types import parse_type

COLUMNS = {
    "ticker": "VARCHAR(4)",
    "PRICE": "DOUBLE",
    "QUANTITY": "INTEGER",
    "TRADED": "TIMESTAMP",
    "MS": "BIGINT",
    "FAIR": "BOOLEAN",
}
SOURCE = "SOURCE_SQL_STREAM_001"


def schema(columns: dict[str, str]) -> Schema:
    return Schema(tuple(InputColumn(name, parse_type(type_)) for name, type_ in columns.items()))


def translated(sql: str, *outputs: Output) -> Translation:
    return translate(
        Described(
            "trial",
            sql,
            (Input((SOURCE,), schema(COLUMNS), "trades"),),
            (
                Reference(
                    "Companies", schema({"Ticker": "VARCHAR(4)", "Name": "VARCHAR(20)"}), "s3://b/c.csv"
                ),
            ),
            outputs,
        )
    )


def pump(select: str, columns: str) -> str:
    return (
        f"CREATE OR REPLACE STREAM OUT_STREAM ({columns});\n"
        f"CREATE OR REPLACE PUMP OUT_PUMP AS INSERT INTO OUT_STREAM\n{select};\n"
    )


def query(select: str, columns: str = "a DOUBLE") -> str:
    """The last view's SQL, in one line."""
    views = [s for s in translated(pump(select, columns)).plan.steps if s.kind == "view"]
    return " ".join(views[-1].sql.split())


def problems(sql: str) -> list[tuple[int, int, str]]:
    with pytest.raises(KdaSqlError) as e:
        translated(sql)
    return [(p.line, p.column, p.message) for p in e.value.problems]
