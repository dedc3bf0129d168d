"""Suggests a detector's settings from recorded rows, each with its reason.

Pure: rows in, suggestions out. The command and the page show the same texts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.backtest import Alert, Label, Watched, alerts_of, fit, watch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from udfs.detector.function import DetectorOptions

#: Sample sizes to choose from, and how many rows a detector remembers per row of its sample.
SIZES, ROWS_PER_SAMPLE = (32, 64, 128, 256, 512), 10
#: Largest share of a recording that may be spent on learning.
_LEARNING = 0.25
#: Thresholds to choose from, and the usual one.
THRESHOLDS = tuple(round(1.2 + 0.1 * k, 1) for k in range(14))
USUAL = 1.5
USUAL_SIZE = 256
#: Alerts in 1,000 rows: above the first, the threshold is raised until they are at most the second.
_MOST, _WANTED = 1.0, 0.5
#: So few alerts say nothing of a rate: in a short recording they may be its events.
_FEW = 2
#: A band wider than this share of the expected value is too wide: noise hides changes by a half.
_WIDE = 0.5
#: Least autocorrelation of a pattern.
_PATTERN = 0.4
_WINDOWS = (1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)


@dataclass(frozen=True)
class Suggestion:
    """A property's value and why; ``of`` is "window" (seconds), "sub_sample_size" or "threshold"."""

    of: str
    value: float
    reason: str


def suggest(
    rows: Sequence[Mapping[str, Any]],
    times: Sequence[float],
    options: DetectorOptions,
    labels: Sequence[Label] = (),
) -> list[Suggestion]:
    """Window, sample size and threshold, in this order; each is chosen with those before it.

    Parameters
    ----------
    rows, times
        The rows that the detector reads; see :func:`pipeline.backtest.watch`.
    options : DetectorOptions
        The application's own.
    labels : sequence of Label
        Known events. If given, the threshold is the one that fits them best.

    Returns
    -------
    list of Suggestion
        Empty without rows.
    """
    if not rows:
        return []
    watched = watch(rows, times, options)
    size = sample_size(watched[0])
    return [window(watched[0], options), size, threshold(rows, times, _sized(options, size), labels)]


def assignments(suggestions: Sequence[Suggestion]) -> str:
    """The suggestions that are properties of a detector, as a setting: ``sub_sample_size=512 threshold=1.6``."""
    return " ".join(f"{s.of}={s.value:g}" for s in suggestions if s.of != "window")


def _sized(options: DetectorOptions, size: Suggestion) -> DetectorOptions:
    return replace(options, sub_sample_size=int(size.value))


def window(watched: Watched, options: DetectorOptions) -> Suggestion:
    """Suggest the length of the windows whose counts or averages are watched, in seconds."""
    gaps = np.diff(watched.times)
    if not len(gaps) or np.median(gaps) <= 0:
        return Suggestion("window", 0, "rows share their times: aggregate them in windows first")
    now = float(np.median(gaps))
    found = watched.found
    with np.errstate(invalid="ignore", divide="ignore"):
        widths = np.nanmedian((found.high - found.low) / np.abs(found.expected), axis=0)
    column = int(np.argmax(np.nan_to_num(widths, nan=0.0, posinf=0.0)))
    width, name = float(widths[column]), options.columns[column]
    irregular = float(np.percentile(gaps, 90)) > 3 * now
    signed = bool((watched.points[:, column] < 0).any() and (watched.points[:, column] > 0).any())
    about = f"rows come every {_seconds(now)}"
    # Values on both sides of 0 have no magnitude to compare the noise with.
    if signed or not np.isfinite(width) or width <= _WIDE:
        if irregular:
            return Suggestion(
                "window", _window(2 * float(np.percentile(gaps, 90))), f"{about}, but not evenly"
            )
        band = (
            ""
            if signed or not np.isfinite(width)
            else f", and {name} is usually within {50 * width:.0f} % of what is expected"
        )
        return Suggestion("window", now, f"{about}{band}: as it is")
    # Noise of independent rows shrinks with the root of their number.
    wanted = _window(now * (width / _WIDE) ** 2)
    small = 50 * width * np.sqrt(now / wanted)
    now_and_then = (
        f"within {50 * width:.0f} % of what is expected; of {_seconds(wanted)} it would be {small:.0f} %"
    )
    return Suggestion("window", wanted, f"{name} is usually {now_and_then}")


