"""Pass a chunk of the stream through all trees: score, sample and update.

Trees are independent of each other. So a chunk goes through one tree after the other, while that tree stays in the CPU
cache; the result is exactly that of one point at a time.

The sample: in every tree, point number i gets the key ln(-ln u) - i / time_decay, where u is a random number in (0, 1)
for this point and tree, and the tree keeps the M smallest keys. That is a weighted sample without
replacement with weights that fall by e every `time_decay` points (Efraimidis and Spirakis, 2006).
"""

import math

import numpy as np

from udfs.compiled import at, compiled, whole
from udfs.forest.layout import BATCH_SLOTS, CHUNK, LARGEST, LEARNED, SIZE, USED, Array, Arrays, Scratch
from udfs.forest.scores import score_batch, score_chunk
from udfs.forest.shares import add_attribution
from udfs.forest.trees import delete, insert, scrambled, uniform

#: The most points ahead for which a tree's gate is computed.
_HORIZON = 1024


@compiled
def key_of(seed: np.uint64, number: int, rate: float) -> float:
    """Key of a point in one tree's sample; the smaller the key, the longer the point stays."""
    return math.log(-math.log(uniform(scrambled(seed, np.uint64(number))))) - number * rate


@compiled
def gate(largest_key: float, number: int, rate: float) -> np.uint64:
    """Random bits below which point `number`, or any before it, does not get in.

    Rounded down: a point that passes the gate by mistake is still rejected by its key.
    """
    u = math.exp(-math.exp(min(largest_key + number * rate, 40.0))) * (1.0 - 1e-9)
    return np.uint64(u * 9007199254740992.0) << np.uint64(11)


@compiled
def sift_down(arrays: Arrays, tree: int, slot: int) -> None:
    """Let a slot of a full sample sift down below all larger keys under it."""
    keys, rows, leaves = arrays.slot_key, arrays.slot_row, arrays.slot_leaf
    samples = keys.shape[1]
    t = at(tree)
    key, row, leaf = keys[t, at(slot)], rows[t, at(slot)], leaves[t, at(slot)]
    while 2 * slot + 1 < samples:
        below = 2 * slot + 1
        # Which of the two is larger is unpredictable, so the comparison is added instead of branched on.
        other = min(below + 1, samples - 1)
        below += whole(keys[t, at(other)] > keys[t, at(below)])
        if keys[t, at(below)] <= key:
            break
        keys[t, at(slot)] = keys[t, at(below)]
        rows[t, at(slot)] = rows[t, at(below)]
        leaves[t, at(slot)] = leaves[t, at(below)]
        slot = below
    keys[t, at(slot)], rows[t, at(slot)], leaves[t, at(slot)] = key, row, leaf


