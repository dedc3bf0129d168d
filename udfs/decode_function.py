"""The decoder's door to Flink: a table of raw records becomes a table of columns and a table of errors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pyflink.table import DataTypes
from pyflink.table.udf import TableFunction, udtf

from udfs.columns import Column
from udfs.decoding import Decoded, RecordDecoder, late_record
from udfs.row_stream import through_a_stream
from udfs.shard_clock import ShardClock

if TYPE_CHECKING:
    from pyflink.table import StreamTableEnvironment, Table

_ERROR = ("error_name", "message", "data_row")
#: When a row happened, and up to when all rows have come: milliseconds since the epoch.
_TIME = ("happened_ms", "reached_ms")
#: In place of an error's name: a row that only says how far time has come.
_TIME_ROW = "TIME"
#: Milliseconds without a row after which a subtask's time no longer holds back the others'. Beats come each second.
_AWAY = 3000
#: While all shards of a subtask are silent, its time is told so many seconds apart: in between others don't wait.
_QUIET_STEP = 5


class Decode(TableFunction):  # type: ignore[misc]
    """One row for each document of a record: the columns, or the reason there are none."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = tuple(columns)

    def open(self, function_context: Any) -> None:
        """Compile the columns' coercions; they can't travel, closures don't pickle."""
        self._decoder = RecordDecoder(self._columns)
        self._nothing = (None,) * len(self._columns)
        self._no_error = (None,) * len(_ERROR)

    def eval(self, data: bytes | None) -> Iterable[tuple[Any, ...]]:
        """Called by Flink for each record, and with nothing where only time has passed."""
        plain = self._decoder.plain(data)
        # Of what it may be given, PyFlink takes a list with the least ado.
        return [plain + self._no_error] if plain else self._any(data, ())

    def _any(self, data: bytes | None, time: tuple[int | None, ...]) -> Iterator[tuple[Any, ...]]:
        for row in self._decoder.decode(data):
            yield self._values(row) + time

    def _values(self, row: Decoded) -> tuple[Any, ...]:
        if row.values is not None:
            return row.values + self._no_error
        return (*self._nothing, row.error_name, row.message, row.data_row)


class DecodeAndTime(Decode):
    """The same, with the time of each row: what comes late counts now, and is told."""

    def __init__(self, columns: Sequence[Column], idle_timeout: float) -> None:
        super().__init__(columns)
        self._idle_timeout = idle_timeout

    def open(self, function_context: Any) -> None:
        """Start the clock."""
        super().open(function_context)
        self._clock = ShardClock(self._idle_timeout)
        self._quiet_beats = 0

    def eval(  # type: ignore[override]  # Flink calls it by the number of its arguments
        self, data: bytes | None, shard: str, arrival: int
    ) -> Iterable[tuple[Any, ...]]:
        """Called by Flink for each record, and with nothing each second."""
        if data is None:
            return self._beat()
        happened = self._clock.hear(shard, arrival)
        time = (happened, self._clock.reached)
        plain = self._decoder.plain(data) if happened == arrival else None
        return [plain + self._no_error + time] if plain else self._any_or_late(data, arrival, time)

    def _any_or_late(
        self, data: bytes, arrival: int, time: tuple[int, int | None]
    ) -> Iterator[tuple[Any, ...]]:
        yield from self._any(data, time)
        if time[0] != arrival:
            yield self._values(late_record(data, arrival, time[0])) + time

    def _beat(self) -> list[tuple[Any, ...]]:
        clock = self._clock
        clock.beat()
        self._quiet_beats = 0 if clock.holding else self._quiet_beats + 1
        if self._quiet_beats % _QUIET_STEP:
            return []
        return [(*self._nothing, _TIME_ROW, None, None, clock.reached or 0, clock.reached)]


