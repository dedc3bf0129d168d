"""Builds an application's relations in Flink: sources, views, forests, destinations and the error stream."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from base.errors import InvalidValue
from connectors.kinesis import KinesisSink
from connectors.s3 import S3Sink
from pipeline import destinations, groups, sql
from pipeline.application import ERRORS, Application
from pipeline.flink_errors import java_message, query_error, updates
from pipeline.flink_version import require_aws_connectors
from pipeline.lambda_sink import lambda_sink
from pipeline.operators import Operator, operators_of
from pipeline.parts import Destination
from pipeline.python_relations import OPERATORS, add_functions
from pipeline.relations import Detector, Errors, Forest, Lookup, Relation, View
from pipeline.settings import Settings, parameters
from pipeline.sizes import part_by_size
from pipeline.source_views import source_views
from pipeline.sources import RecordSource, reference_file
from pipeline.statements import RecordedEnvironment
from pipeline.tap import tap_statements
from udfs.detector.table import detect_anomalies
from udfs.forest.function import ForestOptions
from udfs.forest.table import random_cut_forest
from udfs.lookup import lookup

if TYPE_CHECKING:
    from pyflink.table import StreamTableEnvironment, Table, TableResult

ERROR_COLUMNS = "error_name, message, data_rowtime, data_row"


class Pipeline:
    """An application's relations in a table environment.

    Parameters
    ----------
    table_env : StreamTableEnvironment
        Where the relations are made.
    application : Application
    settings : Settings
        Its properties.
    sources : mapping
        Sources to use instead of the connectors that the properties choose, by relation.

    Attributes
    ----------
    statements : list of str
        Every statement as it was run, in order.

    Raises
    ------
    pipeline.flink_errors.QueryError
        Flink refuses a view's query; the message has file, line and column.
    ValueError
        A forest's column is missing or not numeric, or a destination can't take a relation's columns.
    """

    def __init__(
        self,
        table_env: StreamTableEnvironment,
        application: Application,
        settings: Settings,
        sources: Mapping[str, RecordSource] | None = None,
    ) -> None:
        self.table_env: Any = RecordedEnvironment(table_env)
        self.statements: list[str] = self.table_env.statements
        self._application = application
        self._settings = settings
        self._parameters = parameters(settings)
        self._errors: list[str] = []
        self._inserts = table_env.create_statement_set()
        for name in application.sources:
            chosen = (sources or {}).get(name)
            source_views(self.table_env, application, settings, name, chosen, self._join_errors)
        for relation in application.relations:
            _MAKERS[type(relation)](self, relation)

    def deliver(self) -> None:
        """Write every destination's rows, the error stream and the tap."""
        for destination in self._application.destinations:
            self._deliver(destination, getattr(self._settings, self._application.group_of(destination)))
        self._deliver_errors(self._settings.errors)
        self._deliver_tap(self._settings.tap)

    def explain(self) -> str:
        """Flink's plan of everything that is delivered; raises as :meth:`execute`."""
        return str(self._planned(self._inserts.explain))

    def operators(self) -> list[Operator]:
        """The operators of the job, by which Flink finds saved state; raises as :meth:`execute`."""
        found: list[Operator] = self._planned(lambda: operators_of(self.table_env, self._inserts))
        return found

    def columns(self, relation: str) -> dict[str, str]:
        """A relation's columns and their SQL types, in order."""
        table = self.table_env.from_path(sql.identifier(relation))
        return {
            c.getName(): c.getDataType().getLogicalType().copy(True).asSummaryString()
            for c in table._j_table.getResolvedSchema().getColumns()
        }

    def execute(self) -> TableResult:
        """Start everything that is delivered, as one Flink job.

        Raises
        ------
        ValueError
            A relation updates rows that it has emitted, which no destination can take.
        """
        return self._planned(self._inserts.execute)

    def _planned(self, act: Callable[[], Any]) -> Any:
        try:
            return act()
        except Exception as e:
            if step := updates(str(e)):
                raise InvalidValue(
                    f"{self._application.name}: a {step} updates rows that it has emitted, and destinations take only "
                    "new rows: aggregate in a window (TUMBLE, HOP, SESSION) instead of over all time"
                ) from e
            raise

    def _view(self, relation: View) -> None:
        where = f"{relation.name}.sql"
        query = sql.bind(self._application.queries[relation.name], self._parameters, where)
        add_functions(self.table_env, query)
        try:
            table = self.table_env.sql_query(query)
        except Exception as e:
            inputs = relation.inputs(self._application.queries)
            names = [c for i in inputs for c in self.columns(i)]
            raise query_error(where, java_message(e), [*names, *inputs]) from None
        self.table_env.create_temporary_view(sql.identifier(relation.name), table)

    def _error_view(self, relation: Errors) -> None:
        self._view(relation)
        self._errors.append(relation.name)

    def _forest(self, relation: Forest) -> None:
        group = getattr(self._settings, self._application.group_of(relation))
        options = ForestOptions(**group.model_dump())
        source = self.table_env.from_path(sql.identifier(relation.of))
        scored, errors = random_cut_forest(self.table_env, source, options, relation.name)
        self.table_env.create_temporary_view(sql.identifier(relation.name), scored)
        self._join_errors(f"{relation.name}_errors", errors)

    def _lookup(self, relation: Lookup) -> None:
        spec = self._application.references[relation.reference]
        group = getattr(self._settings, self._application.group_of(spec))
        file = reference_file(group, self._settings.aws)
        stream = self.table_env.from_path(sql.identifier(relation.of))
        on, reload = relation.on, group.reload
        joined = lookup(self.table_env, stream, relation.name, file, spec.table, on, relation.join, reload)
        self.table_env.create_temporary_view(sql.identifier(relation.name), joined)

    def _detector(self, relation: Detector) -> None:
        group = getattr(self._settings, self._application.group_of(relation))
        source = self.table_env.from_path(sql.identifier(relation.of))
        found = detect_anomalies(self.table_env, source, group.options, relation.name)
        self.table_env.create_temporary_view(sql.identifier(relation.name), found)

    def _deliver(self, destination: Destination, group: Any) -> None:
        aws = self._settings.aws
        if group.type == "none":
            return
        if group.type == "lambda":
            options = destinations.function(destination.name, group, aws)
            rows = self.table_env.sql_query(destinations.rows(self.table_env, destination.of))
            self._join_errors(f"{destination.name}_errors", lambda_sink(self.table_env, rows, options))
            return
        connector = destinations.connector(group, aws)
        if not isinstance(connector, S3Sink):
            require_aws_connectors(destination.name)
        most_bytes = getattr(connector, "most_record_bytes", None)
        name = destination.name
        if most_bytes and (parted := part_by_size(self.table_env, destination.of, most_bytes, name)):
            fitting, too_large = parted
            self._join_errors(f"{name}_too_large_errors", too_large)
            destination = destination.model_copy(update={"of": fitting})
        made = destinations.sink_table(self.table_env, destination, group, connector.options())
        self.table_env.execute_sql(made.create)
        self._insert(made.insert)
        if made.refused:
            self._join_errors(f"{destination.name}_errors", self.table_env.sql_query(made.refused))

    def _join_errors(self, name: str, table: Table) -> None:
        """Add a relation of errors (error_name, message, data_rowtime, data_row) to the error stream."""
        self.table_env.create_temporary_view(sql.identifier(name), table)
        self._errors.append(name)

    def unite_errors(self) -> None:
        """Create the view ``all_errors``: all relations of errors so far, under KDA's column names."""
        union = "\nUNION ALL\n".join(
            f"SELECT '{name.removesuffix('_errors')}' AS pump_name, {ERROR_COLUMNS} FROM `{name}`"
            for name in self._errors
        )
        all_errors = sql.load(destinations.HERE / "all_errors.sql").replace("/* relations */", union)
        self.table_env.execute_sql(all_errors)

    def _deliver_errors(self, group: groups.Errors) -> None:
        self.unite_errors()
        if group.path:
            files = Destination(name=ERRORS, of="all_errors", type="s3", path=group.path, time="error_time")
            self._deliver(files, groups.Destination(type="s3", path=group.path))
            return
        options = sql.with_options(self._stream_options("errors", group.stream))
        self.table_env.execute_sql(f"{sql.load(destinations.HERE / 'error_stream.sql')}\n{options}")
        self._insert("INSERT INTO error_stream\nSELECT * FROM all_errors")

    def _deliver_tap(self, group: groups.Tap) -> None:
        if not group.stream:
            return
        options = self._stream_options("tap", group.stream)
        for statement in tap_statements(self.table_env, self._application.shown, group.rate, options):
            self.table_env.execute_sql(statement)
        self._insert("INSERT INTO tap\nSELECT * FROM tapped_rows")

    def _stream_options(self, group: str, stream: str) -> dict[str, str]:
        require_aws_connectors(group)
        return KinesisSink(stream, self._settings.aws.where).options()

    def _insert(self, statement: str) -> None:
        self.statements.append(statement)
        self._inserts.add_insert_sql(statement)


def _by(maker: Callable[[Any, Any], Table]) -> Callable[[Pipeline, Any], None]:
    def make(pipeline: Pipeline, relation: Any) -> None:
        made = maker(pipeline.table_env, relation)
        pipeline.table_env.create_temporary_view(sql.identifier(relation.name), made)

    return make


_MAKERS: dict[type[Relation], Callable[[Pipeline, Any], None]] = {
    View: Pipeline._view,
    Errors: Pipeline._error_view,
    Forest: Pipeline._forest,
    Detector: Pipeline._detector,
    Lookup: Pipeline._lookup,
    **{kind: _by(maker) for kind, maker in OPERATORS.items()},
}
