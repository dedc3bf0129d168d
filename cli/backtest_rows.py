"""A recording through an application up to its detector, in Flink, as in a job."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from infra import flink
from infra.recording import EVENT_TIME
from pipeline.application import Application
from pipeline.backtest_settings import seconds_of
from pipeline.settings import settings

#: A record with its time of arrival in milliseconds.
Timed = tuple[int, bytes | None]


def rows_of_relation(
    application: Application,
    relation: str,
    records: Mapping[str, Iterable[Timed]],
    groups: Mapping[str, Mapping[str, str]] | None = None,
) -> tuple[list[dict[str, Any]], list[float]]:
    """Rows of a relation, with their times in seconds since the epoch.

    Parameters
    ----------
    application : Application
    relation : str
        What the detector reads.
    records : mapping
        By source.
    groups : mapping
        Property groups over the application's own.

    Raises
    ------
    FlinkError
        Flink can't run here.
    QueryError
        (a ValueError) Flink refuses a view's query.
    """
    with tempfile.TemporaryDirectory() as folder:
        flink.prepare("http://127.0.0.1:1", Path(folder))
        from pipeline.environment import table_environment
        from pipeline.trial import rows_of

        never = {"restart-strategy.type": "none"}
        table_env = table_environment(flink.cluster("backtest", folder=Path(folder), overrides=never))
        given = {source: sorted(found, key=lambda record: record[0]) for source, found in records.items()}
        found = rows_of(table_env, application, settings(application, groups or {}), given, [relation])
    rows = found[relation]
    return [row.values for row in rows], [seconds_of(row.rowtime or "") for row in rows]


def recorded(path: Path) -> Iterator[Timed]:
    """The records of `kda record`; one without a time comes with the one before it."""
    last = 0
    with path.open("rb") as lines:
        for line in lines:
            with contextlib.suppress(ValueError, TypeError, KeyError, OverflowError, RecursionError):
                last = round(datetime.fromisoformat(json.loads(line)[EVENT_TIME]).timestamp() * 1_000)
            yield last, line.rstrip(b"\n")
