"""How far out a point lies in one tree, and in which dimensions.

On the way down, a random cut separates the point from a node's box with probability p = excess / (sides +
excess), where `excess` is how far the point lies outside, summed over dimensions. A point separated at depth
k scores 1 / (k + 1), so the tree's score is the sum over the path of

    p_k / (k + 1) * product of (1 - p_j) over the nodes j above k

with p = 1 at a leaf that differs from the point; going up, s becomes s + p (1 / (k + 1) - s), and above the
first box that holds the point nothing changes any more. A leaf of mass m equal to the point scores
1 / (depth + log2(m + 1)), but a single one is taken as if it were not in the tree (as KDA did).
"""

import numpy as np
from numpy.typing import NDArray

from udfs.compiled import compiled
from udfs.forest_layout import BOX, CUT, DIMENSION, LEFT, RIGHT, ROOT, SIDES, Arrays, Scratch
from udfs.forest_trees import outside, side


@compiled
def score_lanes(arrays: Arrays, scratch: Scratch, lanes: int) -> None:
    """Score of a row of `query` in a tree, before the factor log2(M + 1), for each of the first `lanes` lanes.

    All lanes go down one level after the other, so that no step waits for the one before it; then each goes
    up by itself.
    """
    nodes, links, points, weights = arrays.nodes, arrays.links, arrays.points, arrays.weights
    query, path, walking, child, depth = (
        scratch.query,
        scratch.path,
        scratch.walking,
        scratch.child,
        scratch.depth,
    )
    dimensions = points.shape[1]
    words = 4 + 2 * dimensions
    nodes_of_tree = arrays.leaf_row.shape[1] - 1
    still = 0
    for lane in range(lanes):
        child[lane] = arrays.trees[scratch.tree[lane], ROOT]
        depth[lane] = 0
        walking[still] = lane
        still += np.int64(child[lane] >= 0)
    level = 0
    while still > 0:
        going = still
        still = 0
        for k in range(going):
            lane = walking[k]
            path[lane, level] = child[lane]
            depth[lane] = level + 1
            base = (scratch.tree[lane] * nodes_of_tree + child[lane]) * words
            right = np.int64(query[scratch.row[lane], links[2 * base + DIMENSION]] > nodes[base + CUT])
            below = np.int64(links[2 * base + LEFT + right])
            child[lane] = below
            # No branch: whoever has come to a leaf is overwritten by the next.
            walking[still] = lane
            still += np.int64(below >= 0)
        level += 1
    for lane in range(lanes):
        tree, row, k = scratch.tree[lane], scratch.row[lane], depth[lane]
        leaf = ~child[lane]
        twin = arrays.leaf_row[tree, leaf]
        equal = True
        for d in range(dimensions):
            equal &= points[twin, d] == query[row, d]
        if equal:
            scratch.score[lane] = score_of_equal(arrays, scratch, tree, row, leaf, path[lane], k)
            continue
        score = weights[k]
        while k > 0:
            k -= 1
            base = (tree * nodes_of_tree + path[lane, k]) * words
            excess = outside(nodes, base + BOX, query, row)
            if excess == 0.0:
                break
            score += excess / (np.float64(nodes[base + SIDES]) + excess) * (weights[k] - score)
        scratch.score[lane] = score


@compiled
def score_of_equal(
    arrays: Arrays, scratch: Scratch, tree: int, row: int, leaf: int, path: NDArray[np.int16], depth: int
) -> float:
    """Score of a point equal to the leaf at the end of `path`."""
    mass = arrays.leaf_mass[tree, leaf]
    if mass == 1:
        return share_without(arrays, scratch, tree, row, leaf, path, depth)
    return 1.0 / (depth + arrays.logarithms[mass])


@compiled
def share_out(arrays: Arrays, scratch: Scratch, tree: int, row: int, child: int, portion: float) -> None:
    """Add `portion` to the scratch `share`, in proportion to how far the point is outside on each side."""
    excess = 0.0
    for k in range(scratch.share.shape[0]):
        excess += max(np.float64(side(arrays, tree, child, k)) - np.float64(scratch.query[row, k]), 0.0)
    for k in range(scratch.share.shape[0]):
        gap = max(np.float64(side(arrays, tree, child, k)) - np.float64(scratch.query[row, k]), 0.0)
        scratch.share[k] += portion * (gap / excess)


