# mypy: disable-error-code="no-any-return"
"""A full forest in a quarter of the memory, scored and learned in place: for forests that rarely get a row.

A tree is its records in the order of its leaves, left before right, and its nodes in pre-order. Records that are equal
lie side by side and are one leaf. A node is the dimension of its cut, and how many records and nodes its left child
has; so each node is a range of records, and its box the least and largest of them. Boxes and cuts are computed from the
records on the way (see :mod:`udfs.forest.trees`, which keeps them), so nothing has to be kept up to date.

A coordinate is stored as an integer (see :mod:`udfs.forest.ranges`).
"""

import math
from typing import NamedTuple

import numpy as np

from udfs.compiled import at, compiled, real, whole
from udfs.forest.layout import Array
from udfs.forest.ranges import float_of, least, most, ordered, set_box
from udfs.forest.stream import key_of
from udfs.forest.trees import cut_between, outside, scrambled, uniform

# A node's word: the dimension of its cut, and the nodes and the records of its left child.
NODES_BITS, RECORDS_BITS = whole(8), whole(20)
MASK = whole(0xFFF)


class Compact(NamedTuple):
    """A forest's numbers (T trees of M records in D dimensions); in an arena each has the forest as first axis.

    `seeds`, `weights` and `logarithms` are those of :class:`udfs.forest.layout.Arrays`, shared by all forests.
    """

    coordinates: Array  # int32 (T, D, M): `ranges.ordered`
    numbers: Array  # uint32 (T, M): how many points came before this one, modulo 2**32
    nodes: Array  # uint32 (T, M): words of up to M - 1 nodes; the last one is how many there are
    oldest: Array  # int32 (T,): the record to evict next
    largest: Array  # float64 (T,): its key
    learned: Array  # int64 (1,)
    seeds: Array
    weights: Array
    logarithms: Array


class Room(NamedTuple):
    """Scratch space; its content has no meaning between two calls."""

    query: Array  # float32 (2 D,): a point as x and -x
    box: Array  # float32 (2 D,)
    begins: Array  # int64 (M,): where the ranges of a path begin
    ends: Array  # int64 (M,)
    bits: Array  # uint64 (M,)


@compiled
def goes_right(
    x: Array, seed: np.uint64, d: int, query: np.float32, begin: int, split: int, end: int
) -> bool:
    """On which side of a node's cut a point is; its left child begins at `begin`, its right one at `split`."""
    low = most(x[at(d)], begin, split)
    number = ordered(query)
    if number <= low:
        return False
    high = least(x[at(d)], split, end)
    if number >= high:
        return True
    return bool(query > cut_between(seed, d, float_of(low), float_of(high)))


@compiled
def score_tree(forest: Compact, room: Room, tree: int) -> float:
    """The tree's score of the point in `query`, as of `score_batch` in :mod:`udfs.forest.scores`."""
    x, nodes, seed = forest.coordinates[at(tree)], forest.nodes[at(tree)], forest.seeds[at(tree)]
    query, dimensions = room.query, x.shape[0]
    begin, end = whole(0), whole(x.shape[1])
    node, below, depth = whole(0), whole(nodes[at(end - 1)]), whole(0)
    while below > 0:
        word = whole(nodes[at(node)])
        d, left_nodes, split = word & 0xFF, (word >> NODES_BITS) & MASK, begin + (word >> RECORDS_BITS)
        room.begins[at(depth)], room.ends[at(depth)] = begin, end
        depth += 1
        if goes_right(x, seed, d, query[at(d)], begin, split, end):
            begin = split
            node += 1 + left_nodes
            below -= 1 + left_nodes
        else:
            end = split
            node += 1
            below = left_nodes
    equal = True
    for d in range(dimensions):
        equal &= float_of(x[at(d), at(begin)]) == query[at(d)]
    if equal:
        added = forest.logarithms[at(end - begin)] if depth > 0 else real(end - begin) + 1.0
        return 1.0 / (depth + added)
    score = 1.0 / (depth + 1.0)
    while depth > 0:
        depth -= 1
        sides = set_box(x, room.box, room.begins[at(depth)], room.ends[at(depth)])
        excess = outside(room.box, 0, query, 0, dimensions)
        if not excess > 0.0:
            break
        score += excess / (real(sides) + excess) * (forest.weights[at(depth)] - score)
    return score


