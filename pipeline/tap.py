"""The tap: a stream with copies of every relation's rows, sampled to a rate."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline import sql
from pipeline.sizes import tapped_values

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
        Rows a second above which a relation is sampled.
    options : mapping
        Options of the connector that takes the rows.
    """
    names = {name: name for name in relations} | {"error_stream": "all_errors"}
    rows = [tapped(table_env, relation, name) for name, relation in names.items()]
    columns = [f"WHEN {sql.quote(name)} THEN {sql.quote(_order(table_env, r))}" for name, r in names.items()]
    statement = sql.bind(sql.load(_HERE / "tapped_rows.sql"), {"tap.rate": rate}, "tapped_rows.sql")
    statement = statement.replace("/* relations */", "\nUNION ALL\n".join(rows))
    yield statement.replace("/* columns */", f"CASE relation {' '.join(columns)} END")
    yield f"{sql.load(_HERE / 'tap.sql')}\n{sql.with_options(options)}"


def tapped(table_env: Any, relation: str, name: str | None = None) -> str:
    """The query of a relation's rows for the tap: the relation's name, rowtime, the row as JSON."""
    names = _columns(table_env, relation)
    time = "CAST(rowtime AS TIMESTAMP(3))" if "rowtime" in names else "CAST(NULL AS TIMESTAMP(3))"
    values = tapped_values(table_env.from_path(sql.identifier(relation)))
    pairs = ", ".join(f"KEY {sql.quote(n)} VALUE {values[n]}" for n in names if n != "rowtime")
    return f"SELECT {sql.quote(name or relation)}, {time}, JSON_OBJECT({pairs}) FROM `{relation}`"


def _columns(table_env: Any, relation: str) -> list[str]:
    return list(table_env.from_path(sql.identifier(relation)).get_schema().get_field_names())


def _order(table_env: Any, relation: str) -> str:
    """The columns in the relation's order: JSON_OBJECT sorts its keys."""
    names = [n for n in _columns(table_env, relation) if n != "rowtime"]
    return json.dumps(names, ensure_ascii=False, separators=(",", ":"))
