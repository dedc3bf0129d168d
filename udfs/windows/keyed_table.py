"""Pass a table through a keyed Python function: for sliding windows, closing windows and hotspots.

The function gets times as integers, in milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pyflink.common import Types
from pyflink.table import Schema

from udfs.keyed_stream import TYPES, process_keyed, resolved, root_of, row_type

if TYPE_CHECKING:
    from pyflink.table import StreamTableEnvironment, Table

_TIME = "time_ms"
_TYPES = TYPES | {"TIMESTAMP": Types.LONG, "DATE": Types.LONG}


def through_keyed_function(
    table_env: StreamTableEnvironment,
    table: Table,
    function: Any,
    key: Sequence[str],
    results: Mapping[str, str],
    name: str,
    kind: str,
) -> Table:
    """A table of the results of a keyed function on a table's rows.

    Parameters
    ----------
    table_env : StreamTableEnvironment
    table : Table
        Insert-only, with one rowtime attribute, ``rowtime``.
    function : KeyedProcessFunction
        Gets a row's values in the order of the table's columns, without rowtime. Gives rows of a time, in
        milliseconds, and ``results``.
    key : sequence of str
        Columns to key by; empty: all rows have the same key.
    results : mapping of str
        The result's columns, with Flink's types.
    name : str
        Unique in the job; views and state are named after it.
    kind : str
        The operator's name in the web UI.

    Returns
    -------
    Table
        ``results``, and ``rowtime``.
    """
    columns, rowtime = resolved(table)
    table_env.create_temporary_view(f"{name}_in", table)
    parts = ", ".join(f"CAST(`{c}` AS STRING)" for c in key)
    keyed = f"JSON_ARRAY({parts} NULL ON NULL)" if key else "CAST('' AS STRING)"
    values = ", ".join(_outbound(c, t) for c, t in columns.items()) or "CAST(0 AS INT)"
    rows = table_env.sql_query(
        f"SELECT {keyed} AS `key`, ROW({values}) AS `row`, `{rowtime}` FROM `{name}_in`"
    )
    element = row_type(columns or {"nothing": "INT"}, _TYPES)
    row = row_type({_TIME: "BIGINT"} | dict(results), _TYPES)
    made = process_keyed(table_env, [rows], function, element, row, kind, f"{kind} {name}")
    schema = Schema.new_builder().column(_TIME, "BIGINT NOT NULL")
    for column, type_ in results.items():
        schema.column(column, _between(type_))
    # The time that the function gave, not the record's timestamp, which is the timer's for rows that a timer gives.
    schema.column_by_expression("rowtime", f"TO_TIMESTAMP_LTZ(`{_TIME}`, 3)")
    schema.watermark("rowtime", "SOURCE_WATERMARK()")
    table_env.create_temporary_view(f"{name}_out", table_env.from_data_stream(made, schema.build()))
    inbound = ", ".join([*(_inbound(c, t) for c, t in results.items()), "`rowtime`"])
    return table_env.sql_query(f"SELECT {inbound} FROM `{name}_out`")


def column_types(table: Table) -> dict[str, str]:
    """A table's columns without rowtime, with Flink's types."""
    return resolved(table)[0]


def _outbound(column: str, type_: str) -> str:
    if root_of(type_) in ("TIMESTAMP", "DATE"):
        time = f"CAST(`{column}` AS TIMESTAMP(3))"
        return f"EXTRACT(EPOCH FROM {time}) * 1000 + EXTRACT(MILLISECOND FROM {time})"
    return f"`{column}`"


def _between(type_: str) -> str:
    return {"TIMESTAMP": "BIGINT", "DATE": "BIGINT", "CHAR": "STRING"}.get(root_of(type_), type_)


def _inbound(column: str, type_: str) -> str:
    if root_of(type_) in ("TIMESTAMP", "DATE"):
        return f"CAST(TO_TIMESTAMP_LTZ(`{column}`, 3) AS {type_}) AS `{column}`"
    return f"CAST(`{column}` AS {type_}) AS `{column}`" if root_of(type_) == "CHAR" else f"`{column}`"
