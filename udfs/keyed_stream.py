"""Keyed streams for Python functions, shared by the forests, the detectors and the windows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyflink.common import TypeInformation, Types

from base.errors import InvalidValue

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pyflink.table import StreamTableEnvironment, Table

#: PyFlink's types of a column, by the roots of Flink's; times differ from function to function.
TYPES = {
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
}
#: Types of which Java's objects and Flink SQL's internal form are the same bytes on the way to Python.
_SAME = (
    "VARCHAR", "CHAR", "STRING", "BOOLEAN", "TINYINT", "SMALLINT", "INT", "INTEGER", "BIGINT", "FLOAT", "DOUBLE",
    "BINARY", "VARBINARY", "BYTES",
)  # fmt: skip


class InternalRows(TypeInformation):  # type: ignore[misc]
    """Rows in Flink SQL's internal form: no field becomes a Java object on its way to Python or back.

    ``columns`` are names and Flink's types.
    """

    def __init__(self, columns: Mapping[str, str]) -> None:
        super().__init__()
        jvm, new_array = _gateway().jvm, _gateway().new_array
        flink = jvm.org.apache.flink.table
        types = new_array(flink.types.logical.LogicalType, len(columns))
        names = new_array(jvm.String, len(columns))
        for k, (name, type_) in enumerate(columns.items()):
            names[k], types[k] = name, flink.types.logical.utils.LogicalTypeParser.parse(type_, _loader())
        self._j_typeinfo = flink.runtime.typeutils.InternalTypeInfo.ofFields(types, names)

    def get_java_type_info(self) -> Any:
        """Flink's own type."""
        return self._j_typeinfo


def root_of(type_: str) -> str:
    """A type without its precision: ``DECIMAL`` for ``DECIMAL(10, 2)``."""
    return type_.partition("(")[0].strip()


def row_type(
    columns: Mapping[str, str], types: Mapping[str, Callable[[], TypeInformation]]
) -> TypeInformation:
    """The row of some columns, names and Flink's types; ``types`` are PyFlink's by the roots of these.

    It is in SQL's internal form if Python gets the same bytes: that saves a tenth of a job's CPU time.

    Raises
    ------
    ValueError
        For a type that is not in ``types``.
    """
    for column, type_ in columns.items():
        if root_of(type_) not in types:
            raise InvalidValue(
                f"column {column} has type {type_}, which can't be passed to Python; leave it out"
            )
    if all(root_of(t) in _SAME for t in columns.values()):
        return InternalRows(columns)
    return Types.ROW_NAMED(list(columns), [types[root_of(t)]() for t in columns.values()])


def process_keyed(
    table_env: StreamTableEnvironment,
    tables: Sequence[Table],
    function: Any,
    element: TypeInformation,
    result: TypeInformation,
    name: str,
    uid: str,
    key_groups: int | None = None,
    rowtime: bool = True,
    key: TypeInformation | None = None,
) -> Any:
    """Key rows of (key, element), or of (key, element, rowtime), by their first field and process them.

    PyFlink's own ``key_by`` adds a second Python operator that only computes the key. Here SQL has computed it and Java
    takes it from the row, which saves a third of the time per record.

    Parameters
    ----------
    table_env : StreamTableEnvironment
    tables : sequence of Table
        Insert-only. A union of several in SQL would be a task of its own, to and from which each row is serialized.
    function : KeyedProcessFunction
        It receives only the elements.
    element, result : TypeInformation
        The types of its input and of its output.
    name, uid : str
        Of the operator: its name in the web UI and the uid of its state.
    key_groups : int or None
        The operator's maximum parallelism, which also caps its parallelism. None: Flink's default.
    rowtime : bool
        Whether the table has the third field.
    key : TypeInformation or None
        The key's type. None: text.
    """
    from pyflink.datastream import DataStream
    from pyflink.datastream.data_stream import _create_j_data_stream_python_function_info
    from pyflink.fn_execution.flink_fn_execution_pb2 import UserDefinedDataStreamFunction
    from pyflink.util.java_utils import get_j_env_configuration

    jvm = _gateway().jvm
    key = key or Types.STRING()
    stream, *others = [_stream(table_env, table, isinstance(element, InternalRows)) for table in tables]
    for other in others:
        array = _gateway().new_array(jvm.org.apache.flink.streaming.api.datastream.DataStream, 1)
        array[0] = other
        stream = stream.union(array)
    keyed = stream.keyBy(jvm.KeyByKeySelector(), Types.ROW([key]).get_java_type_info())
    configuration = get_j_env_configuration(keyed.getExecutionEnvironment())
    threads = configuration.get(jvm.org.apache.flink.python.PythonOptions.PYTHON_EXECUTION_MODE) == "thread"
    operator = jvm.EmbeddedPythonKeyedProcessOperator if threads else jvm.ExternalPythonKeyedProcessOperator
    info = _create_j_data_stream_python_function_info(function, UserDefinedDataStreamFunction.KEYED_PROCESS)
    fields = {"key": key, "element": element} | ({"rowtime": Types.INSTANT()} if rowtime else {})
    types = Types.ROW_NAMED(list(fields), list(fields.values()))
    out = result.get_java_type_info()
    processed = keyed.transform(name, out, operator(configuration, info, types.get_java_type_info(), out))
    if key_groups:
        processed = processed.setMaxParallelism(key_groups)
        if processed.getParallelism() > key_groups:
            processed = processed.setParallelism(key_groups)
    return DataStream(processed).uid(uid)


def resolved(table: Table) -> tuple[dict[str, str], str]:
    """A table's columns with their types, without the rowtime attribute; and the rowtime attribute's name.

    Raises
    ------
    ValueError
        If the table does not have exactly one rowtime attribute.
    """
    checks = _gateway().jvm.org.apache.flink.table.types.logical.utils.LogicalTypeChecks
    columns, rowtimes = {}, []
    for column in table._j_table.getResolvedSchema().getColumns():
        type_ = column.getDataType().getLogicalType()
        if checks.isRowtimeAttribute(type_):
            rowtimes.append(column.getName())
        else:
            columns[column.getName()] = type_.copy(True).asSerializableString()
    if len(rowtimes) != 1:
        raise InvalidValue(f"required one rowtime attribute, got {rowtimes or 'none'}")
    return columns, rowtimes[0]


def _stream(table_env: StreamTableEnvironment, table: Table, internal: bool) -> Any:
    """The table's rows in Java; with ``internal`` their second field, the element, stays in SQL's internal form."""
    if not internal:
        return table_env._j_tenv.toDataStream(table._j_table)
    types = _gateway().jvm.org.apache.flink.table.api.DataTypes
    form = _gateway().jvm.java.lang.Class.forName("org.apache.flink.table.data.RowData", False, _loader())
    columns = table._j_table.getResolvedSchema().getColumns()
    fields = _gateway().new_array(types.Field, len(columns))
    for k, column in enumerate(columns):
        type_ = column.getDataType()
        fields[k] = types.FIELD(column.getName(), type_.bridgedTo(form) if k == 1 else type_)
    return table_env._j_tenv.toDataStream(table._j_table, types.ROW(fields))


def _loader() -> Any:
    return _gateway().jvm.Thread.currentThread().getContextClassLoader()


def _gateway() -> Any:
    from pyflink.java_gateway import get_gateway

    return get_gateway()
