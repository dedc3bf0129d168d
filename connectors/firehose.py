"""Amazon Data Firehose: a delivery stream as sink, the objects that it writes to S3 as source.

Sink. Delivery: at least once. Order: not guaranteed. Batches: 500 records, 4 MB. A record that Firehose refuses is
sent again until it is accepted, with back-pressure meanwhile. Flink writes each row as a record without a newline; the
delivery stream's AppendDelimiterToRecord adds it.

Source: see :class:`FirehoseLanding`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import urlsplit

from base.aws import Aws
from base.errors import InvalidValue
from connectors.check import require
from connectors.files import check_folder, read_lines
from connectors.heartbeats import with_heartbeats
from connectors.requirements import Requirements, Resource, allow, arn, file_requirements
from connectors.table_format import aws_options, format_options

if TYPE_CHECKING:
    from pyflink.table import StreamTableEnvironment, Table


#: Name of the empty object that makes a path exist before the first delivery.
_MARK = "_landing"


@dataclass(frozen=True)
class FirehoseSink:
    """A delivery stream that rows are written to.

    Parameters
    ----------
    delivery_stream : str
        Its name.
    aws : Aws
        Where it is.
    format : str
        ``json`` or ``csv``.
    """

    delivery_stream: str
    aws: Aws
    format: str = "json"

    #: The service refuses a larger record, and Flink's sink fails the job.
    most_record_bytes: ClassVar[int] = 1000 * 1024

    def options(self) -> dict[str, str]:
        """The options of the table connector."""
        options = {
            "connector": "firehose",
            "delivery-stream": self.delivery_stream,
            # Rows wait at most this long for a batch to fill.
            "sink.flush-buffer.timeout": "500",
        }
        options |= aws_options(self.aws) | format_options(self.format)
        if self.aws.endpoint:
            # Flink's Firehose sink uses HTTP/2 by default; a plain-HTTP endpoint has only HTTP/1.1.
            options["sink.http-client.protocol.version"] = "HTTP1_1"
        return options

    def check(self) -> None:
        """Raise :class:`~connectors.check.ConnectorError` unless the delivery stream exists."""
        what = f"Firehose delivery stream {self.delivery_stream}"
        name = self.delivery_stream
        require(self.aws, "firehose", what, "describe_delivery_stream", DeliveryStreamName=name)

    def requires(self) -> Requirements:
        """The permissions and resources that this sink needs."""
        where = arn("firehose", f"deliverystream/{self.delivery_stream}")
        return Requirements(
            [allow(where, "firehose:DescribeDeliveryStream", "firehose:PutRecordBatch")],
            [Resource("AWS::KinesisFirehose::DeliveryStream", self.delivery_stream)],
        )


@dataclass(frozen=True)
class FirehoseLanding:
    """The objects that a delivery stream writes to S3, as source; for producers that can only reach Firehose.

    Delivery: exactly once into Flink's state (the checkpoint holds which objects were read, and how far). Firehose
    itself delivers at least once, so a record may come twice. An object is known by its name: an overwritten one is not
    read again. Order: none between objects. Rows: the lines of all objects under the path, with the time the object was
    written as rowtime. Firehose does not say when a record arrived, so all records of an object share a window. Records
    without a newline between them are one row of several documents; a record that contains newlines becomes several
    rows, which the decoder refuses with a reason.

    Delay: Firehose's buffering (60 s in the labs' stacks), then up to a third of ``idle_timeout`` until the object is
    found, then ``idle_timeout`` until its window may close.

    Time: objects are found in any order, above all those of a backlog. So the watermark does not follow the objects. It
    follows the clock, ``idle_timeout`` behind, and stops while older objects still come
    (``udfs.decoding.clocks.LandingClock``). So windows also close when the stream is idle. The clocks of S3 and
    of the cluster must agree within half of ``idle_timeout``.

    Limits: plain objects, and gzip by name (``.gz``), in folders of any depth; names that begin with ``.`` or ``_`` are
    left out. The whole path is listed each time, with a call for each folder, and the names are kept in state. If a
    listing takes longer than half of ``idle_timeout``, objects are late, which the job reports: use a prefix that a
    lifecycle rule clears.

    Parameters
    ----------
    path : str
        ``s3://bucket/prefix/``, or any other scheme that Flink supports.
    aws : Aws
        Where the bucket is. Only :meth:`check` uses it: Flink's file system is configured with the cluster.
    position : str
        ``TRIM_HORIZON``, all objects; or an ISO time with offset, the objects written since. Not ``LATEST``: objects
        written while the job was stopped would be lost at its restart.
    idle_timeout : timedelta
        How far the watermark stays behind the clock; 3 s or more.

    Raises
    ------
    ValueError
        For a path without scheme, a shorter ``idle_timeout``, or another position.
    """

    path: str
    aws: Aws
    position: str = "TRIM_HORIZON"
    idle_timeout: timedelta = timedelta(seconds=15)

    def __post_init__(self) -> None:
        if "://" not in self.path:
            raise InvalidValue(f"source.path must look like s3://bucket/prefix/, got {self.path!r}")
        if self.idle_timeout < timedelta(seconds=3):
            raise InvalidValue(f"source.idle_timeout must be at least 3 s, got {self.idle_timeout}")
        self._since()

    def check(self) -> None:
        """Raise :class:`~connectors.check.ConnectorError` unless the bucket exists.

        S3 has no empty folders, and Flink can't start on a path that does not exist: so before the first delivery this
        puts an empty object ``_landing`` under the path.
        """
        check_folder(self.path, self.aws)
        url = urlsplit(self.path)
        if url.scheme.startswith("s3"):
            mark = _mark(self.path)
            where = (self.aws, "s3", f"S3 folder {self.path}")
            if not require(
                *where, "list_objects_v2", Bucket=url.netloc, Prefix=mark.removesuffix(_MARK), MaxKeys=1
            )["KeyCount"]:
                require(*where, "put_object", Bucket=url.netloc, Key=mark, Body=b"")

    def records(self, table_env: StreamTableEnvironment, name: str) -> Table:
        """The lines, and a heartbeat each second: ``data BYTES, shard STRING, arrival TIMESTAMP_LTZ(3)``.

        ``arrival`` is when the object was written. All rows have the same shard, and are in no order. No watermarks.
        """
        table_env.create_temporary_view(
            f"{name}_written", read_lines(table_env, name, self.path, self.idle_timeout / 3)
        )
        since = table_env.sql_query(
            "SELECT `data`, CAST('' AS STRING) AS shard, CAST(rowtime AS TIMESTAMP_LTZ(3)) AS arrival"
            f" FROM `{name}_written` WHERE rowtime >= TO_TIMESTAMP_LTZ({self._since()}, 3)"
        )
        table_env.create_temporary_view(f"{name}_records", since)
        columns = {"data": "BYTES", "shard": "STRING", "arrival": "TIMESTAMP_LTZ(3)"}
        return with_heartbeats(table_env, f"{name}_records", columns, name)

    def requires(self) -> Requirements:
        """The permissions and resources that this source needs, with the one to put the empty object."""
        needs = file_requirements(self.path, "s3:GetObject")
        if needs.resources:
            (bucket, objects) = needs.statements
            mark = f"{bucket['Resource']}/{_mark(self.path)}"
            return needs._replace(statements=[bucket, objects, allow(mark, "s3:PutObject")])
        return needs

    def _since(self) -> int:
        """The position as epoch milliseconds."""
        if self.position == "TRIM_HORIZON":
            return 0
        try:
            moment = datetime.fromisoformat(self.position)
        except ValueError:
            moment = datetime.min
        if moment.tzinfo is None:
            raise InvalidValue(
                "source.position of a Firehose landing must be TRIM_HORIZON or a time with offset like "
                f"2024-01-31T12:00:00Z, got {self.position!r}"
            )
        return int(moment.timestamp() * 1000)


def _mark(path: str) -> str:
    """Key of the empty object under a path in S3."""
    return f"{urlsplit(path).path.strip('/')}/{_MARK}".lstrip("/")
