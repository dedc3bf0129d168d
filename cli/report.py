"""`kda report`: one HTML file with a run's charts, what was found against what was injected, and the figures.

The file needs nothing beside it: charts, library and data are in it.
"""

from __future__ import annotations

import html
import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from cli import target
from cli.shown import plain
from console.charts import figures
from console.labs import ERRORS, LABS, Lab
from console.rings import Rings
from console.server import PLOTLY
from infra.clients import client
from infra.paths import STATE
from infra.stream_reader import StreamError, StreamReader, StreamRecord

_out = Console(soft_wrap=True)
_err = Console(stderr=True, soft_wrap=True)
_STATIC = Path(__file__).parent.parent / "console" / "static"
#: Rows of a relation that a report keeps, and ids that it lists.
MOST_ROWS = 5000
_MOST_LISTED = 100
_MOST_ERRORS = 50


@dataclass(frozen=True)
class Report:
    """What is told of one run of a lab.

    Parameters
    ----------
    lab : str
        One of the labs' names.
    relations : mapping
        Rows by relation, oldest first, as the tap has them; see :func:`tapped`. The charts are drawn from them.
    figures : mapping
        What a person wants to know, in words: ``{"records sent": "3,000"}``.
    expectations : mapping
        What should be, and whether it was.
    injected, found : sequence or None
        Ids of what was sent as an anomaly and of what was reported as one. None: nobody knows what was injected.
    began : datetime
        With offset; now by default.
    """

    lab: str
    relations: Mapping[str, Sequence[Mapping[str, Any]]]
    figures: Mapping[str, str] = field(default_factory=dict)
    expectations: Mapping[str, bool] = field(default_factory=dict)
    injected: Sequence[int | str] | None = None
    found: Sequence[int | str] | None = None
    began: datetime = field(default_factory=lambda: datetime.now(UTC))


def write(path: Path, data: Report) -> Path:
    """Write a report, and its data beside it as JSON; return the report's path.

    Parameters
    ----------
    path : Path
        The HTML file; its folder is made.
    data : Report
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    saved = asdict(data) | {"began": data.began.isoformat()}
    path.with_suffix(".json").write_text(json.dumps(saved, default=str), encoding="utf-8")
    path.write_text(page(data), encoding="utf-8")
    return path


def read(path: Path) -> Report:
    """The data that :func:`write` left."""
    saved = json.loads(path.read_text(encoding="utf-8"))
    return Report(**saved | {"began": datetime.fromisoformat(saved["began"])})


def tapped(endpoint: str | None, lab: str, since: datetime) -> dict[str, list[dict[str, Any]]]:
    """The rows of a lab's relations since a moment, as the tap and the error stream have them.

    Raises
    ------
    StreamError
        A stream can't be read.
    """
    kinesis, rings = client("kinesis", endpoint), Rings(MOST_ROWS)
    for record in _all(kinesis, LABS[lab].taps, since):
        rings.add_tapped(record.data, record.arrival, skip=(ERRORS,))
    for record in _all(kinesis, LABS[lab].errors, since):
        rings.add_error(record.data, record.arrival, ERRORS)
    return {name: [row.values for row in ring.rows] for name, ring in rings.by_relation.items()}


def page(data: Report) -> str:
    """The report as HTML."""
    lab = LABS[data.lab]
    drawn = json.dumps(figures(data.lab, data.relations, MOST_ROWS)).replace("<", "\\u003c")
    parts = {
        "title": _text(lab.title),
        "subtitle": _text(f"Since {data.began:%Y-%m-%d %H:%M} UTC"),
        "verdict": _verdict(data),
        "sections": "\n".join(part for part in (_injected(data), _figures(data, lab), _errors(data)) if part),
        "figures": drawn,
        "css": (_STATIC / "console.css").read_text(encoding="utf-8"),
        "plotly": PLOTLY.read_text(encoding="utf-8"),
        # One script, no modules to load: what they export is simply there.
        "script": (_STATIC / "figures.js").read_text(encoding="utf-8").replace("export ", ""),
    }
    template = (_STATIC / "report.html").read_text(encoding="utf-8")
    return re.sub("@(" + "|".join(parts) + ")@", lambda match: parts[match.group(1)], template)


def report(
    lab: Annotated[str, typer.Argument(metavar="LAB", help=f"One of {', '.join(LABS)}.")],
    to: Annotated[
        Path | None, typer.Option(dir_okay=False, help="The file. Default: under .kda/reports/.")
    ] = None,
    since: Annotated[float, typer.Option(min=1, help="Rows of the last so many seconds.")] = 3600,
    demo: Annotated[
        bool, typer.Option("--demo", help="Of the last kda demo instead of the streams.")
    ] = False,
    endpoint: target.Endpoint = None,
    aws: target.RealAws = False,
) -> None:
    """Write a lab's report from its tap stream, or from the last demo's data.

    Example: kda report trades --to trades.html
    """
    if lab not in LABS:
        raise typer.BadParameter(f"LAB must be one of {', '.join(LABS)}, got {lab}")
    path = to or STATE / "reports" / f"{lab}.html"
    try:
        data = (
            read(demo_report(lab).with_suffix(".json"))
            if demo
            else _live(lab, target.choose(endpoint, aws), since)
        )
        write(path, data)
    except FileNotFoundError:
        _err.print(plain(f"kda report: there is no demo of {lab} yet: run `kda demo {lab}`"), style="red")
        raise typer.Exit(1) from None
    except (StreamError, OSError) as error:
        _err.print(plain(f"kda report: {error}", 500), style="red")
        raise typer.Exit(1) from None
    _out.print(f"report: {path}", highlight=False)


def demo_report(lab: str) -> Path:
    """Where `kda demo` leaves a lab's report."""
    return STATE / "demo" / lab / "report.html"


