"""How far out a point lies in one tree, and in which dimensions.

On the way down, a random cut separates the point from a node's box with probability p = excess / (sides +
excess), where `excess` is how far the point lies outside, summed over dimensions. A point separated at depth
k scores 1 / (k + 1), so the tree's score is the sum over the path of

    p_k / (k + 1) * product of (1 - p_j) over the nodes j above k

with p = 1 at a leaf that differs from the point. A leaf of mass m equal to the point scores
1 / (depth + log2(m + 1)), but a single one is taken as if it were not in the tree (as KDA did).
"""

import numpy as np
from numpy.typing import NDArray

from udfs.compiled import compiled
from udfs.forest_layout import BOX, CUT, DIMENSION, LEFT, RIGHT, ROOT, SIDES, Arrays
from udfs.forest_trees import maximum, minimum


@compiled
def descend(arrays: Arrays, tree: int, row: int, child: int, depth: int) -> tuple[float, int, int]:
    """Score of a row of `points` in the subtree `child` at `depth`; with the leaf it ends in and its depth.

    A row equal to that leaf scores exactly 0 here: no box on its way excludes it.
    """
    nodes, links, points, weights = arrays.nodes, arrays.links, arrays.points, arrays.weights
    dimensions = points.shape[1]
    words = 4 + 2 * dimensions
    first = tree * (arrays.leaf_row.shape[1] - 1)
    score = 0.0
    rest = 1.0
    while child >= 0:
        base = (first + child) * words
        excess = 0.0
        for d in range(dimensions):
            x = np.float64(points[row, d])
            excess += max(nodes[base + BOX + d] - x, x - nodes[base + BOX + dimensions + d], 0.0)
        sides = np.float64(nodes[base + SIDES])
        separated = rest * (excess / (sides + excess))
        score += separated * weights[depth]
        rest -= separated
        left, right = np.int64(links[2 * base + LEFT]), np.int64(links[2 * base + RIGHT])
        child = left if points[row, links[2 * base + DIMENSION]] <= nodes[base + CUT] else right
        depth += 1
    twin = arrays.leaf_row[tree, ~child]
    for d in range(dimensions):
        if points[row, d] != points[twin, d]:
            score += rest * weights[depth]
            break
    return score, ~child, depth


@compiled
def path_to(arrays: Arrays, tree: int, row: int) -> None:
    """The nodes on the way to a row's leaf, into the scratch array `path`."""
    words = 4 + 2 * arrays.points.shape[1]
    first = tree * (arrays.leaf_row.shape[1] - 1)
    child = np.int64(arrays.trees[tree, ROOT])
    depth = 0
    while child >= 0:
        arrays.path[depth] = child
        depth += 1
        base = (first + child) * words
        goes_left = arrays.points[row, arrays.links[2 * base + DIMENSION]] <= arrays.nodes[base + CUT]
        child = np.int64(arrays.links[2 * base + (LEFT if goes_left else RIGHT)])


@compiled
def sibling_of(arrays: Arrays, tree: int, depth: int, child: int) -> int:
    """The other child of the path's node at `depth`."""
    base = 2 * (tree * (arrays.leaf_row.shape[1] - 1) + arrays.path[depth]) * (4 + 2 * arrays.points.shape[1])
    left, right = np.int64(arrays.links[base + LEFT]), np.int64(arrays.links[base + RIGHT])
    return right if left == child else left


@compiled
def widen(arrays: Arrays, tree: int, child: int, row: int) -> tuple[float, float]:
    """Add a child's box to the scratch `box`; excess of the row over it, and its sides."""
    dimensions = arrays.points.shape[1]
    box = arrays.box
    excess = sides = 0.0
    for d in range(dimensions):
        box[d] = min(box[d], minimum(arrays, tree, child, d))
        box[dimensions + d] = max(box[dimensions + d], maximum(arrays, tree, child, d))
        x = np.float64(arrays.points[row, d])
        excess += max(box[d] - x, x - box[dimensions + d], 0.0)
        sides += np.float64(box[dimensions + d]) - np.float64(box[d])
    return excess, sides


@compiled
def score_without(arrays: Arrays, tree: int, row: int, leaf: int, depth: int) -> float:
    """Score of a row equal to a leaf at `depth` > 0, as if that leaf were not in the tree."""
    path_to(arrays, tree, row)
    child = ~leaf
    sibling = sibling_of(arrays, tree, depth - 1, child)
    score = descend(arrays, tree, row, sibling, depth - 1)[0]
    arrays.box[: arrays.points.shape[1]] = np.inf
    arrays.box[arrays.points.shape[1] :] = -np.inf
    widen(arrays, tree, sibling, row)
    for k in range(depth - 2, -1, -1):
        child = np.int64(arrays.path[k + 1])
        excess, sides = widen(arrays, tree, sibling_of(arrays, tree, k, child), row)
        if excess == 0.0:
            break
        p = excess / (sides + excess)
        score = p * arrays.weights[k] + (1.0 - p) * score
    return score


