"""`kda record`: writes a stream's records to a file that a job can replay."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.text import Text

from base.aws import reason
from base.errors import KdaError
from cli import target
from cli.groups import application
from cli.shown import plain
from console.resources import resources
from infra.paths import APPLICATIONS
from infra.recording import EVENT_TIME
from infra.recording import record as record_stream
from pipeline.catalog import paths

_out = Console(soft_wrap=True)
_err = Console(stderr=True, soft_wrap=True)


def record(
    name: Annotated[
        str,
        typer.Argument(
            metavar="STREAM", help="Name of a Kinesis stream, or an application: its first source's stream."
        ),
    ],
    to: Annotated[
        Path, typer.Argument(metavar="FILE", help="File to write; it is replaced.", dir_okay=False)
    ],
    endpoint: target.Endpoint = None,
    aws: target.RealAws = False,
) -> None:
    """Write a stream's records to a file, one per line, each with its time of arrival, so that a job can replay them.

    Example: kda record ctr day.jsonl

    Example: kda run ctr -p source.type=recording -p source.path=file://$PWD/day.jsonl
    """
    stream = _stream(name)
    try:
        count = record_stream(target.choose(endpoint, aws).client("kinesis"), stream, to)
    except (ClientError, BotoCoreError, OSError) as error:
        _err.print(Text(f"kda record: {stream}: {reason(error)}", style="red"))
        raise typer.Exit(1) from error
    _out.print(Text(f"{count:,} records in {to}, each with its time of arrival in {EVENT_TIME}"))


def _stream(name: str) -> str:
    # An application's name comes before a stream's; a stream's name has no slash.
    if "/" not in name and name not in {path.name for path in paths(APPLICATIONS)}:
        return name
    try:
        found = resources(application(name)).stream_of(None)
    except KdaError as error:
        _err.print(plain(f"kda record: {error}", 2000), style="red")
        raise typer.Exit(2) from None
    if found is None:
        _err.print(plain(f"kda record: {name} reads no Kinesis stream"), style="red")
        raise typer.Exit(1)
    return found
