"""What a forest must look like and score, worked out the slow way from its points alone."""

import math
from dataclasses import dataclass

import numpy as np

from udfs.forest.layout import CUT, DIMENSION, EMPTY, LEFT, PARENT, RIGHT, ROOT, SIDES, SIZE
from udfs.forest.stream import key_of
from udfs.forest.trees import cut_between
from udfs.random_cut_forest import RandomCutForest


@dataclass
class Leaf:
    point: np.ndarray
    mass: int


@dataclass
class Node:
    low: np.ndarray
    high: np.ndarray
    dimension: int
    cut: float
    left: "Node | Leaf"
    right: "Node | Leaf"


def tree_of(forest: RandomCutForest, tree: int) -> Node | Leaf | None:
    """One of the forest's trees, every stored number checked against the points below it."""
    arrays = forest.arrays
    samples, columns = forest.parameters.sub_sample_size, arrays.points.shape[1]
    size = int(arrays.trees[tree, SIZE])
    records: dict[int, list[int]] = {}
    for slot in range(size):
        records.setdefault(int(arrays.slot_leaf[tree, slot]), []).append(int(arrays.slot_row[tree, slot]))
    nodes: set[int] = set()
    leaves: set[int] = set()

    def walk(child: int, parent: int) -> Node | Leaf:
        if child < 0:
            leaf = ~child
            leaves.add(leaf)
            rows = records[leaf]
            assert arrays.leaf_mass[tree, leaf] == len(rows)
            assert arrays.leaf_row[tree, leaf] in rows
            assert (arrays.points[rows] == arrays.points[rows[0]]).all()
            assert arrays.leaf_first[tree, leaf] == arrays.points[rows[0], 0]
            assert arrays.leaf_parent[tree, leaf] == parent
            return Leaf(arrays.points[rows[0]], len(rows))
        assert child not in nodes
        nodes.add(child)
        base = (tree * (samples - 1) + child) * (4 + 2 * columns)
        stored = arrays.nodes[base : base + 4 + 2 * columns]
        links = arrays.links[2 * base : 2 * base + 8]
        assert links[PARENT] == parent
        left, right = walk(int(links[LEFT]), child), walk(int(links[RIGHT]), child)
        d = int(links[DIMENSION])
        low, high = np.minimum(low_of(left), low_of(right)), np.maximum(high_of(left), high_of(right))
        assert (stored[4 : 4 + columns] == low).all()
        assert (-stored[4 + columns :] == high).all()
        assert stored[SIDES] == np.float32(np.cumsum(high.astype(float) - low.astype(float))[-1])
        assert high_of(left)[d] <= stored[CUT] < low_of(right)[d]
        assert stored[CUT] == cut_between(arrays.seeds[tree], d, high_of(left)[d], low_of(right)[d])
        return Node(low, high, d, float(stored[CUT]), left, right)

    root = int(arrays.trees[tree, ROOT])
    built = walk(root, -1) if root != EMPTY else None
    assert sorted(leaves) == sorted(records)
    assert len(nodes) == max(len(leaves) - 1, 0)
    return built


def low_of(child: Node | Leaf) -> np.ndarray:
    return child.point if isinstance(child, Leaf) else child.low


def high_of(child: Node | Leaf) -> np.ndarray:
    return child.point if isinstance(child, Leaf) else child.high


def check(forest: RandomCutForest) -> None:
    """Trees, heaps and samples: all as they must be after `forest.learned` points."""
    arrays = forest.arrays
    rate = 1.0 / forest.parameters.time_decay
    for tree in range(forest.parameters.number_of_trees):
        tree_of(forest, tree)
        size = int(arrays.trees[tree, SIZE])
        keys = arrays.slot_key[tree, :size]
        full = size == forest.parameters.sub_sample_size
        assert not full or all(keys[k] <= keys[(k - 1) // 2] for k in range(1, size))
        numbers = arrays.point_number[arrays.slot_row[tree, :size]]
        every_key = [key_of(arrays.seeds[tree], number, rate) for number in range(forest.learned)]
        smallest = np.argsort(every_key)[: forest.parameters.sub_sample_size]
        assert sorted(numbers) == sorted(smallest)
        assert [every_key[number] for number in numbers] == keys.tolist()


def without(child: Node | Leaf, leaf: Leaf) -> Node | Leaf | None:
    """The subtree with one leaf taken out, boxes and all."""
    if child is leaf or isinstance(child, Leaf):
        return None if child is leaf else child
    left, right = without(child.left, leaf), without(child.right, leaf)
    if left is None or right is None:
        return left or right
    low, high = np.minimum(low_of(left), low_of(right)), np.maximum(high_of(left), high_of(right))
    return Node(low, high, child.dimension, child.cut, left, right)


def shares(child: Node | Leaf, x: np.ndarray, depth: int = 0) -> tuple[float, np.ndarray]:
    """Score of a point in a subtree, and what each dimension adds to it: (2, D), too low and too high."""
    low, high = low_of(child).astype(float), high_of(child).astype(float)
    gaps = np.maximum([low - x, x - high], 0.0)
    excess, sides = gaps.sum(), (high - low).sum()
    if excess + sides == 0.0:
        return math.nan, gaps
    p = excess / (excess + sides)
    score = p / (depth + 1)
    parts = gaps / (excess or 1.0) * score
    if p < 1.0 and isinstance(child, Node):
        inner = shares(child.left if x[child.dimension] <= child.cut else child.right, x, depth + 1)
        score += (1.0 - p) * inner[0]
        parts = parts + (1.0 - p) * inner[1]
    return score, parts


def leaf_of(child: Node | Leaf, x: np.ndarray, depth: int = 0) -> tuple[Leaf, int]:
    while isinstance(child, Node):
        child, depth = (child.left if x[child.dimension] <= child.cut else child.right), depth + 1
    return child, depth


def reference_score(forest: RandomCutForest, x: np.ndarray) -> tuple[float, np.ndarray]:
    """Score and shares of a point (full shingle) in a forest that is past its learning."""
    x = np.asarray(x, np.float32).astype(float)
    total, parts = 0.0, np.zeros((2, len(x)))
    for tree in range(forest.parameters.number_of_trees):
        root = tree_of(forest, tree)
        assert root is not None
        leaf, depth = leaf_of(root, x)
        score, part = shares(root, x)
        if (leaf.point == x).all():
            seen = 1.0 / (depth + math.log2(leaf.mass)) if depth else 1.0 / (leaf.mass + 1)
            others = without(root, leaf)
            elsewhere, part = shares(others, x) if others else (1.0, np.full((2, len(x)), 0.5 / len(x)))
            score, part = seen, part * (seen / elsewhere)
        total, parts = total + score, parts + part
    factor = math.log2(forest.parameters.sub_sample_size) / forest.parameters.number_of_trees
    return total * factor, parts * factor
