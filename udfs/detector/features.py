# mypy: disable-error-code="no-any-return"
"""The features that a detector's forest gets, and the values that the detector expects.

Each column gives the forest three numbers in the same unit: the value, and the range and the standard deviation of its
last 48 values. So an outlier of a familiar size is ordinary, while a flat line or a change of amplitude is not.

The expected value is the best of four forecasts by recent error: the last value, two running means, and the median of
the last 48 values. A value far from its forecast moves the running means only a little, so that they keep describing
the stream before an anomaly. The band, two running quantiles of the misses (value - forecast), holds 90 %.
"""

import math

import numpy as np

from udfs.compiled import at, compiled, real, whole
from udfs.forest.layout import LARGEST, Array

#: Rows over which median, range and standard deviation are computed.
WINDOW = 48
#: Numbers that the forest gets per column.
FEATURES = 3

# A column's state: forecasts by running means (the first is the last value); each forecast's average miss (the fourth
# is the median's); the band's ends, relative to the forecast; the largest recent miss, and how many rows ago it was;
# long-run mean, and mean distance from it.
LEVEL = 0
ERROR = 3
LOW = 7
HIGH = 8
FAR = 9
AGE = 10
MEAN = 11
SPREAD = 12
NUMBERS = 13

#: The part of a miss by which each running mean moves.
_RATES = (1.0, 0.3, 0.05)
#: Rows over which misses are averaged.
_ERROR_MEMORY = 200
#: Misses are capped at this many times the average miss: for the running means, and for the average itself.
_MOST, _MOST_ERROR = 3.0, 20.0
#: Rows before these caps apply.
_FIRST = 30
#: How fast the band's ends move, in average misses a row.
_BAND_RATE = 0.1
_OUTSIDE = 0.05
#: Rows for which a miss counts as recent.
RECENT = 5

# How to treat a row with a missing value.
SKIP, PREVIOUS, EXPECTED = range(3)


@compiled
def middle(ordered: Array, count: int) -> float:
    """Median of the first `count` of ascending numbers."""
    half = count // 2
    return real(ordered[half]) if count % 2 else 0.5 * (ordered[half - 1] + ordered[half])


@compiled
def exchange(ordered: Array, count: int, old: float, new: float) -> None:
    """Insert a number into `count` ascending numbers; if they are full, replace `old`."""
    k = count
    if count == WINDOW:
        k = 0
        while ordered[at(k)] != old:
            k += 1
        while k + 1 < WINDOW and ordered[at(k + 1)] < new:
            ordered[at(k)] = ordered[at(k + 1)]
            k += 1
    while k > 0 and ordered[at(k - 1)] > new:
        ordered[at(k)] = ordered[at(k - 1)]
        k -= 1
    ordered[at(k)] = new


@compiled
def forecasts(column: Array, ordered: Array, count: int, found: Array) -> int:
    """Fill in the four forecasts of the next value; returns the one with the least average miss."""
    best = 3
    found[3] = middle(ordered, count)
    for k in range(3):
        found[k] = column[LEVEL + k]
        if column[ERROR + k] < column[ERROR + best]:
            best = k
    return best


@compiled
def follow(column: Array, found: Array, best: int, value: float, count: int) -> None:
    """Update forecasts and band with a value; `count` values came before it."""
    miss = value - found[best]
    error = real(column[ERROR + best])
    limited = count >= _FIRST and error > 0.0
    step = _BAND_RATE * error if count >= _FIRST else 0.3 * abs(miss)
    column[HIGH] += step * ((1.0 - _OUTSIDE) if miss > column[HIGH] else -_OUTSIDE)
    column[LOW] -= step * ((1.0 - _OUTSIDE) if miss < column[LOW] else -_OUTSIDE)
    part = max(1.0 / _ERROR_MEMORY, 1.0 / (count + 1.0))
    for k in range(4):
        off = abs(value - found[k])
        off = min(off, _MOST_ERROR * error) if limited else off
        column[ERROR + k] += part * (off - column[ERROR + k])
    for k in range(3):
        off = value - found[k]
        off = min(max(off, -_MOST * error), _MOST * error) if limited else off
        column[LEVEL + k] += _RATES[k] * off