@compiled
def share_below(
    arrays: Arrays, scratch: Scratch, tree: int, row: int, child: int, depth: int, path: NDArray[np.int16]
) -> tuple[float, int, int]:
    """Score in the subtree `child` at `depth`, shared out; with the leaf at its end, and the leaf's depth.

    The nodes passed are written to `path`. A point equal to the leaf has score 0 here.
    """
    nodes, links, query = arrays.nodes, arrays.links, scratch.query
    words = 4 + 2 * arrays.points.shape[1]
    first = tree * (arrays.leaf_row.shape[1] - 1)
    score = 0.0
    rest = 1.0
    while child >= 0:
        path[depth] = child
        base = (first + child) * words
        excess = outside(nodes, base + BOX, query, row)
        if excess > 0.0:
            separated = rest * (excess / (np.float64(nodes[base + SIDES]) + excess))
            score += separated * arrays.weights[depth]
            rest -= separated
            share_out(arrays, scratch, tree, row, child, separated * arrays.weights[depth])
        right = np.int64(query[row, links[2 * base + DIMENSION]] > nodes[base + CUT])
        child = np.int64(links[2 * base + LEFT + right])
        depth += 1
    for d in range(arrays.points.shape[1]):
        if side(arrays, tree, child, d) != query[row, d]:
            share_out(arrays, scratch, tree, row, child, rest * arrays.weights[depth])
            return score + rest * arrays.weights[depth], ~child, depth
    return 0.0, ~child, depth


@compiled
def share_without(
    arrays: Arrays, scratch: Scratch, tree: int, row: int, leaf: int, path: NDArray[np.int16], depth: int
) -> float:
    """Score, shared out, of a point equal to a leaf at `depth` > 0, as if that leaf were not in the tree.

    The leaf's sibling then has its parent's place, and each box further up is the union of those beside the path.
    """
    links, box, query = arrays.links, scratch.box, scratch.query
    dimensions = arrays.points.shape[1]
    words = 2 * (4 + 2 * dimensions)
    first = tree * (arrays.leaf_row.shape[1] - 1)
    scratch.share[:] = 0.0
    score = 0.0
    child = ~leaf
    for level in range(depth - 1, -1, -1):
        base = (first + path[level]) * words
        left, right = np.int64(links[base + LEFT]), np.int64(links[base + RIGHT])
        beside = right if left == child else left
        child = np.int64(path[level])
        if level == depth - 1:
            score = share_below(arrays, scratch, tree, row, beside, level, scratch.side_path)[0]
            for k in range(2 * dimensions):
                box[k] = side(arrays, tree, beside, k)
            continue
        excess = sides = 0.0
        for k in range(2 * dimensions):
            box[k] = min(box[k], side(arrays, tree, beside, k))
            sides -= np.float64(box[k])
            excess += max(np.float64(box[k]) - np.float64(query[row, k]), 0.0)
        if excess == 0.0:
            break
        separated = excess / (sides + excess)
        score += separated * (arrays.weights[level] - score)
        for k in range(2 * dimensions):
            gap = max(np.float64(box[k]) - np.float64(query[row, k]), 0.0)
            scratch.share[k] += separated * (arrays.weights[level] * gap / excess - scratch.share[k])
    return score


@compiled
def add_attribution(arrays: Arrays, scratch: Scratch, row: int, shares: NDArray[np.float64]) -> None:
    """Add to `shares` (2 D: too low, too high) what makes up the score of a row of `query`, over all trees.

    A point equal to a leaf lies outside of nothing; its score is shared out as that of the same point in the
    tree without this leaf, and evenly where the tree has no other.
    """
    share = scratch.share
    for tree in range(arrays.seeds.shape[0]):
        share[:] = 0.0
        path = scratch.path[0]
        root = np.int64(arrays.trees[tree, ROOT])
        score, leaf, depth = share_below(arrays, scratch, tree, row, root, 0, path)
        factor = 1.0
        if score == 0.0:
            score = score_of_equal(arrays, scratch, tree, row, leaf, path, depth)
            if depth == 0:
                share[:] = score / share.shape[0]
            else:
                factor = score / share_without(arrays, scratch, tree, row, leaf, path, depth)
        for k in range(share.shape[0]):
            shares[k] += factor * share[k]
