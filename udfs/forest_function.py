"""The random cut forest's door to Flink: a table in, the same table with ``anomaly_score`` out.

State. The live forest lies in keyed state and is written back after every record; Flink pickles it when a bundle
commits, before the checkpoint's barrier. So after a failure each record is scored by exactly the forest that an
unbroken run would have had.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pyflink.common import Row, Types
from pyflink.datastream import KeyedProcessFunction
from pyflink.datastream.state import StateTtlConfig, ValueStateDescriptor

if TYPE_CHECKING:
    from pyflink.common.typeinfo import TypeInformation
    from pyflink.table import StreamTableEnvironment, Table

#: RANDOM_CUT_FOREST takes at most this many numeric columns.
MAX_COLUMNS = 30
_NUMERIC = ("TINYINT", "SMALLINT", "INT", "INTEGER", "BIGINT", "FLOAT", "REAL", "DOUBLE", "DECIMAL")
_ERROR = ("error_name", "message", "data_row")


@dataclass(frozen=True)
class ForestOptions:
    """What to score, and how.

    Parameters
    ----------
    columns : tuple of str
        1-30 numeric columns.
    number_of_trees, sub_sample_size, time_decay, shingle_size, seed : int
        As for :class:`udfs.random_cut_forest.RandomCutForest`.
    partition_by : str or None
        A column: each of its values has a forest of its own. None: one forest for all rows.
    idle_expiry : timedelta
        A forest that has scored nothing for this long is forgotten; zero: never.
    explain : bool
        Add ``anomaly_explanation``, the JSON of RANDOM_CUT_FOREST_WITH_EXPLANATION with directionality.
    """

    columns: tuple[str, ...]
    number_of_trees: int = 100
    sub_sample_size: int = 256
    time_decay: int = 100_000
    shingle_size: int = 1
    seed: int = 0
    partition_by: str | None = None
    idle_expiry: timedelta = timedelta(0)
    explain: bool = False


class ForestFunction(KeyedProcessFunction):  # type: ignore[misc]
    """Scores each row of a key by that key's forest, then lets the forest learn it.

    Parameters
    ----------
    fields : sequence of str
        The names of a row's values, in order.
    options : ForestOptions
        What to score, and how.
    """

    def __init__(self, fields: Sequence[str], options: ForestOptions) -> None:
        self._fields = tuple(fields)
        self._options = options
        self._indices = [self._fields.index(c) for c in options.columns]

    def open(self, runtime_context: Any) -> None:
        """Declare the state. The forest is imported here, on the worker: compiled code does not travel."""
        from udfs.random_cut_forest import RandomCutForest

        descriptor = ValueStateDescriptor("forest", Types.PICKLED_BYTE_ARRAY())
        if self._options.idle_expiry:
            descriptor.enable_time_to_live(_ttl(self._options.idle_expiry))
        self._state = runtime_context.get_state(descriptor)
        self._new_forest = RandomCutForest

    def process_element(self, value: Row, ctx: KeyedProcessFunction.Context) -> Iterator[Row]:
        """Score one row; a row that has no score says why instead."""
        values = tuple(value)
        try:
            point = [_finite(self._fields[i], values[i]) for i in self._indices]
        except ValueError as e:
            yield Row(*values, *self._no_score(), "NOT_SCORED", str(e), _hex(self._fields, values))
            return
        forest = self._state.value()
        if forest is None:
            forest = self._forest()
        if self._options.explain:
            explanation = forest.explain(point, with_directionality=True)
            score = forest.score_many([point])[0]
            yield Row(*values, float(score), explanation, None, None, None)
        else:
            yield Row(*values, float(forest.score_many([point])[0]), None, None, None)
        # update() is what marks the state as changed: without it the checkpoint would keep the older forest.
        self._state.update(forest)

    def _no_score(self) -> tuple[None, ...]:
        return (None, None) if self._options.explain else (None,)

    def _forest(self) -> Any:
        o = self._options
        return self._new_forest(
            len(o.columns),
            number_of_trees=o.number_of_trees,
            sub_sample_size=o.sub_sample_size,
            time_decay=o.time_decay,
            shingle_size=o.shingle_size,
            seed=o.seed,
        )


def random_cut_forest(
    table_env: StreamTableEnvironment, table: Table, options: ForestOptions
) -> tuple[Table, Table]:
    """Score a table's rows in order of arrival: RANDOM_CUT_FOREST.

    Parameters
    ----------
    table_env : StreamTableEnvironment
        Where both tables are made.
    table : Table
        Insert-only, with one rowtime attribute. Columns of any type but arrays, maps and rows.
    options : ForestOptions
        What to score, and how.

    Returns
    -------
    scored : Table
        The columns of ``table``, ``anomaly_score DOUBLE`` (0 while learning, then 0 … log2(sub_sample_size), high =
        anomalous), ``anomaly_explanation STRING`` when asked for. The rowtime attribute is the input's.
    errors : Table
        Rows without a score (a missing value): ``error_name, message, data_rowtime, data_row``.

    Raises
    ------
    ValueError
        When a column is missing, not numeric, or there are more than 30.
    """
    from pyflink.table import Schema

    columns, rowtime = _resolved(table)
    _check(columns, options)
    name = f"forest_{id(table):x}"
    table_env.create_temporary_view(f"{name}_input", table)
    key = (
        f"COALESCE(CAST(`{options.partition_by}` AS STRING), '')"
        if options.partition_by
        else "CAST('' AS STRING)"
    )
    fields = ", ".join(_outbound(c, t) for c, t in columns.items())
    keyed = table_env.to_data_stream(
        table_env.sql_query(f"SELECT {key} AS `key`, ROW({fields}) AS `row`, `{rowtime}` FROM {name}_input")  # noqa: S608
    )
    extra = {"anomaly_score": "DOUBLE"} | ({"anomaly_explanation": "STRING"} if options.explain else {})
    out_columns = columns | extra | dict.fromkeys(_ERROR, "STRING")
    scored = _process_keyed(
        keyed, ForestFunction(tuple(columns), options), _row_type(columns), _row_type(out_columns)
    )
    schema = Schema.new_builder()
    for column, type_ in out_columns.items():
        schema.column(column, "TIMESTAMP_LTZ(3)" if type_.startswith("TIMESTAMP") else type_)
    schema.column_by_metadata(rowtime, "TIMESTAMP_LTZ(3)", "rowtime").watermark(rowtime, "SOURCE_WATERMARK()")
    table_env.create_temporary_view(f"{name}_output", table_env.from_data_stream(scored, schema.build()))
    inbound = ", ".join([_inbound(c, t) for c, t in columns.items()] + list(extra))
    return (
        table_env.sql_query(f"SELECT {inbound}, `{rowtime}` FROM {name}_output WHERE error_name IS NULL"),  # noqa: S608
        table_env.sql_query(
            f"SELECT error_name, message, `{rowtime}` AS data_rowtime, data_row FROM {name}_output"  # noqa: S608
            " WHERE error_name IS NOT NULL"
        ),
    )


def _finite(column: str, value: Any) -> float:
    number = math.nan if value is None else float(value)
    if not math.isfinite(number):
        raise ValueError(f"column {column}: required a finite number to score, got {value}")
    return number


def _hex(fields: Sequence[str], values: Sequence[Any]) -> str:
    return json.dumps(dict(zip(fields, values, strict=True)), default=str).encode().hex()


def _ttl(after: timedelta) -> StateTtlConfig:
    from pyflink.common.time import Time

    return StateTtlConfig.new_builder(Time.milliseconds(after // timedelta(milliseconds=1))).build()


def _resolved(table: Table) -> tuple[dict[str, str], str]:
    """The columns' types, and which one is the rowtime attribute."""
    utils = _jvm().org.apache.flink.table.types.logical.utils.LogicalTypeChecks
    columns, rowtimes = {}, []
    for column in table._j_table.getResolvedSchema().getColumns():
        type_ = column.getDataType().getLogicalType()
        if utils.isRowtimeAttribute(type_):
            rowtimes.append(column.getName())
        else:
            columns[column.getName()] = type_.copy(True).asSerializableString()
    if len(rowtimes) != 1:
        raise ValueError(f"random_cut_forest: required one rowtime attribute, got {rowtimes or 'none'}")
    return columns, rowtimes[0]


