"""S3 through Flink's file system, as sink: files of JSON or CSV lines under date folders.

Delivery: exactly once; a file appears at the first checkpoint that completes after the file was closed. Order: as
written, within a file. Files close after a minute, after 10 s without rows, or at 128 MB. Nothing is dropped: a refused
upload fails the checkpoint, and the job goes on from the last complete one.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from base.aws import Aws
from base.errors import InvalidValue
from connectors.check import require
from connectors.requirements import Requirements, file_requirements
from connectors.table_format import format_options


@dataclass(frozen=True)
class S3Sink:
    """A folder that lines are written to.

    Parameters
    ----------
    path : str
        ``s3://bucket/prefix/``, ``file:///folder/``, or any other scheme that Flink supports.
    aws : Aws
        Where the bucket is. Only :meth:`check` uses it: Flink's file system is configured with the cluster.
    format : str
        ``json`` or ``csv``.

    Raises
    ------
    ValueError
        For a path without scheme.
    """

    path: str
    aws: Aws
    format: str = "json"

    def __post_init__(self) -> None:
        if "://" not in self.path:
            raise InvalidValue(f"sink.path must look like s3://bucket/prefix/, got {self.path!r}")

    def options(self) -> dict[str, str]:
        """The options of the table connector."""
        return {
            "connector": "filesystem",
            "path": self.path,
            "sink.rolling-policy.rollover-interval": "1 min",
            "sink.rolling-policy.inactivity-interval": "10 s",
            "sink.rolling-policy.check-interval": "5 s",
        } | format_options(self.format)

    def requires(self) -> Requirements:
        """The permissions and resources that this sink needs."""
        # It reads and deletes objects that it wrote, to continue an unfinished file after a restart.
        actions = ("s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject")
        return file_requirements(self.path, *actions)

    def check(self) -> None:
        """Raise :class:`~connectors.check.ConnectorError` unless the bucket exists."""
        url = urlsplit(self.path)
        if url.scheme.startswith("s3"):
            require(self.aws, "s3", f"S3 bucket {url.netloc}", "head_bucket", Bucket=url.netloc)
