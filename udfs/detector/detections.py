"""What a detector found, row by row."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

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


def joined(parts: list[Detections]) -> Detections:
    """Of one chunk after the other."""
    if len(parts) == 1:
        return parts[0]
    names = [field.name for field in fields(Detections)]
    return Detections(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))
