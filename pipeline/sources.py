"""The connector for a source's property group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from connectors.check import ConnectorError
from connectors.firehose import FirehoseLanding
from connectors.kinesis import KinesisSource
from connectors.preprocess_options import PreprocessOptions
from connectors.recording import Recording
from connectors.reference import ReferenceFile
from pipeline.groups import AwsGroup, Reference, Source
from pipeline.settings import SettingsError
from udfs.decoding.clocks import Clocks
from udfs.reference_table import Reference as read_reference
from udfs.reference_table import ReferenceTable

if TYPE_CHECKING:
    from pyflink.table import StreamTableEnvironment, Table


class RecordSource(Protocol):
    """A source connector. Its records have ``data BYTES``, and ``rowtime`` with watermarks or for :class:`Clocks`."""

    def records(self, table_env: StreamTableEnvironment, name: str) -> Table: ...


def record_source(source: Source, aws: AwsGroup) -> KinesisSource | FirehoseLanding | Recording:
    """The connector for a source's property group."""
    if source.type == "kinesis" and source.stream:
        return KinesisSource(source.stream, aws.where, source.position, source.idle_timeout)
    if not source.path:
        raise SettingsError(f"source.path is required with source.type {source.type}, and not set")
    if source.type == "firehose":
        # LATEST, the default, has no meaning for a Firehose landing.
        position = "TRIM_HORIZON" if source.position == "LATEST" else source.position
        return FirehoseLanding(source.path, aws.where, position, source.idle_timeout)
    return Recording(source.path, aws.where, source.event_time)


def clocks(connector: RecordSource, group: Source, shared: bool) -> Clocks | None:
    """The clocks that make a source's watermark; None if its connector makes one."""
    if not isinstance(connector, KinesisSource | FirehoseLanding):
        return None
    lister = connector.lister() if isinstance(connector, KinesisSource) else None
    return Clocks(connector.idle_timeout, lister, shared, count_late=group.late == "count_now")


def reference_file(group: Reference, aws: AwsGroup) -> ReferenceFile:
    """The file of a reference table."""
    return ReferenceFile(group.path, aws.where)


def check_reference(file: ReferenceFile, table: ReferenceTable) -> None:
    """Raise :class:`~connectors.check.ConnectorError` unless the file exists and every row is valid."""
    try:
        read_reference(file, table, ())
    except ValueError as e:
        raise ConnectorError(str(e)) from None


def preprocess_options(source: Source, aws: AwsGroup, group: str) -> PreprocessOptions:
    """The function that pre-processes a source's records; ``group`` is the source's property group."""
    return PreprocessOptions(
        str(source.preprocess),
        aws.where,
        stream=source.stream if source.type == "kinesis" else None,
        application_arn=aws.application_arn,
        name=group,
    )
