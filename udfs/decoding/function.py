"""The decoder as a Flink function: a table of raw records becomes a table of columns and a table of errors."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from pyflink.table import DataTypes
from pyflink.table.udf import TableFunction, udtf

from base.errors import InvalidValue
from udfs.decoding.columns import Column
from udfs.decoding.decoder import RecordDecoder, late_record
from udfs.decoding.record_format import JSON, RecordFormat
from udfs.decoding.refused import Decoded
from udfs.decoding.stream_clock import Clocks
from udfs.row_stream import through_a_stream

if TYPE_CHECKING:
    from pyflink.table import StreamTableEnvironment, Table

#: Prefixed, as a record may have its own column named `message`.
_ERROR = ("__error_name", "__message", "__data_row")
#: A row's rowtime and its subtask's watermark, in milliseconds since the epoch. A row's rowtime is later than the
#: watermark and a heartbeat's is equal to it, which tells the two apart.
_TIME = ("__happened_ms", "__reached_ms")
_REACHED = "__reached"


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
        return [plain + self._no_error] if plain else self._any(data, ())

    def _any(self, data: bytes | None, time: tuple[int | None, ...]) -> Iterator[tuple[Any, ...]]:
        for row in self._decoder.decode(data):
            yield self._values(row) + time

    def _values(self, row: Decoded) -> tuple[Any, ...]:
        if row.values is not None:
            return row.values + self._no_error
        return (*self._nothing, row.error_name, row.message, row.data_row)


class DecodeAndTime(Decode):
    """As :class:`Decode`, with the rowtime and the watermark of each row; late records are reported."""

    def __init__(self, columns: Sequence[Column], record_format: RecordFormat, clocks: Clocks) -> None:
        super().__init__(columns, record_format)
        self._clocks = clocks

    def open(self, function_context: Any) -> None:
        """Start the clock."""
        super().open(function_context)
        self._clock = self._clocks.start()

    def eval(  # type: ignore[override]  # Flink calls it by the number of its arguments
        self, data: bytes | None, shard: str, arrival: int
    ) -> Iterable[tuple[Any, ...]]:
        """Called by Flink for each record, and with None about each second for a heartbeat."""
        clock = self._clock
        if data is None:
            watermark = clock.heartbeat()
            return [self._nothing + self._no_error + (watermark, watermark)]
        happened = clock.hear(shard, arrival)
        time = (happened, clock.watermark)
        plain = self._decoder.plain(data) if happened == arrival else None
        return [plain + self._no_error + time] if plain else self._any_or_late(data, arrival, time)

    def _any_or_late(self, data: bytes, arrival: int, time: tuple[int, int]) -> Iterator[tuple[Any, ...]]:
        late, counts = time[0] != arrival, self._clocks.count_late
        if counts or not late:
            yield from self._any(data, time)
        if late:
            yield self._values(late_record(data, arrival, time[0], counts)) + time


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
    from pyflink.table import Schema

    types = [_data_type(table_env, c.type) for c in columns]
    in_record = [c for c in columns if not c.metadata]
    # Made here too, so that invalid columns fail before the job starts.
    RecordDecoder(in_record, record_format)
    given = _metadata_columns(records, columns)
    # Function names are case-insensitive in Flink, relation names are not: the checksum keeps them distinct.
    decode = quoted(f"{name}_decode_{zlib.crc32(name.encode()):08x}")
    source, output = quoted(f"{name}_undecoded"), quoted(f"{name}_decoded")
    table_env.create_temporary_view(source, records)
    fields = [
        f"CAST(r.{quoted(given[c.name])} AS {c.type}) AS {quoted(c.name)}"
        if c.metadata
        else f"d.{quoted(c.name)}"
        for c in columns
    ]
    decoded = [*(quoted(c.name) for c in in_record), *_ERROR]
    result_types = [*(_data_type(table_env, c.type) for c in in_record), *[DataTypes.STRING()] * len(_ERROR)]
    if clocks is None:
        function, watermark = Decode(in_record, record_format), "SOURCE_WATERMARK()"
        query = f"""
            SELECT {", ".join([*fields, *_ERROR])}, r.rowtime
            FROM {source} AS r, LATERAL TABLE({decode}(r.`data`)) AS d({", ".join(decoded)})
        """
    else:
        function = DecodeAndTime(in_record, record_format, clocks)
        watermark = _REACHED
        result_types += [DataTypes.BIGINT()] * len(_TIME)
        query = f"""
            SELECT {", ".join([*fields, *_ERROR])},
              TO_TIMESTAMP_LTZ({_TIME[0]}, 3) AS rowtime, TO_TIMESTAMP_LTZ({_TIME[1]}, 3) AS {_REACHED}
            FROM {source} AS r, LATERAL TABLE({decode}(
                r.`data`, r.shard, EXTRACT(EPOCH FROM r.arrival) * 1000 + EXTRACT(MILLISECOND FROM r.arrival)
            )) AS d({", ".join([*decoded, *_TIME])})
        """
    table_env.create_temporary_function(decode, udtf(function, result_types=result_types))
    # Through a data stream, so that the planner does not decode twice, for the rows and for the errors.
    schema = Schema.new_builder()
    for column, type_ in zip(columns, types, strict=True):
        schema.column(column.name, type_)
    for error in _ERROR:
        schema.column(error, "STRING")
    schema.column("rowtime", "TIMESTAMP_LTZ(3)")
    if clocks is not None:
        schema.column(_REACHED, "TIMESTAMP_LTZ(3)")
    schema.watermark("rowtime", watermark)
    table_env.create_temporary_view(
        output, through_a_stream(table_env, table_env.sql_query(query), schema.build())
    )
    own = ", ".join(quoted(c.name) for c in columns)
    error, message, data_row = _ERROR
    good, heartbeats = f"{error} IS NULL", f"{source} WHERE `data` IS NULL"
    if clocks is not None:
        good += f" AND rowtime > {_REACHED}"
        heartbeats = f"{output} WHERE rowtime = {_REACHED} AND {_REACHED} > TO_TIMESTAMP_LTZ(0, 3)"
    rows = table_env.sql_query(f"SELECT {own}, rowtime FROM {output} WHERE {good}")
    errors = table_env.sql_query(
        f"SELECT {error} AS error_name, {message} AS message, rowtime AS data_rowtime, {data_row} AS data_row"
        f" FROM {output} WHERE {error} IS NOT NULL"
    )
    return rows, errors, table_env.sql_query(f"SELECT rowtime FROM {heartbeats}")


def quoted(name: str) -> str:
    """A name quoted for SQL, with backquotes in it escaped."""
    return "`" + name.replace("`", "``") + "`"


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
