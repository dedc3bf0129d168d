"""S3 through Flink's file system: files of JSON or CSV lines under date folders.

Sink. Delivery: exactly once; a file appears when a checkpoint has completed after it was closed. Order: as written,
within a file. Files close after a minute, after 10 s without rows, or at 128 MB. Nothing is dropped: a refused upload
fails the checkpoint, and the job goes on from the one before.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from base.errors import InvalidValue
from connectors.check import require
from connectors.requirements import Requirements, file_requirements
from connectors.table_format import format_options


@dataclass(frozen=True)
class S3Sink:
    """A folder to write lines to.

    Parameters
    ----------
    path : str
        ``s3://bucket/prefix/``; any other scheme that Flink knows serves as well, ``file:///folder/`` for one.

    region : str
        Of the bucket.
    endpoint : str or None
        Another address for S3, used by :meth:`check` alone: Flink's file system is configured with the cluster.
    format : str
        ``json`` or ``csv``.

    Raises
    ------
    ValueError
        For a path without scheme.
    """

    path: str
    region: str
    endpoint: str | None = None
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
        """The permissions and resources that it needs."""
        # Of what it wrote it reads and deletes to be able to go on with an unfinished file.
        actions = ("s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject")
        return file_requirements(self.path, *actions)

    def check(self) -> None:
        """Raise :class:`~connectors.check.ConnectorError` unless the bucket is there."""
        url = urlsplit(self.path)
        if url.scheme.startswith("s3"):
            require(
                "s3", self.region, self.endpoint, f"S3 bucket {url.netloc}", "head_bucket", Bucket=url.netloc
            )
