# mypy: disable-error-code="no-any-return"
"""The score of a point in one tree, and its attribution to dimensions.

On the way down, a random cut separates the point from a node's box with probability p = excess / (sides +
excess), where `excess` is how far the point lies outside, summed over dimensions. A point separated at depth
k scores 1 / (k + 1), so the tree's score is the sum over the path of

    p_k / (k + 1) * product of (1 - p_j) over the nodes j above k

with p = 1 at a leaf that differs from the point. On the way back up, s becomes s + p (1 / (k + 1) - s), up to the
first box that contains the point; above it p is 0. A leaf of mass m equal to the point scores
1 / (depth + log2 m), or 1 / (m + 1) where it is the whole tree (as KDA did).
"""

from udfs.compiled import at, compiled, real, whole
from udfs.forest.layout import BOX, CUT, DIMENSION, LEFT, RIGHT, ROOT, SIDES, Array, Arrays, Scratch
from udfs.forest.trees import outside, side


@compiled
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
        equal = arrays.leaf_first[at(its_tree), at(leaf)] == query[at(query_start)]
        if equal and dimensions > 1:
            row = arrays.leaf_row[at(its_tree), at(leaf)]
            for d in range(1, dimensions):
                equal &= points[at(row), at(d)] == query[at(query_start + d)]
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


@compiled
def added_depth(arrays: Arrays, mass: int, depth: int) -> float:
    """The number added to a leaf's depth for a point equal to it; the point's score is 1 / (depth + this)."""
    return arrays.logarithms[at(mass)] if depth > 0 else mass + 1.0


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
