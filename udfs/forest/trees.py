# mypy: disable-error-code="no-any-return"
"""One random cut tree: insert a point, delete a point.

Three things need not be saved, as they follow from the rest: a box from the points below it, the sum of its sides
from the box, and a cut from the gap it lies in. Given the points that it separates, a random cut is uniform in the gap
between the two sides, so it may be redrawn whenever the gap changes. Here it is a fixed random function of tree,
dimension and gap. So a saved tree is only its shape.

All randomness is a function of (seed of the tree, number of the point): there is no generator to save.
"""

import numpy as np

from udfs.compiled import at, compiled, real, whole
from udfs.forest.layout import (
    BOX,
    CUT,
    DIMENSION,
    EMPTY,
    FREE_LEAF,
    FREE_NODE,
    LEFT,
    PARENT,
    RIGHT,
    ROOT,
    SIDES,
    Array,
    Arrays,
)

_STEP = np.uint64(0x9E3779B97F4A7C15)
_M1 = np.uint64(0xBF58476D1CE4E5B9)
_M2 = np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _S11, _S32 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11), np.uint64(32)


@compiled
def scrambled(seed: np.uint64, number: np.uint64) -> np.uint64:
    """The `number`-th output of splitmix64 started at `seed`."""
    z = seed + number * _STEP
    z = (z ^ (z >> _S30)) * _M1
    z = (z ^ (z >> _S27)) * _M2
    return z ^ (z >> _S31)


@compiled
def uniform(bits: np.uint64) -> float:
    """64 random bits as a number in (0, 1), never 0 and never 1."""
    return (real(bits >> _S11) + 0.5) * (1.0 / 9007199254740992.0)


@compiled
def cut_between(seed: np.uint64, dimension: int, low: np.float32, high: np.float32) -> np.float32:
    """The cut of the gap from `low` to `high` (low < high): low <= cut < high."""
    gap = (np.uint64(np.float32(low).view(np.uint32)) << _S32) | np.uint64(np.float32(high).view(np.uint32))
    u = uniform(scrambled(seed ^ gap, np.uint64(dimension)))
    cut = np.float32(real(low) + u * (real(high) - real(low)))
    return cut if cut < high else low


@compiled
def side(arrays: Arrays, tree: int, child: int, k: int) -> np.float32:
    """Number `k` of the 2 D numbers of a child's box."""
    dimensions = arrays.points.shape[1]
    if child >= 0:
        return arrays.nodes[
            at((tree * (arrays.leaf_row.shape[1] - 1) + child) * (4 + 2 * dimensions) + BOX + k)
        ]
    row = arrays.leaf_row[at(tree), at(~child)]
    return arrays.points[at(row), at(k)] if k < dimensions else -arrays.points[at(row), at(k - dimensions)]


@compiled
def outside(nodes: Array, box: int, query: Array, point: int, dimensions: int) -> float:
    """How far the point at `query[point]` lies outside the box at `nodes[box]`, summed over dimensions."""
    # Two separate sums, so that neither waits for the other.
    low = max(nodes[at(box)] - query[at(point)], np.float32(0.0))
    high = max(nodes[at(box + dimensions)] - query[at(point + dimensions)], np.float32(0.0))
    for d in range(1, dimensions):
        low += max(nodes[at(box + d)] - query[at(point + d)], np.float32(0.0))
        high += max(nodes[at(box + dimensions + d)] - query[at(point + dimensions + d)], np.float32(0.0))
    return real(low + high)


@compiled
def set_sides(nodes: Array, base: int, dimensions: int) -> None:
    """Set the sum of a box's sides, always added in the same order, so that equal boxes have equal sums."""
    total = 0.0
    for k in range(base + BOX, base + BOX + dimensions):
        total -= real(nodes[at(k + dimensions)]) + real(nodes[at(k)])
    nodes[at(base + SIDES)] = np.float32(total)


