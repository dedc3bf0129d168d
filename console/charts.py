"""An application's charts as Plotly figures: plain data that both the page and the report draw.

Colours are roles (``@ink``, ``@muted``, ``@accent``, ``@s1`` …), which the page replaces by its theme's colours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import plotly

from console.chart_values import is_number, latest, matched, same_name, text, time_text
from console.default_charts import default_charts
from pipeline.application import Application
from pipeline.parts import Chart

Rows = Sequence[Mapping[str, Any]]
Figure = dict[str, Any]

#: The library that draws the charts.
PLOTLY = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
#: Most points per trace on the page.
MOST_POINTS = 500
#: Most values of a chart's `by`: as lines, or as bands of spans.
MOST_LINES, MOST_BANDS = 6, 20
_SHOWN_IN_HOVER = 4
_TIME = {"type": "date", "tickformat": "%H:%M:%S", "hoverformat": "%Y-%m-%d %H:%M:%S"}
# By default, Plotly labels minor ticks of a logarithmic axis with single digits.
_TICKS = [digit * 10**power for power in range(-2, 7) for digit in (1, 2, 5)]
_LOGARITHMIC = {"type": "log", "tickvals": _TICKS, "ticktext": [f"{tick:,g}" for tick in _TICKS]}
#: Colours and dashes of a chart's columns, and colours of the values of `by`.
_COLUMNS = (
    ("@ink", "solid"),
    ("@muted", "dot"),
    ("@s1", "solid"),
    ("@s2", "solid"),
    ("@s3", "solid"),
    ("@s4", "solid"),
)
_VALUES = ("@ink", "@s1", "@s2", "@s3", "@s4", "@s5")


def figures(
    application: Application,
    relations: Mapping[str, Rows],
    parameters: Mapping[str, Any],
    most_points: int = MOST_POINTS,
) -> list[Figure]:
    """The charts of an application: its own, or default ones if it describes none.

    Parameters
    ----------
    application : Application
    relations : mapping
        Rows by relation, oldest first; each with its ``rowtime``.
    parameters : mapping
        Values of its properties by ``group.key``.
    most_points : int
        Most points per trace; the newest ones are drawn.

    Returns
    -------
    list of dict
        Each with ``id``, ``kind``, ``title``, ``summary`` (one sentence for those who can't see it), ``data`` and
        ``layout``.
    """
    found = []
    marked = "anomaly" if application.forests else None
    for number, chart in enumerate(application.charts or default_charts(application, relations, parameters)):
        summary, data, layout = _DRAWN[chart.kind](chart, relations, parameters, most_points, marked)
        found.append(
            {
                "id": f"{chart.of}-{number}",
                "kind": chart.kind,
                "title": chart.title,
                "summary": f"{chart.title}: {summary}.",
                "data": data,
                "layout": layout,
            }
        )
    return found


Drawn = tuple[str, list[Figure], Figure]


def _line(
    chart: Chart, relations: Mapping[str, Rows], parameters: Mapping[str, Any], most: int, marked: str | None
) -> Drawn:
    x = chart.x or "rowtime"
    rows = [r for r in relations.get(chart.of, ()) if any(is_number(r.get(y)) for y in chart.y)][-most:]
    numeric = bool(rows) and all(is_number(r.get(x)) for r in rows)
    place: Callable[[Any], Any] = (lambda row: row[x]) if numeric else (lambda row: time_text(row.get(x)))
    rows.sort(key=place)
    names = latest((text(r.get(chart.by)) for r in rows), MOST_LINES) if chart.by else [""]
    traces = []
    for name in names:
        own = [r for r in rows if not chart.by or text(r.get(chart.by)) == name]
        for y, (colour, dash) in zip(chart.y, _COLUMNS, strict=False):
            if chart.by:
                colour, dash = _VALUES[names.index(name)], "solid" if y == chart.y[0] else "dot"
            label = y if not name else name if len(chart.y) == 1 else f"{name} {y}"
            traces.append(_stroke(label, [place(r) for r in own], [_value(r, y) for r in own], colour, dash))
    ends = [place(rows[0]), place(rows[-1])] if rows else []
    said = [f"{len(rows)} rows"]
    if rows:
        said += [
            f"newest {y} {rows[-1][y]:.6g}{chart.unit}" for y in chart.y[:1] if is_number(rows[-1].get(y))
        ]
    if (threshold := _threshold(chart, rows, parameters)) is not None:
        if rows:
            traces.append(_stroke("threshold", ends, [threshold] * 2, "@accent", "dash"))
        said.append(f"threshold {threshold:g}")
    if chart.marks:
        points = _line_marks(chart, x, place, rows, relations.get(chart.marks, ()))
        label = marked or chart.marks
        traces.append(_points(label, [p[0] for p in points], [p[1] for p in points]))
        said.append(f"{len(points)} marked as {label}")
    if len(chart.y) == 1 and not chart.by:
        traces[0]["name"] = chart.y[0]
    layout = {"xaxis": {} if numeric else _TIME, "yaxis": {"rangemode": "tozero", "ticksuffix": chart.unit}}
    return ", ".join(said), traces, layout


def _line_marks(
    chart: Chart, x: str, place: Callable[[Any], Any], rows: Rows, marks: Rows
) -> list[tuple[Any, Any]]:
    """Points of the marks: at the row's own value, or else at the value of the drawn row with the same x.

    The relation of marks may lack the column, or have it in another case.
    """
    y = chart.y[0]
    drawn = {place(row): row.get(y) for row in rows}
    found = []
    for row in marks:
        at_name = same_name(row, x)
        if at_name is None:
            continue
        at = row[at_name] if is_number(row[at_name]) else time_text(row[at_name])
        own = same_name(row, y)
        value = row[own] if own is not None else drawn.get(at)
        if is_number(value) and at in drawn:
            found.append((at, value))
    return found


def _scatter(
    chart: Chart, relations: Mapping[str, Rows], parameters: Mapping[str, Any], most: int, marked: str | None
) -> Drawn:
    x, y = str(chart.x), chart.y[0]

    def drawable(row: Mapping[str, Any]) -> bool:
        # A logarithmic axis can only show values above 0.
        return all(is_number(row.get(c)) and (row[c] > 0 or not chart.logarithmic) for c in (x, y))

    rows = [r for r in relations.get(chart.of, ()) if drawable(r)]
    marks = [r for r in relations.get(chart.marks or "", ()) if drawable(r)][-most:]
    rest = [row for row, hit in zip(rows, matched(rows, marks, (x, y)), strict=True) if not hit][-most:]

    def points(name: str, shown: Rows, marker: dict[str, Any]) -> Figure:
        return {
            "type": "scatter",
            "mode": "markers",
            "name": name,
            "x": [r[x] for r in shown],
            "y": [r[y] for r in shown],
            "text": [_about(r, (x, y)) for r in shown],
            "hovertemplate": f"%{{text}}<br>{text(x)} %{{x:,}}, {text(y)} %{{y:,}}<extra></extra>",
            "marker": marker,
        }

    label = marked or chart.marks or ""
    traces = [
        points("ordinary" if chart.marks else chart.of, rest, {"color": "@muted", "size": 5, "opacity": 0.55})
    ]
    said = f"{len(rest)} rows"
    if chart.marks:
        traces.append(points(label, marks, {"color": "@accent", "size": 9, "symbol": "diamond"}))
        said = f"{len(rest)} ordinary rows, {len(marks)} marked as {label}"
    axis = _LOGARITHMIC if chart.logarithmic else {}
    layout = {"xaxis": {"title": {"text": x}} | axis, "yaxis": {"title": {"text": y}} | axis}
    return said, traces, layout


def _spans(
    chart: Chart, relations: Mapping[str, Rows], parameters: Mapping[str, Any], most: int, marked: str | None
) -> Drawn:
    x, by = chart.x or "rowtime", str(chart.by)
    rows = [r for r in relations.get(chart.of, ()) if r.get(x)][-most:]
    rows.sort(key=lambda r: time_text(r[x]))
    bands = latest((text(r.get(by)) for r in rows), MOST_BANDS)
    rows = [r for r in rows if text(r.get(by)) in bands]
    starts = [r for r in rows if any(r.get(y) is not None for y in chart.y)]
    ends: list[Any] = []
    owners: list[Any] = []
    for band in bands:
        for begin, end in _runs([r for r in rows if text(r.get(by)) == band], x, chart.y):
            ends += [begin, end, None]
            owners += [band, band, None]
    within = [r for r in rows if r not in starts]
    traces = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": "span",
            "x": ends,
            "y": owners,
            "connectgaps": False,
            "line": {"color": "@muted", "width": 10},
            "opacity": 0.35,
            "hoverinfo": "skip",
        },
        _points(
            "row",
            [time_text(r[x]) for r in within],
            [text(r.get(by)) for r in within],
            {"color": "@ink", "size": 5},
        ),
        _points("start", [time_text(r[x]) for r in starts], [text(r.get(by)) for r in starts]),
    ]
    layout = {"xaxis": _TIME, "yaxis": {"type": "category", "categoryorder": "category descending"}}
    return f"{len(rows)} rows of {len(bands)} {by}, {len(starts)} starts", traces, layout


_DRAWN: dict[str, Callable[..., Drawn]] = {"line": _line, "scatter": _scatter, "spans": _spans}


def _runs(rows: Rows, x: str, starts: Sequence[str]) -> list[tuple[str, str]]:
    """First and last time of each span of one band; rows in order of time."""
    runs: list[tuple[str, str]] = []
    for row in rows:
        moment = time_text(row[x])
        if any(row.get(name) is not None for name in starts) or not runs:
            runs.append((moment, moment))
        else:
            runs[-1] = (runs[-1][0], moment)
    return runs


def _threshold(chart: Chart, rows: Rows, parameters: Mapping[str, Any]) -> float | None:
    """A chart's threshold: a number, the newest value of a column, or a property's value."""
    if not isinstance(chart.threshold, str):
        return chart.threshold
    found = next((r[chart.threshold] for r in reversed(rows) if is_number(r.get(chart.threshold))), None)
    found = parameters.get(chart.threshold) if found is None else found
    return None if found is None or not is_number(found) else float(found)


def _value(row: Mapping[str, Any], name: str) -> Any:
    return row[name] if is_number(row.get(name)) else None


def _about(row: Mapping[str, Any], drawn: Sequence[str]) -> str:
    rest = [(k, v) for k, v in row.items() if k not in (*drawn, "rowtime") and v is not None]
    return ", ".join(
        f"{text(k)} {f'{v:.4g}' if isinstance(v, float) else text(v)}" for k, v in rest[:_SHOWN_IN_HOVER]
    )


def _stroke(name: str, x: Sequence[Any], y: Sequence[Any], colour: str, dash: str) -> Figure:
    solid = dash == "solid"
    trace: Figure = {"type": "scatter", "mode": "lines+markers" if solid else "lines", "name": text(name)}
    trace |= {"x": list(x), "y": list(y), "line": {"color": colour, "width": 1.5, "dash": dash}}
    return trace | ({"marker": {"size": 4, "color": colour}} if solid else {})


def _points(name: str, x: Sequence[Any], y: Sequence[Any], marker: Figure | None = None) -> Figure:
    marker = marker or {"color": "@accent", "size": 10, "symbol": "diamond"}
    trace: Figure = {"type": "scatter", "mode": "markers", "name": text(name), "x": list(x), "y": list(y)}
    return trace | {"marker": marker}