def decode_records(
    table_env: StreamTableEnvironment,
    records: Table,
    columns: Sequence[Column],
    idle_timeout: timedelta | None = None,
    name: str = "records",
) -> tuple[Table, Table, Table]:
    """Decode the records of a source.

    Parameters
    ----------
    table_env : StreamTableEnvironment
        Where both tables are made.
    records : Table
        ``data BYTES`` (NULL: nothing came since ``rowtime``) and ``rowtime``, a rowtime attribute. With
        ``idle_timeout``: ``data BYTES``, ``shard STRING`` and ``arrival TIMESTAMP_LTZ(3)``, and about each second a
        row of NULLs.
    columns : sequence of Column
        What to take from each document.
    idle_timeout : timedelta or None
        Where records come from several shards, each in order: see :class:`~udfs.shard_clock.ShardClock`.
    name : str
        Unique in the job; views and functions are named after it.

    Returns
    -------
    rows : Table
        The columns, and ``rowtime``.
    errors : Table
        ``error_name, message, data_rowtime, data_row``.
    quiet : Table
        ``rowtime``: a row now and then while nothing comes, with the time since which that is so.
    """
    from pyflink.table import Schema

    types = [_data_type(table_env, c.type) for c in columns]
    names = [c.name for c in columns]
    fields = ", ".join(f"`{n}`" for n in (*names, *_ERROR))
    name = f"{name}_decoded"
    table_env.create_temporary_view(f"{name}_input", records)
    result_types = types + [DataTypes.STRING()] * len(_ERROR)
    if idle_timeout is None:
        function, watermark, reached = Decode(columns), "SOURCE_WATERMARK()", "rowtime"
        query = (
            f"SELECT {fields}, rowtime FROM {name}_input, LATERAL TABLE({name}(`data`)) AS decoded({fields})"
        )
    else:
        function, watermark, reached = (
            DecodeAndTime(columns, idle_timeout.total_seconds()),
            "reached",
            "reached",
        )
        result_types += [DataTypes.BIGINT()] * len(_TIME)
        query = f"""
            SELECT {fields}, TO_TIMESTAMP_LTZ(happened_ms, 3) AS rowtime, TO_TIMESTAMP_LTZ(reached_ms, 3) AS reached
            FROM {name}_input, LATERAL TABLE({name}(
                `data`, shard, EXTRACT(EPOCH FROM arrival) * 1000 + EXTRACT(MILLISECOND FROM arrival)
            )) AS decoded({fields}, {", ".join(_TIME)})
        """
        table_env.get_config().set("table.exec.source.idle-timeout", f"{_AWAY} ms")
    table_env.create_temporary_function(name, udtf(function, result_types=result_types))
    decoded = table_env.sql_query(query)
    # Through a data stream, so that the planner can't decode once for the rows and once more for the errors.
    schema = Schema.new_builder()
    for column, type_ in zip(names, types, strict=True):
        schema.column(column, type_)
    for column in _ERROR:
        schema.column(column, "STRING")
    schema.column("rowtime", "TIMESTAMP_LTZ(3)")
    if reached != "rowtime":
        schema.column(reached, "TIMESTAMP_LTZ(3)")
    schema.watermark("rowtime", watermark)
    table_env.create_temporary_view(f"{name}_output", through_a_stream(table_env, decoded, schema.build()))
    quoted = ", ".join(f"`{n}`" for n in names)
    rows = table_env.sql_query(f"SELECT {quoted}, rowtime FROM {name}_output WHERE error_name IS NULL")
    errors = table_env.sql_query(
        f"SELECT error_name, message, rowtime AS data_rowtime, data_row FROM {name}_output"
        f" WHERE error_name <> '{_TIME_ROW}'"
    )
    silences = (
        f"{name}_input WHERE `data` IS NULL"
        if idle_timeout is None
        else f"{name}_output WHERE error_name = '{_TIME_ROW}' AND reached IS NOT NULL"
    )
    quiet = table_env.sql_query(f"SELECT rowtime FROM {silences}")
    return rows, errors, quiet


def _data_type(table_env: StreamTableEnvironment, type_: str) -> Any:
    from pyflink.java_gateway import get_gateway
    from pyflink.table.types import _from_java_data_type

    logical = get_gateway().jvm.org.apache.flink.table.types.logical.utils.LogicalTypeParser
    java_type = logical.parse(type_, get_gateway().jvm.Thread.currentThread().getContextClassLoader())
    utils = get_gateway().jvm.org.apache.flink.table.types.utils.TypeConversions
    return _from_java_data_type(utils.fromLogicalToDataType(java_type))
