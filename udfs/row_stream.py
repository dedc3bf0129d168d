"""A table's rows as a stream and back, as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyflink.table import Schema, StreamTableEnvironment, Table


def through_a_stream(table_env: StreamTableEnvironment, table: Table, schema: Schema) -> Table:
    """Take a table through a data stream: to give it another time, or as a border that the planner can't see across.

    Rows stay in the form in which SQL keeps them. PyFlink's own ``to_data_stream`` makes an object of each field and
    then the field again, which for a record of ten columns is a microsecond or two.

    Parameters
    ----------
    table_env : StreamTableEnvironment
        Where the new table is made.
    table : Table
        Insert-only; with at most one rowtime attribute, whose time and watermarks the stream carries on.
    schema : Schema
        Of the new table: columns by name.
    """
    from pyflink.datastream import DataStream
    from pyflink.java_gateway import get_gateway

    jvm = get_gateway().jvm
    loader = jvm.Thread.currentThread().getContextClassLoader()
    as_sql_keeps_it = jvm.java.lang.Class.forName("org.apache.flink.table.data.RowData", False, loader)
    type_ = table._j_table.getResolvedSchema().toPhysicalRowDataType().bridgedTo(as_sql_keeps_it)
    stream = table_env._j_tenv.toDataStream(table._j_table, type_)
    return table_env.from_data_stream(DataStream(stream), schema)
