"""One call with three arrays instead of thirty: a forest's arrays as a list of addresses.

To take an array apart costs numba a tenth of a microsecond, and a forest has thirty: for one record that was half of
what a call took. So where they lie is written down once, and compiled code makes them again from that.
"""

from typing import NamedTuple

import numpy as np

from udfs.compiled import array_at, compiled, pointer
from udfs.forest.layout import Array, Arrays, Scratch
from udfs.forest.stream import score_and_learn, to_float32

# Numbers in `Addresses`, behind the addresses of a forest's arrays and then of the scratch's.
_TREES = len(Arrays._fields) + len(Scratch._fields)
_SAMPLES, _COLUMNS, _ROWS, _CHUNK, _BATCH_SLOTS = range(_TREES + 1, _TREES + 6)


class Addresses(NamedTuple):
    """Where a forest's arrays lie; and the arrays, which must live as long."""

    numbers: Array  # int64
    arrays: Arrays
    scratch: Scratch


def addresses_of(arrays: Arrays, scratch: Scratch) -> Addresses:
    """The addresses of a forest's arrays, each of which lies in one piece."""
    addresses = [array.__array_interface__["data"][0] for array in (*arrays, *scratch)]
    trees, samples = arrays.leaf_row.shape
    rows, columns = arrays.points.shape
    sizes = [trees, samples, columns, rows, len(scratch.query), len(scratch.child)]
    return Addresses(np.array(addresses + sizes, np.int64), arrays, scratch)


_float32, _float64 = array_at("float32"), array_at("float64")
_int16, _int32, _int64 = array_at("int16"), array_at("int32"), array_at("int64")
_uint64 = array_at("uint64")


@compiled
def learn_points(
    addresses: Array, points: Array, step: int, rate: float, scale: float, scoring: bool, scores: Array
) -> None:
    """`score_and_learn` for the forest of a addresses: score if asked, then learn, each point in turn.

    Adds to `scores` its sum over the trees, and multiplies that with `scale`.
    """
    trees, samples, columns, rows = (
        addresses[_TREES],
        addresses[_SAMPLES],
        addresses[_COLUMNS],
        addresses[_ROWS],
    )
    words, slots = trees * (samples - 1) * (4 + 2 * columns), addresses[_BATCH_SLOTS]
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
        _float32(pointer(addresses[18]), (addresses[_CHUNK],)),
        _int64(pointer(addresses[19]), (slots,)),
        _int64(pointer(addresses[20]), (slots,)),
        _int32(pointer(addresses[21]), (samples, slots)),
        _int64(pointer(addresses[22]), (slots,)),
        _float64(pointer(addresses[23]), (slots,)),
        _int16(pointer(addresses[24]), (samples,)),
        _int16(pointer(addresses[25]), (samples,)),
        _int16(pointer(addresses[26]), (samples,)),
        _int32(pointer(addresses[27]), (rows,)),
        _float32(pointer(addresses[28]), (2 * columns,)),
        _float64(pointer(addresses[29]), (2 * columns,)),
    )
    score_and_learn(arrays, scratch, points, step, rate, scoring, scores)
    for k in range(scores.shape[0]):
        scores[k] *= scale


@compiled
def learn_records(
    addresses: Array, given: Array, stream: Array, kept: int, rate: float, scale: float, scores: Array
) -> int:
    """Score, then learn, each record in turn; returns -1, or the first that is not finite: then nothing is learned.

    `given` (n, dimensions) float64 goes to `stream` (kept + n, dimensions) float32, behind the `kept` records before
    them. `scores` (n,) is zeros; of length 0: not asked for. `scale`: what a sum over the trees is multiplied with.
    """
    bad = to_float32(given, stream[kept:])
    if bad >= 0:
        return bad
    columns, dimensions = addresses[_COLUMNS], stream.shape[1]
    # A shingle is a piece of the stream; before the first full one nothing is scored.
    count = stream.shape[0] - columns // dimensions + 1
    if count > 0:
        scoring = scores.shape[0] > 0
        late = scores[given.shape[0] - count :] if scoring else scores
        learn_points(addresses, stream.reshape(stream.size), dimensions, rate, scale, scoring, late)
    return -1
