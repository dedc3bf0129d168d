"""The jobs by name, and how one is made from its property groups."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.settings import JobSettings, SettingsError, settings

if TYPE_CHECKING:
    from pyflink.table import StreamTableEnvironment

    from jobs.pipeline import Pipeline


@dataclass(frozen=True)
class Job:
    """A job that can be run.

    Parameters
    ----------
    name : str
        Its folder under ``jobs/``.
    short : str
        What the command line calls it.
    title : str
        One line for a person.
    """

    name: str
    short: str
    title: str

    @property
    def settings_model(self) -> type[JobSettings]:
        """The model of the job's property groups."""
        model: type[JobSettings] = self._module().Settings
        return model

    def pipeline(
        self, table_env: StreamTableEnvironment, groups: Mapping[str, Mapping[str, str]]
    ) -> Pipeline:
        """Compose the job in a table environment; nothing runs yet."""
        from jobs.pipeline import Pipeline

        pipeline = Pipeline(table_env, Path(__file__).parent / self.name)
        build: Callable[[Pipeline, Any], None] = self._module().build
        build(pipeline, settings(self.settings_model, groups))
        return pipeline

    def _module(self) -> Any:
        return import_module(f"jobs.{self.name}.job")


JOBS = (
    Job(
        "trade_anomalies",
        "trades",
        "anomalous trades: random cut forest over price and quantity → Firehose → S3",
    ),
    Job(
        "ctr_anomaly",
        "ctr",
        "anomalous click-through rates: clicks and impressions by window, random cut forest → Lambda → e-mail and SMS",
    ),
    Job(
        "sessionization",
        "sessions",
        "sessions of a clickstream: each user's pauses in event time → Lambda → DynamoDB",
    ),
)


def job(name: str) -> Job:
    """The job of that name, short or long.

    Raises
    ------
    SettingsError
        When there is none.
    """
    for candidate in JOBS:
        if name in (candidate.name, candidate.short):
            return candidate
    raise SettingsError(f"job must be one of {', '.join(j.short for j in JOBS)}, got {name!r}")
