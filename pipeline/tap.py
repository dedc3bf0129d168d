"""Copies of rows, to look at: every relation's, sampled to a rate, in one stream."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline import sql

_HERE = Path(__file__).parent


def tap_statements(
    table_env: Any, relations: Iterable[str], rate: float, options: Mapping[str, str]
) -> Iterator[str]:
    """The statements that make ``tapped_rows`` and ``tap``.

    Parameters
    ----------
    table_env : StreamTableEnvironment
        Has the relations, and ``all_errors``.
    relations : iterable of str
    rate : float
        Rows a second of each relation, above which it is sampled.
    options : mapping
        Of the connector that takes the rows.
    """
    rows = [tapped(table_env, name) for name in relations]
    rows.append(tapped(table_env, "all_errors").replace("'all_errors'", "'error_stream'", 1))
    statement = sql.bind(sql.load(_HERE / "tapped_rows.sql"), {"tap.rate": rate}, "tapped_rows.sql")
    yield statement.replace("/* relations */", "\nUNION ALL\n".join(rows))
    yield f"{sql.load(_HERE / 'tap.sql')}\n{sql.with_options(options)}"


def tapped(table_env: Any, relation: str) -> str:
    """The query that gives a relation's rows as they go to a tap: relation, rowtime, the row as JSON."""
    names = table_env.from_path(relation).get_schema().get_field_names()
    time = "CAST(rowtime AS TIMESTAMP(3))" if "rowtime" in names else "CAST(NULL AS TIMESTAMP(3))"
    pairs = ", ".join(f"KEY {sql.quote(n)} VALUE {sql.identifier(n)}" for n in names if n != "rowtime")
    return f"SELECT {sql.quote(relation)}, {time}, JSON_OBJECT({pairs}) FROM `{relation}`"
