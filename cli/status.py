"""`kda status`: shows the applications of this machine and the state of their jobs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from base.aws import Aws
from cli import target
from cli.shown import plain
from infra import flink
from infra.flink_health import Health, health
from infra.paths import APPLICATIONS
from infra.stream_reader import StreamError, StreamReader
from pipeline.application import Application, ApplicationError, read
from pipeline.catalog import paths

_out = Console()
#: Most errors that are counted.
MOST_ERRORS = 10_000
_ERRORS_OF = timedelta(hours=24)
_AT_ONCE = 8


def status(endpoint: target.Endpoint = None, aws: target.RealAws = False) -> None:
    """Show this machine's applications: state, checkpoints, late records, and errors of the last 24 hours.

    These are the applications of `kda list`, and others that run here.

    Exit code 1: a job was killed, fails or restarts.

    Example: kda status
    """
    try:
        where: Aws | None = target.choose(endpoint, aws)
    except typer.BadParameter:
        where = None
    kinesis = _kinesis(where) if where else None

    def errors_of(chosen: Application | None) -> str:
        if chosen is None:
            return "unreadable"
        return _errors(chosen, kinesis) if kinesis else "no AWS"

    table = Table("application", "state", "checkpoint", "restored", "behind", "late", "errors in 24 h")
    pages = []
    troubled = False
    applications = _applications()
    # Side by side: on a busy machine each answer of a cluster takes long.
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        healths, counts = pool.map(health, applications), pool.map(errors_of, applications.values())
    for name, found, errors in zip(applications, healths, counts, strict=True):
        troubled = troubled or found.state in ("lost", "failed", "failing", "restarting")
        table.add_row(name, *_cells(found), errors)
        # Below the table: in a column, a URL would be cut and leave no room for the others.
        if found.url:
            pages.append(f"{name}: Flink's page {found.url.partition('/#')[0]}")
        if found.reason:
            pages.append(f"{name}: {found.state}: {found.reason}")
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


def _applications() -> dict[str, Application | None]:
    """Applications by name: those of `kda list`, and others that run here; None: it can't be read."""
    folders: dict[str, Path | None] = {path.name.replace("-", "_"): path for path in paths(APPLICATIONS)}
    for name, folder in flink.started_here().items():
        if folder is not None or name not in folders:
            folders[name] = folder
    found: dict[str, Application | None] = {}
    for name, folder in sorted(folders.items()):
        try:
            found[name] = read(folder) if folder else None
        except ApplicationError:
            found[name] = None
    return found


def _kinesis(aws: Aws) -> Any:
    """A client that does not wait long for an AWS that does not answer."""
    from botocore.config import Config

    return aws.client(
        "kinesis", Config(connect_timeout=5, read_timeout=10, retries={"total_max_attempts": 2})
    )


def _errors(chosen: Application, kinesis: Any) -> str:
    since = datetime.now(UTC) - _ERRORS_OF
    reader = StreamReader(kinesis, chosen.error_stream, since)
    count = 0
    try:
        for found in reader.rest(MOST_ERRORS):
            count += len(found)
            if count >= MOST_ERRORS:
                break
    except StreamError as error:
        return "no stream" if "ResourceNotFound" in str(error) else "no answer"
    return f"{count:,}" if count < MOST_ERRORS else f"{MOST_ERRORS:,} or more"
