"""`kda status`: the jobs that run on this machine, and how they are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import typer
from jobs.catalog import JOBS
from rich.console import Console
from rich.table import Table

from cli import target
from cli.shown import plain
from console.labs import LABS, Lab
from infra.clients import client
from infra.flink_health import Health, health
from infra.stream_reader import StreamError, StreamReader

_out = Console()
#: Errors are counted up to this many.
MOST_ERRORS = 10_000
_ERRORS_OF = timedelta(hours=24)


def status(endpoint: target.Endpoint = None, aws: target.RealAws = False) -> None:
    """Show the jobs on this machine: state, checkpoints, late records, and the day's error stream.

    Exit code 1: a job was killed, fails or restarts.

    Example: kda status
    """
    try:
        where: str | None = target.choose(endpoint, aws)
        reachable = True
    except typer.BadParameter:
        where, reachable = None, False
    table = Table("job", "state", "checkpoint", "restored", "behind", "late", "errors in 24 h")
    pages = []
    troubled = False
    for job in JOBS:
        found = health(job.name)
        troubled = troubled or found.state in ("lost", "failed", "failing", "restarting")
        errors = _errors(LABS[job.short], where) if reachable and job.short in LABS else "no AWS"
        table.add_row(job.short, *_cells(found), errors)
        # Below the table: in a column an address would be cut, and the others with it.
        if found.url:
            pages.append(f"{job.short}: Flink's page {found.url.partition('/#')[0]}")
        if found.reason:
            pages.append(f"{job.short}: {found.state}: {found.reason}")
    _out.print(table)
    for line in pages:
        _out.print(plain(line, 500), soft_wrap=True)
    raise typer.Exit(1 if troubled else 0)


def _cells(found: Health) -> tuple[str, str, str, str, str]:
    if found.url is None:
        return {"lost": "killed"}.get(found.state, found.state), "", "", "", ""
    age = "none yet" if found.checkpoint_age is None else f"{found.checkpoint_age:.0f} s ago"
    failed = f", {found.failed_checkpoints} failed lately" if found.failed_checkpoints else ""
    behind = "" if found.behind_seconds is None else f"{found.behind_seconds:.1f} s"
    return found.state, f"{age}{failed}", str(found.restored), behind, f"{found.late:,}"


def _errors(lab: Lab, endpoint: str | None) -> str:
    reader = StreamReader(client("kinesis", endpoint), lab.errors, datetime.now(UTC) - _ERRORS_OF)
    count, empty = 0, 0
    try:
        # An empty answer may come before the end: a shard is read by time, not by records.
        while count < MOST_ERRORS and empty < 3:
            found = len(reader.read(MOST_ERRORS))
            count += found
            empty = 0 if found or reader.behind_seconds else empty + 1
    except StreamError:
        return "no stream"
    return f"{count:,}" if count < MOST_ERRORS else f"{MOST_ERRORS:,} or more"
