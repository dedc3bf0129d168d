"""Kinesis data streams, as source and as sink.

Source. Delivery: exactly once into Flink's state (shard positions are checkpointed). Order: within a shard; a child
shard may be read before its parent's end. Rows: the record's bytes with its shard and arrival time. The connector's
watermarks per shard ignore a shard without records since the start, or one whose records wait behind another shard's
under back-pressure. So the watermark is made downstream (``udfs.decoding.stream_clock``).

Sink. Delivery: at least once; a record may come twice after a failure. Order: within a partition key, as long as
nothing fails. Batches: 500 records, 5 MB. A record that Kinesis refuses is sent again until it is accepted, with
back-pressure meanwhile. A writer takes two seconds to close, as Firehose's does: AWS's HTTP client waits so long for
more calls, and no option changes that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from base.aws import Aws
from base.errors import InvalidValue
from connectors.check import require
from connectors.heartbeats import with_heartbeats
from connectors.requirements import Requirements, Resource, allow, arn
from connectors.shard_list import ShardLister
from connectors.table_format import aws_options, format_options

if TYPE_CHECKING:
    from pyflink.datastream import DataStream
    from pyflink.table import StreamTableEnvironment, Table


@dataclass(frozen=True)
class KinesisSource:
    """A stream that is read.

    Parameters
    ----------
    stream : str
        Its name.
    aws : Aws
        Where it is.
    position : str
        ``LATEST``, ``TRIM_HORIZON`` or an ISO time with offset. Only used at the first start; a restored job goes on
        from its savepoint.
    idle_timeout : timedelta
        After this time a shard without records no longer holds the watermark back, and a stream without records
        closes its windows. Above a second, the interval of shard discovery: a closed parent shard must hold the
        watermark until its children are found.

    Raises
    ------
    ValueError
        For another position.
    """

    stream: str
    aws: Aws
    position: str = "LATEST"
    idle_timeout: timedelta = timedelta(seconds=15)

    def __post_init__(self) -> None:
        if self.position not in ("LATEST", "TRIM_HORIZON"):
            try:
                aware = datetime.fromisoformat(self.position).tzinfo is not None
            except ValueError:
                aware = False
            if not aware:
                raise InvalidValue(
                    "source.position must be LATEST, TRIM_HORIZON or a time with offset like 2024-01-31T12:00:00Z, "
                    f"got {self.position!r}"
                )

    def options(self) -> dict[str, str]:
        """The options of the table connector."""
        options = _common(self.stream, self.aws) | {
            "format": "raw",
            "scan.stream.initpos": self.position,
            # A new shard holds the watermark until it is read.
            "scan.shard.discovery.intervalmillis": "1000",
        }
        if self.position not in ("LATEST", "TRIM_HORIZON"):
            moment = datetime.fromisoformat(self.position).astimezone(UTC)
            if self.aws.endpoint:
                # Without CBOR (see infra/flink.py) AWS's client sends milliseconds where seconds are read.
                moment = datetime.fromtimestamp(moment.timestamp() / 1000, UTC)
            options["scan.stream.initpos"] = "AT_TIMESTAMP"
            options["scan.stream.initpos-timestamp"] = (
                f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
            )
            options["scan.stream.initpos-timestamp-format"] = "yyyy-MM-dd'T'HH:mm:ss.SSSX"
        return options

    def check(self) -> None:
        """Raise :class:`~connectors.check.ConnectorError` unless the stream exists."""
        _check(self.stream, self.aws)

    def lister(self) -> Callable[[], ShardLister]:
        """What makes, on a worker, a lister of the stream's shards. Pickled with the job."""
        return partial(ShardLister, self.stream, self.aws)

    def requires(self) -> Requirements:
        """The permissions and resources that this source needs."""
        return _requirements(
            self.stream,
            "kinesis:DescribeStream",
            "kinesis:DescribeStreamSummary",
            "kinesis:GetRecords",
            "kinesis:GetShardIterator",
            "kinesis:ListShards",
        )

    def records(
        self, table_env: StreamTableEnvironment, name: str, *, sequence_number: bool = False
    ) -> Table:
        """The stream's records, and a heartbeat each second: ``data BYTES, shard STRING, arrival TIMESTAMP_LTZ(3)``.

        The state with the positions in the stream is named after ``name``. No watermarks. With ``sequence_number``
        there is one more column, ``sequence_number STRING``. The connector does not give the partition key.
        """
        from pyflink.table import Schema

        columns = {"data": "BYTES", "shard": "STRING", "arrival": "TIMESTAMP_LTZ(3)"}
        numbers = ""
        if sequence_number:
            columns["sequence_number"] = "STRING"
            numbers = ", `sequence_number` STRING NOT NULL METADATA FROM 'sequence-number' VIRTUAL"
        with_clause = ", ".join(
            f"'{k}' = '{v.replace(chr(39), chr(39) * 2)}'" for k, v in self.options().items()
        )
        table_env.execute_sql(
            f"CREATE TEMPORARY TABLE `{name}_stream` (`data` BYTES,"
            " `arrival` TIMESTAMP_LTZ(3) NOT NULL METADATA FROM 'timestamp' VIRTUAL,"
            f" `shard` STRING NOT NULL METADATA FROM 'shard-id' VIRTUAL{numbers}) WITH ({with_clause})"
        )
        stream = table_env.to_data_stream(table_env.from_path(f"{name}_stream"))
        source = _source_of(stream)
        # By default Flink derives a uid from the operator's place in the job: positions would be lost with new SQL.
        source.setUid(f"kinesis {name}")
        schema = Schema.new_builder()
        for column, type_ in columns.items():
            schema.column(column, type_)
        table_env.create_temporary_view(f"{name}_records", table_env.from_data_stream(stream, schema.build()))
        return with_heartbeats(table_env, f"{name}_records", columns, name)


