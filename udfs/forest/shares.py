# mypy: disable-error-code="no-any-return"
"""The attribution of a point's score to dimensions: each box that separates the point adds its part of the score.

A part is shared by the sides on which the point lies outside, in proportion to how far.
"""

from udfs.compiled import compiled, real, whole
from udfs.forest.layout import BOX, CUT, DIMENSION, LEFT, RIGHT, ROOT, SIDES, Array, Arrays, Scratch
from udfs.forest.scores import added_depth
from udfs.forest.trees import outside, side


@compiled
def attribute(arrays: Arrays, scratch: Scratch, tree: int, point: int, child: int, portion: float) -> None:
    """Add `portion` to the scratch `share`, in proportion to how far the point is outside on each side."""
    excess = 0.0
    for k in range(scratch.share.shape[0]):
        excess += max(real(side(arrays, tree, child, k)) - real(scratch.query[point + k]), 0.0)
    for k in range(scratch.share.shape[0]):
        gap = max(real(side(arrays, tree, child, k)) - real(scratch.query[point + k]), 0.0)
        scratch.share[k] += portion * (gap / excess)


@compiled
def attribute_below(
    arrays: Arrays, scratch: Scratch, tree: int, point: int, child: int, depth: int, path: Array
) -> tuple[float, int, int]:
    """Score in the subtree `child` at `depth`, with its attribution; returns score, leaf reached and the leaf's depth.

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
        excess = outside(nodes, base + BOX, query, point, arrays.points.shape[1])
        if excess > 0.0:
            separated = rest * (excess / (real(nodes[base + SIDES]) + excess))
            score += separated * arrays.weights[depth]
            rest -= separated
            attribute(arrays, scratch, tree, point, child, separated * arrays.weights[depth])
        right = whole(query[point + links[2 * base + DIMENSION]] > nodes[base + CUT])
        child = whole(links[2 * base + LEFT + right])
        depth += 1
    for d in range(arrays.points.shape[1]):
        if side(arrays, tree, child, d) != query[point + d]:
            attribute(arrays, scratch, tree, point, child, rest * arrays.weights[depth])
            return score + rest * arrays.weights[depth], ~child, depth
    return 0.0, ~child, depth


@compiled
def attribute_without(
    arrays: Arrays, scratch: Scratch, tree: int, point: int, leaf: int, depth: int
) -> float:
    """Score, with its attribution, of a point equal to a leaf at `depth` > 0, as if that leaf were not in the tree.

    Without the leaf, its sibling takes its parent's place, and each box above is the union of boxes beside the path.
    """
    links, box, query, path = arrays.links, scratch.box, scratch.query, scratch.own_path
    dimensions = arrays.points.shape[1]
    words = 2 * (4 + 2 * dimensions)
    first = tree * (arrays.leaf_row.shape[1] - 1)
    scratch.share[:] = 0.0
    score = 0.0
    child = ~leaf
    for level in range(depth - 1, -1, -1):
        base = (first + path[level]) * words
        left, right = whole(links[base + LEFT]), whole(links[base + RIGHT])
        beside = right if left == child else left
        child = whole(path[level])
        if level == depth - 1:
            score = attribute_below(arrays, scratch, tree, point, beside, level, scratch.side_path)[0]
            for k in range(2 * dimensions):
                box[k] = side(arrays, tree, beside, k)
            continue
        excess = sides = 0.0
        for k in range(2 * dimensions):
            box[k] = min(box[k], side(arrays, tree, beside, k))
            excess += max(real(box[k]) - real(query[point + k]), 0.0)
        for d in range(dimensions):
            # Side by side: a narrow side would be lost to rounding in sums of large coordinates.
            sides -= real(box[d + dimensions]) + real(box[d])
        if excess == 0.0:
            break
        separated = excess / (sides + excess)
        score += separated * (arrays.weights[level] - score)
        for k in range(2 * dimensions):
            gap = max(real(box[k]) - real(query[point + k]), 0.0)
            scratch.share[k] += separated * (arrays.weights[level] * gap / excess - scratch.share[k])
    return score


@compiled
def add_attribution(arrays: Arrays, scratch: Scratch, point: int, shares: Array) -> None:
    """Add the attribution of a point's score to `shares` (2 D: too low, too high), over all trees.

    A point equal to a leaf is not outside any box. Its score is attributed as if that leaf were not in the tree, or
    evenly if the tree has no other leaf.
    """
    share = scratch.share
    for tree in range(arrays.seeds.shape[0]):
        share[:] = 0.0
        root = whole(arrays.trees[tree, ROOT])
        score, leaf, depth = attribute_below(arrays, scratch, tree, point, root, 0, scratch.own_path)
        factor = 1.0
        if score == 0.0:
            score = 1.0 / (depth + added_depth(arrays, arrays.leaf_mass[tree, leaf], depth))
            if depth == 0:
                share[:] = score / share.shape[0]
            else:
                factor = score / attribute_without(arrays, scratch, tree, point, leaf, depth)
        for k in range(share.shape[0]):
            shares[k] += factor * share[k]
