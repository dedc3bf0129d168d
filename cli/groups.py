"""Options of several commands: an application and its property groups."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from infra.paths import APPLICATIONS
from pipeline.application import DESCRIPTION, Application
from pipeline.catalog import find, paths
from pipeline.settings import override, read_groups

Name = Annotated[
    str,
    typer.Argument(
        metavar="APPLICATION",
        help="A name from `kda list`, or a folder with an application.yaml.",
    ),
]

Properties = Annotated[
    list[str] | None,
    typer.Option(
        "--property", "-p", metavar="GROUP.KEY=VALUE", help="A property; replaces the file's; repeatable."
    ),
]
PropertiesFile = Annotated[
    Path | None, typer.Option("--properties", help="A file of property groups, in Managed Flink's format.")
]


def property_groups(
    file: Path | None, properties: list[str] | None, own: Iterable[str] = ()
) -> dict[str, dict[str, str]]:
    """Merge property groups: `properties` replace the command's `own`, which replace the file's.

    Raises
    ------
    SettingsError
        The file or a property can't be read.
    """
    return override(read_groups(file) if file else {}, [*own, *(properties or [])])


def application(name: str) -> Application:
    """Find an application by name or folder.

    Raises
    ------
    ApplicationError
        There is none, or it can't be read.
    """
    return find(name, APPLICATIONS)


def is_application(name: str) -> bool:
    """Whether this is the name of an application, or a folder with a description, valid or not."""
    return (Path(name) / DESCRIPTION).is_file() or name in {path.name for path in paths(APPLICATIONS)}
