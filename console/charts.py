"""The charts of each lab as Plotly figures: plain data, drawn by the page and by the report alike.

Colours are roles (``@ink``, ``@muted``, ``@accent``), which the page replaces by its theme's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

Rows = Sequence[Mapping[str, Any]]
Figure = dict[str, Any]

#: Points drawn of one trace on the page.
MOST_POINTS = 500
_SESSION_USERS = 20
_TIME = {"type": "date", "tickformat": "%H:%M:%S", "hoverformat": "%Y-%m-%d %H:%M:%S"}
# Plotly's own ticks of such an axis are lone digits.
_TICKS = [digit * 10**power for power in range(-2, 7) for digit in (1, 2, 5)]
_LOGARITHMIC = {"type": "log", "tickvals": _TICKS, "ticktext": [f"{tick:,g}" for tick in _TICKS]}


def figures(lab: str, relations: Mapping[str, Rows], most_points: int = MOST_POINTS) -> list[Figure]:
    """The charts of a lab.

    Parameters
    ----------
    lab : str
        Name of the lab.
    relations : mapping
        Rows by relation, oldest first.
    most_points : int
        Points drawn of one trace: the newest ones.

    Returns
    -------
    list of dict
        Each with ``id``, ``title``, ``summary`` (one sentence for those who can't see it), ``data`` and ``layout``.
    """
    return {"ctr": _ctr, "sessions": _sessions, "trades": _trades}[lab](relations, most_points)


def _ctr(relations: Mapping[str, Rows], most_points: int) -> list[Figure]:
    scores = [r for r in relations.get("scores", ()) if _number(r.get("ctr"))][-most_points:]
    found = [{k.lower(): v for k, v in row.items()} for row in relations.get("destination_sql_stream", ())]
    shown = {r.get("window_end") for r in scores}
    found = [r for r in found if r.get("window_end") in shown]
    threshold = next((r["threshold"] for r in reversed(scores) if _number(r.get("threshold"))), 2.0)
    times, marks = [_time(r, "window_end") for r in scores], [_time(r, "window_end") for r in found]
    newest = f"newest {scores[-1]['ctr']:.0f} %, " if scores else ""
    rate = _figure(
        "ctr",
        "Click-through rate, %",
        f"Click-through rate of {len(scores)} windows, {newest}{len(found)} anomalies.",
        [
            _line("CTR", times, [r["ctr"] for r in scores], "@ink"),
            _line("usual", times, [r.get("usual_ctr") for r in scores], "@muted", dash="dot"),
            _marks("anomaly", marks, [r.get("ctrpercent") for r in found]),
        ],
        {"xaxis": _TIME, "yaxis": {"rangemode": "tozero", "ticksuffix": " %"}},
    )
    newest = f"newest {_score(scores[-1])}, " if scores else ""
    score = _figure(
        "score",
        "Anomaly score and threshold",
        f"Anomaly score of {len(scores)} windows, {newest}threshold {threshold:g}.",
        [
            _line("score", times, [r.get("anomaly_score") for r in scores], "@ink"),
            _line("threshold", times, [threshold] * len(times), "@accent", dash="dash"),
            _marks("anomaly", marks, [r.get("anomaly_score") for r in found]),
        ],
        {"xaxis": _TIME, "yaxis": {"rangemode": "tozero"}},
    )
    return [rate, score]


def _trades(relations: Mapping[str, Rows], most_points: int) -> list[Figure]:
    found = [r for r in relations.get("destination_sql_stream", ()) if _priced(r)][-most_points:]
    anomalies = {r.get("id") for r in found}
    scored = [r for r in relations.get("temp_stream", ()) if _priced(r)]
    ordinary = [r for r in scored if r.get("id") not in anomalies][-most_points:]

    def points(name: str, rows: Rows, marker: dict[str, Any]) -> dict[str, Any]:
        texts = [f"{_text(r.get('ticker_symbol'))} #{_text(r.get('id'))}, score {_score(r)}" for r in rows]
        return {
            "type": "scatter",
            "mode": "markers",
            "name": name,
            "x": [r["price"] for r in rows],
            "y": [r["quantity"] for r in rows],
            "text": texts,
            "hovertemplate": "%{text}<br>price %{x:,.2f}, quantity %{y:,}<extra></extra>",
            "marker": marker,
        }

    return [
        _figure(
            "trades",
            "Price × quantity",
            f"{len(ordinary)} ordinary trades, {len(found)} anomalies.",
            [
                points("ordinary", ordinary, {"color": "@muted", "size": 5, "opacity": 0.55}),
                points("anomaly", found, {"color": "@accent", "size": 9, "symbol": "diamond"}),
            ],
            {
                "xaxis": {"title": {"text": "price"}} | _LOGARITHMIC,
                "yaxis": {"title": {"text": "quantity"}} | _LOGARITHMIC,
            },
        )
    ]


def _sessions(relations: Mapping[str, Rows], most_points: int) -> list[Figure]:
    clicks = [r for r in relations.get("intermediate_sql_stream", ()) if r.get("event_timestamp")]
    clicks = clicks[-most_points:]
    users = sorted({_text(r.get("user_id")) for r in clicks})[:_SESSION_USERS]
    clicks = [r for r in clicks if _text(r.get("user_id")) in users]
    starts = [r for r in clicks if r.get("session_timestamp")]
    spans: list[Any] = []
    owners: list[Any] = []
    for user in users:
        for span in _spans([r for r in clicks if _text(r.get("user_id")) == user]):
            spans += [span[0], span[1], None]
            owners += [user, user, None]
    traces = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": "session",
            "x": spans,
            "y": owners,
            "connectgaps": False,
            "line": {"color": "@muted", "width": 10},
            "opacity": 0.35,
            "hoverinfo": "skip",
        },
        _marks(
            "click",
            [_time(r, "event_timestamp") for r in clicks if not r.get("session_timestamp")],
            [_text(r.get("user_id")) for r in clicks if not r.get("session_timestamp")],
            {"color": "@ink", "size": 5},
        ),
        _marks(
            "session start",
            [_time(r, "event_timestamp") for r in starts],
            [_text(r.get("user_id")) for r in starts],
        ),
    ]
    summary = f"{len(clicks)} clicks of {len(users)} users, {len(starts)} session starts."
    layout = {"xaxis": _TIME, "yaxis": {"type": "category", "categoryorder": "category descending"}}
    return [_figure("sessions", "Sessions by user", summary, traces, layout)]


def _spans(clicks: Rows) -> list[tuple[str, str]]:
    """First and last click of each session of one user; clicks in order of time."""
    spans: list[tuple[str, str]] = []
    for row in sorted(clicks, key=lambda r: str(r["event_timestamp"])):
        moment = _time(row, "event_timestamp")
        if row.get("session_timestamp") or not spans:
            spans.append((moment, moment))
        else:
            spans[-1] = (spans[-1][0], moment)
    return spans


def _figure(id_: str, title: str, summary: str, data: list[Figure], layout: Figure) -> Figure:
    return {"id": id_, "title": title, "summary": summary, "data": data, "layout": layout}


def _line(name: str, x: Sequence[Any], y: Sequence[Any], color: str, dash: str = "solid") -> Figure:
    mode = "lines+markers" if dash == "solid" else "lines"
    line = {"color": color, "width": 1.5, "dash": dash}
    trace: Figure = {"type": "scatter", "mode": mode, "name": name, "x": list(x), "y": list(y), "line": line}
    return trace | ({"marker": {"size": 4, "color": color}} if dash == "solid" else {})


def _marks(name: str, x: Sequence[Any], y: Sequence[Any], marker: Figure | None = None) -> Figure:
    marker = marker or {"color": "@accent", "size": 10, "symbol": "diamond"}
    return {"type": "scatter", "mode": "markers", "name": name, "x": list(x), "y": list(y), "marker": marker}


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _priced(row: Mapping[str, Any]) -> bool:
    # Logarithmic axes have no place for what is not above 0.
    return all(_number(row.get(name)) and row[name] > 0 for name in ("price", "quantity"))


def _score(row: Mapping[str, Any]) -> str:
    return f"{row['anomaly_score']:.2f}" if _number(row.get("anomaly_score")) else "unknown"


def _time(row: Mapping[str, Any], name: str) -> str:
    return _text(row.get(name)).replace(" ", "T")


def _text(value: Any) -> str:
    # Plotly takes some HTML in texts; a record's is shown as it is.
    text = "" if value is None else str(value)[:60]
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
