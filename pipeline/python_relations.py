"""Relations that SQL can't express: row-by-row windows, windows per key, hotspots, ordered rows, another rowtime.

Each maker takes a table environment and a relation's description, and returns the relation's table.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from base.errors import InvalidValue
from pipeline import sql
from pipeline.relations import Call, Hotspots, Ordered, Relation, Rowtime, Sliding, Windows
from udfs.kda_functions import FUNCTIONS
from udfs.row_stream import through_a_stream
from udfs.windows.aggregates import Aggregate

if TYPE_CHECKING:
    from pyflink.table import Table

_FUNCTION = re.compile(r"\bkda_[a-z_]+(?=\()")


def add_functions(table_env: Any, query: str) -> None:
    """Register the KDA scalar functions that a query calls, under their own names."""
    from pyflink.table.udf import udf

    known = set(table_env.list_user_defined_functions())
    for name in sorted(set(_FUNCTION.findall(query)) & set(FUNCTIONS) - known):
        function, result = FUNCTIONS[name]
        table_env.create_temporary_function(name, udf(function, result_type=result))


def _sliding(table_env: Any, relation: Sliding) -> Table:
    from udfs.windows import sliding
    from udfs.windows.keyed_table import column_types
    from udfs.windows.sliding_function import sliding_windows

    table = table_env.from_path(sql.identifier(relation.of))
    places = list(column_types(table))
    calls = {
        name: sliding.Call(
            _aggregate(call),
            _place(call.of, places, relation),
            _place(call.default, places, relation),
            call.rows,
            None if call.seconds is None else round(call.seconds * 1000),
        )
        for name, call in relation.columns.items()
    }
    for column in relation.partition_by:
        _place(column, places, relation)
    return sliding_windows(table_env, table, relation.partition_by, calls, relation.name)


def _windows(table_env: Any, relation: Windows) -> Table:
    from udfs.windows.closing_function import closing_windows

    closed = closing_windows(
        table_env,
        table_env.from_path(sql.identifier(relation.of)),
        relation.opens,
        round(relation.seconds * 1000),
        relation.keys,
        relation.changes,
        {name: _aggregate(call) for name, call in relation.columns.items()},
        relation.times,
        relation.name,
    )
    table_env.create_temporary_view(f"{relation.name}_closed_windows", closed)
    return _in_order(table_env, f"{relation.name}_closed_windows")


def _hotspots(table_env: Any, relation: Hotspots) -> Table:
    from udfs.windows.hotspots_function import hotspots

    return hotspots(
        table_env,
        table_env.from_path(sql.identifier(relation.of)),
        relation.columns,
        relation.window_size,
        relation.scan_radius,
        relation.minimum_points,
        relation.name,
    )


def _ordered(table_env: Any, relation: Ordered) -> Table:
    return _in_order(table_env, relation.of)


def _rowtime(table_env: Any, relation: Rowtime) -> Table:
    from pyflink.table import Schema

    table = table_env.from_path(sql.identifier(relation.of))
    schema = Schema.new_builder()
    # Types from Java: PyFlink's own lose the precision of a time. The new rowtime replaces the old one.
    for column in table._j_table.getResolvedSchema().getColumns():
        if column.getName() != "rowtime":
            schema.column(column.getName(), column.getDataType().getLogicalType().asSerializableString())
    kept = [c for c in table.get_schema().get_field_names() if c != "rowtime"]
    schema.column_by_expression("rowtime", f"`{relation.time}`")
    schema.watermark("rowtime", f"`{relation.watermark}`" if relation.watermark else "SOURCE_WATERMARK()")
    query = f"SELECT {', '.join(map(sql.identifier, kept))} FROM `{relation.of}`"
    return through_a_stream(table_env, table_env.sql_query(query), schema.build())


def _in_order(table_env: Any, name: str) -> Table:
    from pyflink.table import Schema

    table = table_env.sql_query(f"SELECT * FROM `{name}` ORDER BY rowtime")
    schema = Schema.new_builder()
    for column in table._j_table.getResolvedSchema().getColumns():
        name, type_ = column.getName(), column.getDataType().getLogicalType()
        schema.column(name, "TIMESTAMP_LTZ(3)" if name == "rowtime" else type_.asSerializableString())
    schema.watermark("rowtime", "SOURCE_WATERMARK()")
    return through_a_stream(table_env, table, schema.build())


def _aggregate(call: Call) -> Aggregate:
    return Aggregate(
        call.function,
        call.type,
        call.of,
        call.distinct,
        call.ignore_nulls,
        call.offset,
        call.default,
        call.half_life,
    )


def _place(column: str | None, places: list[str], relation: Relation) -> int | None:
    if column is None:
        return None
    if column not in places:
        raise InvalidValue(f"{relation.name}: required a column of {', '.join(places)}, got {column}")
    return places.index(column)


#: Makers by the kind of relation.
OPERATORS: Mapping[type[Relation], Callable[[Any, Any], Table]] = {
    Rowtime: _rowtime,
    Sliding: _sliding,
    Windows: _windows,
    Hotspots: _hotspots,
    Ordered: _ordered,
}
