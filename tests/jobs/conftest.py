"""Flink for tests: one JVM a session, a table environment a test, records from memory."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from infra import flink
from pipeline.catalog import find
from pipeline.pipeline import Pipeline

EPOCH = datetime.datetime(2024, 1, 31, 12, 0, 0, tzinfo=datetime.UTC)


@dataclass(frozen=True)
class MemorySource:
    """A bounded source: records as (seconds after EPOCH, bytes), in the order given; None for bytes: a quiet stream.

    Watermarks follow the records like those of one shard: nothing may come earlier than the record before it.
    """

    rows: Sequence[tuple[float, bytes | None]]

    def check(self) -> None:
        pass

    def records(self, table_env: Any, name: str) -> Any:
        from pyflink.table import DataTypes

        rows = [(None if d is None else bytearray(d), round(s * 1000)) for s, d in self.rows]
        row = DataTypes.ROW(
            [DataTypes.FIELD("data", DataTypes.BYTES()), DataTypes.FIELD("ms", DataTypes.BIGINT())]
        )
        table_env.create_temporary_view(f"{name}_rows", table_env.from_elements(rows, row))
        start = int(EPOCH.timestamp() * 1000)
        timed = table_env.sql_query(
            f"SELECT `data`, TO_TIMESTAMP_LTZ({start} + ms, 3) AS `rowtime` FROM {name}_rows"
        )
        from pyflink.table import Schema

        schema = (
            Schema.new_builder()
            .column("data", "BYTES")
            .column("rowtime", "TIMESTAMP_LTZ(3)")
            .watermark("rowtime", "rowtime - INTERVAL '0.001' SECOND")
            .build()
        )
        return table_env.from_data_stream(table_env.to_data_stream(timed), schema)


@dataclass
class Flink:
    """Makes table environments on a mini-cluster whose state is in a folder of the test session."""

    folder: Path

    def environment(self, **overrides: str) -> Any:
        """A table environment; keywords are Flink options with ``__`` for ``.`` and ``_`` for ``-``."""
        from pipeline.environment import table_environment

        options = {k.replace("__", ".").replace("_", "-"): v for k, v in overrides.items()}
        # A failure must fail the test, not restart for ever.
        return table_environment(
            flink.cluster("test", folder=self.folder, overrides={"restart-strategy.type": "none"} | options)
        )

    def pipeline(self, name: str, table_env: Any) -> Pipeline:
        """An empty pipeline with the SQL of the job ``name``."""
        return Pipeline(table_env, Path(flink.ROOT) / "jobs" / job(name).name)


@pytest.fixture(scope="session")
def mini_flink(tmp_path_factory: pytest.TempPathFactory) -> Flink:
    folder = tmp_path_factory.mktemp("flink")
    flink.prepare("http://127.0.0.1:1", folder)
    return Flink(folder)


def rows_of(table_env: Any, query: str) -> list[tuple[Any, ...]]:
    """The rows of a bounded query, in order; time columns must be cast to STRING in it."""
    with table_env.sql_query(query).execute().collect() as rows:
        return [tuple(row) for row in rows]
