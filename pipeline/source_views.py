"""The views of a source: its decoded rows, its heartbeats, and the errors of its records."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from connectors.kinesis import KinesisSource
from connectors.preprocess import preprocess
from connectors.recording import Recording, in_order_of_time
from pipeline import sql
from pipeline.application import Application
from pipeline.environment import parallelism
from pipeline.flink_version import require_aws_connectors
from pipeline.groups import Source
from pipeline.settings import Settings
from pipeline.sources import RecordSource, clocks, preprocess_options, record_source
from udfs.decoding.columns import Column
from udfs.decoding.function import decode_records

if TYPE_CHECKING:
    from pyflink.table import Table

#: Column of a recording's own time, used while its records are sorted.
EVENT_TIME = "recorded_event_time"


def source_views(
    table_env: Any,
    application: Application,
    settings: Settings,
    name: str,
    chosen: RecordSource | None,
    join_errors: Callable[[str, Table], None],
) -> None:
    """Make the views ``<name>`` and ``<name>_heartbeats``.

    Parameters
    ----------
    table_env : StreamTableEnvironment
    application : Application
    settings : Settings
        Its properties.
    name : str
        The source's name.
    chosen : RecordSource or None
        None: the connector that the properties choose.
    join_errors : callable
        Takes a relation of errors with its name.
    """
    spec = application.sources[name]
    group_name = application.group_of(spec)
    group: Source = getattr(settings, group_name)
    connector = chosen or record_source(group, settings.aws)
    columns, form = list(spec.decoded), spec.record_format
    if isinstance(connector, KinesisSource):
        require_aws_connectors(group_name)
        numbered = bool(group.preprocess) or any(c.path == "@sequence_number" for c in columns)
        records = connector.records(table_env, name, sequence_number=numbered)
    else:
        records = connector.records(table_env, name)
    if group.preprocess:
        options = preprocess_options(group, settings.aws, group_name)
        records, errors = preprocess(table_env, records, options, name)
        join_errors(f"{name}_preprocess_errors", errors)
    if isinstance(connector, Recording):
        event_time = Column(EVENT_TIME, "TIMESTAMP(3)", connector.event_time, required=True)
        decoded, errors, _ = decode_records(table_env, records, [*columns, event_time], None, form, name)
        decoded = in_order_of_time(table_env, decoded, EVENT_TIME, f"{name}_recorded")
    else:
        # Other subtasks wait for this one's watermark, and joins for this source's.
        shared = parallelism(table_env) > 1 or len(application.sources) > 1
        kept = clocks(connector, group, shared)
        decoded, errors, heartbeats = decode_records(table_env, records, columns, kept, form, name)
    table_env.create_temporary_view(sql.identifier(name), decoded)
    join_errors(f"{name}_errors", errors)
    if isinstance(connector, Recording):  # has none
        heartbeats = table_env.sql_query(f"SELECT rowtime FROM `{name}` WHERE FALSE")
    table_env.create_temporary_view(sql.identifier(f"{name}_heartbeats"), heartbeats)