@dataclass(frozen=True)
class KinesisSink:
    """A stream that rows are written to.

    Parameters
    ----------
    stream : str
        Its name.
    aws : Aws
        Where it is.
    format : str
        ``json`` or ``csv``.
    """

    stream: str
    aws: Aws
    format: str = "json"

    #: Flink's sink fails the job at a larger record.
    most_record_bytes: ClassVar[int] = 1024 * 1024

    def options(self) -> dict[str, str]:
        """The options of the table connector."""
        options = _common(self.stream, self.aws) | format_options(self.format)
        # Rows wait at most this long for a batch to fill, as Firehose's do; Flink's default is five seconds.
        options["sink.flush-buffer.timeout"] = "500"
        if self.aws.endpoint:
            # Flink's Kinesis sink uses HTTP/2 by default; only some plain-HTTP endpoints do.
            options["sink.http-client.protocol.version"] = "HTTP1_1"
        return options

    def check(self) -> None:
        """Raise :class:`~connectors.check.ConnectorError` unless the stream exists."""
        _check(self.stream, self.aws)

    def requires(self) -> Requirements:
        """The permissions and resources that this sink needs."""
        return _requirements(self.stream, "kinesis:DescribeStreamSummary", "kinesis:PutRecords")


def _requirements(stream: str, *actions: str) -> Requirements:
    return Requirements(
        [allow(arn("kinesis", f"stream/{stream}"), *actions)], [Resource("AWS::Kinesis::Stream", stream)]
    )


def _common(stream: str, aws: Aws) -> dict[str, str]:
    return {"connector": "kinesis", "stream": stream} | aws_options(aws)


def _check(stream: str, aws: Aws) -> None:
    require(aws, "kinesis", f"Kinesis stream {stream}", "describe_stream_summary", StreamName=stream)


def _source_of(stream: DataStream) -> Any:
    """The source's transformation."""
    source = stream._j_data_stream.getTransformation()
    while not source.getInputs().isEmpty():
        source = source.getInputs().get(0)
    return source