def _check(columns: dict[str, str], options: ForestOptions) -> None:
    if not 1 <= len(options.columns) <= MAX_COLUMNS:
        raise ValueError(
            f"random_cut_forest.columns must be 1 to {MAX_COLUMNS} columns, got {len(options.columns)}"
        )
    for column in options.columns:
        if columns.get(column, "").partition("(")[0] not in _NUMERIC:
            raise ValueError(
                f"random_cut_forest.columns must be numeric columns of {sorted(columns)}, "
                f"got {column} {columns.get(column, '')}"
            )
    if options.partition_by and options.partition_by not in columns:
        raise ValueError(
            f"random_cut_forest.partition_by must be one of {sorted(columns)}, got {options.partition_by}"
        )


# Timestamps without zone have no type that Python's data streams carry: they travel as instants (the session's time
# zone takes them there and back).
def _outbound(column: str, type_: str) -> str:
    return f"CAST(`{column}` AS TIMESTAMP_LTZ(3))" if type_.startswith("TIMESTAMP(") else f"`{column}`"


def _inbound(column: str, type_: str) -> str:
    return f"CAST(`{column}` AS {type_}) AS `{column}`" if type_.startswith("TIMESTAMP(") else f"`{column}`"


def _row_type(columns: dict[str, str]) -> TypeInformation:
    types = {
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
    }
    for column, type_ in columns.items():
        if type_.partition("(")[0].split()[0] not in types:
            raise ValueError(
                f"random_cut_forest: column {column} has type {type_}, which can't pass; leave it out"
            )
    names = list(columns)
    return Types.ROW_NAMED(names, [types[columns[n].partition("(")[0].split()[0]]() for n in names])


