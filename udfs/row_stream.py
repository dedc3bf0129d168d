"""A table to a data stream and back, without converting its rows; and quoting."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyflink.table import Schema, StreamTableEnvironment, Table


def through_a_stream(table_env: StreamTableEnvironment, table: Table, schema: Schema) -> Table:
    """Pass a table through a data stream: to set another rowtime, or to keep the planner from looking across.

    Rows stay in Flink SQL's internal form. PyFlink's own ``to_data_stream`` converts each field to an object and back,
    which costs a microsecond or two for a record of ten columns.

    Parameters
    ----------
    table_env : StreamTableEnvironment
        Where the new table is created.
    table : Table
        Insert-only, with at most one rowtime attribute. The stream keeps its timestamps and watermarks.
    schema : Schema
        Of the new table; columns are matched by name.
    """
    from pyflink.datastream import DataStream
    from pyflink.java_gateway import get_gateway

    jvm = get_gateway().jvm
    loader = jvm.Thread.currentThread().getContextClassLoader()
    as_sql_keeps_it = jvm.java.lang.Class.forName("org.apache.flink.table.data.RowData", False, loader)
    type_ = table._j_table.getResolvedSchema().toPhysicalRowDataType().bridgedTo(as_sql_keeps_it)
    stream = table_env._j_tenv.toDataStream(table._j_table, type_)
    return table_env.from_data_stream(DataStream(stream), schema)


def quoted(name: str) -> str:
    """A name quoted for SQL, with backquotes in it escaped."""
    return "`" + name.replace("`", "``") + "`"
