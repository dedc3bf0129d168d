"""A forest's memory layout: a few flat arrays, shared by all its trees.

A tree holds a sample of at most M points. Its nodes and leaves are numbered separately, both from 0; a child is
an int16: c >= 0 is node c, c < 0 is leaf ~c. All that a walk needs of a node is adjacent in `nodes`, 4 + 2 D words
of 32 bits:

    cut | sum of the box's sides | left, right (int16) | dimension of the cut, parent or -1 (int16) | box

A box is stored as its D minima followed by its D negated maxima, and a query point as x followed by -x. So the
union of boxes is the minimum of each of the 2 D numbers, and the distance of a point outside a box is the sum of
max(box - point, 0).

A leaf refers to a row of `points`, which all trees share. Every sampled record has a *slot* in its tree. The slots
of a full sample form a heap whose root has the largest key and is evicted next.
"""

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

# Words of a node (float32 in `nodes`, two int16 each in `links`).
CUT = 0
SIDES = 1
LEFT = 4
RIGHT = 5
DIMENSION = 6
PARENT = 7
BOX = 4

# Columns of `trees`.
ROOT = 0
SIZE = 1
FREE_NODE = 2
FREE_LEAF = 3

# Numbers in `counts`: rows of `points` in use, ordered by number; how many points the forest has seen.
USED = 0
LEARNED = 1

#: Larger absolute values are clipped to this. Chosen so that the sides of a box of 900 dimensions (30 columns, shingles
#: of 30) add up within float32.
LARGEST = 2.0**116

#: Points that go through one tree before the next one: enough to pay for loading the tree into the CPU cache, and each
#: of its nodes into registers.
CHUNK = 1024

#: Concurrent walks down a tree, so that one can compute while another waits for memory.
BATCH_SLOTS = 128

#: `trees[t, ROOT]` of a tree without points: no node and no leaf has this number.
EMPTY = 1 << 20


#: An array of any type, for mypy; the actual type is in the comment.
Array = NDArray[Any]


class Arrays(NamedTuple):
    """All of a forest's numbers (T trees of M points in D dimensions)."""

    nodes: Array  # float32 (T * (M - 1) * (4 + 2 D),)
    links: NDArray[np.int16]  # the same memory as `nodes`
    trees: Array  # int32 (T, 4): root, size, heads of the lists of free nodes and free leaves
    leaf_row: Array  # int32 (T, M): row of `points`; for a free leaf the next free one
    leaf_first: Array  # float32 (T, M): the point's first number, for a quick comparison
    leaf_parent: Array  # int16 (T, M): the parent node; -1 for the root
    leaf_mass: Array  # int16 (T, M): how many sampled records are equal to this point
    slot_key: Array  # float64 (T, M): heap
    slot_row: Array  # int32 (T, M)
    slot_leaf: Array  # int16 (T, M)
    seeds: Array  # uint64 (T,)
    gates: Array  # uint64 (T,): records up to `gate_until` with a smaller random number don't get in
    gate_until: Array  # int64 (T,)
    counts: Array  # int64 (2,): USED, LEARNED
    points: Array  # float32 (R, D): the points in any tree, then the rows being learned
    point_number: Array  # int64 (R,): how many points came before this one
    weights: Array  # float64 (M + 1,): 1 / (depth + 1)
    logarithms: Array  # float64 (M + 1,): log2(mass); 0 for mass 0


class Scratch(NamedTuple):
    """Scratch space; its content has no meaning between two calls."""

    query: Array  # float32 (CHUNK * 2 D,): points as x and -x
    child: Array  # int64 (BATCH_SLOTS,): the current child of each walk
    depth: Array  # int64 (BATCH_SLOTS,): how many nodes it has passed
    path: Array  # int32 (M, BATCH_SLOTS): their positions in `nodes`
    walking: Array  # int64 (BATCH_SLOTS,): the walks that have not ended
    order: Array  # int32 (CHUNK,): rows of `query`, as a tree's cuts partition them
    stack: Array  # int64 (2 M, 4): nodes to be left, and subtrees to be visited with their rows
    score: Array  # float64 (CHUNK,)
    own_path: Array  # int16 (M,): the nodes of one walk
    side_path: Array  # int16 (M,): the nodes of another walk
    waiting: Array  # int16 (M,)
    new_row: Array  # int32 (R,): where rows of `points` move to
    box: Array  # float32 (2 D,)
    share: Array  # float64 (2 D,): attribution to x too low, and to x too high