@compiled
def remove(forest: Compact, tree: int, record: int) -> None:
    """Remove a record, and its leaf's parent if it is the leaf's only one. The last record's place becomes free."""
    x, nodes, numbers = forest.coordinates[at(tree)], forest.nodes[at(tree)], forest.numbers[at(tree)]
    last = x.shape[1] - 1
    begin, end = whole(0), whole(x.shape[1])
    # The leaf first, as only a leaf of one record takes its parent with it.
    node, below, parent = whole(0), whole(nodes[at(last)]), whole(-1)
    while below > 0:
        word = whole(nodes[at(node)])
        left_nodes, split = (word >> NODES_BITS) & MASK, begin + (word >> RECORDS_BITS)
        parent = node
        if record >= split:
            begin = split
            node += 1 + left_nodes
            below -= 1 + left_nodes
        else:
            end = split
            node += 1
            below = left_nodes
    alone = whole(end - begin == 1 and parent >= 0)
    begin, node, below = whole(0), whole(0), whole(nodes[at(last)])
    while below > 0:
        word = whole(nodes[at(node)])
        left_nodes, split = (word >> NODES_BITS) & MASK, begin + (word >> RECORDS_BITS)
        if record >= split:
            begin = split
            node += 1 + left_nodes
            below -= 1 + left_nodes
        else:
            # The parent's own word is about to go.
            fewer = alone if node != parent else whole(0)
            nodes[at(node)] = np.uint32(word - (whole(1) << RECORDS_BITS) - (fewer << NODES_BITS))
            node += 1
            below = left_nodes
    if alone:
        count = whole(nodes[at(last)]) - 1
        for k in range(parent, count):
            nodes[at(k)] = nodes[at(k + 1)]
        nodes[at(last)] = np.uint32(count)
    for d in range(x.shape[0]):
        for k in range(record, last):
            x[at(d), at(k)] = x[at(d), at(k + 1)]
    for k in range(record, last):
        numbers[at(k)] = numbers[at(k + 1)]


@compiled
def add(forest: Compact, room: Room, tree: int, number: int) -> None:
    """Insert the point in `query` into a tree with one free place: `insert` in :mod:`udfs.forest.trees`."""
    x, nodes, numbers = forest.coordinates[at(tree)], forest.nodes[at(tree)], forest.numbers[at(tree)]
    query, box, seed = room.query, room.box, forest.seeds[at(tree)]
    dimensions, last = x.shape[0], whole(x.shape[1] - 1)
    state = scrambled(~seed, np.uint64(number))
    begin, end, node, below = whole(0), last, whole(0), whole(nodes[at(last)])
    draws, depth = 0, whole(0)
    while below > 0:
        sides = set_box(x, box, begin, end)
        excess = outside(box, 0, query, 0, dimensions)
        if excess > 0.0:
            draws += 1
            if uniform(scrambled(state, np.uint64(draws))) * (real(sides) + excess) < excess:
                break
        word = whole(nodes[at(node)])
        d, left_nodes, split = word & 0xFF, (word >> NODES_BITS) & MASK, begin + (word >> RECORDS_BITS)
        if goes_right(x, seed, d, query[at(d)], begin, split, end):
            begin = split
            node += 1 + left_nodes
            below -= 1 + left_nodes
        else:
            # The nodes on the path that get the record in their left child.
            room.begins[at(depth)] = node
            depth += 1
            end = split
            node += 1
            below = left_nodes
    set_box(x, box, begin, end)
    excess = 0.0
    for k in range(2 * dimensions):
        excess += max(real(box[at(k)]) - real(query[at(k)]), 0.0)
    drawn = uniform(scrambled(~state, np.uint64(draws))) * excess
    dimension, above = whole(-1), False
    for k in range(2 * dimensions):
        gap = real(box[at(k)]) - real(query[at(k)])
        if gap > 0.0:
            dimension = whole(k % dimensions)
            above = k >= dimensions
            drawn -= gap
            if drawn < 0.0:
                break
    place = end if above else begin
    grown = whole(dimension >= 0)
    for k in range(depth):
        here = room.begins[at(k)]
        nodes[at(here)] = np.uint32(
            whole(nodes[at(here)]) + (whole(1) << RECORDS_BITS) + (grown << NODES_BITS)
        )
    if grown:
        count = whole(nodes[at(last)])
        for k in range(count, node, -1):
            nodes[at(k)] = nodes[at(k - 1)]
        left_records, left_nodes = (end - begin, below) if above else (whole(1), whole(0))
        nodes[at(last)] = np.uint32(count + 1)
        nodes[at(node)] = np.uint32(dimension | (left_nodes << NODES_BITS) | (left_records << RECORDS_BITS))
    for d in range(dimensions):
        for k in range(last, place, -1):
            x[at(d), at(k)] = x[at(d), at(k - 1)]
        x[at(d), at(place)] = ordered(query[at(d)])
    for k in range(last, place, -1):
        numbers[at(k)] = numbers[at(k - 1)]
    numbers[at(place)] = np.uint32(number)


