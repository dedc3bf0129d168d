"""`kda report`: writes a run's charts, found against injected anomalies, and figures as one HTML file."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from base.aws import Aws
from base.errors import KdaError
from cli import target
from cli.groups import Name, application
from cli.html_page import Section, html_page
from cli.shown import plain
from console.charts import figures
from console.resources import resources
from console.row_buffer import RowBuffers
from infra.paths import STATE
from infra.stream_reader import StreamError, StreamReader, StreamRecord
from pipeline.application import ERRORS, Application

_out = Console(soft_wrap=True)
_err = Console(stderr=True, soft_wrap=True)
#: Most rows read per relation, points per chart, ids listed and errors listed.
MOST_ROWS = 100_000
_MOST_POINTS = 5000
_MOST_LISTED = 100
_MOST_ERRORS = 50


@dataclass(frozen=True)
class Report:
    """One run of an application.

    Parameters
    ----------
    application : str
        Its name or folder.
    relations : mapping
        Rows by relation, oldest first, as the tap has them; see :func:`tapped`. The charts are drawn from them.
    figures : mapping
        Figures as text, by what they are: ``{"records sent": "3,000"}``.
    expectations : mapping
        Whether each expectation was met, by its text.
    injected, found : sequence or None
        Ids of the records that were sent as anomalies, and that were reported as such. None: not known.
    began : datetime
        With a time zone; by default now.
    totals : mapping
        Number of rows of a relation, if `relations` does not have all, or the tap sampled.
    """

    application: str
    relations: Mapping[str, Sequence[Mapping[str, Any]]]
    figures: Mapping[str, str] = field(default_factory=dict)
    expectations: Mapping[str, bool] = field(default_factory=dict)
    injected: Sequence[int | str] | None = None
    found: Sequence[int | str] | None = None
    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    totals: Mapping[str, float] = field(default_factory=dict)


def write(path: Path, data: Report) -> Path:
    """Write a report, and its data beside it as JSON; return the report's path.

    Parameters
    ----------
    path : Path
        The HTML file; its folder is created.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    saved = asdict(data) | {"began": data.began.isoformat()}
    path.with_suffix(".json").write_text(json.dumps(saved, default=str), encoding="utf-8")
    path.write_text(page(data), encoding="utf-8")
    return path


def read(path: Path) -> Report:
    """Read the data that :func:`write` wrote."""
    saved = json.loads(path.read_text(encoding="utf-8"))
    return Report(**saved | {"began": datetime.fromisoformat(saved["began"])})


def tapped(aws: Aws, name: str, since: datetime) -> dict[str, list[dict[str, Any]]]:
    """Read an application's rows since a time from its tap stream and its error stream, by relation.

    Raises
    ------
    StreamError
        A stream can't be read.
    """
    found = _read(aws, application(name), since).relations
    return {relation: [dict(row) for row in rows] for relation, rows in found.items()}


def _read(aws: Aws, chosen: Application, since: datetime) -> Report:
    """A report of the streams' rows since a time; it begins with the first record."""
    kinesis, buffers, moments = aws.client("kinesis"), RowBuffers(MOST_ROWS), []
    for record in _all(kinesis, chosen.tap_stream, since):
        buffers.add_tapped(record.data, record.arrival, skip=(ERRORS,))
        moments.append(record.arrival)
    for record in _all(kinesis, chosen.error_stream, since):
        buffers.add_error(record.data, record.arrival, ERRORS)
        moments.append(record.arrival)
    # Charts read the time as a column.
    rows = {
        name: [row.values | {"rowtime": row.rowtime} for row in buffer.rows]
        for name, buffer in buffers.by_relation.items()
    }
    totals = {
        name: buffer.total
        for name, buffer in buffers.by_relation.items()
        if buffer.sampled or buffer.total > len(buffer.rows)
    }
    # The folder, as it may not be listed by name.
    where = str(chosen.folder.resolve())
    return Report(where, rows, began=min(moments, default=since).astimezone(UTC), totals=totals)


