"""`kda backtest`: what an application's detector would report for a recording, with one or several settings."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from base.errors import InvalidValue, KdaError
from cli.backtest_chart import chart
from cli.backtest_rows import recorded, rows_of_relation
from cli.groups import Name, application
from pipeline.backtest import Alert, Label, backtest, fit
from pipeline.backtest_settings import AS_IT_IS, labels_of, settings_to_try, watched_by
from pipeline.suggest import assignments, suggest

_out = Console(soft_wrap=True, highlight=False)
#: Alerts that are listed for one setting.
_MOST = 20


def backtest_recording(
    name: Name,
    recording: Annotated[
        Path, typer.Option("--recording", help="A file of `kda record`.", exists=True, dir_okay=False)
    ],
    detector: Annotated[
        str | None, typer.Option("--detector", help="The detector's relation. Default: the first one.")
    ] = None,
    settings_: Annotated[
        list[str] | None,
        typer.Option(
            "--try",
            metavar="'KEY=VALUE …'",
            help="A setting to try: detector properties that differ; repeatable.",
        ),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            "--labels", help="Lines `from,to` (ISO 8601) of known anomalies.", exists=True, dir_okay=False
        ),
    ] = None,
    suggested: Annotated[
        bool,
        typer.Option("--suggest", help="Suggest window, sample size and threshold, and try them too."),
    ] = False,
    to: Annotated[
        Path | None,
        typer.Option(
            "--chart", metavar="FILE", help="Write a chart with a threshold slider, as one HTML file."
        ),
    ] = None,
) -> None:
    """Run a recording through an application up to its detector, then through the detector with each setting.

    Example: kda backtest my-app --recording day.jsonl --suggest --try 'side=above' --chart day.html
    """
    try:
        chosen, watched = watched_by(application(name), detector)
        tried = _options(settings_to_try(chosen, watched, settings_ or []))
        known = labels_of(labels.read_text()) if labels else []
        records = {next(iter(chosen.sources)): recorded(recording)}
        rows, times = rows_of_relation(chosen, watched.of, records)
        if not rows:
            raise InvalidValue(f"{recording}: required records that give rows of {watched.of}, got none")
        proposed = suggest(rows, times, tried[AS_IT_IS], known) if suggested else []
        tried |= _options(settings_to_try(chosen, watched, [assignments(proposed)]))
    except KdaError as e:
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
    """Print each setting's alerts, and a table that compares the settings."""
    table = Table(
        "setting", "rows", "alerts", "per 1,000 rows", *(["precision", "recall", "delay"] if known else [])
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


def _options(tried: Mapping[str, Any]) -> dict[str, Any]:
    return {name: properties.options for name, properties in tried.items()}


def _reported(alert: Alert) -> str:
    when = datetime.fromtimestamp(alert.time, UTC).isoformat(" ", "milliseconds")[:-6]
    whose = "" if alert.key is None else f"{alert.key}: "
    return f"{when}  {whose}{alert.column} {alert.direction} {alert.value:.6g}, expected {alert.expected:.6g}"


def _part(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.0f} %"
