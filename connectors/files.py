"""Reads files of records with Flink's file system connector, for Firehose landings and recordings."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from base.aws import Aws
from connectors.check import ConnectorError, require

if TYPE_CHECKING:
    from pyflink.table import StreamTableEnvironment, Table


def read_lines(
    table_env: StreamTableEnvironment, name: str, path: str, look_again: timedelta | None = None
) -> Table:
    """The lines of all files of a folder; the files come in any order, empty lines are left out.

    Parameters
    ----------
    table_env : StreamTableEnvironment
        Where the tables are created.
    name : str
        Prefix of the relations that this creates.
    path : str
        A file, or a folder with subfolders of any depth.
    look_again : timedelta or None
        How often to look for new files, without end. None: read the files that exist now, once.

    Returns
    -------
    Table
        ``data BYTES`` and ``rowtime``, when the file was written: a rowtime attribute without watermarks.
    """
    from pyflink.table import Schema

    options = {"connector": "filesystem", "path": path, "format": "raw"}
    if look_again is not None:
        options["source.monitor-interval"] = f"{look_again // timedelta(milliseconds=1)} ms"
    with_clause = ", ".join(f"'{k}' = '{v.replace(chr(39), chr(39) * 2)}'" for k, v in options.items())
    table_env.execute_sql(
        f"CREATE TEMPORARY TABLE `{name}_lines` (`data` BYTES,"
        f" `written` TIMESTAMP_LTZ(3) NOT NULL METADATA FROM 'file.modification-time') WITH ({with_clause})"
    )
    lines = table_env.sql_query(
        f"SELECT `data`, CAST(`written` AS TIMESTAMP_LTZ(3)) AS rowtime FROM `{name}_lines` WHERE `data` <> X''"
    )
    schema = (
        Schema.new_builder()
        .column("data", "BYTES")
        .column("rowtime", "TIMESTAMP_LTZ(3)")
        .watermark("rowtime", "SOURCE_WATERMARK()")
        .build()
    )
    return table_env.from_data_stream(table_env.to_data_stream(lines), schema)


def check_folder(path: str, aws: Aws) -> None:
    """Raise :class:`~connectors.check.ConnectorError` unless the bucket, or the local path, exists."""
    url = urlsplit(path)
    if url.scheme.startswith("s3"):
        require(aws, "s3", f"S3 bucket {url.netloc}", "head_bucket", Bucket=url.netloc)
    elif url.scheme == "file" and not Path(unquote(url.path)).exists():
        raise ConnectorError(f"{path}: no such file or folder")
