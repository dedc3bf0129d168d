"""A reference table's door to Flink: a table function from a key to the rows that have it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pyflink.table.udf import TableFunction

from udfs.columns import Column
from udfs.reference_table import ReferenceTable


class LookUp(TableFunction):  # type: ignore[misc]
    """Gives a key's rows.

    Parameters
    ----------
    columns : sequence of Column
    key : sequence of str
    table : mapping
        What :class:`~udfs.reference_table.ReferenceTable` is given beside them.
    """

    def __init__(self, columns: Sequence[Column], key: Sequence[str], table: Mapping[str, Any]) -> None:
        self._given = (tuple(columns), tuple(key), dict(table))
        self._made()  # a file that does not fit fails before the job starts

    def open(self, function_context: Any) -> None:
        """Read the table; it travels as text."""
        self._table = self._made()

    def eval(self, *key: Any) -> list[tuple[Any, ...]]:
        """Called by Flink for each row of the stream."""
        return self._table.rows(key)

    def _made(self) -> ReferenceTable:
        columns, key, table = self._given
        return ReferenceTable(columns, table["text"], key, table["delimiter"], table["header"])
