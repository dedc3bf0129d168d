"""A backtest as one HTML file: values, expected range, and the alerts at a threshold that a slider sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cli.html_page import Section, html_page
from console.backtest_result import numbers
from pipeline.backtest import Label, Watched, alerts_of, drawn, fit, time_text, watch
from pipeline.suggest import THRESHOLDS, Suggestion

if TYPE_CHECKING:
    from udfs.detector.function import DetectorOptions

#: Most points of a line, and most keys: those with the most alerts are drawn.
_MOST_POINTS, _MOST_KEYS = 5_000, 3


def chart(
    title: str,
    rows: Sequence[Mapping[str, Any]],
    times: Sequence[float],
    tried: Mapping[str, DetectorOptions],
    labels: Sequence[Label] = (),
    suggestions: Sequence[Suggestion] = (),
) -> str:
    """Return the HTML: a figure per setting and key, and a table that compares the settings.

    Parameters
    ----------
    rows, times
        As :func:`pipeline.backtest.watch` takes them.
    tried : mapping of DetectorOptions
        By the setting's name.
    """
    figures: list[dict[str, Any]] = []
    table: list[list[Any]] = []
    for name, options in tried.items():
        own = watch(rows, times, options, THRESHOLDS)
        most = sorted(own, key=lambda each: -int(each.found.alert.sum()))[:_MOST_KEYS]
        figures += [_figure(len(figures) + k, name, each, options, labels) for k, each in enumerate(most)]
        found = fit(alerts_of(own, options), labels)
        alerts = sum(int(each.found.alert.sum()) for each in own)
        table.append(
            [name, alerts, *(_shown(found.precision), _shown(found.recall))] if labels else [name, alerts]
        )
    heads = ["setting", "alerts", *(["precision", "recall"] if labels else [])]
    sections = [Section("Settings", table=[heads, *table])]
    if suggestions:
        found_good = [[s.of, f"{s.value:g}", s.reason] for s in suggestions]
        sections.append(Section("Suggested", table=found_good))
    return html_page(
        title,
        f"{len(rows):,} rows, {time_text(min(times))} to {time_text(max(times))} UTC",
        figures,
        sections,
    )


def _figure(
    number: int,
    name: str,
    own: Watched,
    options: DetectorOptions,
    labels: Sequence[Label],
) -> dict[str, Any]:
    column = int(np.bincount(own.found.column[own.found.alert], minlength=1).argmax())
    points = drawn(own.points[:, column], _MOST_POINTS)
    x = [time_text(t) for t in own.times[points]]
    lines = [
        _line(options.columns[column], x, own.points[points, column], "@ink", "solid"),
        _line("expected", x, own.found.expected[points, column], "@muted", "dot"),
        _line("high", x, own.found.high[points, column], "@s1", "dot"),
        _line("low", x, own.found.low[points, column], "@s1", "dot"),
    ]
    marks, steps = [], []
    for place, (t, at) in enumerate(own.by_threshold.items()):
        marks.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": f"alert, threshold {t:g}",
                "x": [time_text(own.times[k]) for k in at],
                "y": numbers(own.points[at, column]),
                "marker": {"color": "@accent", "size": 11, "symbol": "diamond"},
                "visible": t == options.threshold,
            }
        )
        visible = [True] * len(lines) + [other == place for other in range(len(own.by_threshold))]
        steps.append({"label": f"{t:g}: {len(at)}", "method": "restyle", "args": [{"visible": visible}]})
    key = "" if own.key is None else f" of {own.key}"
    title = f"{options.columns[column]}{key}, {name}"
    slider = {
        "active": list(own.by_threshold).index(options.threshold),
        "currentvalue": {"prefix": "threshold: alerts "},
        "steps": steps,
        "pad": {"t": 34},
    }
    bands = [
        {
            "type": "rect",
            "xref": "x",
            "yref": "paper",
            "x0": time_text(label.start),
            "x1": time_text(label.end),
            "y0": 0,
        }
        | {"y1": 1, "line": {"width": 0}, "fillcolor": "rgba(128, 128, 128, 0.18)", "layer": "below"}
        for label in labels
    ]
    alerts = int(own.found.alert.sum())
    return {
        "id": f"backtest-{number}",
        "kind": "scatter",
        "title": title,
        "summary": f"{len(own.times):,} rows, {alerts} alerts at threshold {options.threshold:g}.",
        "data": lines + marks,
        "layout": {"xaxis": {"type": "date"}, "yaxis": {}, "sliders": [slider], "shapes": bands},
    }


def _line(name: str, x: list[str], y: Any, colour: str, dash: str) -> dict[str, Any]:
    width = 1.4 if dash == "solid" else 1
    style = {"color": colour, "dash": dash, "width": width}
    return {"type": "scatter", "mode": "lines", "name": name, "x": x, "y": numbers(y), "line": style}


def _shown(part: float | None) -> str:
    return "" if part is None else f"{100 * part:.0f} %"
