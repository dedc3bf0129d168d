"""Kinesis data streams, as source and as sink.

Source. Delivery: exactly once into Flink's state (shard positions are checkpointed). Order: within a shard. Rows:
the record's bytes with its arrival time as rowtime; watermarks follow each shard by itself, so that no shard's backlog
makes another's records late.

Sink. Delivery: at least once; a record may come twice after a failure. Order: within a partition key on the happy
path. Batches: 500 records, 5 MB. A record that Kinesis refuses is sent again until it is taken; back-pressure meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from connectors.check import require
from connectors.quiet import close_when_quiet

if TYPE_CHECKING:
    from pyflink.table import StreamTableEnvironment, Table

#: Columns of the table that :meth:`KinesisSource.records` gives.
RECORD_COLUMNS = ("data", "rowtime")


@dataclass(frozen=True)
class KinesisSource:
    """A stream to read.

    Parameters
    ----------
    stream, region : str
        Which stream.
    endpoint : str or None
        Another address for Kinesis; the only difference between a local AWS and the real one.
    position : str
        ``LATEST``, ``TRIM_HORIZON`` or an ISO time with offset. Only the first start looks at it; a restored job goes
        on from its savepoint.
    idle_timeout : timedelta
        After it a shard without records stops holding the watermark back, and a stream without records closes its
        windows. More than 10 s, the interval of shard discovery: a closed parent shard must hold the watermark until
        its children are found.

    Raises
    ------
    ValueError
        For a position of another form.
    """

    stream: str
    region: str
    endpoint: str | None = None
    position: str = "LATEST"
    idle_timeout: timedelta = timedelta(seconds=15)

    def __post_init__(self) -> None:
        if self.position not in ("LATEST", "TRIM_HORIZON"):
            try:
                aware = datetime.fromisoformat(self.position).tzinfo is not None
            except ValueError:
                aware = False
            if not aware:
                raise ValueError(
                    "source.position must be LATEST, TRIM_HORIZON or a time with offset like 2024-01-31T12:00:00Z, "
                    f"got {self.position!r}"
                )

    def options(self) -> dict[str, str]:
        """The options of the table connector."""
        options = _common(self.stream, self.region, self.endpoint) | {
            "format": "raw",
            "scan.stream.initpos": self.position,
            "scan.shard.idle.interval": str(self.idle_timeout // timedelta(milliseconds=1)),
        }
        if self.position not in ("LATEST", "TRIM_HORIZON"):
            moment = datetime.fromisoformat(self.position).astimezone(UTC)
            options["scan.stream.initpos"] = "AT_TIMESTAMP"
            options["scan.stream.initpos-timestamp"] = (
                f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
            )
            options["scan.stream.initpos-timestamp-format"] = "yyyy-MM-dd'T'HH:mm:ss.SSSX"
        return options

    def check(self) -> None:
        """Raise :class:`~connectors.check.ConnectorError` unless the stream is there."""
        _check(self.stream, self.region, self.endpoint)

    def records(self, table_env: StreamTableEnvironment, name: str) -> Table:
        """The stream's records: ``data BYTES``, ``rowtime TIMESTAMP_LTZ(3)`` (arrival time, with watermarks)."""
        from pyflink.table import Schema

        with_clause = ", ".join(
            f"'{k}' = '{v.replace(chr(39), chr(39) * 2)}'" for k, v in self.options().items()
        )
        table_env.execute_sql(
            f"CREATE TEMPORARY TABLE `{name}` (`data` BYTES,"
            f" `arrival` TIMESTAMP_LTZ(3) NOT NULL METADATA FROM 'timestamp' VIRTUAL) WITH ({with_clause})"
        )
        stream = table_env.to_data_stream(table_env.from_path(name))
        _watermark_per_shard(stream, "arrival")
        schema = (
            Schema.new_builder()
            .column("data", "BYTES")
            .column("arrival", "TIMESTAMP_LTZ(3)")
            .column_by_expression("rowtime", "`arrival`")
            .watermark("rowtime", "SOURCE_WATERMARK()")
            .build()
        )
        records = table_env.from_data_stream(stream, schema)
        return close_when_quiet(table_env, records, f"{name}_clock", self.idle_timeout)


@dataclass(frozen=True)
class KinesisSink:
    """A stream to write JSON rows to.

    Parameters
    ----------
    stream, region : str
        Which stream.
    endpoint : str or None
        Another address for Kinesis.
    """

    stream: str
    region: str
    endpoint: str | None = None

    def options(self) -> dict[str, str]:
        """The options of the table connector."""
        return _common(self.stream, self.region, self.endpoint) | {
            "format": "json",
            "json.timestamp-format.standard": "SQL",
        }

    def check(self) -> None:
        """Raise :class:`~connectors.check.ConnectorError` unless the stream is there."""
        _check(self.stream, self.region, self.endpoint)


def _common(stream: str, region: str, endpoint: str | None) -> dict[str, str]:
    options = {"connector": "kinesis", "stream": stream, "aws.region": region}
    if endpoint:
        options["aws.endpoint"] = endpoint
    return options


def _check(stream: str, region: str, endpoint: str | None) -> None:
    require(
        "kinesis", region, endpoint, f"Kinesis stream {stream}", "describe_stream_summary", StreamName=stream
    )


def _watermark_per_shard(stream: object, time_column: str) -> None:
    """Give the Kinesis source a watermark assigner of its own, which it keeps per shard.

    SQL's WATERMARK is kept per subtask: shards behind one subtask make each other's backlog late. The table source
    can't be told otherwise in SQL, so the assigner is put into its consumer here; these are internal classes of the
    connector and the table runtime, hence pinned in the pom and held by a test.
    """
    from pyflink.java_gateway import get_gateway

    jvm = get_gateway().jvm
    source = stream._j_data_stream.getTransformation()  # type: ignore[attr-defined]
    while not source.getInputs().isEmpty():
        source = source.getInputs().get(0)
    consumer = source.getOperator().getUserFunction()
    # Metadata columns leave the source in the connector's order, not in the statement's: find ours by name.
    index = list(source.getOutputType().toRowType().getFieldNames()).index(time_column)
    runtime = jvm.org.apache.flink.table.runtime.operators.wmassigners
    strategy = jvm.org.apache.flink.table.sources.wmstrategies.BoundedOutOfOrderTimestamps(0)
    consumer.setPeriodicWatermarkAssigner(runtime.PeriodicWatermarkAssignerWrapper(strategy, index))
