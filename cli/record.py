"""`kda record`: a stream into a file that a job can replay."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.text import Text

from cli import target
from cli.shown import reason
from infra.clients import client
from infra.recording import EVENT_TIME
from infra.recording import record as record_stream

_out = Console(soft_wrap=True)
_err = Console(stderr=True, soft_wrap=True)


def record(
    stream: Annotated[str, typer.Argument(metavar="STREAM", help="Name of the Kinesis stream.")],
    to: Annotated[Path, typer.Argument(metavar="FILE", help="Replaced.", dir_okay=False)],
    endpoint: target.Endpoint = None,
    aws: target.RealAws = False,
) -> None:
    """Write what a stream holds to a file, one record a line, each with its time of arrival, to replay it by a job.

    Example: kda record ctr-clickstream day.jsonl

    Example: kda run ctr -p source.type=recording -p source.path=file://$PWD/day.jsonl
    """
    try:
        count = record_stream(client("kinesis", target.choose(endpoint, aws)), stream, to)
    except (ClientError, BotoCoreError, OSError) as error:
        _err.print(Text(f"kda record: {stream}: {reason(error)}", style="red"))
        raise typer.Exit(1) from error
    _out.print(Text(f"{count:,} records in {to}, each with its time of arrival in {EVENT_TIME}"))
