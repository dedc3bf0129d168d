"""Pack the shapes of a forest's trees as a sequence of small integers, and unpack them.

A tree is written in pre-order, left before right: a node as the dimension of its cut plus 1, a leaf as 0. The rows of
`points` are written separately, in the order of the leaves; consecutive equal rows are one leaf. Boxes, cuts and keys
follow from these (see `trees`, `stream`) and are recomputed.
"""

from udfs.compiled import at, compiled, whole
from udfs.forest.layout import (
    BOX,
    CUT,
    DIMENSION,
    FREE_LEAF,
    FREE_NODE,
    LEFT,
    RIGHT,
    ROOT,
    SIZE,
    USED,
    Array,
    Arrays,
    Scratch,
)
from udfs.forest.stream import heapify, key_of
from udfs.forest.trees import cut_between, set_parent, set_sides


@compiled
def write_shapes(arrays: Arrays, scratch: Scratch, shapes: Array, rows: Array) -> int:
    """Fill `shapes` and `rows` (both must be long enough) from all trees; returns the used length of `shapes`."""
    samples = arrays.slot_row.shape[1]
    words = 2 * (4 + 2 * arrays.points.shape[1])
    waits, first_slot, next_slot = scratch.waiting, scratch.own_path, scratch.side_path
    written = taken = 0
    for tree in range(arrays.seeds.shape[0]):
        size = arrays.trees[tree, SIZE]
        first_slot[:] = -1
        for slot in range(size):
            leaf = arrays.slot_leaf[tree, slot]
            next_slot[slot] = first_slot[leaf]
            first_slot[leaf] = slot
        child = whole(arrays.trees[tree, ROOT])
        waiting = 0
        while size > 0:
            if child >= 0:
                base = (tree * (samples - 1) + child) * words
                shapes[written] = arrays.links[base + DIMENSION] + 1
                waits[waiting] = arrays.links[base + RIGHT]
                waiting += 1
                child = whole(arrays.links[base + LEFT])
            else:
                shapes[written] = 0
                slot = first_slot[~child]
                first = taken
                while slot >= 0:
                    # Sorted, not in the order of the heap, so that equal forests have equal bytes.
                    row = arrays.slot_row[tree, slot]
                    place = taken
                    while place > first and rows[place - 1] > row:
                        rows[place] = rows[place - 1]
                        place -= 1
                    rows[place] = row
                    taken += 1
                    slot = next_slot[slot]
                if waiting == 0:
                    written += 1
                    break
                waiting -= 1
                child = whole(waits[waiting])
            written += 1
    return written


@compiled
def equal_rows(points: Array, one: int, other: int) -> bool:
    """Whether two rows of `points` hold the same point."""
    for d in range(points.shape[1]):  # noqa: SIM110 (numba has no generators)
        if points[one, d] != points[other, d]:
            return False
    return True


@compiled
def read_shape(arrays: Arrays, scratch: Scratch, tree: int, shapes: Array, end: int, rows: Array) -> int:
    """Build one tree's nodes and leaves from the shapes before `end`; returns where they begin, -1 if they are invalid.

    The shapes are read from right to left, so a node comes after its right and its left child, whose boxes are the top
    two of a stack.
    """
    nodes, links, points = arrays.nodes, arrays.links, arrays.points
    dimensions = points.shape[1]
    words = 4 + 2 * dimensions
    base = tree * (arrays.slot_row.shape[1] - 1) * words
    boxes, children = scratch.query, scratch.waiting
    height = built = leaves = whole(0)
    slot = whole(rows.shape[0])
    while slot > 0 or height > 1:
        if end == 0:
            return -1
        end -= 1
        d = whole(shapes[at(end)]) - 1
        if d < 0:
            if slot == 0:
                return -1
            row = rows[at(slot - 1)]
            arrays.leaf_row[at(tree), at(leaves)] = row
            arrays.leaf_first[at(tree), at(leaves)] = points[at(row), 0]
            mass = 0
            while slot > 0 and equal_rows(points, row, rows[at(slot - 1)]):
                slot -= 1
                arrays.slot_row[at(tree), at(slot)] = rows[at(slot)]
                arrays.slot_leaf[at(tree), at(slot)] = leaves
                mass += 1
            arrays.leaf_mass[at(tree), at(leaves)] = mass
            top = 2 * height * dimensions
            for k in range(dimensions):
                boxes[at(top + k)] = points[at(row), at(k)]
                boxes[at(top + dimensions + k)] = -points[at(row), at(k)]
            children[at(height)] = ~leaves
            leaves += 1
            height += 1
        else:
            if height < 2 or d >= dimensions:
                return -1
            left, right = 2 * (height - 1) * dimensions, 2 * (height - 2) * dimensions
            low, high = -boxes[at(left + dimensions + d)], boxes[at(right + d)]
            if not low < high:
                return -1
            nodes[at(base + CUT)] = cut_between(arrays.seeds[at(tree)], d, low, high)
            for k in range(2 * dimensions):
                boxes[at(right + k)] = min(boxes[at(left + k)], boxes[at(right + k)])
                nodes[at(base + BOX + k)] = boxes[at(right + k)]
            set_sides(nodes, base, dimensions)
            links[at(2 * base + LEFT)] = children[at(height - 1)]
            links[at(2 * base + RIGHT)] = children[at(height - 2)]
            links[at(2 * base + DIMENSION)] = d
            set_parent(arrays, tree, whole(children[at(height - 1)]), built)
            set_parent(arrays, tree, whole(children[at(height - 2)]), built)
            height -= 1
            children[at(height - 1)] = built
            built += 1
            base += words
    set_parent(arrays, tree, whole(children[0]), -1)
    samples = arrays.slot_row.shape[1]
    arrays.trees[tree, ROOT] = children[0]
    arrays.trees[tree, SIZE] = rows.shape[0]
    arrays.trees[tree, FREE_NODE] = built if built < samples - 1 else -1
    arrays.trees[tree, FREE_LEAF] = leaves if leaves < samples else -1
    return end


@compiled
def read_shapes(arrays: Arrays, scratch: Scratch, shapes: Array, rows: Array, rate: float) -> bool:
    """Build all trees of a fresh forest whose `points` are in place; False if the numbers are invalid."""
    trees = arrays.seeds.shape[0]
    size = rows.shape[0] // trees
    for k in range(rows.shape[0]):
        if not 0 <= rows[k] < arrays.counts[USED]:
            return False
    end = shapes.shape[0]
    if size > 0:
        for tree in range(trees - 1, -1, -1):
            end = read_shape(arrays, scratch, tree, shapes, end, rows[tree * size : (tree + 1) * size])
            if end < 0:
                return False
            for slot in range(size):
                number = arrays.point_number[at(arrays.slot_row[at(tree), at(slot)])]
                arrays.slot_key[at(tree), at(slot)] = key_of(arrays.seeds[at(tree)], number, rate)
            if size == arrays.slot_row.shape[1]:
                heapify(arrays, tree)
    return end == 0
