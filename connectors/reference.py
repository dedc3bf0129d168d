"""The file of a reference table, in S3 or local: read as a whole, and again after it has changed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from base.aws import Aws
from base.errors import InvalidValue
from connectors.check import ConnectorError, require
from connectors.requirements import Requirements, file_requirements


@dataclass(frozen=True)
class ReferenceFile:
    """The file of a reference table.

    Parameters
    ----------
    path : str
        ``s3://bucket/key`` or ``file:///path``.
    aws : Aws
        Where the bucket is.

    Raises
    ------
    ValueError
        When the path does not name one file.
    """

    path: str
    aws: Aws

    def __post_init__(self) -> None:
        url = urlsplit(self.path)
        in_s3 = url.scheme in ("s3", "s3a") and url.netloc
        if not (in_s3 or url.scheme == "file") or not url.path.strip("/") or url.path.endswith("/"):
            raise InvalidValue(f"path must name one file, s3://bucket/key or file:///path, got {self.path!r}")

    def read(self, known: str | None = None) -> tuple[str, bytes] | None:
        """The file's version and content; None if its version is still the ``known`` one.

        Raises
        ------
        ConnectorError
            When the file does not exist, or can't be read.
        """
        url = urlsplit(self.path)
        if url.scheme == "file":
            return _read_local(Path(unquote(url.path)), known)
        where = (self.aws, "s3", f"reference table {self.path}")
        of: dict[str, Any] = {"Bucket": url.netloc, "Key": unquote(url.path).removeprefix("/")}
        if known is not None and require(*where, "head_object", **of)["ETag"] == known:
            return None
        answer = require(*where, "get_object", **of)
        try:
            return answer["ETag"], answer["Body"].read()
        except Exception as e:  # a broken connection raises many types
            raise ConnectorError(f"reference table {self.path}: reading it failed: {e}") from None

    def requires(self) -> Requirements:
        """The permissions and resources that reading the file needs."""
        return file_requirements(self.path, "s3:GetObject")


def _read_local(path: Path, known: str | None) -> tuple[str, bytes] | None:
    try:
        found = path.stat()
        version = f"{found.st_mtime_ns} {found.st_size}"
        return None if version == known else (version, path.read_bytes())
    except OSError as e:
        raise ConnectorError(f"reference table {path}: {e.strerror or e}") from None
