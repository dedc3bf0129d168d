"""A reference table's file, read whole when the job is composed; a restart reads it again.

KDA read reference data at its start too, and again when asked to. Limit: 64 MB, as it travels with the job.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from connectors.check import ConnectorError, require
from connectors.requirements import Requirements, file_requirements

MAX_BYTES = 64_000_000


@dataclass(frozen=True)
class ReferenceFile:
    """Where the file is.

    Parameters
    ----------
    path : str
        ``s3://bucket/key`` or ``file:///path``.
    region : str
        Of the bucket.
    endpoint : str or None
        Another address for S3.
    """

    path: str
    region: str
    endpoint: str | None = None

    def text(self) -> str:
        """What is in it.

        Raises
        ------
        ConnectorError
            It is not there, may not be read, is too large, or is no UTF-8.
        """
        url = urlsplit(self.path)
        if url.scheme in ("s3", "s3a"):
            where = ("s3", self.region, self.endpoint, f"reference table {self.path}")
            answer = require(*where, "get_object", Bucket=url.netloc, Key=url.path.lstrip("/"))
            data = answer["Body"].read(MAX_BYTES + 1)
        else:
            try:
                with Path(unquote(url.path) or self.path).open("rb") as file:
                    data = file.read(MAX_BYTES + 1)
            except OSError as e:
                raise ConnectorError(f"reference table {self.path}: {e.strerror or e}") from None
        if len(data) > MAX_BYTES:
            raise ConnectorError(
                f"reference table {self.path}: required at most {MAX_BYTES:,} bytes, it has more"
            )
        try:
            return str(data.decode("utf-8"))
        except UnicodeDecodeError:
            raise ConnectorError(f"reference table {self.path}: required UTF-8, got other bytes") from None

    def requires(self) -> Requirements:
        """What reading it needs."""
        return file_requirements(self.path, "s3:GetObject")
