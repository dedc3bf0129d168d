"""`kda package`: builds the zip that Managed Flink or another Flink cluster runs."""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from base.errors import KdaError
from cli.groups import application
from infra import package as packaging

_out = Console(soft_wrap=True)
_err = Console(stderr=True, soft_wrap=True)


def package(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[APPLICATION]",
            help="A name from `kda list`, or a folder with an application.yaml; the labs are always included.",
        ),
    ] = None,
) -> None:
    """Build the deployable package under build/, check it, and show its contents.

    Example: kda package ./fleet
    """
    try:
        contents = packaging.build(application(name) if name else None)
    except KdaError as error:
        _err.print(Text(f"kda package: {error}", style="red"))
        raise typer.Exit(1) from error
    table = Table("in the package")
    table.add_column("kB, compressed", justify="right")
    for part, packed in sorted(contents.parts.items(), key=lambda item: -item[1]):
        table.add_row(part, f"{packed / 1000:,.0f}")
    _out.print(table)
    size, limit = contents.size / 1000**2, packaging.LIMIT / 1000**2
    _out.print(f"{contents.path}: {size:.0f} MB of the {limit:.0f} MB that Managed Flink accepts")
    _out.print(f"sha256 {packaging.digest(contents.path)}")
