"""Join a stream to a reference table, row by row. Rowtime and order stay, and no result is ever retracted."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pyflink.table.udf import TableFunction, udtf

from base.errors import InvalidValue
from udfs.decoding.function import _data_type
from udfs.reference_table import File, Reference, ReferenceTable
from udfs.row_stream import quoted, through_a_stream

if TYPE_CHECKING:
    from pyflink.table import StreamTableEnvironment, Table

_NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "INT", "BIGINT", "DECIMAL", "FLOAT", "REAL", "DOUBLE")
_TEXTS = ("VARCHAR", "CHAR", "STRING")


def lookup(
    table_env: StreamTableEnvironment,
    stream: Table,
    name: str,
    file: File,
    reference: ReferenceTable,
    on: Mapping[str, str],
    kind: str = "inner",
    reload: timedelta = timedelta(0),
) -> Table:
    """Join a stream to a reference table on equal columns.

    Parameters
    ----------
    table_env : StreamTableEnvironment
        Where the new relation is created.
    stream : Table
        Append-only.
    name : str
        Of the new relation; views and functions created here are named after it.
    file, reference : File, ReferenceTable
        Where the table is, and what it holds.
    on : mapping
        Column of the stream to column of the reference table. Texts match texts; numbers match by exact value; NULL
        matches nothing.
    kind : {"inner", "left"}
        Whether a row of the stream without a match is left out or gets NULLs.
    reload : timedelta
        How often the file is read again; 0: never.

    Returns
    -------
    Table
        One row per match: the stream's columns, then the reference table's without those joined on the same name.
        ``rowtime`` and its watermarks are the stream's.

    Raises
    ------
    ValueError
        For a column that is missing, has a type that can't match its counterpart's, or is in both tables.
    """
    from pyflink.table import Schema

    if kind not in ("inner", "left"):
        raise InvalidValue(f"{name}: join must be inner or left, got {kind!r}")
    types = {
        column.getName(): column.getDataType().getLogicalType().asSerializableString()
        for column in stream._j_table.getResolvedSchema().getColumns()
    }
    added = _columns_added(name, types, reference, on)
    source, function = quoted(f"{name}_without"), quoted(f"{name}_lookup_{zlib.crc32(name.encode()):08x}")
    table_env.create_temporary_view(source, stream)
    finder = Lookup(file, reference, tuple(on.values()), reload.total_seconds())
    result_types = [_data_type(table_env, column.type) for column in reference.columns]
    table_env.create_temporary_function(function, udtf(finder, result_types=result_types))
    # The function's columns get their own names, as the stream may have columns of the same name.
    found = {column.name: f"__{place}" for place, column in enumerate(reference.columns)}
    selected = [
        *(f"s.{quoted(column)}" for column in types),
        *(f"r.{found[column]} AS {quoted(column)}" for column in added),
    ]
    keys = ", ".join(f"s.{quoted(column)}" for column in on)
    joined = table_env.sql_query(
        f"SELECT {', '.join(selected)} FROM {source} AS s"
        f" {kind.upper()} JOIN LATERAL TABLE({function}({keys})) AS r({', '.join(found.values())}) ON TRUE"
    )
    # Through a data stream, so that all relations that read this one see the same rows.
    schema = Schema.new_builder()
    for column, type_ in types.items():
        if column != "rowtime":
            schema.column(column, type_)
        else:
            schema.column("rowtime", "TIMESTAMP_LTZ(3)")
            schema.watermark("rowtime", "SOURCE_WATERMARK()")
    for column, type_ in added.items():
        schema.column(column, type_)
    return through_a_stream(table_env, joined, schema.build())


def _columns_added(
    name: str, types: Mapping[str, str], reference: ReferenceTable, on: Mapping[str, str]
) -> dict[str, str]:
    """The columns that the reference table adds, with their types."""
    theirs = {column.name: column.type for column in reference.columns}
    for column, other in on.items():
        for wanted, there in ((column, types), (other, theirs)):
            if wanted not in there:
                raise InvalidValue(f"{name}: on must be one of {', '.join(there)}, got {wanted}")
        if _family(types[column]) != _family(theirs[other]):
            raise InvalidValue(
                f"{name}: {column} {types[column]} never equals {other} {theirs[other]}: give the reference table's "
                "column the stream's type"
            )
    added = {column: type_ for column, type_ in theirs.items() if on.get(column) != column}
    both = [column for column in added if column in types]
    if both:
        raise InvalidValue(f"{name}: both tables have {', '.join(both)}: rename the reference table's column")
    return added


def _family(type_: str) -> str:
    word = type_.upper().replace("NOT NULL", "").strip(" `").partition("(")[0].strip()
    return "number" if word in _NUMBERS else "text" if word in _TEXTS else word


class Lookup(TableFunction):  # type: ignore[misc]
    """Finds the rows of the reference table that have a key."""

    def __init__(self, file: File, table: ReferenceTable, key: tuple[str, ...], reload: float) -> None:
        self._of = (file, table, key, reload)

    def open(self, function_context: Any) -> None:
        """Read the file. Each worker has its own copy."""
        self._reference = Reference(*self._of)

    def eval(self, *key: Any) -> list[tuple[Any, ...]]:
        """Called by Flink for each row of the stream."""
        return self._reference.find(key)