@compiled
def heapify(arrays: Arrays, tree: int) -> None:
    """Make the slots of a full sample a heap."""
    for slot in range(arrays.slot_key.shape[1] // 2 - 1, -1, -1):
        sift_down(arrays, tree, slot)


@compiled
def evict(arrays: Arrays, scratch: Scratch, tree: int) -> None:
    """Remove the record with the largest key (slot 0) from the tree; the caller refills its slot."""
    leaf = arrays.slot_leaf[tree, 0]
    row = arrays.slot_row[tree, 0]
    delete(arrays, tree, leaf)
    if arrays.leaf_mass[tree, leaf] > 0 and arrays.leaf_row[tree, leaf] == row:
        # The leaf stays but this row may not: let another of the leaf's records represent it.
        for slot in range(1, arrays.slot_leaf.shape[1]):
            if arrays.slot_leaf[tree, slot] == leaf:
                arrays.leaf_row[tree, leaf] = arrays.slot_row[tree, slot]
                break


@compiled
def learn(arrays: Arrays, scratch: Scratch, tree: int, row: int, query_row: int, rate: float) -> bool:
    """Offer a row of `points` (row `query_row` of `query`) to a tree's sample; True if it was taken."""
    samples = arrays.slot_key.shape[1]
    number = arrays.point_number[row]
    size = arrays.trees[tree, SIZE]
    key = key_of(arrays.seeds[tree], number, rate)
    slot = whole(0)
    if size < samples:
        slot = whole(size)
        arrays.trees[tree, SIZE] = size + 1
    elif key < arrays.slot_key[tree, 0]:
        evict(arrays, scratch, tree)
    else:
        return False
    arrays.slot_key[tree, slot] = key
    arrays.slot_row[tree, slot] = row
    arrays.slot_leaf[tree, slot] = insert(
        arrays, tree, row, scratch.query, 2 * query_row * arrays.points.shape[1]
    )
    if size == samples:
        sift_down(arrays, tree, slot)
    elif size + 1 == samples:
        heapify(arrays, tree)
    arrays.gate_until[tree] = -1
    return True


@compiled
def next_candidate(arrays: Arrays, tree: int, number: int, end: int, rate: float) -> int:
    """The first point from `number` on that may get into the tree's sample; `end` if there is none before it."""
    if arrays.trees[tree, SIZE] < arrays.slot_key.shape[1]:
        return number
    seed = arrays.seeds[tree]
    while number < end:
        if number > arrays.gate_until[tree]:
            ahead = number + max(1, min(_HORIZON, whole(0.1 / rate)))
            arrays.gate_until[tree] = ahead
            arrays.gates[tree] = gate(arrays.slot_key[tree, 0], ahead, rate)
        here = min(end, arrays.gate_until[tree] + 1)
        shut = arrays.gates[tree]
        while number < here:
            if scrambled(seed, np.uint64(number)) >= shut:
                return number
            number += 1
    return end


@compiled
def to_float32(given: Array, records: Array) -> int:
    """Copy rows of float64 to rows of float32; returns the first row that is not finite, or -1."""
    for row in range(given.shape[0]):
        for d in range(given.shape[1]):
            x = given[row, d]
            if not math.isfinite(x):
                return row
            # Adding 0 turns -0.0 into 0.0, so that both are the same point. It is done last, as -1e-50 rounds to -0.0.
            records[row, d] = np.float32(min(max(x, -LARGEST), LARGEST)) + np.float32(0.0)
    return -1


@compiled
def load_query(scratch: Scratch, stream: Array, step: int, dimensions: int, count: int) -> None:
    """Copy the first points of a stream to `query`."""
    for k in range(count):
        for d in range(dimensions):
            x = stream[at(k * step + d)]
            scratch.query[at(2 * k * dimensions + d)] = x
            scratch.query[at((2 * k + 1) * dimensions + d)] = -x


@compiled
def score_one(arrays: Arrays, scratch: Scratch) -> float:
    """Sum over the trees of the scores of the first point in `query`: many trees side by side."""
    trees = arrays.seeds.shape[0]
    total = 0.0
    for start in range(0, trees, BATCH_SLOTS):
        slots = min(BATCH_SLOTS, trees - start)
        score_batch(arrays, scratch, slots, start, 1, 0, 0)
        for slot in range(slots):
            total += scratch.score[at(slot)]
    return total


@compiled
def score_and_learn(
    arrays: Arrays, scratch: Scratch, stream: Array, step: int, rate: float, scoring: bool, scores: Array
) -> None:
    """Score if `scoring`, then learn, each point in turn. Adds each point's sum over the trees to `scores`.

    Point k is the D numbers from `stream[k * step]` on (float32); with shingles, consecutive points overlap.
    """
    dimensions = arrays.points.shape[1]
    count = (stream.shape[0] - dimensions) // step + 1 if stream.shape[0] >= dimensions else 0
    longest = min(CHUNK, arrays.points.shape[0] - arrays.seeds.shape[0] * arrays.slot_key.shape[1])
    for first in range(0, count, longest):
        size = min(longest, count - first)
        if arrays.counts[USED] + size > arrays.points.shape[0]:
            keep_living_rows(arrays, scratch)
        here = stream[first * step :]
        load_query(scratch, here, step, dimensions, size)
        score_and_learn_chunk(arrays, scratch, here, step, size, rate, scoring, scores[first : first + size])


@compiled
def score_and_learn_chunk(
    arrays: Arrays,
    scratch: Scratch,
    stream: Array,
    step: int,
    count: int,
    rate: float,
    scoring: bool,
    scores: Array,
) -> None:
    """`score_and_learn` for points that are also in `query`. `points` must have room for them after the used rows."""
    samples = arrays.slot_key.shape[1]
    first = whole(arrays.counts[USED])
    number = whole(arrays.counts[LEARNED])
    # All points are appended; the used rows end after the last one that a tree takes.
    taken = first
    for k in range(count):
        arrays.point_number[at(first + k)] = number + k
        for d in range(arrays.points.shape[1]):
            arrays.points[at(first + k), at(d)] = stream[at(k * step + d)]
    alone = scoring and count == 1
    if alone and number >= samples:
        scores[0] += score_one(arrays, scratch)
    # Rows before this one have score 0.
    unscored = count if alone or not scoring else min(max(samples - number, 0), count)
    for tree in range(arrays.seeds.shape[0]):
        start = 0
        while start < count:
            query_row = next_candidate(arrays, tree, number + start, number + count, rate) - number
            end = min(query_row + 1, count)
            if end > unscored:
                score_chunk(arrays, scratch, tree, max(start, unscored), end, scores)
            if query_row < count and learn(arrays, scratch, tree, first + query_row, query_row, rate):
                taken = max(taken, first + query_row + 1)
            start = end
    arrays.counts[USED] = taken
    arrays.counts[LEARNED] = number + count


@compiled
def attribution_of(arrays: Arrays, scratch: Scratch, point: Array, shares: Array) -> None:
    """Sum over the trees of the attribution of a point (2 D: too low, too high)."""
    load_query(scratch, point, 0, arrays.points.shape[1], 1)
    add_attribution(arrays, scratch, 0, shares)


@compiled
def score_of(arrays: Arrays, scratch: Scratch, point: Array) -> float:
    """Sum over the trees of the score of a point."""
    load_query(scratch, point, 0, arrays.points.shape[1], 1)
    return score_one(arrays, scratch)


@compiled
def keep_living_rows(arrays: Arrays, scratch: Scratch) -> None:
    """Compact `points`: move the rows that any tree still holds to the front, in order, and drop the others."""
    new_row = scratch.new_row
    used = arrays.counts[USED]
    new_row[:used] = -1
    for tree in range(arrays.seeds.shape[0]):
        for slot in range(arrays.trees[tree, SIZE]):
            new_row[arrays.slot_row[tree, slot]] = 0
    living = 0
    for row in range(used):
        if new_row[row] == 0:
            new_row[row] = living
            for d in range(arrays.points.shape[1]):
                arrays.points[living, d] = arrays.points[row, d]
            arrays.point_number[living] = arrays.point_number[row]
            living += 1
    for tree in range(arrays.seeds.shape[0]):
        for slot in range(arrays.trees[tree, SIZE]):
            arrays.slot_row[tree, slot] = new_row[arrays.slot_row[tree, slot]]
            # Any of a leaf's equal records may represent it.
            arrays.leaf_row[tree, arrays.slot_leaf[tree, slot]] = arrays.slot_row[tree, slot]
    arrays.counts[USED] = living
