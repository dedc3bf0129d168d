"""The demo of any application: runs its senders, shows every relation's rows live, and writes a report."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from base.aws import Aws
from base.errors import KdaError
from cli import report
from cli.demo_job import DemoError, running_job
from console.resources import resources
from console.sending import senders_of
from generator import runner, sinks
from infra import stacks
from pipeline.application import ERRORS, Application

#: How long the senders send, and how long to wait for rows after that.
SECONDS, _END_SECONDS = 30.0, 60.0
_LOOK_SECONDS = 2.0
Rows = Mapping[str, Sequence[Mapping[str, Any]]]


def show(application: Application, aws: Aws, folder: Path, out: Console) -> bool:
    """Run an application on a local AWS; return whether all expectations were met.

    Parameters
    ----------
    application : Application
        Must have senders.
    aws : Aws
        The local one.
    folder : Path
        For the job's state and logs.
    out : Console
        Where to show it.

    Raises
    ------
    DemoError
        It has no senders, its stack can't be made, or its job ended.
    """
    try:
        scenario = senders_of(application, resources(application)).changed(seconds=SECONDS)
        stacks.deploy(aws, application)
    except KdaError as e:
        raise DemoError(f"{application.name}: {e}") from e
    stream = str(scenario.to).partition(":")[2]
    counts, since = runner.Counts(), datetime.now(UTC)
    rows: Rows = {}
    properties = {"tap.stream": application.tap_stream, "source.position": since.isoformat()}
    named = running_job(application.name, aws, folder, properties, where=application.folder.resolve())
    with named as job, Live(console=out, refresh_per_second=4) as live:
        live.update(Text("The job is starting …"))
        job.wait_until_running()
        sender = threading.Thread(
            target=runner.run,
            args=(scenario, sinks.kinesis(aws.client("kinesis"), stream)),
            kwargs={"on_progress": lambda now: counts.__dict__.update(now.__dict__)},
            daemon=True,
        )
        sender.start()
        deadline = time.monotonic() + SECONDS + _END_SECONDS
        while sender.is_alive() or (not _complete(application, rows) and time.monotonic() < deadline):
            job.state()  # raises when it has ended
            rows = report.tapped(aws, str(application.folder.resolve()), since)
            live.update(_picture(application, counts, rows))
            time.sleep(_LOOK_SECONDS)
    out.print()
    expectations = {
        "every record was sent": counts.sent > 0 and counts.failed == 0,
        "every source and every forest has rows": _complete(application, rows),
        "the error stream is empty": not rows.get(ERRORS),
    }
    for expectation, held in expectations.items():
        out.print(Text(f"{expectation}: {'yes' if held else 'NO'}", style="green" if held else "red"))
    figures = {"records": f"{counts.sent:,} sent, {counts.failed:,} failed"}
    written = report.Report(
        str(application.folder.resolve()), rows, figures=figures, expectations=expectations, began=since
    )
    report.write(folder / "report.html", written)
    return all(expectations.values())


def _complete(application: Application, rows: Rows) -> bool:
    """Whether each source and forest has rows; alerts are not required."""
    forests = {forest.name for forest in application.forests}
    return all(rows.get(name) for name in (*application.sources, *forests))


def _picture(application: Application, counts: runner.Counts, rows: Rows) -> Table:
    table = Table("relation", "rows", "newest", title=f"{counts.sent:,} records sent", title_justify="left")
    for name in (*application.shown, ERRORS):
        found = rows.get(name, ())
        newest = ", ".join(f"{k}={v}" for k, v in dict(found[-1]).items()) if found else ""
        table.add_row(name, f"{len(found):,}", Text(newest[:80]))
    return table