def _process_keyed(
    stream: Any, function: KeyedProcessFunction, row: TypeInformation, result: TypeInformation
) -> Any:
    """Key a stream of (key, row, rowtime) by its first field and process it.

    PyFlink's own ``key_by`` puts a second Python operator in front, only to compute the key; here SQL has done so,
    and Java takes it from the row (a third less time per record).
    """
    from pyflink.datastream import DataStream
    from pyflink.datastream.data_stream import _create_j_data_stream_python_function_info
    from pyflink.fn_execution.flink_fn_execution_pb2 import UserDefinedDataStreamFunction
    from pyflink.java_gateway import get_gateway
    from pyflink.util.java_utils import get_j_env_configuration

    gateway = get_gateway()
    keyed = stream._j_data_stream.keyBy(
        gateway.jvm.KeyByKeySelector(), Types.ROW([Types.STRING()]).get_java_type_info()
    )
    configuration = get_j_env_configuration(keyed.getExecutionEnvironment())
    threads = (
        configuration.getString(_jvm().org.apache.flink.python.PythonOptions.PYTHON_EXECUTION_MODE)
        == "thread"
    )
    operator = (
        gateway.jvm.EmbeddedPythonKeyedProcessOperator
        if threads
        else gateway.jvm.ExternalPythonKeyedProcessOperator
    )
    info = _create_j_data_stream_python_function_info(function, UserDefinedDataStreamFunction.KEYED_PROCESS)
    element = Types.ROW_NAMED(["key", "row", "rowtime"], [Types.STRING(), row, Types.INSTANT()])
    out = result.get_java_type_info()
    return DataStream(
        keyed.transform(
            "RANDOM_CUT_FOREST", out, operator(configuration, info, element.get_java_type_info(), out)
        )
    )


def _jvm() -> Any:
    from pyflink.java_gateway import get_gateway

    return get_gateway().jvm