@compiled
def full_number(short: np.uint32, learned: int) -> int:
    """A number that is stored modulo 2**32; it is less than `learned`, by less than 2**32."""
    return learned - whole(np.uint32(np.uint64(learned) - np.uint64(short)))


@compiled
def set_oldest(forest: Compact, room: Room, tree: int, learned: int, rate: float) -> None:
    """Find the record with the largest key. Few keys are computed, as each takes two logarithms."""
    numbers, seed = forest.numbers[at(tree)], forest.seeds[at(tree)]
    first, oldest = learned, whole(0)
    for k in range(numbers.shape[0]):
        number = full_number(numbers[at(k)], learned)
        room.bits[at(k)] = scrambled(seed, np.uint64(number))
        first = min(first, number)
        if room.bits[at(k)] < room.bits[at(oldest)]:
            oldest = whole(k)
    # The smaller the random number, the larger the key. A record with a larger one than this can't have a larger key,
    # even if it is the earliest. A little more for rounding, as an exact key is computed for those up to it.
    largest = key_of(seed, full_number(numbers[at(oldest)], learned), rate)
    rounding = 1e-9 + 1e-15 * abs(largest)
    limit = math.exp(-math.exp(min(largest + first * rate - rounding, 40.0)))
    for k in range(numbers.shape[0]):
        if uniform(room.bits[at(k)]) <= limit:
            key = key_of(seed, full_number(numbers[at(k)], learned), rate)
            if key > largest:
                largest, oldest = key, whole(k)
    forest.oldest[at(tree)] = oldest
    forest.largest[at(tree)] = largest


@compiled
def score_and_learn_compact(forest: Compact, room: Room, rows: Array, rate: float, scores: Array) -> None:
    """Score, then learn, each row (n, D) float32; adds each row's sum over the trees to `scores`."""
    dimensions = rows.shape[1]
    learned = whole(forest.learned[0])
    for tree in range(forest.seeds.shape[0]):
        for row in range(rows.shape[0]):
            for d in range(dimensions):
                room.query[at(d)] = rows[at(row), at(d)]
                room.query[at(dimensions + d)] = -rows[at(row), at(d)]
            scores[at(row)] += score_tree(forest, room, tree)
            number = learned + row
            if key_of(forest.seeds[at(tree)], number, rate) < forest.largest[at(tree)]:
                remove(forest, tree, whole(forest.oldest[at(tree)]))
                add(forest, room, tree, number)
                set_oldest(forest, room, tree, number + 1, rate)
    forest.learned[0] = learned + rows.shape[0]
