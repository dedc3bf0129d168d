"""The pieces every job is composed of: sources that decode, relations in SQL files, forests, sinks, one error stream.

A job reads top to bottom as calls to a :class:`Pipeline`; each makes one named relation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from connectors.firehose import FirehoseLanding
from connectors.kinesis import KinesisSink, KinesisSource
from connectors.lambda_sink import LambdaSinkOptions, check_function, lambda_sink
from connectors.recording import Recording, in_order_of_time
from jobs import sql
from jobs.settings import Aws, Forest, SettingsError, Source, Tap
from jobs.sizes import part_by_size, tapped_values
from udfs.columns import Column
from udfs.decode_function import decode_records
from udfs.forest_function import ForestOptions
from udfs.forest_table import random_cut_forest
from udfs.record_format import JSON, RecordFormat
from udfs.row_stream import through_a_stream

if TYPE_CHECKING:
    from pyflink.table import StreamTableEnvironment, Table, TableResult

SHARED = Path(__file__).parent
ERROR_COLUMNS = "error_name, message, data_rowtime, data_row"
#: Column of a recording's own time, while its records are put in order.
EVENT_TIME = "recorded_event_time"


class RecordSource(Protocol):
    """What a source connector gives: ``data BYTES`` and a ``rowtime`` with watermarks; Kinesis shards in its place."""

    def records(self, table_env: StreamTableEnvironment, name: str) -> Table: ...
    def check(self) -> None: ...


class Sink(Protocol):
    """What a sink connector gives: the WITH options of its table."""

    def options(self) -> dict[str, str]: ...
    def check(self) -> None: ...


class TapSink(NamedTuple):
    """Where a copy of the relations' rows goes, and how many rows a second of each."""

    sink: Sink
    rate: float


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
        self._tap: tuple[TapSink, tuple[str, ...]] | None = None

    def source(
        self,
        name: str,
        connector: RecordSource,
        record_format: RecordFormat = JSON,
        **parameters: sql.type_of_value,
    ) -> None:
        """Read a stream's records into the typed columns of ``name.sql``; what does not fit goes to the error stream.

        A column's COMMENT is its record path (``$.a.b``, ``@arrival``); without one it is ``$.name``. A column
        ``rowtime``, the time of arrival, is added.
        """
        statement = self._bound(name, parameters)
        self.statements.append(statement)
        self._checks.append(connector.check)
        columns = _declared_columns(self.table_env, statement)
        if isinstance(connector, KinesisSource):
            numbered = any(column.path == "@sequence_number" for column in columns)
            records = connector.records(self.table_env, f"{name}_records", sequence_number=numbered)
        else:
            records = connector.records(self.table_env, f"{name}_records")
        if isinstance(connector, Recording):
            event_time = Column(EVENT_TIME, "TIMESTAMP(3)", connector.event_time, required=True)
            decoded, errors, _ = decode_records(
                self.table_env, records, [*columns, event_time], record_format=record_format, name=name
            )
            decoded = in_order_of_time(self.table_env, decoded, EVENT_TIME, f"{name}_recorded")
        else:
            idle_timeout = connector.idle_timeout if isinstance(connector, KinesisSource) else None
            decoded, errors, quiet = decode_records(
                self.table_env, records, columns, idle_timeout, record_format, name
            )
        self.table_env.create_temporary_view(name, decoded)
        self.errors(f"{name}_errors", errors)
        if isinstance(connector, Recording):  # never quiet
            quiet = self.table_env.sql_query(f"SELECT rowtime FROM {name} WHERE FALSE")
        self.table_env.create_temporary_view(f"{name}_quiet", quiet)

    def rowtime(self, name: str, source: str, time: str, watermark: str | None = None) -> None:
        """Give a relation another time: ``name`` has the columns of ``source``, and ``rowtime``.

        Parameters
        ----------
        name, source : str
            The new relation and the one it is made from.
        time : str
            Column that becomes ``rowtime``; TIMESTAMP_LTZ(3), never NULL.
        watermark : str or None
            Column with the watermark after each row, TIMESTAMP_LTZ(3). None: the watermarks stay as they are; no row's
            time may be at or before them.
        """
        from pyflink.table import Schema

        table = self.table_env.from_path(source)
        schema = Schema.new_builder()
        # Types in Java's words: PyFlink's own forget the precision of a time.
        for column in table._j_table.getResolvedSchema().getColumns():
            schema.column(column.getName(), column.getDataType().getLogicalType().asSerializableString())
        schema.column_by_expression("rowtime", f"`{time}`")
        schema.watermark("rowtime", f"`{watermark}`" if watermark else "SOURCE_WATERMARK()")
        self.table_env.create_temporary_view(name, through_a_stream(self.table_env, table, schema.build()))

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
        """Write relation ``source`` to the table that ``name.sql`` creates, columns by position.

        A row that is larger than a record of the service goes to the error stream.
        """
        self._sink(self._bound(name, {}), connector)
        most_bytes = getattr(connector, "most_record_bytes", None)
        parted = part_by_size(self.table_env, source, most_bytes, name) if most_bytes else None
        if parted:
            source, too_large = parted
            self.errors(f"{name}_errors", too_large)
        self._insert(f"INSERT INTO {name}\nSELECT * FROM {source}")

    def invoke(self, source: str, options: LambdaSinkOptions) -> None:
        """Hand the rows of relation ``source`` to a function; what it does not take goes to the error stream."""
        self._checks.append(lambda: check_function(options))
        undelivered = lambda_sink(self.table_env, self.table_env.from_path(source), options)
        self.errors(f"{source}_errors", undelivered)

    def tap(self, tap: TapSink | None, *relations: str) -> None:
        """Write each row of some relations and of the error stream to a stream too, to look at; None: don't."""
        if tap is not None:
            self._tap = (tap, relations)

    def insert_errors(self, connector: Sink) -> None:
        """Write every error so far to the error stream."""
        self._sink(sql.load(SHARED / "error_stream.sql"), connector)
        union = "\nUNION ALL\n".join(
            f"SELECT '{name.removesuffix('_errors')}' AS pump_name, {ERROR_COLUMNS} FROM {name}"
            for name in self._errors
        )
        self._execute(sql.load(SHARED / "all_errors.sql").replace("/* relations */", union))
        self._insert("INSERT INTO error_stream\nSELECT * FROM all_errors")
        if self._tap is not None:
            self._insert_tapped(*self._tap)

    def check(self) -> None:
        """Ask every connector whether what it needs is there; raises the first connector's error."""
        for check in self._checks:
            check()

    def execute(self) -> TableResult:
        """Start everything that was inserted, as one Flink job."""
        return self._inserts.execute()

    def _insert_tapped(self, tap: TapSink, relations: Iterable[str]) -> None:
        rows = [tapped(self.table_env, name) for name in relations]
        rows.append(tapped(self.table_env, "all_errors").replace("'all_errors'", "'error_stream'", 1))
        statement = sql.bind(
            sql.load(SHARED / "tapped_rows.sql"), {"rate": tap.rate}, where="tapped_rows.sql"
        )
        self._execute(statement.replace("/* relations */", "\nUNION ALL\n".join(rows)))
        self._sink(sql.load(SHARED / "tap.sql"), tap.sink)
        self._insert("INSERT INTO tap\nSELECT * FROM tapped_rows")

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
    if source.type == "kinesis":
        stream = _required("stream", source.stream, source.type)
        return KinesisSource(stream, aws.region, aws.endpoint, source.position, source.idle_timeout)
    path = _required("path", source.path, source.type)
    if source.type == "firehose":
        # LATEST is a stream's default; a landing has no end to begin at.
        position = source.position if "position" in source.model_fields_set else "TRIM_HORIZON"
        return FirehoseLanding(path, aws.region, aws.endpoint, position, source.idle_timeout)
    return Recording(path, aws.region, aws.endpoint, source.event_time)


def tap_sink(tap: Tap, aws: Aws) -> TapSink | None:
    """Where a job's ``tap`` group wants the copy."""
    return TapSink(KinesisSink(tap.stream, aws.region, aws.endpoint), tap.rate) if tap.stream else None


def forest_options(forest: Forest) -> ForestOptions:
    """The forest that a job's ``random_cut_forest`` group asks for."""
    return ForestOptions(**forest.model_dump())


def _required(key: str, value: str | None, source_type: str) -> str:
    if not value:
        raise SettingsError(f"source.{key} is required with source.type {source_type}, and not set")
    return value


def tapped(table_env: StreamTableEnvironment, relation: str) -> str:
    """The query that gives a relation's rows as they go to a tap: relation, rowtime, the row as JSON."""
    names = table_env.from_path(relation).get_schema().get_field_names()
    time = "CAST(rowtime AS TIMESTAMP(3))" if "rowtime" in names else "CAST(NULL AS TIMESTAMP(3))"
    values = tapped_values(table_env.from_path(relation))
    pairs = ", ".join(f"KEY '{n}' VALUE {values[n]}" for n in names if n != "rowtime")
    return f"SELECT '{relation}', {time}, JSON_OBJECT({pairs}) FROM {relation}"


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
