# mypy: disable-error-code="no-any-return"
"""The score of a point in one tree.

On the way down, a random cut separates the point from a node's box with probability p = excess / (sides +
excess), where `excess` is how far the point lies outside, summed over dimensions. A point separated at depth
k scores 1 / (k + 1), so the tree's score is the sum over the path of

    p_k / (k + 1) * product of (1 - p_j) over the nodes j above k

with p = 1 at a leaf that differs from the point. On the way back up, s becomes s + p (1 / (k + 1) - s), up to the
first box that contains the point; above it p is 0. A leaf of mass m equal to the point scores
1 / (depth + log2 m), or 1 / (m + 1) where it is the whole tree (as KDA did).
"""

from udfs.compiled import at, compiled, inlined, real, whole
from udfs.forest.layout import (
    BATCH_SLOTS,
    BOX,
    CUT,
    DIMENSION,
    LEFT,
    RIGHT,
    ROOT,
    SIDES,
    Array,
    Arrays,
    Scratch,
)
from udfs.forest.trees import outside


@inlined
def score_batch(
    arrays: Arrays, scratch: Scratch, slots: int, tree: int, tree_step: int, point: int, point_step: int
) -> None:
    """Score of a point in a tree, before the factor log2 M, for each of the first `slots` slots.

    Slot k has tree `tree + k tree_step` and the point at `query[point + k point_step]`. All go down together, one
    level at a time, and then up again, so that no step waits for the one before. The loops have no data-dependent
    branches to mispredict: in the list `walking`, a slot that has ended is overwritten by the next one.
    """
    nodes, links, points, weights, query = (
        arrays.nodes,
        arrays.links,
        arrays.points,
        arrays.weights,
        scratch.query,
    )
    child, depth, path, walking, score = (
        scratch.child,
        scratch.depth,
        scratch.path,
        scratch.walking,
        scratch.score,
    )
    dimensions = points.shape[1]
    words = 4 + 2 * dimensions
    nodes_of_tree = (arrays.leaf_row.shape[1] - 1) * words
    root, root_step = tree * nodes_of_tree, tree_step * nodes_of_tree
    count = 0
    for slot in range(slots):
        child[at(slot)] = arrays.trees[at(tree + tree_step * slot), at(ROOT)]
        depth[at(slot)] = 0
        walking[at(count)] = slot
        count += whole(child[at(slot)] >= 0)
    level = 0
    while count > 0:
        going = count
        count = 0
        for k in range(going):
            slot = walking[at(k)]
            base = root + root_step * slot + child[at(slot)] * words
            path[at(level), at(slot)] = base
            depth[at(slot)] = level + 1
            d = whole(links[at(2 * base + DIMENSION)])
            right = whole(query[at(point + point_step * slot + d)] > nodes[at(base + CUT)])
            below = whole(links[at(2 * base + LEFT + right)])
            child[at(slot)] = below
            walking[at(count)] = slot
            count += whole(below >= 0)
        level += 1

    for slot in range(slots):
        its_tree, leaf, query_start = tree + tree_step * slot, ~child[at(slot)], point + point_step * slot
        equal = equal_to_leaf(arrays, its_tree, leaf, query, query_start)
        mass = arrays.leaf_mass[at(its_tree), at(leaf)]
        # Unpredictable, so both values are computed and one is selected without a branch.
        added = added_depth(arrays, mass, depth[at(slot)])
        score[at(slot)] = 1.0 / (depth[at(slot)] + (added if equal else 1.0))
        walking[at(count)] = slot
        count += whole((not equal) & (depth[at(slot)] > 0))
    while count > 0:
        going = count
        count = 0
        for k in range(going):
            slot = walking[at(k)]
            level = depth[at(slot)] - 1
            depth[at(slot)] = level
            base = whole(path[at(level), at(slot)])
            excess = outside(nodes, base + BOX, query, point + point_step * slot, dimensions)
            separated = excess / (real(nodes[at(base + SIDES)]) + excess)
            score[at(slot)] += separated * (weights[at(level)] - score[at(slot)])
            walking[at(count)] = slot
            count += whole((excess > 0.0) & (level > 0))


