"""Recordings: files of records that are read once, in order of event time.

Delivery: exactly once into Flink's state; the job ends with the input. Order: by event time, over all files; records of
the same time are in the order of their file. All records are held in state until the last one is read, then leave in
order: no record of a recording is late, and windows give the rows of the live run. Files: one JSON record a line, plain
or gzip by name (``.gz``), in folders of any depth; names that begin with ``.`` or ``_`` are left out. A record without
a time goes to the error stream.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from base.aws import Aws
from base.errors import InvalidValue
from connectors.files import check_folder, read_lines
from connectors.requirements import Requirements, file_requirements

if TYPE_CHECKING:
    from pyflink.table import StreamTableEnvironment, Table


@dataclass(frozen=True)
class Recording:
    """A file or folder to read.

    Parameters
    ----------
    path : str
        ``s3://bucket/prefix/``, ``file:///folder/``, or any other scheme that Flink supports.
    aws : Aws
        Where the bucket is. Only :meth:`check` uses it: Flink's file system is configured with the cluster.
    event_time : str
        Path of a record's time, as ``$.name`` or ``$.outer.inner``.

    Raises
    ------
    ValueError
        For a path without scheme.
    """

    path: str
    aws: Aws
    event_time: str = "$.event_time"

    def __post_init__(self) -> None:
        if "://" not in self.path:
            raise InvalidValue(
                f"source.path must look like s3://bucket/prefix/ or file:///folder/, got {self.path!r}"
            )

    def check(self) -> None:
        """Raise :class:`~connectors.check.ConnectorError` unless the bucket, or the local path, exists."""
        check_folder(self.path, self.aws)

    def requires(self) -> Requirements:
        """The permissions and resources that this source needs."""
        return file_requirements(self.path, "s3:GetObject")

    def records(self, table_env: StreamTableEnvironment, name: str) -> Table:
        """The lines: ``data BYTES`` and ``rowtime``, when the file was written; without watermarks."""
        return read_lines(table_env, name, self.path)


def in_order_of_time(table_env: StreamTableEnvironment, rows: Table, time_column: str, name: str) -> Table:
    """Sort the rows of a bounded input by event time.

    Parameters
    ----------
    table_env : StreamTableEnvironment
        Where the tables are created.
    rows : Table
        With a column ``rowtime``.
    time_column : str
        The rows' event time, TIMESTAMP(3) in UTC; it replaces ``rowtime``.
    name : str
        Prefix of the relations that this creates.
    """
    from pyflink.table import Schema

    columns = [c for c in rows.get_schema().get_field_names() if c not in ("rowtime", time_column)]
    kept = ", ".join(f"`{c}`" for c in columns)
    table_env.create_temporary_view(f"{name}_rows", rows)
    timed = table_env.sql_query(
        f"SELECT {kept}, CAST(`{time_column}` AS TIMESTAMP_LTZ(3)) AS rowtime FROM {name}_rows"
    )
    # No watermark before the end of the input: so nothing is late, in whatever order the files come.
    schema = Schema.new_builder()
    types = dict(
        zip(timed.get_schema().get_field_names(), timed.get_schema().get_field_data_types(), strict=True)
    )
    for column in columns:
        schema.column(column, types[column])
    schema.column("rowtime", "TIMESTAMP_LTZ(3)").watermark("rowtime", "SOURCE_WATERMARK()")
    table_env.create_temporary_view(
        f"{name}_timed", table_env.from_data_stream(table_env.to_data_stream(timed), schema.build())
    )
    return table_env.sql_query(f"SELECT {kept}, rowtime FROM {name}_timed ORDER BY rowtime")