@compiled
def score_in(arrays: Arrays, tree: int, row: int) -> float:
    """Score of a row of `points` in one tree, before the factor log2(M + 1)."""
    score, leaf, depth = descend(arrays, tree, row, np.int64(arrays.trees[tree, ROOT]), 0)
    if score == 0.0:
        mass = arrays.leaf_mass[tree, leaf]
        if mass == 1:
            return score_without(arrays, tree, row, leaf, depth)
        return 1.0 / (depth + arrays.logarithms[mass])
    return score


@compiled
def spread(high: NDArray[np.float64], low: NDArray[np.float64], factor: float) -> None:
    """Multiply an attribution by a factor."""
    for d in range(high.shape[0]):
        high[d] *= factor
        low[d] *= factor


@compiled
def attribute(
    arrays: Arrays, tree: int, row: int, child: int, depth: int, high: NDArray[np.float64], low: NDArray[np.float64]
) -> tuple[float, int, int]:
    """As `descend`, adding each dimension's share of the score to `high` (point above the box) and `low`."""
    nodes, links, points = arrays.nodes, arrays.links, arrays.points
    dimensions = points.shape[1]
    words = 4 + 2 * dimensions
    first = tree * (arrays.leaf_row.shape[1] - 1)
    rest = 1.0
    score = 0.0
    while True:
        excess = 0.0
        for d in range(dimensions):
            x = np.float64(points[row, d])
            excess += max(minimum(arrays, tree, child, d) - x, x - maximum(arrays, tree, child, d), 0.0)
        base = (first + child) * words
        if excess > 0.0:
            sides = np.float64(nodes[base + SIDES]) if child >= 0 else 0.0
            separated = rest * (excess / (sides + excess))
            score += separated * arrays.weights[depth]
            unit = separated * arrays.weights[depth] / excess
            for d in range(dimensions):
                x = np.float64(points[row, d])
                high[d] += unit * max(x - maximum(arrays, tree, child, d), 0.0)
                low[d] += unit * max(minimum(arrays, tree, child, d) - x, 0.0)
            rest -= separated
        if child < 0:
            return score, ~child, depth
        left, right = np.int64(links[2 * base + LEFT]), np.int64(links[2 * base + RIGHT])
        child = left if points[row, links[2 * base + DIMENSION]] <= nodes[base + CUT] else right
        depth += 1


@compiled
def attribution_in(
    arrays: Arrays, tree: int, row: int, high: NDArray[np.float64], low: NDArray[np.float64]
) -> None:
    """Attribution of a row's score in one tree, into `high` and `low`.

    A row equal to a leaf lies outside of nothing; its score is shared out as that of the same row in the
    tree without this leaf, and evenly where the tree has no other.
    """
    dimensions = arrays.points.shape[1]
    high[:] = 0.0
    low[:] = 0.0
    score, leaf, depth = attribute(arrays, tree, row, np.int64(arrays.trees[tree, ROOT]), 0, high, low)
    if score > 0.0:
        return
    mass = arrays.leaf_mass[tree, leaf]
    if depth == 0:
        high[:] = low[:] = 0.5 / dimensions / arrays.logarithms[mass]
        return
    path_to(arrays, tree, row)
    child = ~leaf
    sibling = sibling_of(arrays, tree, depth - 1, child)
    score = attribute(arrays, tree, row, sibling, depth - 1, high, low)[0]
    arrays.box[:dimensions] = np.inf
    arrays.box[dimensions:] = -np.inf
    widen(arrays, tree, sibling, row)
    for k in range(depth - 2, -1, -1):
        child = np.int64(arrays.path[k + 1])
        excess, sides = widen(arrays, tree, sibling_of(arrays, tree, k, child), row)
        if excess == 0.0:
            break
        p = excess / (sides + excess)
        spread(high, low, 1.0 - p)
        score = p * arrays.weights[k] + (1.0 - p) * score
        unit = p * arrays.weights[k] / excess
        for d in range(dimensions):
            x = np.float64(arrays.points[row, d])
            high[d] += unit * max(x - arrays.box[dimensions + d], 0.0)
            low[d] += unit * max(arrays.box[d] - x, 0.0)
    if mass > 1:
        spread(high, low, 1.0 / (depth + arrays.logarithms[mass]) / score)