@compiled
def weigh(column: Array, value: float, rows: float, memory: float) -> None:
    """Update a column's long-run mean and mean distance from it, robust to outliers."""
    part = max(1.0 / rows, 1.0 / memory)
    if rows == 1.0:
        column[MEAN] = value
    off = value - column[MEAN]
    if rows > _FIRST and column[SPREAD] > 0.0:
        off = min(max(off, -5.0 * column[SPREAD]), 5.0 * column[SPREAD])
    column[MEAN] += part * off
    column[SPREAD] += part * (abs(off) - column[SPREAD])


@compiled
def deviation(ordered: Array, count: int) -> float:
    """Standard deviation of the first `count` numbers."""
    total = 0.0
    for k in range(count):
        total += ordered[at(k)]
    mean = total / count
    total = 0.0
    for k in range(count):
        total += (ordered[at(k)] - mean) * (ordered[at(k)] - mean)
    return math.sqrt(total / count)


@compiled
def as_feature(x: float, scale: float) -> np.float32:
    """A number as the forest takes it: scaled, and clipped to the forest's range."""
    return np.float32(min(max(x * scale, -LARGEST), LARGEST)) + np.float32(0.0)


@compiled
def observe(
    points: Array,
    missing: int,
    window: Array,
    ordered: Array,
    columns: Array,
    scales: Array,
    seen: int,
    memory: float,
    found: Array,
    rows: Array,
    taken: Array,
    expected: Array,
    far: Array,
) -> int:
    """Process k rows of n columns; returns how many of them go to the forest.

    `points` (k, n): NaN is a missing value and is overwritten by its replacement. `window` (n, 48): the last values, a
    ring buffer; `ordered`: the same values ascending. `seen`: number of rows before these.

    Filled in: `expected[i]` (3, n), the forecast and the band's ends for row i; `far[i]` (n,), the largest recent miss;
    `rows` (k, 3 n) float32, the features for the forest; and `taken`, the row that each of these is from.
    """
    count = 0
    dimensions = points.shape[1]
    for i in range(points.shape[0]):
        whole_row = True
        held = min(seen, WINDOW)
        for d in range(dimensions):
            column = columns[d]
            if held == 0:
                for k in range(3):
                    expected[i, k, d] = points[i, d]
            else:
                best = forecasts(column, ordered[d], held, found)
                expected[i, 0, d] = found[best]
                expected[i, 1, d] = found[best] + min(column[LOW], 0.0)
                expected[i, 2, d] = found[best] + max(column[HIGH], 0.0)
            far[i, d] = column[FAR]
            if math.isnan(points[i, d]):
                if missing == SKIP or held == 0:
                    whole_row = False
                elif missing == PREVIOUS:
                    points[i, d] = window[d, (seen - 1) % WINDOW]
                else:
                    points[i, d] = expected[i, 0, d]
        if not whole_row:
            continue
        for d in range(dimensions):
            column, value = columns[d], real(points[i, d])
            if held == 0:
                column[LEVEL : LEVEL + 3] = value
            else:
                follow(column, found, forecasts(column, ordered[d], held, found), value, seen)
            weigh(column, value, seen + 1.0, memory)
            miss = value - expected[i, 0, d]
            column[AGE] += 1.0
            if abs(miss) >= abs(column[FAR]) or column[AGE] >= RECENT:
                column[FAR], column[AGE] = miss, 0.0
            far[i, d] = column[FAR]
            place = seen % WINDOW
            exchange(ordered[d], held, window[d, place], value)
            window[d, place] = value
            last = min(held + 1, WINDOW)
            rows[count, 3 * d] = as_feature(value, scales[d])
            rows[count, 3 * d + 1] = as_feature(ordered[d, last - 1] - ordered[d, 0], scales[d])
            rows[count, 3 * d + 2] = as_feature(deviation(ordered[d], last), scales[d])
        taken[count] = i
        count += 1
        seen += 1
    return whole(count)
