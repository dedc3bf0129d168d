"""RANDOM_CUT_FOREST over a table: the one place where tables become keyed streams and come back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from pyflink.common import Types
from pyflink.table import Schema

from base.errors import InvalidValue
from udfs.forest.function import ERROR_COLUMNS, ForestFunction, ForestOptions
from udfs.key_groups import FEW, bucket_sql
from udfs.keyed_stream import process_keyed, resolved

if TYPE_CHECKING:
    from pyflink.common.typeinfo import TypeInformation
    from pyflink.datastream import KeyedProcessFunction
    from pyflink.table import StreamTableEnvironment, Table

#: RANDOM_CUT_FOREST takes at most this many numeric columns.
MAX_COLUMNS = 30
_NUMERIC = ("TINYINT", "SMALLINT", "INT", "INTEGER", "BIGINT", "FLOAT", "REAL", "DOUBLE", "DECIMAL")
_TYPES = {
    "VARCHAR": Types.STRING,
    "CHAR": Types.STRING,
    "STRING": Types.STRING,
    "BOOLEAN": Types.BOOLEAN,
    "TINYINT": Types.BYTE,
    "SMALLINT": Types.SHORT,
    "INT": Types.INT,
    "BIGINT": Types.LONG,
    "FLOAT": Types.FLOAT,
    "DOUBLE": Types.DOUBLE,
    "DECIMAL": Types.BIG_DEC,
    "TIMESTAMP": Types.INSTANT,
    "TIMESTAMP_LTZ": Types.INSTANT,
}


def random_cut_forest(
    table_env: StreamTableEnvironment, table: Table, options: ForestOptions, name: str = "forest"
) -> tuple[Table, Table]:
    """Score a table's rows in order: RANDOM_CUT_FOREST.

    Parameters
    ----------
    table_env : StreamTableEnvironment
        Where both tables are made.
    table : Table
        Insert-only, with one rowtime attribute. Columns of any type but arrays, maps, rows and bytes.
    options : ForestOptions
        What to score, and how.
    name : str
        Unique in the job; views and the forests' state are named after it.

    Returns
    -------
    scored : Table
        The columns of ``table``, ``anomaly_score DOUBLE`` (0 while learning, then 0 … log2(sub_sample_size), high =
        anomalous), ``anomaly_explanation STRING`` when asked for; the rowtime attribute as it was.
    errors : Table
        Rows without a score (a missing value): ``error_name, message, data_rowtime, data_row``.

    Raises
    ------
    ValueError
        When a column is missing, not numeric, or there are more than 30.
    """
    extra = {"anomaly_score": "DOUBLE"} | ({"anomaly_explanation": "STRING"} if options.explain else {})
    function = ForestFunction(column_names(table), options)
    results = extra | dict.fromkeys(ERROR_COLUMNS, "STRING")
    output, inbound, rowtime = through_keys(
        table_env, table, options, function, results, f"random_cut_forest {name}"
    )
    kept = ", ".join([*inbound, *extra, f"`{rowtime}`"])
    return (
        table_env.sql_query(f"SELECT {kept} FROM {output} WHERE error_name IS NULL"),
        table_env.sql_query(
            f"SELECT error_name, message, `{rowtime}` AS data_rowtime, data_row FROM {output}"
            " WHERE error_name IS NOT NULL"
        ),
    )


def column_names(table: Table) -> tuple[str, ...]:
    """A table's columns but its rowtime."""
    return tuple(resolved(table)[0])


def through_keys(
    table_env: StreamTableEnvironment,
    table: Table,
    options: Keyed,
    function: KeyedProcessFunction,
    results: dict[str, str],
    uid: str,
) -> tuple[str, list[str], str]:
    """Send a table's rows, keyed, through a function that adds ``results`` (names and types) behind their columns.

    ``uid`` is the kind of function and the relation's name. Returns the view of what comes back; what to select from it
    to get the table's own columns as they were; and the rowtime's name.
    """
    kind, _, relation = uid.partition(" ")
    columns, rowtime = resolved(table)
    _check(columns, options, kind)
    if taken := sorted(results.keys() & {*columns, rowtime}):
        raise InvalidValue(
            f"{kind}: adds the columns {', '.join(taken)}, which the rows have already; rename those"
        )
    name = f"{relation}_{'forest' if kind == 'random_cut_forest' else kind}"
    table_env.create_temporary_view(f"{name}_input", table)
    shape = _Shape(name, rowtime, columns, columns | results)
    # Divided otherwise state can't be read: so it has another name, and is missed rather than overlooked.
    groups = options.buckets if options.partition_by and options.buckets != FEW else None
    processed = process_keyed(
        table_env.to_data_stream(table_env.sql_query(_rows(shape, options))),
        function,
        shape.row,
        shape.result,
        kind.upper(),
        uid if groups is None else f"{uid} in {groups} buckets",
        groups,
    )
    table_env.create_temporary_view(f"{name}_output", table_env.from_data_stream(processed, shape.schema))
    return f"{name}_output", [_inbound(c, t) for c, t in columns.items()], rowtime


