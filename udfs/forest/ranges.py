# mypy: disable-error-code="no-any-return"
"""The least and largest coordinates of ranges of records in a compact forest.

A coordinate is stored as an integer of the same order as the float32: compilers make loops over integers' minima fast,
of floats' they don't.
"""

import numpy as np

from udfs.compiled import at, compiled, real
from udfs.forest.layout import Array


@compiled
def ordered(x: np.float32) -> np.int32:
    """An integer for a float32, so that integers compare as the floats do (there is no -0.0)."""
    bits = np.float32(x).view(np.int32)
    return np.int32(bits ^ ((bits >> np.int32(31)) & np.int32(0x7FFFFFFF)))


@compiled
def float_of(number: np.int32) -> np.float32:
    """The float32 of an `ordered` integer."""
    bits = np.int32(number ^ ((number >> np.int32(31)) & np.int32(0x7FFFFFFF)))
    return np.int32(bits).view(np.float32)


@compiled
def least(x: Array, begin: int, end: int) -> np.int32:
    """The least of a range."""
    # Two at a time, so that neither waits for the other; the same below.
    one = other = x[at(begin)]
    for k in range(begin + 1, end - 1, 2):
        one, other = min(one, x[at(k)]), min(other, x[at(k + 1)])
    return min(min(one, other), x[at(end - 1)])


@compiled
def most(x: Array, begin: int, end: int) -> np.int32:
    """The largest of a range."""
    one = other = x[at(begin)]
    for k in range(begin + 1, end - 1, 2):
        one, other = max(one, x[at(k)]), max(other, x[at(k + 1)])
    return max(max(one, other), x[at(end - 1)])


@compiled
def set_box(x: Array, box: Array, begin: int, end: int) -> np.float32:
    """Fill in the box of a range of records; returns the sum of its sides, rounded as `set_sides` does."""
    dimensions = x.shape[0]
    total = 0.0
    for d in range(dimensions):
        low = high = other_low = other_high = x[at(d), at(begin)]
        for k in range(begin + 1, end - 1, 2):
            one, other = x[at(d), at(k)], x[at(d), at(k + 1)]
            low, other_low = min(low, one), min(other_low, other)
            high, other_high = max(high, one), max(other_high, other)
        last = x[at(d), at(end - 1)]
        box[at(d)] = float_of(min(min(low, other_low), last))
        box[at(dimensions + d)] = -float_of(max(max(high, other_high), last))
        total -= real(box[at(dimensions + d)]) + real(box[at(d)])
    return np.float32(total)
