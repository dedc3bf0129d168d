"""Adds heartbeats to a source's records: without rows no operator is called, and an idle stream's windows stay open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyflink.table import StreamTableEnvironment, Table


def with_heartbeats(
    table_env: StreamTableEnvironment, records: str, columns: Mapping[str, str], name: str
) -> Table:
    """A source's records, and each second from every subtask a heartbeat: a row of NULLs.

    The watermark is the records'. While a subtask of the source is idle, it is three seconds behind the present, enough
    to find and read the children of a shard.

    Parameters
    ----------
    table_env : StreamTableEnvironment
        Where the tables are created.
    records : str
        The relation of the records.
    columns : mapping of str
        The columns to take, with their types.
    name : str
        Prefix of the relations that this creates.
    """
    table_env.execute_sql(
        f"CREATE TEMPORARY TABLE `{name}_seconds` (number INT,"
        " `now` AS CAST(CURRENT_TIMESTAMP AS TIMESTAMP_LTZ(3)), WATERMARK FOR `now` AS `now` - INTERVAL '3' SECOND)"
        " WITH ('connector' = 'datagen', 'rows-per-second' = '1')"
    )
    nothing = ", ".join(f"CAST(NULL AS {type_})" for type_ in columns.values())
    # A rowtime attribute can't be united with NULLs.
    taken = ", ".join(
        f"CAST(`{column}` AS {type_}) AS `{column}`" if type_.startswith("TIMESTAMP") else f"`{column}`"
        for column, type_ in columns.items()
    )
    return table_env.sql_query(
        f"SELECT {taken} FROM `{records}` UNION ALL SELECT {nothing} FROM `{name}_seconds`"
    )