@compiled
def box_sides(arrays: Arrays, child: int, base: int, row: int, d: int) -> tuple[np.float32, np.float32]:
    """Both numbers of dimension `d` of a child's box; the child is the node at `base` or the leaf at `row`."""
    if child < 0:
        x = arrays.points[at(row), at(d)]
        return x, -x
    return arrays.nodes[at(base + BOX + d)], arrays.nodes[at(base + BOX + arrays.points.shape[1] + d)]


@compiled
def fit(arrays: Arrays, tree: int, base: int) -> bool:
    """Update box, sides and cut of the node at `base` from its children; True if the box has changed."""
    nodes, links = arrays.nodes, arrays.links
    dimensions = arrays.points.shape[1]
    words = 4 + 2 * dimensions
    first = tree * (arrays.leaf_row.shape[1] - 1)
    left, right = whole(links[at(2 * base + LEFT)]), whole(links[at(2 * base + RIGHT)])
    # A child is a node or a leaf, so only one of each pair is used.
    left_base, left_row = (first + left) * words, whole(0)
    right_base, right_row = (first + right) * words, whole(0)
    if left < 0:
        left_row = whole(arrays.leaf_row[at(tree), at(~left)])
    if right < 0:
        right_row = whole(arrays.leaf_row[at(tree), at(~right)])
    changed = False
    for d in range(dimensions):
        low, high = box_sides(arrays, left, left_base, left_row, d)
        other_low, other_high = box_sides(arrays, right, right_base, right_row, d)
        low = low if low < other_low else other_low
        high = high if high < other_high else other_high
        changed |= (low != nodes[at(base + BOX + d)]) | (high != nodes[at(base + BOX + dimensions + d)])
        nodes[at(base + BOX + d)] = low
        nodes[at(base + BOX + dimensions + d)] = high
    if changed:
        set_sides(nodes, base, dimensions)
    d = whole(links[at(2 * base + DIMENSION)])
    low = -box_sides(arrays, left, left_base, left_row, d)[1]
    high = box_sides(arrays, right, right_base, right_row, d)[0]
    nodes[at(base + CUT)] = cut_between(arrays.seeds[at(tree)], d, low, high)
    return changed