def sample_size(watched: Watched) -> Suggestion:
    """Suggest the usual sample size; a larger one to remember a pattern twice, a smaller one for a short recording."""
    count = len(watched.times)
    room = max([s for s in SIZES if s <= _LEARNING * count], default=SIZES[0])
    period, share = _period(watched.points[:, 0])
    if not period:
        best = min(USUAL_SIZE, room)
        few = f"{count:,} rows are few: a smaller sample alerts sooner"
        reason = "no pattern that repeats: the usual size" if best == USUAL_SIZE else few
        return Suggestion("sub_sample_size", best, reason)
    enough = [s for s in SIZES if s >= USUAL_SIZE and s * ROWS_PER_SAMPLE >= 2 * period]
    best = min(min(enough, default=SIZES[-1]), room)
    pattern = f"a pattern repeats every {period:,} rows ({100 * share:.0f} % alike)"
    return Suggestion("sub_sample_size", best, f"{pattern}; {best * ROWS_PER_SAMPLE:,} are remembered")


def threshold(
    rows: Sequence[Mapping[str, Any]],
    times: Sequence[float],
    options: DetectorOptions,
    labels: Sequence[Label] = (),
) -> Suggestion:
    """Suggest the usual threshold, a higher one if it alerts too often, or the one that fits the labels best."""
    watched = watch(rows, times, options, THRESHOLDS)

    def reported(t: float) -> list[Alert]:
        return alerts_of(watched, options, t)

    if labels:
        fits = {t: fit(reported(t), labels) for t in THRESHOLDS}
        of = {t: _f1(f.precision or 0.0, f.recall or 0.0) for t, f in fits.items()}
        best = max(THRESHOLDS, key=lambda t: (of[t], -abs(t - USUAL)))
        precision, recall = fits[best].precision or 0.0, fits[best].recall or 0.0
        said = f"{100 * precision:.0f} % of its alerts are known events, {100 * recall:.0f} % of those are reported"
        return Suggestion("threshold", best, f"fits the labels best: {said}")
    alerts, best = len(reported(USUAL)), USUAL
    rate = first = 1_000 * alerts / len(rows)
    for t in THRESHOLDS[THRESHOLDS.index(USUAL) + 1 :]:
        if alerts <= _FEW or rate <= (_MOST if best == USUAL else _WANTED):
            break
        best, alerts = t, len(reported(t))
        rate = 1_000 * alerts / len(rows)
    if best == USUAL:
        return Suggestion("threshold", USUAL, f"the usual one: {rate:.2f} alerts in 1,000 rows")
    return Suggestion(
        "threshold", best, f"{rate:.1f} alerts in 1,000 rows, instead of {first:.1f} with {USUAL}"
    )


def _f1(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _period(values: NDArray[np.float64]) -> tuple[int, float]:
    """The period of a pattern in rows, and its autocorrelation; (0, 0.0) if there is no pattern."""
    good = values[np.isfinite(values)]
    if len(good) < 48 or good.std() == 0:
        return 0, 0.0
    # Clip outliers, so that they don't decide.
    low, high = np.percentile(good, [1, 99])
    centred = np.clip(good, low, high) - np.clip(good, low, high).mean()
    n = len(centred)
    spectrum = np.fft.rfft(centred, 2 * n)
    longest = n // 3
    alike = np.fft.irfft(np.abs(spectrum) ** 2)[:longest] / np.arange(n, n - longest, -1)
    alike = alike / alike[0] if alike[0] > 0 else np.zeros(longest)
    # Look only after the first drop: neighbouring rows are always alike.
    falls = np.flatnonzero(alike < 0.5 * _PATTERN)
    if not len(falls):
        return 0, 0.0
    # Multiples of the period are about as good: take the first that is nearly the best, and climb to its peak.
    lag = int(falls[0] + np.argmax(alike[falls[0] :] >= 0.9 * alike[falls[0] :].max()))
    while lag + 1 < longest and alike[lag + 1] > alike[lag]:
        lag += 1
    return (lag, float(alike[lag])) if alike[lag] >= _PATTERN and lag >= 8 else (0, 0.0)


def _window(seconds: float) -> float:
    return float(next((w for w in _WINDOWS if w >= seconds), _WINDOWS[-1]))


def _seconds(value: float) -> str:
    return f"{value:.3g} s"
