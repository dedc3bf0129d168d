"""`kda demo`: the labs end to end on a local AWS of their own, and what was found."""

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

from cli.demo_job import DemoError
from infra import local
from infra.paths import STATE
from pipeline.catalog import JOBS

#: The labs: applications of the project's own that have a demo, a module with a function ``show``.
LABS = sorted(path.parent.name for path in JOBS.glob("*/demo.py"))

_out = Console()
_err = Console(stderr=True, soft_wrap=True)


def demo(
    labs: Annotated[
        list[str] | None, typer.Argument(metavar="[LAB]...", help=f"Of {', '.join(LABS)}.")
    ] = None,
) -> None:
    """Run labs end to end on a local AWS of their own; exit code 0 only if every one found what it should.

    Example: kda demo trades
    """
    chosen = labs or LABS
    unknown = [lab for lab in chosen if lab not in LABS]
    if unknown:
        raise typer.BadParameter(f"LAB must be of {', '.join(LABS)}, got {', '.join(unknown)}")
    began = time.monotonic()
    folder = STATE / "demo"
    try:
        with local.running_local_aws(folder / "aws") as endpoint:
            verdicts = {lab: _run(lab, endpoint, folder) for lab in chosen}
    except (local.LocalAwsError, DemoError) as e:
        _err.print(Text(f"kda demo: {e}", style="red"))
        raise typer.Exit(1) from e
    except KeyboardInterrupt:
        _out.print("kda demo: stopped; nothing is left running.")
        raise typer.Exit(130) from None
    for lab, found in verdicts.items():
        _out.print(Text(f"{lab}: {'found' if found else 'NOT FOUND'}", style="green" if found else "red"))
        _out.print(f"  report: {os.path.relpath(folder / lab / 'report.html')}", soft_wrap=True)
    _out.print(f"{time.monotonic() - began:.0f} s; logs under {os.path.relpath(folder)}")
    raise typer.Exit(0 if all(verdicts.values()) else 1)


def _run(lab: str, endpoint: str, folder: Path) -> bool:
    show: Callable[[str, Path, Console], bool] = import_module(f"jobs.{lab}.demo").show
    _out.rule(f"{lab}")
    return show(endpoint, folder / lab, _out)