@compiled
def insert(arrays: Arrays, tree: int, row: int, query: Array, point: int) -> int:
    """Insert a row of `points`, which is also at `query[point]`, into the tree; returns its leaf.

    From the root down, a random cut is drawn in the node's box extended by the point. If it separates the point from
    the box, a new node is inserted there; otherwise the point goes on down.
    """
    nodes, links = arrays.nodes, arrays.links
    dimensions = arrays.points.shape[1]
    words = 4 + 2 * dimensions
    first = tree * (arrays.leaf_row.shape[1] - 1)
    seed = arrays.seeds[tree]
    state = scrambled(~seed, np.uint64(arrays.point_number[row]))
    child = whole(arrays.trees[tree, ROOT])
    parent, parent_link = -1, -1
    draws = 0
    while 0 <= child < EMPTY:
        base = (first + child) * words
        excess = outside(nodes, base + BOX, query, point, dimensions)
        if excess > 0.0:
            draws += 1
            drawn = uniform(scrambled(state, np.uint64(draws))) * (real(nodes[at(base + SIDES)]) + excess)
            if drawn < excess:
                break
            for k in range(2 * dimensions):
                if query[at(point + k)] < nodes[at(base + BOX + k)]:
                    nodes[at(base + BOX + k)] = query[at(point + k)]
            set_sides(nodes, base, dimensions)
        d = whole(links[at(2 * base + DIMENSION)])
        left, right = whole(links[at(2 * base + LEFT)]), whole(links[at(2 * base + RIGHT)])
        x = query[at(point + d)]
        low, high = -side(arrays, tree, left, dimensions + d), side(arrays, tree, right, d)
        goes_left = x <= nodes[at(base + CUT)]
        if low < x < high:
            nodes[at(base + CUT)] = cut_between(seed, d, x if goes_left else low, high if goes_left else x)
        parent = child
        parent_link = 2 * base + (LEFT if goes_left else RIGHT)
        child = left if goes_left else right

    # Draw the dimension of the cut, with probability in proportion to how far the point lies outside in it.
    dimension = -1
    above = False
    if child != EMPTY:
        excess = 0.0
        for k in range(2 * dimensions):
            excess += max(real(side(arrays, tree, child, k)) - real(query[at(point + k)]), 0.0)
        drawn = uniform(scrambled(~state, np.uint64(draws))) * excess
        for k in range(2 * dimensions):
            gap = real(side(arrays, tree, child, k)) - real(query[at(point + k)])
            if gap > 0.0:
                # If rounding leaves `drawn` positive after all of them, the last one is used.
                dimension = k % dimensions
                above = k >= dimensions
                drawn -= gap
                if drawn < 0.0:
                    break
        if dimension < 0:
            # Not outside in any dimension: equal to the leaf.
            arrays.leaf_mass[tree, ~child] += 1
            return ~child

    leaf = whole(arrays.trees[tree, FREE_LEAF])
    arrays.trees[tree, FREE_LEAF] = arrays.leaf_row[tree, leaf]
    arrays.leaf_row[tree, leaf] = row
    arrays.leaf_first[tree, leaf] = query[at(point)]
    arrays.leaf_mass[tree, leaf] = 1
    if child == EMPTY:
        arrays.leaf_parent[tree, leaf] = -1
        arrays.trees[tree, ROOT] = ~leaf
        return leaf
    node = whole(arrays.trees[tree, FREE_NODE])
    base = (first + node) * words
    arrays.trees[tree, FREE_NODE] = links[at(2 * base + LEFT)]
    links[at(2 * base + LEFT)] = child if above else ~leaf
    links[at(2 * base + RIGHT)] = ~leaf if above else child
    links[at(2 * base + DIMENSION)] = dimension
    links[at(2 * base + PARENT)] = parent
    arrays.leaf_parent[tree, leaf] = node
    set_parent(arrays, tree, child, node)
    fit(arrays, tree, base)
    set_sides(nodes, base, dimensions)
    if parent_link < 0:
        arrays.trees[tree, ROOT] = node
    else:
        links[parent_link] = node
    return leaf


@compiled
def set_parent(arrays: Arrays, tree: int, child: int, node: int) -> None:
    """Set the parent of a child, a node or a leaf, to `node` (-1: none)."""
    if child < 0:
        arrays.leaf_parent[at(tree), at(~child)] = node
    else:
        first = tree * (arrays.leaf_row.shape[1] - 1)
        arrays.links[at(2 * (first + child) * (4 + 2 * arrays.points.shape[1]) + PARENT)] = node


@compiled
def delete(arrays: Arrays, tree: int, leaf: int) -> None:
    """Remove one record from a leaf, and the leaf from the tree if that was its last record."""
    arrays.leaf_mass[tree, leaf] -= 1
    if arrays.leaf_mass[tree, leaf] > 0:
        return
    links = arrays.links
    words = 4 + 2 * arrays.points.shape[1]
    first = tree * (arrays.leaf_row.shape[1] - 1)
    arrays.leaf_row[tree, leaf] = arrays.trees[tree, FREE_LEAF]
    arrays.trees[tree, FREE_LEAF] = leaf
    parent = whole(arrays.leaf_parent[tree, leaf])
    if parent < 0:
        arrays.trees[tree, ROOT] = EMPTY
        return
    base = 2 * (first + parent) * words
    sibling = whole(links[at(base + (RIGHT if links[at(base + LEFT)] == ~leaf else LEFT))])
    above = whole(links[at(base + PARENT)])
    links[at(base + LEFT)] = arrays.trees[tree, FREE_NODE]
    arrays.trees[tree, FREE_NODE] = parent
    set_parent(arrays, tree, sibling, above)
    if above < 0:
        arrays.trees[tree, ROOT] = sibling
        return
    base = 2 * (first + above) * words
    links[at(base + (LEFT if links[at(base + LEFT)] == parent else RIGHT))] = sibling
    while above >= 0 and fit(arrays, tree, (first + above) * words):
        above = whole(links[at(2 * (first + above) * words + PARENT)])