def _live(lab: str, endpoint: str | None, since: float) -> Report:
    began = datetime.now(UTC) - timedelta(seconds=since)
    rows = tapped(endpoint, lab, began)
    if not set(rows) - {ERRORS}:
        raise StreamError(
            f"stream {LABS[lab].taps}: no rows in the last {since:g} s: run the job with its tap on, "
            f"kda run {lab} -p tap.stream={LABS[lab].taps}"
        )
    return Report(lab, rows, began=began)


def _all(kinesis: Any, stream: str, since: datetime) -> list[StreamRecord]:
    reader, empty = StreamReader(kinesis, stream, since), 0
    found: list[StreamRecord] = []
    deadline = time.monotonic() + 60.0
    # An empty answer may come before the end: a shard is read by time, not by records.
    while empty < 3 and len(found) < 100_000 and time.monotonic() < deadline:
        new = reader.read(10_000)
        found += new
        empty = 0 if new or reader.behind_seconds else empty + 1
    return found


def _verdict(data: Report) -> str:
    lines = [
        f"<dt>{_text(what)}</dt><dd{'' if held else ' class=no'}>{'yes' if held else 'NO'}</dd>"
        for what, held in data.expectations.items()
    ]
    return f"<section><h3>Expected</h3><dl>{''.join(lines)}</dl></section>" if lines else ""


def _injected(data: Report) -> str:
    if data.injected is None or data.found is None:
        return ""
    injected, found = set(data.injected), set(data.found)
    hits = injected & found
    rows = {
        "injected": f"{len(injected):,}",
        "found": f"{len(found):,}",
        "recall": f"{len(hits) / len(injected):.3f}" if injected else "nothing was injected",
        "precision": f"{len(hits) / len(found):.3f}" if found else "nothing was found",
        "missed": _listed(injected - found),
        "found beside them": _listed(found - injected),
    }
    return f"<section><h3>Found against injected</h3>{_pairs(rows)}</section>"


def _figures(data: Report, lab: Lab) -> str:
    names = (*lab.relations, *sorted(set(data.relations) - set(lab.relations) - {ERRORS}), ERRORS)
    counts = {name: f"{len(data.relations[name]):,} rows here" for name in names if name in data.relations}
    return f"<section><h3>Figures</h3>{_pairs(dict(data.figures) | counts)}</section>"


def _errors(data: Report) -> str:
    errors = list(data.relations.get(ERRORS, ()))[-_MOST_ERRORS:]
    shown = [
        f'<div class="error"><b>{_text(e.get("error_name"))}</b><span>{_text(e.get("message"))}</span>'
        f'<pre class="mono">{_text(e.get("record"))}</pre></div>'
        for e in errors
    ]
    body = "".join(shown) or '<p class="empty">No errors.</p>'
    return f"<section><h3>Error stream</h3>{body}</section>"


def _pairs(rows: Mapping[str, str]) -> str:
    return f"<dl>{''.join(f'<dt>{_text(k)}</dt><dd>{_text(v)}</dd>' for k, v in rows.items())}</dl>"


def _listed(ids: set[int | str]) -> str:
    if not ids:
        return "none"
    more = f" and {len(ids) - _MOST_LISTED:,} more" if len(ids) > _MOST_LISTED else ""
    return ", ".join(map(str, sorted(ids, key=str)[:_MOST_LISTED])) + more


def _text(value: Any) -> str:
    return html.escape("" if value is None else str(value))
