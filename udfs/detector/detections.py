"""What a detector found, row by row."""

from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from udfs.detector.decisions import ALERT, IN_RUN, MISSING, QUIET_TIME, decide
from udfs.detector.rules import DetectorParameters

#: What `Detections.reason` says, by number.
REASONS = (
    "",
    "ALERT",
    "IN_RUN",
    "LEARNING",
    "MISSING_VALUE",
    "OTHER_SIDE",
    "NEAR_EXPECTED",
    "QUIET_TIME",
)


_HARDLY = 1e-300
#: Fewer samples than these can't give a score as high as others do: log2 of their number is the most.
_FEW = 32


@dataclass(frozen=True)
class Detections:
    """What a detector found; n rows, d columns.

    Attributes
    ----------
    score, smoothed, threshold : array, (n,)
        The forest's score of the row, 0 while learning; the same averaged over some rows; above what it is hot.
    grade : array, (n,)
        0 to 1, how far above the threshold; 0 where it is not, and where a rule withholds the alert.
    alert, in_run : array of bool, (n,)
        The row begins a run; a run is under way (it ends when 96 rows were not hot).
    confidence : array, (n,)
        0 to 1, how much was learned.
    expected, low, high : array, (n, d)
        What was expected, and between what 90 % of the values lie.
    column, direction : array of int, (n,)
        The column that stands out most in this row and the four before it: 1 if above its band, -1 if below, 0 if
        only the pattern is unusual.
    reason : array of int, (n,)
        Why the row is, or is not, an alert: a number of REASONS.
    """

    score: NDArray[np.float64]
    smoothed: NDArray[np.float64]
    threshold: NDArray[np.float64]
    grade: NDArray[np.float64]
    alert: NDArray[np.bool_]
    in_run: NDArray[np.bool_]
    confidence: NDArray[np.float64]
    expected: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    column: NDArray[np.int64]
    direction: NDArray[np.int64]
    reason: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.score)

    def __getitem__(self, rows: Any) -> "Detections":
        """The same of some rows: a slice, a mask or an array of row numbers."""
        return Detections(*(getattr(self, field.name)[rows] for field in fields(self)))


class Judged(NamedTuple):
    """What the compiled code says of the k rows that had all their values."""

    taken: NDArray[np.int64]  # (k,): which rows they are
    score: NDArray[np.float64]
    smoothed: NDArray[np.float64]
    threshold: NDArray[np.float64]
    reason: NDArray[np.int64]
    in_run: NDArray[np.bool_]


def judged(
    p: DetectorParameters,
    threshold: float,
    state: NDArray[np.float64],
    taken: NDArray[np.int64],
    scores: NDArray[np.float64],
    seconds: NDArray[np.float64],
    band: NDArray[np.float64],
    far: NDArray[np.float64],
) -> Judged:
    """What becomes of k rows that have their scores; goes on with the state (see `detector_decisions`).

    Parameters
    ----------
    threshold : float
        In place of the parameters' own.
    taken : array, (k,)
        Which rows they are.
    seconds : array, (k,) or (0,)
    band : array, (k, 3, d)
    far : array, (k, d)
    """
    count = len(scores)
    found = Judged(
        taken,
        scores,
        np.zeros(count),
        np.zeros(count),
        np.zeros(count, np.int64),
        np.zeros(count, np.bool_),
    )
    decide(
        state,
        scores,
        seconds,
        band,
        far,
        p.rule_numbers,
        float(threshold),
        float(p.again),
        float(p.quiet_rows),
        float(p.quiet_time),
        float(p.forest.time_decay),
        float(p.learning),
        float(p.sub_sample_size),
        float(np.sqrt(p.dimensions)) * max(1.0, (_FEW / p.sub_sample_size) ** 0.27),
        *found[2:],
    )
    return found


def joined(parts: list[Detections]) -> Detections:
    """Of one chunk after the other."""
    if len(parts) == 1:
        return parts[0]
    names = [field.name for field in fields(Detections)]
    return Detections(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def reported(
    found: Judged,
    last: tuple[float, float, bool],
    confidence: NDArray[np.float64],
    band: NDArray[np.float64],
    far: NDArray[np.float64],
) -> Detections:
    """All n rows: those that were skipped have the smoothed score and threshold of the row before.

    Parameters
    ----------
    last : tuple
        Smoothed score, threshold and whether in a run, of the row before these.
    confidence : array, (k + 1,)
        Of the row before these, and of each that was judged.
    band : array, (n, 3, d)
        Expected value and the band's ends.
    far : array, (n, d)
        The largest miss of late.
    """
    n = len(band)
    expected, low, high = band[:, 0], band[:, 1], band[:, 2]
    width = np.where(far > 0, high - expected, expected - low)
    # A band without width: any miss stands out.
    with np.errstate(over="ignore"):
        outside = np.abs(far) / np.where(width > 0, width, np.where(far == 0, 1.0, _HARDLY))
    column = np.argmax(outside, axis=1)
    each = np.arange(n)
    miss = far[each, column]
    direction = ((miss > 0).astype(np.int64) - (miss < 0)) * (outside[each, column] > 1.0)
    score, smoothed, threshold, reason, in_run = found[1:]
    confidences = confidence[1:]
    if len(found.taken) < n:
        # 0 stands for the row before these, k for the k-th that was judged.
        which = np.zeros(n, np.int64)
        which[found.taken] = np.arange(1, len(found.taken) + 1)
        skipped = which == 0
        which = np.maximum.accumulate(which)
        score, reason = np.r_[0.0, score][which], np.r_[0, reason][which]
        score[skipped], reason[skipped] = 0.0, MISSING
        smoothed, threshold = np.r_[last[0], smoothed][which], np.r_[last[1], threshold][which]
        in_run, confidences = np.r_[last[2], in_run][which], confidence[which]
    hot = (smoothed > threshold) & ((reason == ALERT) | (reason == IN_RUN) | (reason == QUIET_TIME))
    return Detections(
        score,
        smoothed,
        threshold,
        np.where(hot, 1.0 - (threshold / np.maximum(smoothed, threshold)) ** 2, 0.0),
        reason == ALERT,
        in_run,
        confidences,
        expected,
        low,
        high,
        column,
        direction,
        reason,
    )
