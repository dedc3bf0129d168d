"""A detector's results, row by row."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: The meaning of the numbers in `Detections.reason`.
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
    """A detector's results for n rows of d columns.

    Attributes
    ----------
    score, smoothed, threshold : array, (n,)
        The forest's score of the row, 0 while learning; the smoothed score; the threshold above which the row is hot.
    grade : array, (n,)
        0 to 1: how far the smoothed score is above the threshold. 0 if it is not, or if a rule withholds the alert.
    alert, in_run : array of bool, (n,)
        Whether the row is an alert; whether a run is under way (it ends after 96 rows that are not hot).
    confidence : array, (n,)
        0 to 1: how much has been learned.
    expected, low, high : array, (n, d)
        The expected value, and the band in which 90 % of the values lie.
    column, direction : array of int, (n,)
        The column that stands out most in this row and the four before it; 1 if it is above its band, -1 if below,
        0 if only the pattern is unusual.
    reason : array of int, (n,)
        Why the row is or is not an alert: an index into REASONS.
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
        """The results of some rows: a slice, a mask or an array of row numbers."""
        return Detections(*(getattr(self, field.name)[rows] for field in fields(self)))


def joined(parts: list[Detections]) -> Detections:
    """The results of consecutive chunks, joined."""
    if len(parts) == 1:
        return parts[0]
    names = [field.name for field in fields(Detections)]
    return Detections(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))