def page(data: Report) -> str:
    """The report as HTML."""
    chosen = application(data.application)
    charts = figures(chosen, data.relations, resources(chosen).parameters, _MOST_POINTS)
    errors = Section("Error stream", errors=list(data.relations.get(ERRORS, ()))[-_MOST_ERRORS:])
    sections = [*_injected(data), _figures(data, chosen), errors]
    expected = {what: "yes" if held else "NO" for what, held in data.expectations.items()}
    verdict = Section("Expected", expected) if expected else None
    began = f"Since {data.began:%Y-%m-%d %H:%M:%S} UTC"
    return html_page(chosen.title, began, charts, sections, verdict)


def report(
    name: Name,
    to: Annotated[
        Path | None, typer.Option(dir_okay=False, help="The file. Default: under .kda/reports/.")
    ] = None,
    since: Annotated[float, typer.Option(min=1, help="Rows of the last so many seconds.")] = 3600,
    demo: Annotated[
        bool, typer.Option("--demo", help="Report the last kda demo instead of the streams.")
    ] = False,
    endpoint: target.Endpoint = None,
    aws: target.RealAws = False,
) -> None:
    """Write an application's report from its tap stream, or from the last demo's data.

    Example: kda report trades --to trades.html
    """
    try:
        chosen = application(name)
    except KdaError as error:
        _err.print(plain(f"kda report: {error}", 2000), style="red")
        raise typer.Exit(2) from None
    path = to or STATE / "reports" / f"{chosen.name}.html"
    try:
        data = (
            read(demo_report(chosen.name).with_suffix(".json"))
            if demo
            else _live(chosen, target.choose(endpoint, aws), since)
        )
        write(path, data)
    except FileNotFoundError:
        message = f"no demo of {chosen.name} was run yet: run `kda demo {chosen.name}`"
        _err.print(plain(f"kda report: {message}"), style="red")
        raise typer.Exit(1) from None
    except (KdaError, OSError) as error:
        _err.print(plain(f"kda report: {error}", 500), style="red")
        raise typer.Exit(1) from None
    _out.print(f"report: {path}", highlight=False)


def demo_report(name: str) -> Path:
    """Where `kda demo` leaves an application's report."""
    return STATE / "demo" / name / "report.html"


def _live(chosen: Application, aws: Aws, since: float) -> Report:
    data = _read(aws, chosen, datetime.now(UTC) - timedelta(seconds=since))
    if not set(data.relations) - {ERRORS}:
        raise StreamError(
            f"stream {chosen.tap_stream}: no rows in the last {since:g} s: run the job with its tap on, "
            f"kda run {chosen.name} --tap"
        )
    return data


def _all(kinesis: Any, stream: str, since: datetime) -> list[StreamRecord]:
    found: list[StreamRecord] = []
    deadline = time.monotonic() + 60.0
    for new in StreamReader(kinesis, stream, since).rest(10_000):
        found += new
        if len(found) >= MOST_ROWS or time.monotonic() > deadline:
            break
    return found


def _injected(data: Report) -> list[Section]:
    if data.injected is None or data.found is None:
        return []
    injected, found = set(data.injected), set(data.found)
    hits = injected & found
    rows = {
        "injected": f"{len(injected):,}",
        "found": f"{len(found):,}",
        "recall": f"{len(hits) / len(injected):.3f}" if injected else "nothing was injected",
        "precision": f"{len(hits) / len(found):.3f}" if found else "nothing was found",
        "missed": _listed(injected - found),
        "found but not injected": _listed(found - injected),
    }
    return [Section("Found against injected", rows)]


def _figures(data: Report, chosen: Application) -> Section:
    names = (*chosen.shown, *sorted(set(data.relations) - set(chosen.shown) - {ERRORS}), ERRORS)
    counts = {name: _count(data, name) for name in names if name in data.relations}
    return Section("Figures", dict(data.figures) | counts)


def _count(data: Report, name: str) -> str:
    here = len(data.relations[name])
    if name not in data.totals:
        return f"{here:,} {'row' if here == 1 else 'rows'}"
    return f"about {data.totals[name]:,.0f} rows, {here:,} of them here"


def _listed(ids: set[int | str]) -> str:
    if not ids:
        return "none"
    more = f" and {len(ids) - _MOST_LISTED:,} more" if len(ids) > _MOST_LISTED else ""
    return ", ".join(map(str, sorted(ids, key=str)[:_MOST_LISTED])) + more
