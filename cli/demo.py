"""`kda demo`: runs the labs, or any application, end to end on a separate local AWS, and checks what was found."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from base.aws import Aws
from base.errors import KdaError
from cli.groups import application
from infra import local
from infra.paths import STATE
from pipeline.application import Application
from pipeline.catalog import JOBS

#: The labs: the project's applications that have a demo module with a function ``show``.
LABS = sorted(path.parent.name for path in JOBS.glob("*/demo.py"))

_out = Console()
_err = Console(stderr=True, soft_wrap=True)


def demo(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[APPLICATION]...", help="Names, or folders with senders. Default: the labs."),
    ] = None,
) -> None:
    """Run applications end to end on a separate local AWS; exit code 0 only if each found what it should.

    Example: kda demo trades
    """
    try:
        chosen = {found.name: found for found in map(application, names or LABS)}
    except KdaError as e:
        _err.print(Text(f"kda demo: {e}", style="red"))
        raise typer.Exit(2) from e
    began = time.monotonic()
    folder = STATE / "demo"
    try:
        with local.running_local_aws(folder / "aws") as aws:
            verdicts = {name: _run(each, aws, folder) for name, each in chosen.items()}
    except KdaError as e:
        _err.print(Text(f"kda demo: {e}", style="red"))
        raise typer.Exit(1) from e
    except KeyboardInterrupt:
        _out.print("kda demo: stopped; nothing is left running.")
        raise typer.Exit(130) from None
    for name, found in verdicts.items():
        _out.print(Text(f"{name}: {'found' if found else 'NOT FOUND'}", style="green" if found else "red"))
        _out.print(f"  report: {os.path.relpath(folder / name / 'report.html')}", soft_wrap=True)
    _out.print(f"{time.monotonic() - began:.0f} s; logs under {os.path.relpath(folder)}")
    raise typer.Exit(0 if all(verdicts.values()) else 1)


def _run(chosen: Application, aws: Aws, folder: Path) -> bool:
    _out.rule(chosen.name)
    if chosen.name in LABS and chosen.folder == JOBS / chosen.name:
        show: Callable[[Aws, Path, Console], bool] = import_module(f"jobs.{chosen.name}.demo").show
        return show(aws, folder / chosen.name, _out)
    from cli import demo_any

    return demo_any.show(chosen, aws, folder / chosen.name, _out)
