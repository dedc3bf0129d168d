"""A detector over rows that are there already: what it would have reported, and how that fits what happened.

The same compiled code as in a job, without Flink: a hundred thousand rows a second.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from udfs.detector.detections import Detections
    from udfs.detector.function import DetectorOptions


@dataclass(frozen=True)
class Alert:
    """One alert: when, in seconds since the epoch; of which key; which way; what came and what was expected."""

    time: float
    key: Any
    column: str
    direction: str
    value: float
    expected: float


@dataclass(frozen=True)
class Label:
    """Something that happened: from when to when, in seconds since the epoch."""

    start: float
    end: float


@dataclass(frozen=True)
class Fit:
    """Alerts against labels.

    Attributes
    ----------
    precision : float or None
        Part of the alerts that lie in a label; None without alerts.
    recall : float or None
        Part of the labels with an alert; None without labels.
    delay : float or None
        Seconds from a label's start to its first alert, the median; None where none was found.
    """

    precision: float | None
    recall: float | None
    delay: float | None


@dataclass(frozen=True)
class Watched:
    """What the detector of one key found; n rows, d columns.

    Attributes
    ----------
    key : object
        None where one detector watches all rows.
    numbers : array of int, (n,)
        Which of the given rows they are.
    times : array, (n,)
        Seconds since the epoch.
    points : array, (n, d)
        What came; NaN is missing.
    found : Detections
    by_threshold : mapping of float to array of int
        Which of its rows, 0 to n - 1, are alerts by the setting's own threshold and by others that were asked for.
    """

    key: Any
    numbers: NDArray[np.int64]
    times: NDArray[np.float64]
    points: NDArray[np.float64]
    found: Detections
    by_threshold: Mapping[float, NDArray[np.int64]]


def watch(
    rows: Sequence[Mapping[str, Any]],
    times: Sequence[float],
    options: DetectorOptions,
    thresholds: Sequence[float] = (),
) -> list[Watched]:
    """Rows in order through detectors, one for each key; the key with the most rows first.

    Parameters
    ----------
    rows : sequence of mapping
        By column. What is no number is a missing value.
    times : sequence of float
        Seconds since the epoch, of each row.
    options : DetectorOptions
        As for a job.
    thresholds : sequence of float
        Others than its own, whose alerts are wanted too; they cost next to nothing.
    """
    of_key: dict[Any, list[int]] = {}
    for number, row in enumerate(rows):
        of_key.setdefault(row[options.partition_by] if options.partition_by else None, []).append(number)
    watched = []
    for key, numbers in sorted(of_key.items(), key=lambda item: -len(item[1])):
        points = np.array([[_number(rows[k].get(column)) for column in options.columns] for k in numbers])
        moments = np.array([times[k] for k in numbers])
        found, alerts = options.detector().sweep(points, moments, thresholds)
        found.alert[moments < options.tell_from] = False
        reported = {t: a & (moments >= options.tell_from) for t, a in alerts.items()}
        reported[options.threshold] = found.alert
        at = {t: np.flatnonzero(reported[t]) for t in sorted(reported)}
        watched.append(Watched(key, np.array(numbers), moments, points, found, at))
    return watched


def alerts_of(
    watched: Sequence[Watched], options: DetectorOptions, threshold: float | None = None
) -> list[Alert]:
    """The alerts by the setting's own threshold, or by one that was asked for, in order of time."""
    by = options.threshold if threshold is None else threshold
    alerts = []
    for each in watched:
        found = each.found
        for k in each.by_threshold[by]:
            column = int(found.column[k])
            direction = {1: "HIGH", -1: "LOW", 0: "PATTERN"}[int(found.direction[k])]
            value, expected = float(each.points[k, column]), float(found.expected[k, column])
            name = options.columns[column]
            alerts.append(Alert(float(each.times[k]), each.key, name, direction, value, expected))
    return sorted(alerts, key=lambda alert: alert.time)


def backtest(
    rows: Sequence[Mapping[str, Any]], times: Sequence[float], options: DetectorOptions
) -> list[Alert]:
    """The alerts of rows in order, each key by a detector of its own, in order of time; as :func:`watch` takes them."""
    return alerts_of(watch(rows, times, options), options)


def fit(alerts: Sequence[Alert], labels: Sequence[Label]) -> Fit:
    """How alerts fit what happened; a label's first and last moment belong to it."""
    hits = [[a.time for a in alerts if label.start <= a.time <= label.end] for label in labels]
    good = sum(any(label.start <= alert.time <= label.end for label in labels) for alert in alerts)
    delays = [min(times) - label.start for label, times in zip(labels, hits, strict=True) if times]
    return Fit(
        good / len(alerts) if alerts else None,
        len(delays) / len(labels) if labels else None,
        float(np.median(delays)) if delays else None,
    )


def drawn(values: NDArray[np.float64], most: int) -> NDArray[np.int64]:
    """Which of n values to draw: about `most`, with every peak, as the least and the largest of each chunk are."""
    if len(values) <= most:
        return np.arange(len(values))
    chunks = np.array_split(np.arange(len(values)), max(1, most // 2))
    low, high = np.where(np.isnan(values), np.inf, values), np.where(np.isnan(values), -np.inf, values)
    ends = [(chunk[low[chunk].argmin()], chunk[high[chunk].argmax()]) for chunk in chunks]
    return np.array(sorted({int(k) for pair in ends for k in pair}))


def time_text(seconds: float) -> str:
    """A time in UTC as a chart reads it, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat(" ", "milliseconds")


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
        return np.nan
    return float(value)
