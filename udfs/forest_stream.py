"""A stretch of the stream through all trees: score, sample, and update.

Given the points, trees know nothing of each other. So a stretch goes through one tree after the other, each
staying in the nearest cache for as long, with exactly the result of one point at a time.

The sample: point number i gets in every tree the key ln(-ln u) - i / time_decay, where u is its own random
number in (0, 1) for this tree, and the tree keeps the M smallest keys. That is a weighted sample without
replacement with weights that fall by e every `time_decay` points (Efraimidis and Spirakis, 2006).
"""

import math

import numpy as np
from numpy.typing import NDArray

from udfs.compiled import compiled
from udfs.forest_layout import ROOT, SIZE, Arrays
from udfs.forest_scores import attribution_in, score_in
from udfs.forest_trees import delete, insert, scrambled, uniform

#: For how many points ahead a tree's gate is computed at most.
_HORIZON = 1024


@compiled
def key_of(seed: np.uint64, number: int, rate: float) -> float:
    """Key of a point in one tree's sample: the smaller, the longer it stays."""
    return math.log(-math.log(uniform(scrambled(seed, np.uint64(number))))) - number * rate


@compiled
def gate(largest_key: float, number: int, rate: float) -> np.uint64:
    """Random bits below which point `number`, or any before it, does not get in.

    A little too low rather than too high: who passes the gate is judged by its key.
    """
    u = math.exp(-math.exp(min(largest_key + number * rate, 40.0))) * (1.0 - 1e-9)
    return np.uint64(u * 9007199254740992.0) << np.uint64(11)


@compiled
def sift(arrays: Arrays, tree: int, slot: int, size: int) -> None:
    """Restore the heap (largest key first) where only `slot` may be out of place."""
    keys, rows, leaves = arrays.slot_key[tree], arrays.slot_row[tree], arrays.slot_leaf[tree]
    key, row, leaf = keys[slot], rows[slot], leaves[slot]
    while slot > 0 and keys[(slot - 1) // 2] < key:
        above = (slot - 1) // 2
        keys[slot], rows[slot], leaves[slot] = keys[above], rows[above], leaves[above]
        slot = above
    while 2 * slot + 1 < size:
        below = 2 * slot + 1
        if below + 1 < size and keys[below + 1] > keys[below]:
            below += 1
        if keys[below] <= key:
            break
        keys[slot], rows[slot], leaves[slot] = keys[below], rows[below], leaves[below]
        slot = below
    keys[slot], rows[slot], leaves[slot] = key, row, leaf


@compiled
def evict(arrays: Arrays, tree: int) -> None:
    """Take the record with the largest key (slot 0) out of the tree; its slot is then to be filled anew."""
    leaf = arrays.slot_leaf[tree, 0]
    row = arrays.slot_row[tree, 0]
    delete(arrays, tree, leaf)
    if arrays.leaf_mass[tree, leaf] > 0 and arrays.leaf_row[tree, leaf] == row:
        for slot in range(1, arrays.slot_leaf.shape[1]):
            if arrays.slot_leaf[tree, slot] == leaf:
                arrays.leaf_row[tree, leaf] = arrays.slot_row[tree, slot]
                break


@compiled
def learn(arrays: Arrays, tree: int, row: int, rate: float) -> bool:
    """Offer a row of `points` to a tree's sample; True if it was taken."""
    samples = arrays.slot_key.shape[1]
    number = arrays.point_number[row]
    size = arrays.trees[tree, SIZE]
    key = key_of(arrays.seeds[tree], number, rate)
    if size < samples:
        slot = size
        size += 1
        arrays.trees[tree, SIZE] = size
    elif key < arrays.slot_key[tree, 0]:
        evict(arrays, tree)
        slot = np.int32(0)
    else:
        return False
    arrays.slot_key[tree, slot] = key
    arrays.slot_row[tree, slot] = row
    arrays.slot_leaf[tree, slot] = insert(arrays, tree, row)
    sift(arrays, tree, slot, size)
    arrays.gate_until[tree] = -1
    return True


@compiled
def stretch(
    arrays: Arrays, first: int, count: int, rate: float, scoring: bool, learning: bool, scores: NDArray[np.float64]
) -> int:
    """Score, then learn, each of `count` rows of `points` from row `first` on.

    Adds to `scores`, and returns the row after the last one that some tree has taken.
    """
    samples = arrays.slot_key.shape[1]
    number = arrays.point_number[first]
    horizon = max(1, min(_HORIZON, np.int64(0.1 / rate)))
    taken = first
    for tree in range(arrays.seeds.shape[0]):
        seed = arrays.seeds[tree]
        for k in range(count):
            row = first + k
            if scoring and number + k >= samples:
                scores[k] += score_in(arrays, tree, row)
            if learning:
                if number + k >= samples:
                    if number + k > arrays.gate_until[tree]:
                        arrays.gate_until[tree] = number + k + horizon
                        arrays.gates[tree] = gate(arrays.slot_key[tree, 0], number + k + horizon, rate)
                    if scrambled(seed, np.uint64(number + k)) < arrays.gates[tree]:
                        continue
                if learn(arrays, tree, row, rate):
                    taken = max(taken, row + 1)
    return taken


@compiled
def attribution_of(arrays: Arrays, row: int, high: NDArray[np.float64], low: NDArray[np.float64]) -> None:
    """Sum over the trees of a row's attribution, into `high` and `low`."""
    one_high, one_low = np.empty_like(high), np.empty_like(low)
    high[:] = 0.0
    low[:] = 0.0
    for tree in range(arrays.seeds.shape[0]):
        attribution_in(arrays, tree, row, one_high, one_low)
        high += one_high
        low += one_low


@compiled
def keep_living_rows(arrays: Arrays, used: int) -> int:
    """Move the rows of `points` that some tree still holds to the front, in order; returns how many."""
    new_row = np.full(used, -1, np.int32)
    for tree in range(arrays.seeds.shape[0]):
        for slot in range(arrays.trees[tree, SIZE]):
            new_row[arrays.slot_row[tree, slot]] = 0
    living = 0
    for row in range(used):
        if new_row[row] == 0:
            new_row[row] = living
            arrays.points[living] = arrays.points[row]
            arrays.point_number[living] = arrays.point_number[row]
            living += 1
    for tree in range(arrays.seeds.shape[0]):
        for slot in range(arrays.trees[tree, SIZE]):
            arrays.slot_row[tree, slot] = new_row[arrays.slot_row[tree, slot]]
            # Any of a leaf's equal records may stand for it.
            arrays.leaf_row[tree, arrays.slot_leaf[tree, slot]] = arrays.slot_row[tree, slot]
    return living