class Keyed(Protocol):
    """What both a forest's and a detector's options have."""

    @property
    def columns(self) -> tuple[str, ...]: ...
    @property
    def partition_by(self) -> str | None: ...
    @property
    def buckets(self) -> int: ...


@dataclass(frozen=True)
class _Shape:
    """Names and types of what goes to the function and what comes back."""

    name: str
    rowtime: str
    columns: dict[str, str]
    results: dict[str, str]

    @property
    def row(self) -> TypeInformation:
        return _row_type(self.columns)

    @property
    def result(self) -> TypeInformation:
        return _row_type(self.results)

    @property
    def values(self) -> str:
        """The row, as SQL."""
        return f"ROW({', '.join(_outbound(c, t) for c, t in self.columns.items())})"

    @property
    def schema(self) -> Schema:
        """Of the stream that comes back."""
        schema = Schema.new_builder()
        for column, type_ in self.results.items():
            schema.column(column, "TIMESTAMP_LTZ(3)" if type_.startswith("TIMESTAMP") else type_)
        schema.column_by_metadata(self.rowtime, "TIMESTAMP_LTZ(3)", "rowtime")
        return schema.watermark(self.rowtime, "SOURCE_WATERMARK()").build()


def _bucket(options: Keyed) -> str:
    """The key of Flink's state: one of a few, each with the forests of many values, or one for all rows."""
    if not options.partition_by:
        return "CAST('' AS STRING)"
    value = f"COALESCE(CAST(`{options.partition_by}` AS STRING), '')"
    if options.buckets == FEW:
        return f"CAST(ABS(MOD(HASH_CODE({value}), {FEW})) AS STRING)"
    return bucket_sql(value, options.buckets)


def _rows(shape: _Shape, options: Keyed) -> str:
    return f"SELECT {_bucket(options)} AS `key`, {shape.values} AS `row`, `{shape.rowtime}` FROM {shape.name}_input"


def _check(columns: dict[str, str], options: Keyed, kind: str) -> None:
    if not 1 <= len(options.columns) <= MAX_COLUMNS:
        raise InvalidValue(f"{kind}.columns must be 1 to {MAX_COLUMNS} columns, got {len(options.columns)}")
    for column in options.columns:
        if _root(columns.get(column, "")) not in _NUMERIC:
            raise InvalidValue(
                f"{kind}.columns must be numeric columns of {', '.join(columns)}, "
                f"got {column} {columns.get(column, '')}".rstrip()
            )
    if options.partition_by and options.partition_by not in columns:
        raise InvalidValue(
            f"{kind}.partition_by must be one of {', '.join(columns)}, got {options.partition_by}"
        )


# Timestamps without zone have no type that Python's data streams carry: they travel as instants (the session's
# time zone takes them there and back).
def _outbound(column: str, type_: str) -> str:
    return f"CAST(`{column}` AS TIMESTAMP_LTZ(3))" if type_.startswith("TIMESTAMP(") else f"`{column}`"


def _inbound(column: str, type_: str) -> str:
    return f"CAST(`{column}` AS {type_}) AS `{column}`" if type_.startswith("TIMESTAMP(") else f"`{column}`"


def _root(type_: str) -> str:
    return type_.partition("(")[0].strip()


def _row_type(columns: dict[str, str]) -> TypeInformation:
    for column, type_ in columns.items():
        if _root(type_) not in _TYPES:
            raise InvalidValue(
                f"random_cut_forest: column {column} has type {type_}, which can't pass; leave it out"
            )
    return Types.ROW_NAMED(list(columns), [_TYPES[_root(t)]() for t in columns.values()])
