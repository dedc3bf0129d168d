"""Flink for tests: one JVM per session, a table environment per test, records from memory."""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from infra import flink
from pipeline import trial
from pipeline.application import Application
from pipeline.catalog import find
from pipeline.pipeline import Pipeline
from pipeline.settings import settings
from tests.session_cluster import session_cluster

EPOCH = datetime.datetime(2024, 1, 31, 12, 0, 0, tzinfo=datetime.UTC)


def MemorySource(rows: Sequence[tuple[float, bytes | None]]) -> trial.MemorySource:
    """A bounded source: records as (seconds after EPOCH, bytes), in the order given; None for bytes: an idle stream."""
    start = round(EPOCH.timestamp() * 1000)
    return trial.MemorySource([(start + round(s * 1000), data) for s, data in rows])


@dataclass
class Flink:
    """Makes table environments on a mini-cluster whose state is in a folder of the test session."""

    folder: Path

    def environment(self, **overrides: str) -> Any:
        """A table environment; keywords are Flink options with ``__`` for ``.`` and ``_`` for ``-``."""
        from pipeline.environment import table_environment

        options = {k.replace("__", ".").replace("_", "-"): v for k, v in overrides.items()}
        defaults = {
            # A failure must fail the test, not restart the job without end.
            "restart-strategy.type": "none",
        }
        overrides = session_cluster(self.folder) | defaults | options
        return table_environment(flink.cluster("test", folder=self.folder, short=True, overrides=overrides))

    def pipeline(
        self,
        application: str | Path | Application,
        table_env: Any,
        sources: Mapping[str, Any] | None = None,
        groups: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> Pipeline:
        """The relations of an application (or its name or folder) over other sources; without its sinks."""
        chosen = application if isinstance(application, Application) else find(str(application))
        return Pipeline(table_env, chosen, settings(chosen, groups or {}), sources)


@pytest.fixture(scope="session")
def mini_flink(tmp_path_factory: pytest.TempPathFactory) -> Flink:
    folder = tmp_path_factory.mktemp("flink")
    flink.prepare("http://127.0.0.1:1", folder)
    return Flink(folder)


def rows_of(table_env: Any, query: str) -> list[tuple[Any, ...]]:
    """The rows of a bounded query, in order; time columns must be cast to STRING in it."""
    with table_env.sql_query(query).execute().collect() as rows:
        return [tuple(row) for row in rows]
