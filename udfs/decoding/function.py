"""The decoder as a Flink function: a table of raw records becomes a table of columns and a table of errors."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pyflink.table import DataTypes
from pyflink.table.udf import TableFunction, udtf

from base.errors import InvalidValue
from udfs.decoding.clocks import Clocks
from udfs.decoding.columns import Column
from udfs.decoding.decoder import RecordDecoder
from udfs.decoding.record_format import JSON, RecordFormat
from udfs.decoding.refused import Decoded
from udfs.decoding.timed_table import timed_rows
from udfs.row_stream import quoted, through_a_stream

if TYPE_CHECKING:
    from pyflink.table import StreamTableEnvironment, Table

#: Prefixed, as a record may have its own column named `message`.
_ERROR = ("__error_name", "__message", "__data_row")


class Decode(TableFunction):  # type: ignore[misc]
    """One row for each row in a record: the columns, or an error."""

    def __init__(self, columns: Sequence[Column], record_format: RecordFormat) -> None:
        self._columns = tuple(columns)
        self._format = record_format

    def open(self, function_context: Any) -> None:
        """Make the decoder here, on the worker: closures can't be pickled."""
        self._decoder = RecordDecoder(self._columns, self._format)
        self._nothing = (None,) * len(self._columns)
        self._no_error = (None,) * len(_ERROR)

    def eval(self, data: bytes | None) -> Iterable[tuple[Any, ...]]:
        """Called by Flink for each record, and with None for a heartbeat."""
        plain = self._decoder.plain(data)
        # PyFlink handles a list fastest.
        return [plain + self._no_error] if plain else self._any(data)

    def _any(self, data: bytes | None) -> Iterator[tuple[Any, ...]]:
        for row in self._decoder.decode(data):
            yield self._values(row)

    def _values(self, row: Decoded) -> tuple[Any, ...]:
        if row.values is not None:
            return row.values + self._no_error
        return (*self._nothing, row.error_name, row.message, row.data_row)


def decode_records(
    table_env: StreamTableEnvironment,
    records: Table,
    columns: Sequence[Column],
    clocks: Clocks | None = None,
    record_format: RecordFormat = JSON,
    name: str = "records",
) -> tuple[Table, Table, Table]:
    """Decode the records of a source.

    Parameters
    ----------
    table_env : StreamTableEnvironment
        Where the tables are created.
    records : Table
        ``data BYTES`` (NULL in a heartbeat) and ``rowtime``, a rowtime attribute. With ``clocks``: ``data BYTES``,
        ``shard STRING`` and ``arrival TIMESTAMP_LTZ(3)``, and about each second a heartbeat, a row of NULLs. Also
        the columns that metadata columns need: ``shard``, ``sequence_number``, ``partition_key``; ``arrival``, or
        ``rowtime`` if there is none.
    columns : sequence of Column
        What to take from each row of a record, and what from the source's own columns (``@arrival`` and the like);
        the latter don't pass through Python.
    clocks : Clocks or None
        How event time is tracked, if the records come without watermarks.
    record_format : RecordFormat
        How records are laid out.
    name : str
        Of the new relation, unique in the table environment. Views and functions created here are named after it.

    Returns
    -------
    rows : Table
        The columns, and ``rowtime``.
    errors : Table
        ``error_name, message, data_rowtime, data_row``.
    heartbeats : Table
        ``rowtime``: one row for each heartbeat, with the watermark.
    """
    # Made here too, so that invalid columns fail before the job starts.
    RecordDecoder([c for c in columns if not c.metadata], record_format)
    given = _metadata_columns(records, columns)
    output = quoted(f"{name}_decoded")
    if clocks is None:
        rows = _rows(table_env, records, columns, given, record_format, name)
        error, message, data_row = _ERROR
        fields, good = ", ".join(quoted(c.name) for c in columns), f"{error} IS NULL"
        heartbeats = f"{quoted(f'{name}_undecoded')} WHERE `data` IS NULL"
    else:
        rows, fields = timed_rows(table_env, records, columns, given, clocks, record_format, name)
        error, message, data_row = "error_name", "message", "data_row"
        good = f"{error} IS NULL AND happened_ms > reached_ms"
        heartbeats = f"{output} WHERE happened_ms = reached_ms AND reached_ms > 0"
    table_env.create_temporary_view(output, rows)
    return (
        table_env.sql_query(f"SELECT {fields}, rowtime FROM {output} WHERE {good}"),
        table_env.sql_query(
            f"SELECT {error} AS error_name, {message} AS message, rowtime AS data_rowtime, {data_row} AS data_row"
            f" FROM {output} WHERE {error} IS NOT NULL"
        ),
        table_env.sql_query(f"SELECT rowtime FROM {heartbeats}"),
    )


