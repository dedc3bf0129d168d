"""A table's rows to the Lambda sink, in batches: SQL computes a row's bucket, and Java keys the stream by it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyflink.common import TypeInformation, Types
from pyflink.table import DataTypes, Schema
from pyflink.table.expressions import col, to_timestamp_ltz
from pyflink.table.types import BinaryType, DayTimeIntervalType, VarBinaryType, YearMonthIntervalType

from base.errors import InvalidValue
from connectors.lambda_sink.sink import ERROR, LambdaSink
from pipeline.sql import identifier
from udfs.keyed_stream import process_keyed
from udfs.row_batches import take_batches

if TYPE_CHECKING:
    from pyflink.datastream import RuntimeContext
    from pyflink.table import StreamTableEnvironment, Table

    from connectors.lambda_sink.options import LambdaSinkOptions

# PyFlink 1.20 can't convert these types to a DataStream.
UNSUPPORTED = (BinaryType, VarBinaryType, DayTimeIntervalType, YearMonthIntervalType)
_ERROR_ROW = Types.ROW_NAMED(list(ERROR), [Types.STRING(), Types.STRING(), Types.LONG(), Types.STRING()])


def lambda_sink(table_env: StreamTableEnvironment, table: Table, options: LambdaSinkOptions) -> Table:
    """Send every row of a table to a Lambda function; return the rows that could not be delivered.

    Parameters
    ----------
    table_env : StreamTableEnvironment
        Where the table lives.
    table : Table
        Append-only. Each row becomes one JSON object with the column names as keys
        (:mod:`connectors.row_json`), or one line of CSV (:mod:`connectors.row_csv`).
    options : LambdaSinkOptions
        Which function, and how to send.

    Returns
    -------
    Table
        ``error_name STRING, message STRING, data_rowtime TIMESTAMP_LTZ(3), data_row STRING`` (the row as it was sent,
        in hex), one for each row that was given up. Insert it somewhere: only then does the sink run.

    Raises
    ------
    ValueError
        When ``key_column`` is not a column of the table, or a column has a type that PyFlink can't give to Python.
    """
    schema = table.get_schema()
    names = schema.get_field_names()
    for name, kind in zip(names, schema.get_field_data_types(), strict=True):
        if isinstance(kind, UNSUPPORTED) and kind != DataTypes.BYTES(kind._nullable):
            raise InvalidValue(f"lambda_sink: column {name} must be cast to BYTES or STRING, got {kind}")
    if options.key_column is not None and options.key_column not in names:
        raise InvalidValue(
            f"{options.group}.key_column must be one of {', '.join(names)}, got {options.key_column!r}"
        )
    name = f"lambda_sink {options.operator_name}"
    rows = _with_buckets(table_env, table, options)
    undelivered = process_keyed(
        table_env,
        [rows],
        _InBatches(names, options),
        _JavaType(table),
        _ERROR_ROW,
        name,
        name,
        key=Types.INT(),
        rowtime=len(rows.get_schema().get_field_names()) > 2,
    )
    error, message, rowtime, row = ERROR
    error_schema = Schema.new_builder().column(error, "STRING").column(message, "STRING")
    error_schema.column(rowtime, "BIGINT").column(row, "STRING")
    # In thread mode Python can't return a timestamp.
    return table_env.from_data_stream(undelivered, error_schema.build()).select(
        col(error), col(message), to_timestamp_ltz(col(rowtime), 3).alias(rowtime), col(row)
    )


def _with_buckets(table_env: StreamTableEnvironment, table: Table, options: LambdaSinkOptions) -> Table:
    """Rows of (bucket, row), and the rowtime attribute if there is one."""
    checks = _jvm().org.apache.flink.table.types.logical.utils.LogicalTypeChecks
    values, rowtimes = [], []
    for column in table._j_table.getResolvedSchema().getColumns():
        name = identifier(column.getName())
        if checks.isRowtimeAttribute(column.getDataType().getLogicalType()):
            rowtimes.append(name)
            name = f"CAST({name} AS TIMESTAMP_LTZ(3))"
        values.append(name)
    if options.key_column is None:
        # Any bucket, so that all subtasks get rows.
        bucket = f"RAND_INTEGER({options.concurrency})"
    else:
        key = f"COALESCE(CAST({identifier(options.key_column)} AS STRING), '')"
        bucket = f"ABS(MOD(HASH_CODE({key}), {options.concurrency}))"
    parts = ", ".join([f"CAST({bucket} AS INT)", f"ROW({', '.join(values)})", *rowtimes])
    return table_env.sql_query(f"SELECT {parts} FROM {table}")


class _InBatches(LambdaSink):
    """The sink with all rows of a bundle in one call."""

    def open(self, runtime_context: RuntimeContext) -> None:
        super().open(runtime_context)
        if timers := take_batches(self, one_for_each=False):
            self.timers = timers


class _JavaType(TypeInformation):  # type: ignore[misc]
    """Flink's type of a table's rows, for PyFlink."""

    def __init__(self, table: Table) -> None:
        super().__init__()
        types = _jvm().org.apache.flink.table.types.utils.LegacyTypeInfoDataTypeConverter
        self._j_typeinfo = types.toLegacyTypeInfo(table._j_table.getResolvedSchema().toPhysicalRowDataType())

    def get_java_type_info(self) -> Any:
        return self._j_typeinfo


def _jvm() -> Any:
    from pyflink.java_gateway import get_gateway

    return get_gateway().jvm
