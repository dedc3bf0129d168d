"""A backtest's result as plain data for the page, limited to what a browser can draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.backtest import Label, Watched, alerts_of, drawn, fit, time_text, watch
from pipeline.suggest import THRESHOLDS, Suggestion

if TYPE_CHECKING:
    from udfs.detector.function import DetectorOptions

#: Most points of a line, most keys (those with the most alerts), and most alerts that are marked on a line.
_MOST_POINTS, _MOST_KEYS, _MOST_MARKS = 1_500, 3, 1_000
_MOST_KEY = 60
_DIRECTIONS = {1: "HIGH", -1: "LOW", 0: "PATTERN"}


def result(
    rows: Sequence[Mapping[str, Any]],
    times: Sequence[float],
    tried: Mapping[str, DetectorOptions],
    labels: Sequence[Label] = (),
    suggestions: Sequence[Suggestion] = (),
) -> dict[str, Any]:
    """Each setting's alerts by threshold, how they fit the labels, and the lines to draw.

    Parameters
    ----------
    rows, times
        As :func:`pipeline.backtest.watch` takes them; at least one row.
    tried : mapping
        Settings by name.
    """
    return {
        "rows": len(rows),
        "from": time_text(min(times)),
        "to": time_text(max(times)),
        "labels": [[time_text(label.start), time_text(label.end)] for label in labels],
        "suggestions": [{"of": s.of, "value": s.value, "reason": s.reason} for s in suggestions],
        "settings": [_setting(name, options, rows, times, labels) for name, options in tried.items()],
    }


def _setting(
    name: str,
    options: DetectorOptions,
    rows: Sequence[Mapping[str, Any]],
    times: Sequence[float],
    labels: Sequence[Label],
) -> dict[str, Any]:
    watched = watch(rows, times, options, THRESHOLDS)
    thresholds = sorted({*THRESHOLDS, options.threshold})
    fits = []
    for threshold in thresholds:
        alerts = alerts_of(watched, options, threshold)
        found = fit(alerts, labels)
        reported = (
            {"precision": found.precision, "recall": found.recall, "delay": found.delay} if labels else {}
        )
        fits.append({"alerts": len(alerts), **reported})
    most = sorted(watched, key=lambda each: -len(each.by_threshold[options.threshold]))[:_MOST_KEYS]
    return {
        "name": name,
        "thresholds": thresholds,
        "own": thresholds.index(options.threshold),
        "fits": fits,
        "keys": [_line(each, options, thresholds) for each in most],
    }


def _line(each: Watched, options: DetectorOptions, thresholds: Sequence[float]) -> dict[str, Any]:
    found = each.found
    reported = each.by_threshold[thresholds[0]]
    column = int(np.bincount(found.column[reported], minlength=1).argmax())
    points = drawn(each.points[:, column], _MOST_POINTS)
    marked = np.unique(np.concatenate([at[:_MOST_MARKS] for at in each.by_threshold.values()]))[:_MOST_MARKS]
    place = {int(row): k for k, row in enumerate(marked)}
    return {
        "key": None if each.key is None else str(each.key)[:_MOST_KEY],
        "column": options.columns[column],
        "x": [time_text(t) for t in each.times[points]],
        "y": numbers(each.points[points, column]),
        "expected": numbers(found.expected[points, column]),
        "low": numbers(found.low[points, column]),
        "high": numbers(found.high[points, column]),
        "marks": [
            {
                "x": time_text(each.times[k]),
                "y": numbers(each.points[[k], column])[0],
                "expected": numbers(found.expected[[k], column])[0],
                "direction": _DIRECTIONS[int(found.direction[k])],
                "column": options.columns[int(found.column[k])],
            }
            for k in marked
        ],
        "alerts": [[place[int(k)] for k in each.by_threshold[t] if int(k) in place] for t in thresholds],
    }


def numbers(values: Any) -> list[float | None]:
    """Numbers for JSON: six digits, and None for missing values."""
    return [float(f"{v:.6g}") if np.isfinite(v) else None for v in values]
