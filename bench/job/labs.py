"""Applications as shipped, with decoder and SQL, over records from a file or any other source."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from base.aws import Aws
from connectors.kinesis import KinesisSource
from connectors.shard_list import ShardLister
from pipeline.catalog import find
from pipeline.pipeline import Pipeline
from pipeline.settings import settings
from pipeline.sources import RecordSource

if TYPE_CHECKING:
    from pyflink.table import StreamTableEnvironment, Table

    from bench.job.harness import Form

#: Midnight, so that windows begin with the records; in milliseconds.
START = 1_700_006_400_000


class OneShard(ShardLister):
    """Lists the shards of a file: one."""

    def __init__(self) -> None: ...

    def ask(self) -> Future[Mapping[str, bool]]:
        listing: Future[Mapping[str, bool]] = Future()
        listing.set_result({"0": True})
        return listing

    def close(self) -> None: ...


@dataclass(frozen=True)
class Files(KinesisSource):
    """A stream of one shard, from a file of lines ``arrival in epoch milliseconds, tab, record``, read once."""

    path: Path = Path()

    @classmethod
    def of(cls, path: Path) -> Files:
        return cls("a file", Aws("us-east-1"), path=path)

    def lister(self) -> type[OneShard]:
        return OneShard

    def records(
        self, table_env: StreamTableEnvironment, name: str, *, sequence_number: bool = False
    ) -> Table:
        """The records as a stream gives them, without heartbeats."""
        table_env.execute_sql(
            f"CREATE TEMPORARY TABLE `{name}_file` (`data` BYTES, `shard` STRING, `arrival` TIMESTAMP_LTZ(3))"
            f" WITH ('connector' = 'records', 'path' = '{self.path}')"
        )
        return table_env.from_path(f"`{name}_file`")


@dataclass(frozen=True)
class Lab:
    """What is sent to a lab, and what is counted.

    Attributes
    ----------
    backlog, live : int
        Records to fill the stream with, and records to send while the job runs.
    pace, rate : int
        Records per second of event time in the backlog, and per second while the job runs.
    through : str
        Query with a row for each record that came through. It uses the columns that the result is made of, so that
        Flink computes both in one pass.
    result : str
        What the lab delivers.
    """

    name: str
    application: str
    given: dict[str, dict[str, str]]
    templates: tuple[str, ...]
    shards: int
    backlog: int
    live: int
    pace: int
    rate: int
    through: str
    result: str


def form_of(name: str, path: Path, relation: str, given: dict[str, dict[str, str]]) -> Form:
    """One relation of an application, over records from a file."""

    def form(table_env: StreamTableEnvironment) -> Table:
        compose(table_env, name, Files.of(path), given)
        return table_env.from_path(relation)

    return form


def compose(
    table_env: StreamTableEnvironment, name: str, source: RecordSource, given: dict[str, dict[str, str]]
) -> Pipeline:
    """Create a lab's relations over any source; without its sinks."""
    application = find(name)
    return Pipeline(table_env, application, settings(application, given), {"source_sql_stream": source})
