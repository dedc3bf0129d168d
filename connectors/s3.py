"""S3 through Flink's file system: JSON files under date folders.

Sink. Delivery: exactly once; a file appears when a checkpoint has completed after it was closed. Order: as written,
within a file. Files close after a minute or at 128 MB. Nothing is dropped: a refused upload fails the checkpoint, and
the job goes on from the one before.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class S3Sink:
    """A folder to write JSON lines to.

    Parameters
    ----------
    path : str
        ``s3://bucket/prefix/``; any other scheme that Flink knows serves as well, ``file:///folder/`` for one.

    Raises
    ------
    ValueError
        For a path without scheme.
    """

    path: str

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
            "sink.rolling-policy.check-interval": "10 s",
        }
