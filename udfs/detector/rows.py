"""Check a detector's input rows, and insert missing rows into gaps."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from base.errors import InvalidValue
from udfs.detector.call import first_bad
from udfs.detector.features import WINDOW
from udfs.detector.rules import MISSING, DetectorParameters


def checked(
    p: DetectorParameters, points: ArrayLike, times: ArrayLike | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rows (n, dimensions) and seconds (n,), or (0,) without times; ValueError for anything else."""
    try:
        rows = np.array(points, np.float64, order="C")
    except (TypeError, ValueError) as error:
        raise InvalidValue(f"points must be rows of numbers, got {points!r:.200}") from error
    rows = rows.reshape(0, p.dimensions) if rows.size == 0 else rows
    if rows.ndim != 2 or rows.shape[1] != p.dimensions:
        raise InvalidValue(
            f"points must have shape (n, dimensions) with dimensions {p.dimensions}, got {rows.shape}"
        )
    if first_bad(rows) >= 0:
        raise InvalidValue(
            "points must be finite numbers, or NaN where a value is missing; got an infinite one"
        )
    if times is None:
        if p.quiet_time or p.interval:
            raise InvalidValue("times: required with detector.quiet_time and detector.interval")
        return rows, np.zeros(0)
    seconds = np.ascontiguousarray(times, np.float64)
    if seconds.shape != (len(rows),) or not np.isfinite(seconds).all():
        raise InvalidValue(f"times must be {len(rows)} finite numbers of seconds, got shape {seconds.shape}")
    return rows, seconds


def filled(p: DetectorParameters, rows: Any, seconds: Any, last: float) -> tuple[Any, Any, Any]:
    """Insert missing rows where `times` have a gap: (indexes of the given rows, or None for all; rows; seconds).

    `last` is the time of the row before these.
    """
    if not p.interval or p.missing == MISSING[0] or not len(rows):
        return None, rows, seconds
    before = np.r_[last, seconds[:-1]]
    steps = np.nan_to_num((seconds - before) / p.interval, posinf=1.0)
    gaps = np.clip(np.rint(steps) - 1, 0, WINDOW).astype(np.int64)
    given = np.arange(len(rows)) + np.cumsum(gaps)
    with_gaps = np.full((len(rows) + gaps.sum(), p.dimensions), np.nan)
    with_gaps[given] = rows
    ahead = np.repeat(given, gaps + 1) - np.arange(len(with_gaps))
    return given, with_gaps, np.repeat(seconds, gaps + 1) - ahead * p.interval
