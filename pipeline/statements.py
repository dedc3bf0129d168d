"""A table environment that records its statements, for a person to read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyflink.table import Table, TableResult


class RecordedEnvironment:
    """A table environment that records, in order, every statement that it runs and every view that it creates.

    Attributes
    ----------
    statements : list of str
        SQL; a comment for a view or function made in Python.
    """

    def __init__(self, table_env: Any) -> None:
        self._table_env = table_env
        self._queries: list[tuple[Table, str]] = []
        self.statements: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._table_env, name)

    def execute_sql(self, statement: str) -> TableResult:
        """Run a statement."""
        self.statements.append(_trimmed(statement))
        return self._table_env.execute_sql(statement)

    def sql_query(self, query: str) -> Table:
        """Make a table of a query; it is recorded when a view gets it."""
        table = self._table_env.sql_query(query)
        self._queries.append((table, _trimmed(query)))
        return table

    def create_temporary_view(self, name: str, table: Table) -> None:
        """Create a view of a table."""
        query = next((q for t, q in self._queries if t is table), None)
        head = f"CREATE TEMPORARY VIEW {name} AS"
        made = f"{head}\n{query}" if query else f"-- {name}: a stream made in Python from the views above"
        self.statements.append(made)
        self._table_env.create_temporary_view(name, table)

    def create_temporary_function(self, name: str, function: Any) -> None:
        """Register a Python function."""
        kind = type(getattr(function, "_func", function)).__name__
        self.statements.append(f"-- FUNCTION {name}: {kind}, in Python")
        self._table_env.create_temporary_function(name, function)


def _trimmed(statement: str) -> str:
    lines = statement.strip("\n").rstrip().splitlines()
    indents = [len(line) - len(line.lstrip()) for line in lines if line.strip()]
    shared = min(indents, default=0)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(line[shared:] for line in lines)).strip()