@inlined
def score_many_rows(arrays: Arrays, scratch: Scratch, tree: int, start: int, end: int, scores: Array) -> None:
    """:func:`score_chunk` for many rows.

    All rows visit a node together, while it is in registers: on the way down the cut partitions them, as quicksort
    does, and what lies on either side goes on. On the way up each node looks at those that were outside all boxes
    below. These lie at the front of `order`, which the walk no longer needs; a node's are the last ones there.
    """
    nodes, links, query, order, stack, score = (
        arrays.nodes,
        arrays.links,
        scratch.query,
        scratch.order,
        scratch.stack,
        scratch.score,
    )
    dimensions = arrays.points.shape[1]
    numbers, words = 2 * dimensions, 4 + 2 * dimensions
    root, first = tree * (arrays.leaf_row.shape[1] - 1) * words, start * numbers
    low, high = whole(0), end - start
    for k in range(high):
        order[at(k)] = k
    child = whole(arrays.trees[at(tree), at(ROOT)])
    depth, top, outer = whole(0), whole(0), whole(0)
    while True:
        while child >= 0:
            base = root + child * words
            # To be left again, when what is below has been visited.
            stack[at(top), at(0)] = base
            stack[at(top), at(1)] = outer
            stack[at(top), at(2)] = -1
            stack[at(top), at(3)] = depth
            top += 1
            depth += 1
            cut = nodes[at(base + CUT)]
            coordinate = first + whole(links[at(2 * base + DIMENSION)])
            middle = low
            for k in range(low, high):
                row = whole(order[at(k)])
                order[at(k)] = order[at(middle)]
                order[at(middle)] = row
                middle += whole(query[at(coordinate + row * numbers)] <= cut)
            child = whole(links[at(2 * base + LEFT)])
            if middle == low:
                child = whole(links[at(2 * base + RIGHT)])
            elif middle < high:
                stack[at(top), at(0)] = whole(links[at(2 * base + RIGHT)])
                stack[at(top), at(1)] = high
                stack[at(top), at(2)] = middle
                stack[at(top), at(3)] = depth
                top += 1
                high = middle

        leaf = ~child
        different = arrays.weights[at(depth)]
        same = 1.0 / (depth + added_depth(arrays, arrays.leaf_mass[at(tree), at(leaf)], depth))
        for k in range(low, high):
            row = whole(order[at(k)])
            equal = equal_to_leaf(arrays, tree, leaf, query, first + row * numbers)
            score[at(row)] = same if equal else different
            order[at(outer)] = row
            outer += whole(not equal)

        while top > 0 and stack[at(top - 1), at(2)] < 0:
            top -= 1
            base, begin, depth = stack[at(top), at(0)], stack[at(top), at(1)], stack[at(top), at(3)]
            weight, sides = arrays.weights[at(depth)], real(nodes[at(base + SIDES)])
            going = outer
            outer = begin
            for k in range(begin, going):
                row = whole(order[at(k)])
                excess = outside(nodes, base + BOX, query, first + row * numbers, dimensions)
                separated = excess / (sides + excess)
                score[at(row)] += separated * (weight - score[at(row)])
                order[at(outer)] = row
                outer += whole(excess > 0.0)
        if top == 0:
            break
        top -= 1
        child, high, low, depth = (
            stack[at(top), at(0)],
            stack[at(top), at(1)],
            stack[at(top), at(2)],
            stack[at(top), at(3)],
        )
    for k in range(end - start):
        scores[at(start + k)] += score[at(k)]


@inlined
def score_chunk(arrays: Arrays, scratch: Scratch, tree: int, start: int, end: int, scores: Array) -> None:
    """Add one tree's scores, before the factor log2 M, of rows `start` to `end` of `query` to `scores`."""
    # Measured: fewer rows share too few nodes.
    if 4 * (end - start) >= arrays.leaf_row.shape[1]:
        score_many_rows(arrays, scratch, tree, start, end, scores)
        return
    numbers = 2 * arrays.points.shape[1]
    for block in range(start, end, BATCH_SLOTS):
        slots = min(BATCH_SLOTS, end - block)
        score_batch(arrays, scratch, slots, tree, 0, block * numbers, numbers)
        for slot in range(slots):
            scores[at(block + slot)] += scratch.score[at(slot)]


@compiled
def equal_to_leaf(arrays: Arrays, tree: int, leaf: int, query: Array, point: int) -> bool:
    """Whether the point at `query[point]` is that of a leaf."""
    equal = arrays.leaf_first[at(tree), at(leaf)] == query[at(point)]
    if equal and arrays.points.shape[1] > 1:
        row = arrays.leaf_row[at(tree), at(leaf)]
        for d in range(1, arrays.points.shape[1]):
            equal &= arrays.points[at(row), at(d)] == query[at(point + d)]
    return equal


@compiled
def added_depth(arrays: Arrays, mass: int, depth: int) -> float:
    """The number added to a leaf's depth for a point equal to it; the point's score is 1 / (depth + this)."""
    return arrays.logarithms[at(mass)] if depth > 0 else mass + 1.0
