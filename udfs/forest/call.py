"""Pass a forest's arrays to compiled code as one list of addresses, instead of thirty arguments.

numba needs a tenth of a microsecond to unpack an array argument, and a forest has thirty arrays: that was half of the
time of a call for one record. So their addresses are collected once, and compiled code rebuilds the arrays from them.
"""

from typing import NamedTuple

import numpy as np

from udfs.compiled import array_at, compiled, pointer
from udfs.forest.layout import Array, Arrays, Scratch
from udfs.forest.stream import score_and_learn, to_float32

# Numbers in `Addresses`, after the addresses of the forest's arrays and of the scratch arrays.
_TREES = len(Arrays._fields) + len(Scratch._fields)
_SAMPLES, _COLUMNS, _ROWS, _CHUNK, _BATCH_SLOTS = range(_TREES + 1, _TREES + 6)


class Addresses(NamedTuple):
    """The addresses of a forest's arrays, and the arrays themselves, to keep them alive."""

    numbers: Array  # int64
    arrays: Arrays
    scratch: Scratch


def addresses_of(arrays: Arrays, scratch: Scratch) -> Addresses:
    """The addresses of a forest's arrays, each of which must be contiguous."""
    addresses = [array.__array_interface__["data"][0] for array in (*arrays, *scratch)]
    trees, samples = arrays.leaf_row.shape
    rows, columns = arrays.points.shape
    sizes = [trees, samples, columns, rows, len(scratch.order), len(scratch.child)]
    return Addresses(np.array(addresses + sizes, np.int64), arrays, scratch)


_float32, _float64 = array_at("float32"), array_at("float64")
_int16, _int32, _int64 = array_at("int16"), array_at("int32"), array_at("int64")
_uint64 = array_at("uint64")


@compiled
def learn_points(
    addresses: Array, points: Array, step: int, rate: float, scale: float, scoring: bool, scores: Array
) -> None:
    """`score_and_learn` for the forest at these addresses: score if `scoring`, then learn, each point in turn.

    Adds each point's sum over the trees to `scores`, then multiplies `scores` by `scale`.
    """
    trees, samples, columns, rows = (
        addresses[_TREES],
        addresses[_SAMPLES],
        addresses[_COLUMNS],
        addresses[_ROWS],
    )
    words, slots = trees * (samples - 1) * (4 + 2 * columns), addresses[_BATCH_SLOTS]
    chunk = addresses[_CHUNK]
    arrays = Arrays(
        _float32(pointer(addresses[0]), (words,)),
        _int16(pointer(addresses[1]), (2 * words,)),
        _int32(pointer(addresses[2]), (trees, 4)),
        _int32(pointer(addresses[3]), (trees, samples)),
        _float32(pointer(addresses[4]), (trees, samples)),
        _int16(pointer(addresses[5]), (trees, samples)),
        _int16(pointer(addresses[6]), (trees, samples)),
        _float64(pointer(addresses[7]), (trees, samples)),
        _int32(pointer(addresses[8]), (trees, samples)),
        _int16(pointer(addresses[9]), (trees, samples)),
        _uint64(pointer(addresses[10]), (trees,)),
        _uint64(pointer(addresses[11]), (trees,)),
        _int64(pointer(addresses[12]), (trees,)),
        _int64(pointer(addresses[13]), (2,)),
        _float32(pointer(addresses[14]), (rows, columns)),
        _int64(pointer(addresses[15]), (rows,)),
        _float64(pointer(addresses[16]), (samples + 1,)),
        _float64(pointer(addresses[17]), (samples + 1,)),
    )
    scratch = Scratch(
        _float32(pointer(addresses[18]), (chunk * 2 * columns,)),
        _int64(pointer(addresses[19]), (slots,)),
        _int64(pointer(addresses[20]), (slots,)),
        _int32(pointer(addresses[21]), (samples, slots)),
        _int64(pointer(addresses[22]), (slots,)),
        _int32(pointer(addresses[23]), (chunk,)),
        _int64(pointer(addresses[24]), (2 * samples, 4)),
        _float64(pointer(addresses[25]), (chunk,)),
        _int16(pointer(addresses[26]), (samples,)),
        _int16(pointer(addresses[27]), (samples,)),
        _int16(pointer(addresses[28]), (samples,)),
        _int32(pointer(addresses[29]), (rows,)),
        _float32(pointer(addresses[30]), (2 * columns,)),
        _float64(pointer(addresses[31]), (2 * columns,)),
    )
    score_and_learn(arrays, scratch, points, step, rate, scoring, scores)
    for k in range(scores.shape[0]):
        scores[k] *= scale


@compiled
def learn_records(
    addresses: Array, given: Array, stream: Array, kept: int, rate: float, scale: float, scores: Array
) -> int:
    """Score, then learn, each record. Returns -1, or the first record that is not finite: nothing is learned then.

    `given` (n, dimensions) float64 is copied to `stream` (kept + n, dimensions) float32, after the `kept` earlier
    records in it. `scores` (n,) must be zeros; of length 0: no scores. `scale`: factor from a sum over the trees to a
    score.
    """
    bad = to_float32(given, stream[kept:])
    if bad >= 0:
        return bad
    columns, dimensions = addresses[_COLUMNS], stream.shape[1]
    # A shingle is a slice of the stream; nothing is scored before the first full shingle.
    count = stream.shape[0] - columns // dimensions + 1
    if count > 0:
        scoring = scores.shape[0] > 0
        late = scores[given.shape[0] - count :] if scoring else scores
        learn_points(addresses, stream.reshape(stream.size), dimensions, rate, scale, scoring, late)
    return -1
