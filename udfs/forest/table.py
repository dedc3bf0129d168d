"""RANDOM_CUT_FOREST over a table; and the way of a table through a keyed function, shared with the detector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from pyflink.common import Types
from pyflink.table import Schema

from base.errors import InvalidValue
from udfs.forest.function import ERROR_COLUMNS, ForestFunction, ForestOptions
from udfs.key_groups import FEW, bucket_sql
from udfs.keyed_stream import TYPES, process_keyed, resolved, root_of, row_type

if TYPE_CHECKING:
    from pyflink.common.typeinfo import TypeInformation
    from pyflink.datastream import KeyedProcessFunction
    from pyflink.table import StreamTableEnvironment, Table

#: RANDOM_CUT_FOREST takes at most this many numeric columns.
MAX_COLUMNS = 30
_NUMERIC = ("TINYINT", "SMALLINT", "INT", "INTEGER", "BIGINT", "FLOAT", "REAL", "DOUBLE", "DECIMAL")
_TYPES = TYPES | {"TIMESTAMP": Types.INSTANT, "TIMESTAMP_LTZ": Types.INSTANT}


def random_cut_forest(
    table_env: StreamTableEnvironment, table: Table, options: ForestOptions, name: str = "forest"
) -> tuple[Table, Table]:
    """Score a table's rows in order: RANDOM_CUT_FOREST.

    Parameters
    ----------
    table_env : StreamTableEnvironment
        Where both tables are created.
    table : Table
        Insert-only, with one rowtime attribute. Columns may be of any type but arrays, maps, rows and bytes.
    options : ForestOptions
        What to score, and how.
    name : str
        Unique in the job; views and the forests' state are named after it.

    Returns
    -------
    scored : Table
        The columns of ``table``, ``anomaly_score DOUBLE`` (0 while learning, then 0 … log2(sub_sample_size), high =
        anomalous), with ``explain`` also ``anomaly_explanation STRING``; the rowtime attribute is unchanged.
    errors : Table
        Rows that can't be scored (a missing value): ``error_name, message, data_rowtime, data_row``.

    Raises
    ------
    ValueError
        For a column that is missing or not numeric, and for more than 30 columns.
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
    """A table's columns without its rowtime."""
    return tuple(resolved(table)[0])


def through_keys(
    table_env: StreamTableEnvironment,
    table: Table,
    options: Keyed,
    function: KeyedProcessFunction,
    results: dict[str, str],
    uid: str,
) -> tuple[str, list[str], str]:
    """Key a table's rows and pass them through a function that appends the columns ``results`` (names and types).

    ``uid`` is the kind of function and the relation's name. Returns the name of the view of the results; the SQL
    expressions that select the table's own columns from it; and the rowtime's name.
    """
    kind, _, relation = uid.partition(" ")
    columns, rowtime = resolved(table)
    _check(columns, options, kind)
    if taken := sorted(results.keys() & {*columns, rowtime}):
        raise InvalidValue(
            f"{kind}: adds the columns {', '.join(taken)}, which the table already has; rename those"
        )
    name = f"{relation}_{'forest' if kind == 'random_cut_forest' else kind}"
    table_env.create_temporary_view(f"{name}_input", table)
    shape = _Shape(name, rowtime, columns, columns | results)
    # State with another number of buckets can't be read. With another uid, a restore from it fails instead of silently
    # starting without the state.
    groups = options.buckets if options.partition_by and options.buckets != FEW else None
    processed = process_keyed(
        table_env,
        [table_env.sql_query(_rows(shape, options))],
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
    """Options that a forest and a detector have in common."""

    @property
    def columns(self) -> tuple[str, ...]: ...
    @property
    def partition_by(self) -> str | None: ...
    @property
    def buckets(self) -> int: ...


@dataclass(frozen=True)
class _Shape:
    """Names and types of the function's input and output columns."""

    name: str
    rowtime: str
    columns: dict[str, str]
    results: dict[str, str]

    @property
    def row(self) -> TypeInformation:
        return row_type(self.columns, _TYPES)

    @property
    def result(self) -> TypeInformation:
        return row_type(self.results, _TYPES)

    @property
    def values(self) -> str:
        """The row, as SQL."""
        return f"ROW({', '.join(_outbound(c, t) for c, t in self.columns.items())})"

    @property
    def schema(self) -> Schema:
        """Schema of the function's output stream."""
        schema = Schema.new_builder()
        for column, type_ in self.results.items():
            schema.column(column, "TIMESTAMP_LTZ(3)" if type_.startswith("TIMESTAMP") else type_)
        schema.column_by_metadata(self.rowtime, "TIMESTAMP_LTZ(3)", "rowtime")
        return schema.watermark(self.rowtime, "SOURCE_WATERMARK()").build()


def _bucket(options: Keyed) -> str:
    """SQL for the key of Flink's state: a bucket, with the forests of many values; or one key for all rows."""
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
        if root_of(columns.get(column, "")) not in _NUMERIC:
            raise InvalidValue(
                f"{kind}.columns must be numeric columns of {', '.join(columns)}, "
                f"got {column} {columns.get(column, '')}".rstrip()
            )
    if options.partition_by and options.partition_by not in columns:
        raise InvalidValue(
            f"{kind}.partition_by must be one of {', '.join(columns)}, got {options.partition_by}"
        )


# PyFlink's data streams have no type for timestamps without a zone. They are passed as instants, converted in the
# session's time zone in both directions.
def _outbound(column: str, type_: str) -> str:
    return f"CAST(`{column}` AS TIMESTAMP_LTZ(3))" if type_.startswith("TIMESTAMP(") else f"`{column}`"


def _inbound(column: str, type_: str) -> str:
    return f"CAST(`{column}` AS {type_}) AS `{column}`" if type_.startswith("TIMESTAMP(") else f"`{column}`"
