"""`kda backtest`: what an application's detector would have reported of a recording, by one or several settings."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.backtest_chart import chart
from cli.groups import Name, application
from infra import flink
from infra.recording import EVENT_TIME
from pipeline.application import Application, ApplicationError
from pipeline.backtest import Alert, Label, backtest, fit
from pipeline.relations import Detector
from pipeline.settings import SettingsError, override, settings
from pipeline.suggest import suggest

_out = Console(soft_wrap=True, highlight=False)
AS_IT_IS = "as it is"
#: Alerts that are listed of one setting.
_MOST = 20


def backtest_recording(
    name: Name,
    recording: Annotated[
        Path, typer.Option("--recording", help="A file of `kda record`.", exists=True, dir_okay=False)
    ],
    detector: Annotated[
        str | None, typer.Option("--detector", help="Its relation; the first one if not said.")
    ] = None,
    settings_: Annotated[
        list[str] | None,
        typer.Option(
            "--try",
            metavar="'KEY=VALUE …'",
            help="A setting: the detector's properties that differ; repeatable.",
        ),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            "--labels", help="Lines `from,to` (ISO 8601) of what happened.", exists=True, dir_okay=False
        ),
    ] = None,
    suggested: Annotated[
        bool,
        typer.Option(
            "--suggest", help="Propose window, sample size and threshold, and try what is proposed too."
        ),
    ] = False,
    to: Annotated[
        Path | None,
        typer.Option(
            "--chart", metavar="FILE", help="Draw it: one HTML file, with a slider for the threshold."
        ),
    ] = None,
) -> None:
    """Run a recording through an application up to its detector, and through the detector by each setting.

    Example: kda backtest my-app --recording day.jsonl --suggest --try 'side=above' --chart day.html
    """
    try:
        chosen = application(name)
        watched = _detector(chosen, detector)
        tried = {text or AS_IT_IS: _options(chosen, watched, text) for text in ["", *(settings_ or [])]}
        known = [_label(line) for line in labels.read_text().splitlines() if line.strip()] if labels else []
        rows, times = _rows(chosen, watched, recording)
        if not rows:
            raise ValueError(f"{recording}: required records of which {watched.of} has rows, got none")
        proposed = suggest(rows, times, tried[AS_IT_IS], known) if suggested else []
        better = " ".join(f"{s.of}={s.value:g}" for s in proposed if s.of != "window")
        if better:
            tried |= {better: _options(chosen, watched, better)}
    except (ApplicationError, SettingsError, flink.FlinkError, ValueError) as e:
        for line in str(e).splitlines():
            _out.print(Text(f"kda backtest: {line}", style="red"))
        raise typer.Exit(1) from e
    _compare(rows, times, tried, known)
    for each in proposed:
        _out.print(Text(f"{each.of} {each.value:g}", style="bold"), Text(each.reason))
    if to:
        to.write_text(
            chart(f"Backtest of {chosen.name}", rows, times, tried, known, proposed), encoding="utf-8"
        )
        _out.print(f"chart: {to}")


def _compare(
    rows: list[dict[str, Any]], times: list[float], tried: dict[str, Any], known: list[Label]
) -> None:
    """Show each setting's alerts, and the settings side by side."""
    table = Table(
        "setting", "rows", "alerts", "in 1,000 rows", *(["precision", "recall", "delay"] if known else [])
    )
    for text, options in tried.items():
        alerts = backtest(rows, times, options)
        found = fit(alerts, known)
        shown = [
            _part(found.precision),
            _part(found.recall),
            "" if found.delay is None else f"{found.delay:g} s",
        ]
        rate = 1_000 * len(alerts) / max(len(rows), 1)
        table.add_row(text, f"{len(rows):,}", f"{len(alerts):,}", f"{rate:.2f}", *(shown if known else []))
        _out.print(Text(text, style="bold"))
        for alert in alerts[:_MOST]:
            _out.print(Text(f"  {_reported(alert)}"))
        if len(alerts) > _MOST:
            _out.print(Text(f"  and {len(alerts) - _MOST:,} more"))
    _out.print(table)


def _detector(chosen: Application, name: str | None) -> Detector:
    found = [each for each in chosen.detectors if name in (None, each.name)]
    if not found:
        names = ", ".join(each.name for each in chosen.detectors) or "none"
        raise ApplicationError(f"--detector must be a detector of {chosen.name}: {names}; got {name}")
    return found[0]


def _options(chosen: Application, watched: Detector, text: str) -> Any:
    group = chosen.group_of(watched)
    given = settings(chosen, override({}, [f"{group}.{assignment}" for assignment in text.split()]))
    return getattr(given, group).options


def _rows(
    chosen: Application, watched: Detector, recording: Path
) -> tuple[list[dict[str, Any]], list[float]]:
    """Rows of the relation that the detector reads, with their times: through Flink, as in a job."""
    with tempfile.TemporaryDirectory() as folder:
        flink.prepare("http://127.0.0.1:1", Path(folder))
        from pipeline.environment import table_environment
        from pipeline.trial import rows_of

        never = {"restart-strategy.type": "none"}
        table_env = table_environment(flink.cluster("backtest", folder=Path(folder), overrides=never))
        records = {next(iter(chosen.sources)): sorted(_records(recording), key=lambda record: record[0])}
        found = rows_of(table_env, chosen, settings(chosen, {}), records, [watched.of])[watched.of]
    return [row.values for row in found], [_seconds(row.rowtime or "") for row in found]


def _records(recording: Path) -> Iterator[tuple[int, bytes]]:
    """Each record with its time of arrival in milliseconds; one without a time comes with the one before it."""
    last = 0
    with recording.open("rb") as lines:
        for line in lines:
            with contextlib.suppress(ValueError, TypeError, KeyError):
                last = round(datetime.fromisoformat(json.loads(line)[EVENT_TIME]).timestamp() * 1_000)
            yield last, line.rstrip(b"\n")


def _label(line: str) -> Label:
    start, comma, end = line.partition(",")
    if not comma:
        raise ValueError(
            f"--labels: required lines like 2026-03-02T10:00:00Z,2026-03-02T11:00:00Z, got {line[:80]!r}"
        )
    return Label(_seconds(start), _seconds(end))


def _seconds(text: str) -> float:
    moment = datetime.fromisoformat(text.strip())
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _reported(alert: Alert) -> str:
    when = datetime.fromtimestamp(alert.time, UTC).isoformat(" ", "milliseconds")[:-6]
    whose = "" if alert.key is None else f"{alert.key}: "
    return f"{when}  {whose}{alert.column} {alert.direction} {alert.value:.6g}, expected {alert.expected:.6g}"


def _part(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.0f} %"
