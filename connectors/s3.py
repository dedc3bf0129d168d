"""S3 through Flink's file system: JSON files under date folders.

Sink. Delivery: exactly once; a file appears when a checkpoint has completed after it was closed. Order: as written,
within a file. Files close after a minute, after 10 s without rows, or at 128 MB. Nothing is dropped: a refused upload
fails the checkpoint, and the job goes on from the one before.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from connectors.check import require
from connectors.rights import Right, on_files


@dataclass(frozen=True)
class S3Sink:
    """A folder to write JSON lines to.

    Parameters
    ----------
    path : str
        ``s3://bucket/prefix/``; any other scheme that Flink knows serves as well, ``file:///folder/`` for one.

    region : str
        Of the bucket.
    endpoint : str or None
        Another address for S3, used by :meth:`check` alone: Flink's file system is configured with the cluster.

    Raises
    ------
    ValueError
        For a path without scheme.
    """

    path: str
    region: str
    endpoint: str | None = None

    def __post_init__(self) -> None:
        if "://" not in self.path:
            raise ValueError(f"sink.path must look like s3://bucket/prefix/, got {self.path!r}")

    def options(self) -> dict[str, str]:
        """The options of the table connector."""
        return {
            "connector": "filesystem",
            "path": self.path,
            "format": "json",
            "json.timestamp-format.standard": "SQL",
            "sink.rolling-policy.rollover-interval": "1 min",
            "sink.rolling-policy.inactivity-interval": "10 s",
            "sink.rolling-policy.check-interval": "5 s",
        }

    def check(self) -> None:
        """Raise :class:`~connectors.check.ConnectorError` unless the bucket is there."""
        url = urlsplit(self.path)
        if url.scheme.startswith("s3"):
            require(
                "s3", self.region, self.endpoint, f"S3 bucket {url.netloc}", "head_bucket", Bucket=url.netloc
            )

    def requires(self) -> tuple[Right, ...]:
        """What a job's role must allow: to read what it wrote, too, and to take back an unfinished file."""
        return on_files(self.path, "AbortMultipartUpload", "DeleteObject", "GetObject", "PutObject")
