"""Runs a recording in Flink through an application's relations up to its detector."""

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

#: Time of arrival in milliseconds since the epoch, and a record.
Timed = tuple[int, bytes | None]


def rows_of_relation(
    application: Application,
    relation: str,
    records: Mapping[str, Iterable[Timed]],
    groups: Mapping[str, Mapping[str, str]] | None = None,
) -> tuple[list[dict[str, Any]], list[float]]:
    """Compute the rows of a relation, and their times in seconds since the epoch.

    Parameters
    ----------
    application : Application
    relation : str
        The relation that the detector reads.
    records : mapping
        Records by source.
    groups : mapping
        Property groups that replace the application's defaults.

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
    """Read the records of a file of `kda record`; one without a time gets that of the record before it."""
    last = 0
    with path.open("rb") as lines:
        for line in lines:
            with contextlib.suppress(ValueError, TypeError, KeyError, OverflowError, RecursionError):
                last = round(datetime.fromisoformat(json.loads(line)[EVENT_TIME]).timestamp() * 1_000)
            yield last, line.rstrip(b"\n")
