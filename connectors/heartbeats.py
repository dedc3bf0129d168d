"""Adds heartbeats to a source's records: without rows no operator is called, and an idle stream's windows stay open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyflink.table import StreamTableEnvironment, Table


def with_heartbeats(
    table_env: StreamTableEnvironment, records: str, columns: Mapping[str, str], name: str
) -> Table:
    """A source's records, and each second from every subtask a heartbeat: a row of NULLs. No watermarks.

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
        f"CREATE TEMPORARY TABLE `{name}_seconds` (number INT) WITH ('connector' = 'datagen', 'rows-per-second' = '1')"
    )
    nothing = ", ".join(f"CAST(NULL AS {type_})" for type_ in columns.values())
    taken = ", ".join(f"`{column}`" for column in columns)
    return table_env.sql_query(
        f"SELECT {taken} FROM `{records}` UNION ALL SELECT {nothing} FROM `{name}_seconds`"
    )