def tree_seeds(seed: int, trees: int) -> Array:
    """A seed for each tree: the first outputs of splitmix64 started at `seed`."""
    z = np.uint64(seed) + np.arange(1, trees + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def rows_of_points(trees: int, samples: int) -> int:
    """R: enough rows for trees without common points, and for the rows being learned."""
    held = trees * samples
    return held + max(256, held // 8)


def empty_arrays(trees: int, samples: int, dimensions: int, seed: int) -> Arrays:
    """The arrays of a forest that has learned nothing."""
    words = 4 + 2 * dimensions
    rows = rows_of_points(trees, samples)
    nodes = np.zeros(trees * (samples - 1) * words, np.float32)
    links = nodes.view(np.int16)
    # Free nodes are chained through their left child, free leaves through their row; -1 ends the chain.
    links.reshape(trees, samples - 1, 2 * words)[:, :, LEFT] = np.r_[1 : samples - 1, -1]
    leaf_row = np.empty((trees, samples), np.int32)
    leaf_row[:] = np.r_[1:samples, -1]
    heads = np.zeros((trees, 4), np.int32)
    heads[:, ROOT] = EMPTY
    counts = np.arange(samples + 1)
    return Arrays(
        nodes=nodes,
        links=links,
        trees=heads,
        leaf_row=leaf_row,
        leaf_first=np.zeros((trees, samples), np.float32),
        leaf_parent=np.zeros((trees, samples), np.int16),
        leaf_mass=np.zeros((trees, samples), np.int16),
        slot_key=np.zeros((trees, samples)),
        slot_row=np.zeros((trees, samples), np.int32),
        slot_leaf=np.zeros((trees, samples), np.int16),
        seeds=tree_seeds(seed, trees),
        gates=np.zeros(trees, np.uint64),
        gate_until=np.full(trees, -1, np.int64),
        counts=np.zeros(2, np.int64),
        points=np.zeros((rows, dimensions), np.float32),
        point_number=np.zeros(rows, np.int64),
        weights=1.0 / (counts + 1.0),
        # Rounded, so that the table is the same with math libraries that differ in the last bit.
        logarithms=np.round(np.log2(np.maximum(counts, 1)), 12),
    )


def scale(arrays: Arrays) -> float:
    """The factor from a sum over the trees to a score."""
    return float(arrays.logarithms[-1]) / len(arrays.trees)


@lru_cache(maxsize=16)
def scratch(trees: int, samples: int, dimensions: int) -> Scratch:
    """Scratch space, shared by all forests of one size. This is safe as compiled calls hold the GIL."""
    return Scratch(
        query=np.zeros(CHUNK * 2 * dimensions, np.float32),
        child=np.zeros(BATCH_SLOTS, np.int64),
        depth=np.zeros(BATCH_SLOTS, np.int64),
        path=np.zeros((samples, BATCH_SLOTS), np.int32),
        walking=np.zeros(BATCH_SLOTS, np.int64),
        order=np.zeros(CHUNK, np.int32),
        stack=np.zeros((2 * samples, 4), np.int64),
        score=np.zeros(CHUNK),
        own_path=np.zeros(samples, np.int16),
        side_path=np.zeros(samples, np.int16),
        waiting=np.zeros(samples, np.int16),
        new_row=np.zeros(rows_of_points(trees, samples), np.int32),
        box=np.zeros(2 * dimensions, np.float32),
        share=np.zeros(2 * dimensions),
    )
