"""A source's records without watermarks to rows with rowtime, through a stream that is keyed by buckets of shards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pyflink.common import Types

from udfs.decoding.clocks import Clocks
from udfs.decoding.columns import Column
from udfs.decoding.record_format import RecordFormat
from udfs.decoding.timed_function import ARRIVAL, BUCKETS, ERROR, LAST, SHARD, DecodeAndTime, wire_type
from udfs.key_groups import bucket_names, name_sql, number_sql
from udfs.keyed_stream import TYPES, process_keyed, row_type
from udfs.row_stream import quoted, through_a_stream

if TYPE_CHECKING:
    from pyflink.table import StreamTableEnvironment, Table

#: A row's rowtime and its subtask's watermark, in milliseconds since the epoch.
_HAPPENED, _REACHED = "happened_ms", "reached_ms"
_TYPES = (
    TYPES
    | {"INTEGER": TYPES["INT"], "REAL": TYPES["FLOAT"]}
    | dict.fromkeys(("DEC", "NUMERIC"), TYPES["DECIMAL"])
    | dict.fromkeys(("BINARY", "VARBINARY", "BYTES"), lambda: Types.PRIMITIVE_ARRAY(Types.BYTE()))
)


def timed_rows(
    table_env: StreamTableEnvironment,
    records: Table,
    columns: Sequence[Column],
    given: Mapping[str, str],
    clocks: Clocks,
    record_format: RecordFormat,
    name: str,
) -> tuple[Table, str]:
    """Decode records that have a shard and an arrival time.

    Parameters
    ----------
    records : Table
        ``data BYTES, shard STRING, arrival TIMESTAMP_LTZ(3)``, or NULLs in a heartbeat; more columns are text.
    given : mapping of str
        For each metadata column, by name, the column of ``records``.
    name : str
        Prefix of what this creates; the clock's state is named after it.

    Returns
    -------
    rows : Table
        ``c0``, ``c1`` … (``columns``, in order), the error's columns, ``rowtime``, a rowtime attribute, and
        ``happened_ms`` and ``reached_ms``. A row's ``happened_ms`` is later than ``reached_ms``, and equal in a
        heartbeat.
    fields : str
        The expressions that select ``columns``.
    """
    from pyflink.table import Schema

    names = records.get_schema().get_field_names()
    more = [n for n in names if n not in ("data", "shard", "arrival") and n in given.values()]
    places = {"shard": SHARD, "arrival": ARRIVAL} | {n: LAST + k for k, n in enumerate(more)}
    in_record = [c for c in columns if not c.metadata]
    copied = [c for c in columns if c.metadata]
    function = DecodeAndTime(in_record, record_format, clocks, [places[given[c.name]] for c in copied])
    # The columns' names are the user's and may be any; these are not.
    sent = {f"c{columns.index(c)}": wire_type(c.type) for c in in_record}
    sent |= {f"c{columns.index(c)}": "BIGINT" if given[c.name] == "arrival" else "STRING" for c in copied}
    sent |= dict.fromkeys(ERROR, "STRING") | {_HAPPENED: "BIGINT", _REACHED: "BIGINT"}
    element = {"data": "BYTES", "shard": "STRING", "arrival": "BIGINT"} | dict.fromkeys(more, "STRING")
    processed = process_keyed(
        table_env,
        _keyed(table_env, records, more, clocks.lister is not None, name),
        function,
        row_type(element, _TYPES),
        row_type({c: t.upper() for c, t in sent.items()}, _TYPES),
        "DECODE",
        f"decode {name}",
        BUCKETS,
        rowtime=False,
    )
    schema = Schema.new_builder()
    for column, type_ in sent.items():
        schema.column(column, type_)
    schema.column_by_expression("rowtime", f"TO_TIMESTAMP_LTZ({_HAPPENED}, 3)")
    schema.watermark("rowtime", f"TO_TIMESTAMP_LTZ({_REACHED}, 3)")
    return table_env.from_data_stream(processed, schema.build()), ", ".join(
        f"{_received(k, c, given)} AS {quoted(c.name)}" for k, c in enumerate(columns)
    )


def _keyed(
    table_env: StreamTableEnvironment, records: Table, more: Sequence[str], in_order: bool, name: str
) -> tuple[Table, Table]:
    """Bucket and element of each record, and of the heartbeats: to all buckets, so that each subtask gets some."""
    from pyflink.table import Schema

    schema = Schema.new_builder().column("data", "BYTES").column("shard", "STRING")
    schema.column("arrival", "TIMESTAMP_LTZ(3)")
    for column in more:
        schema.column(column, "STRING")
    schema.column("bucket_number", "INT")
    view, taken = f"{name}_undecoded", ["`data`", "shard", "arrival", *map(quoted, more)]
    arrival = "EXTRACT(EPOCH FROM arrival) * 1000 + EXTRACT(MILLISECOND FROM arrival)"
    # Records that are in no order have one shard: they may go to any subtask.
    number = number_sql("shard" if in_order else f"CAST({arrival} AS STRING)", BUCKETS)
    table_env.create_temporary_view(f"{name}_read", records)
    read = table_env.sql_query(
        f"SELECT {', '.join(taken)}, {number} AS bucket_number FROM {quoted(f'{name}_read')}"
    )
    # Through a data stream, so that the planner does not read the source twice.
    table_env.create_temporary_view(view, through_a_stream(table_env, read, schema.build()))
    rest = "".join(f", {c}" for c in taken[3:])
    # With a column in it (NULL in a heartbeat), or the planner makes a join of it that keeps all heartbeats.
    first, *others = (f"'{b}'" for b in bucket_names(BUCKETS))
    buckets = ", ".join([f"COALESCE(shard, {first})", *others])
    row = f"ROW(`data`, shard, {arrival}{rest}) AS `row` FROM {quoted(view)}"
    return (
        table_env.sql_query(
            # The planner takes the name for a nullable CHAR(4); the two streams must have one type.
            f"SELECT COALESCE(CAST({name_sql('bucket_number', BUCKETS)} AS STRING), {first}) AS `key`, {row}"
            " WHERE `data` IS NOT NULL"
        ),
        table_env.sql_query(
            f"SELECT b.bucket AS `key`, {row} CROSS JOIN UNNEST(ARRAY[{buckets}]) AS b(bucket) WHERE `data` IS NULL"
        ),
    )


def _received(k: int, column: Column, given: Mapping[str, str]) -> str:
    """SQL for a column, from what was sent."""
    sent = f"c{k}"
    if column.metadata:
        if given[column.name] == "arrival":
            sent = f"TO_TIMESTAMP_LTZ({sent}, 3)"
        return f"CAST({sent} AS {column.type})"
    return sent if wire_type(column.type) == column.type else f"CAST({sent} AS {column.type})"
