"""The decoder's door to Flink: a table of raw records becomes a table of columns and a table of errors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from pyflink.table import DataTypes
from pyflink.table.udf import TableFunction, udtf

from udfs.decoding import Column, RecordDecoder

if TYPE_CHECKING:
    from pyflink.table import StreamTableEnvironment, Table

_ERROR = ("error_name", "message", "data_row")


class Decode(TableFunction):  # type: ignore[misc]
    """One row for each document of a record: the columns, or the reason there are none."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = tuple(columns)

    def open(self, function_context: Any) -> None:
        """Compile the columns' coercions; they can't travel, closures don't pickle."""
        self._decode = RecordDecoder(self._columns).decode
        self._nothing = (None,) * len(self._columns)
        self._no_error = (None,) * len(_ERROR)

    def eval(self, data: bytes) -> Iterator[tuple[Any, ...]]:
        """Called by Flink for each record."""
        for row in self._decode(data):
            if row.values is not None:
                yield row.values + self._no_error
            else:
                yield (*self._nothing, row.error_name, row.message, row.data_row)


def decode_records(
    table_env: StreamTableEnvironment, records: Table, columns: Sequence[Column]
) -> tuple[Table, Table]:
    """Decode the records of a source.

    Parameters
    ----------
    table_env : StreamTableEnvironment
        Where both tables are made.
    records : Table
        ``data BYTES`` and ``rowtime`` (a rowtime attribute).
    columns : sequence of Column
        What to take from each document.

    Returns
    -------
    rows : Table
        The columns, and ``rowtime``.
    errors : Table
        ``error_name, message, data_rowtime, data_row``.
    """
    from pyflink.table import Schema

    types = [_data_type(table_env, c.type) for c in columns]
    function = udtf(Decode(columns), result_types=types + [DataTypes.STRING()] * len(_ERROR))
    names = [c.name for c in columns]
    fields = ", ".join(f"`{n}`" for n in (*names, *_ERROR))
    name = f"decode_{id(records):x}"
    table_env.create_temporary_function(name, function)
    table_env.create_temporary_view(f"{name}_input", records)
    decoded = table_env.sql_query(
        f"SELECT {fields}, rowtime FROM {name}_input, LATERAL TABLE({name}(`data`)) AS decoded({fields})"  # noqa: S608
    )
    # Through a data stream, so that the planner can't decode once for the rows and once more for the errors.
    schema = Schema.new_builder()
    for column, type_ in zip(names, types, strict=True):
        schema.column(column, type_)
    for column in _ERROR:
        schema.column(column, "STRING")
    schema.column("rowtime", "TIMESTAMP_LTZ(3)").watermark("rowtime", "SOURCE_WATERMARK()")
    table_env.create_temporary_view(
        f"{name}_output", table_env.from_data_stream(table_env.to_data_stream(decoded), schema.build())
    )
    quoted = ", ".join(f"`{n}`" for n in names)
    rows = table_env.sql_query(f"SELECT {quoted}, rowtime FROM {name}_output WHERE error_name IS NULL")  # noqa: S608
    errors = table_env.sql_query(
        f"SELECT error_name, message, rowtime AS data_rowtime, data_row FROM {name}_output"  # noqa: S608
        " WHERE error_name IS NOT NULL"
    )
    return rows, errors


def _data_type(table_env: StreamTableEnvironment, type_: str) -> Any:
    from pyflink.java_gateway import get_gateway
    from pyflink.table.types import _from_java_data_type

    logical = get_gateway().jvm.org.apache.flink.table.types.logical.utils.LogicalTypeParser
    java_type = logical.parse(type_, get_gateway().jvm.Thread.currentThread().getContextClassLoader())
    utils = get_gateway().jvm.org.apache.flink.table.types.utils.TypeConversions
    return _from_java_data_type(utils.fromLogicalToDataType(java_type))
