"""The pieces every job is composed of: sources that decode, relations in SQL files, forests, sinks, one error stream.

A job reads top to bottom as calls to a :class:`Pipeline`; each makes one named relation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from connectors.kinesis import KinesisSource
from jobs import sql
from jobs.settings import Aws, Forest, Source
from udfs.decode_function import decode_records
from udfs.decoding import Column
from udfs.forest_function import ForestOptions
from udfs.forest_table import random_cut_forest

if TYPE_CHECKING:
    from pyflink.table import StreamTableEnvironment, Table, TableResult

SHARED = Path(__file__).parent
ERROR_COLUMNS = "error_name, message, data_rowtime, data_row"


class RecordSource(Protocol):
    """What a source connector gives: ``data BYTES`` and a ``rowtime`` with watermarks."""

    def records(self, table_env: StreamTableEnvironment, name: str) -> Table: ...
    def check(self) -> None: ...


class Sink(Protocol):
    """What a sink connector gives: the WITH options of its table."""

    def options(self) -> dict[str, str]: ...
    def check(self) -> None: ...


class Pipeline:
    """One job's relations, in a table environment.

    Parameters
    ----------
    table_env : StreamTableEnvironment
        Where the relations are made.
    folder : Path
        The job's folder: a relation ``x`` is described in ``x.sql``.

    Attributes
    ----------
    statements : list of str
        Every statement as it was run, in order.
    """

    def __init__(self, table_env: StreamTableEnvironment, folder: Path) -> None:
        self.table_env = table_env
        self.statements: list[str] = []
        self._folder = folder
        self._errors: list[str] = []
        self._checks: list[Callable[[], None]] = []
        self._inserts = table_env.create_statement_set()

    def source(self, name: str, connector: RecordSource, **parameters: sql.type_of_value) -> None:
        """Read a stream's records into the typed columns of ``name.sql``; what does not fit goes to the error stream.

        A column's COMMENT is its record path (``$.a.b``); without one it is ``$.name``. A column ``rowtime``, the time
        of arrival, is added.
        """
        statement = self._bound(name, parameters)
        self.statements.append(statement)
        self._checks.append(connector.check)
        records = connector.records(self.table_env, f"{name}_records")
        decoded, errors = decode_records(
            self.table_env, records, _declared_columns(self.table_env, statement)
        )
        self.table_env.create_temporary_view(name, decoded)
        self.errors(f"{name}_errors", errors)

    def view(self, name: str, **parameters: sql.type_of_value) -> None:
        """Run ``name.sql``, which creates the view ``name``."""
        self._execute(self._bound(name, parameters))

    def forest(self, name: str, source: str, options: ForestOptions) -> None:
        """Score the rows of relation ``source``: relation ``name`` has its columns and ``anomaly_score``."""
        scored, errors = random_cut_forest(self.table_env, self.table_env.from_path(source), options)
        self.table_env.create_temporary_view(name, scored)
        self.errors(f"{name}_errors", errors)

    def errors(self, name: str, table: Table) -> None:
        """Let a relation of errors (error_name, message, data_rowtime, data_row) join the error stream."""
        self.table_env.create_temporary_view(name, table)
        self._errors.append(name)

    def insert(self, name: str, connector: Sink, source: str) -> None:
        """Write relation ``source`` to the table that ``name.sql`` creates, columns by position."""
        self._sink(self._bound(name, {}), connector)
        self._insert(f"INSERT INTO {name}\nSELECT * FROM {source}")

    def insert_errors(self, connector: Sink) -> None:
        """Write every error so far to the error stream."""
        self._sink(sql.load(SHARED / "error_stream.sql"), connector)
        union = "\nUNION ALL\n".join(  # noqa: S608
            f"SELECT '{name.removesuffix('_errors')}' AS pump_name, {ERROR_COLUMNS} FROM {name}"  # noqa: S608
            for name in self._errors
        )
        self._execute(sql.load(SHARED / "all_errors.sql").replace("/* relations */", union))
        self._insert("INSERT INTO error_stream\nSELECT * FROM all_errors")

    def check(self) -> None:
        """Ask every connector whether what it needs is there; raises the first connector's error."""
        for check in self._checks:
            check()

    def execute(self) -> TableResult:
        """Start everything that was inserted, as one Flink job."""
        return self._inserts.execute()

    def _sink(self, statement: str, connector: Sink) -> None:
        self._checks.append(connector.check)
        self._execute(f"{statement}\n{sql.with_options(connector.options())}")

    def _bound(self, name: str, parameters: Mapping[str, sql.type_of_value]) -> str:
        path = self._folder / f"{name}.sql"
        return sql.bind(sql.load(path), parameters, where=path.name)

    def _execute(self, statement: str) -> None:
        self.statements.append(statement)
        self.table_env.execute_sql(statement)

    def _insert(self, statement: str) -> None:
        self.statements.append(statement)
        self._inserts.add_insert_sql(statement)


def record_source(source: Source, aws: Aws) -> RecordSource:
    """The connector that a job's ``source`` group asks for."""
    return KinesisSource(source.stream, aws.region, aws.endpoint, source.position, source.idle_timeout)


def forest_options(forest: Forest) -> ForestOptions:
    """The forest that a job's ``random_cut_forest`` group asks for."""
    return ForestOptions(**forest.model_dump())


def _declared_columns(table_env: StreamTableEnvironment, statement: str) -> list[Column]:
    """The columns of a CREATE TABLE as Flink itself reads them; a comment is the record path."""
    operation: Any = table_env._j_tenv.getParser().parse(f"{statement}\nWITH ('connector' = 'none')").get(0)
    columns = []
    for column in operation.getCatalogTable().getUnresolvedSchema().getColumns():
        name, comment, type_ = column.getName(), column.getComment(), column.getDataType().toString()
        required = type_.endswith(" NOT NULL")
        path = comment.get() if comment.isPresent() else f"$.{name}"
        columns.append(Column(name, type_.removesuffix(" NOT NULL"), path, required))
    return columns