def _rows(
    table_env: StreamTableEnvironment,
    records: Table,
    columns: Sequence[Column],
    given: Mapping[str, str],
    record_format: RecordFormat,
    name: str,
) -> Table:
    """The columns, the error's columns and the rowtime, for records that have one."""
    from pyflink.table import Schema

    types = [_data_type(table_env, c.type) for c in columns]
    in_record = [c for c in columns if not c.metadata]
    # Function names are case-insensitive in Flink, relation names are not: the checksum keeps them distinct.
    decode = quoted(f"{name}_decode_{zlib.crc32(name.encode()):08x}")
    source = quoted(f"{name}_undecoded")
    table_env.create_temporary_view(source, records)
    fields = [
        f"CAST(r.{quoted(given[c.name])} AS {c.type}) AS {quoted(c.name)}"
        if c.metadata
        else f"d.{quoted(c.name)}"
        for c in columns
    ]
    decoded = ", ".join([*(quoted(c.name) for c in in_record), *_ERROR])
    result_types = [*(_data_type(table_env, c.type) for c in in_record), *[DataTypes.STRING()] * len(_ERROR)]
    table_env.create_temporary_function(
        decode, udtf(Decode(in_record, record_format), result_types=result_types)
    )
    query = f"""
        SELECT {", ".join([*fields, *_ERROR])}, r.rowtime
        FROM {source} AS r, LATERAL TABLE({decode}(r.`data`)) AS d({decoded})
    """
    # Through a data stream, so that the planner does not decode twice, for the rows and for the errors.
    schema = Schema.new_builder()
    for column, type_ in zip(columns, types, strict=True):
        schema.column(column.name, type_)
    for error in _ERROR:
        schema.column(error, "STRING")
    schema.column("rowtime", "TIMESTAMP_LTZ(3)").watermark("rowtime", "SOURCE_WATERMARK()")
    return through_a_stream(table_env, table_env.sql_query(query), schema.build())


def _metadata_columns(records: Table, columns: Sequence[Column]) -> dict[str, str]:
    """For each metadata column, by name, the source's column; ValueError if the source has no such column."""
    there = records.get_schema().get_field_names()
    found = {}
    for column in columns:
        wanted = column.metadata
        if wanted == "arrival" and wanted not in there:
            wanted = "rowtime"
        if wanted and wanted not in there:
            raise InvalidValue(
                f"column {column.name}: this source does not provide {column.path}; it has {', '.join(there)}"
            )
        if wanted:
            found[column.name] = wanted
    return found


def _data_type(table_env: StreamTableEnvironment, type_: str) -> Any:
    from pyflink.java_gateway import get_gateway
    from pyflink.table.types import _from_java_data_type

    logical = get_gateway().jvm.org.apache.flink.table.types.logical.utils.LogicalTypeParser
    java_type = logical.parse(type_, get_gateway().jvm.Thread.currentThread().getContextClassLoader())
    utils = get_gateway().jvm.org.apache.flink.table.types.utils.TypeConversions
    return _from_java_data_type(utils.fromLogicalToDataType(java_type))
