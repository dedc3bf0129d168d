"""The options by which a command is given a job's property groups."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from infra.paths import ROOT
from jobs.catalog import Job
from jobs.settings import override, read_groups

Properties = Annotated[
    list[str] | None,
    typer.Option(
        "--property", "-p", metavar="GROUP.KEY=VALUE", help="A property laid over the file's; repeatable."
    ),
]
PropertiesFile = Annotated[
    Path | None, typer.Option("--properties", help="Property groups. Default: the job's under flink-conf/.")
]


def job_groups(
    job: Job, file: Path | None, properties: list[str] | None, own: Iterable[str] = ()
) -> dict[str, dict[str, str]]:
    """Return the file's groups, with the command's own properties over them, and over both those of the options.

    Raises
    ------
    SettingsError
        The file or a property can't be read.
    """
    groups = read_groups(file or ROOT / "flink-conf" / job.name / "application_properties.json")
    return override(groups, [*own, *(properties or [])])
