"""The shapes of a forest's trees as a row of small numbers, and back.

A tree is written from the root down, left before right: a node as the dimension of its cut plus 1, a leaf as
0, and apart from that the rows of `points` in the order in which the leaves come. Equal rows next to each other
are one leaf. Boxes, cuts and keys follow from these (see forest_trees, forest_stream) and are computed anew.
"""

from udfs.compiled import compiled, whole
from udfs.forest_layout import (
    DIMENSION,
    FREE_LEAF,
    FREE_NODE,
    LEFT,
    RIGHT,
    ROOT,
    SIZE,
    Array,
    Arrays,
    Scratch,
)
from udfs.forest_stream import key_of, sift
from udfs.forest_trees import fit, side


@compiled
def write_shapes(arrays: Arrays, scratch: Scratch, shapes: Array, rows: Array) -> int:
    """Fill `shapes` and `rows` (both long enough) from all trees; returns how much of `shapes` is used."""
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
                while slot >= 0:
                    rows[taken] = arrays.slot_row[tree, slot]
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
    for d in range(points.shape[1]):  # noqa: SIM110 (numba knows no generators)
        if points[one, d] != points[other, d]:
            return False
    return True


@compiled
def read_shape(arrays: Arrays, scratch: Scratch, tree: int, shapes: Array, rows: Array) -> int:
    """Build one tree's nodes and leaves; returns how much of `shapes` it took, -1 if they are no tree of ours."""
    samples = arrays.slot_row.shape[1]
    words = 2 * (4 + 2 * arrays.points.shape[1])
    first = tree * (samples - 1)
    waits = scratch.waiting
    leaves = nodes = waiting = read = slot = 0
    link = -1
    while True:
        if read == shapes.shape[0]:
            return -1
        code = whole(shapes[read])
        read += 1
        if code > 0:
            if nodes == samples - 1 or code > arrays.points.shape[1]:
                return -1
            child = whole(nodes)
            arrays.links[(first + nodes) * words + DIMENSION] = code - 1
            nodes += 1
        else:
            if slot == rows.shape[0]:
                return -1
            child = ~whole(leaves)
            arrays.leaf_row[tree, leaves] = rows[slot]
            mass = 0
            while slot < rows.shape[0] and equal_rows(
                arrays.points, rows[slot], arrays.leaf_row[tree, leaves]
            ):
                arrays.slot_row[tree, slot] = rows[slot]
                arrays.slot_leaf[tree, slot] = leaves
                slot += 1
                mass += 1
            arrays.leaf_mass[tree, leaves] = mass
            leaves += 1
        if link < 0:
            arrays.trees[tree, ROOT] = child
        else:
            arrays.links[link] = child
        if code > 0:
            waits[waiting] = child
            waiting += 1
            link = (first + child) * words + LEFT
        elif waiting > 0:
            waiting -= 1
            link = (first + waits[waiting]) * words + RIGHT
        else:
            break
    if slot != rows.shape[0]:
        return -1
    arrays.trees[tree, SIZE] = slot
    arrays.trees[tree, FREE_NODE] = nodes if nodes < samples - 1 else -1
    arrays.trees[tree, FREE_LEAF] = leaves if leaves < samples else -1
    # Children are numbered after their parents.
    dimensions = arrays.points.shape[1]
    for node in range(nodes - 1, -1, -1):
        base = (first + node) * words
        d = whole(arrays.links[base + DIMENSION])
        left, right = whole(arrays.links[base + LEFT]), whole(arrays.links[base + RIGHT])
        if not -side(arrays, tree, left, dimensions + d) < side(arrays, tree, right, d):
            return -1
        fit(arrays, tree, base // 2)
    return read


@compiled
def read_shapes(
    arrays: Arrays,
    scratch: Scratch,
    shapes: Array,
    rows: Array,
    used: int,
    rate: float,
) -> bool:
    """Build all trees of a fresh forest whose `points` are in place; False if the numbers are no forest."""
    trees = arrays.seeds.shape[0]
    size = rows.shape[0] // trees
    for k in range(rows.shape[0]):
        if not 0 <= rows[k] < used:
            return False
    read = 0
    for tree in range(trees):
        if size > 0:
            taken = read_shape(arrays, scratch, tree, shapes[read:], rows[tree * size : (tree + 1) * size])
            if taken < 0:
                return False
            read += taken
        for slot in range(size):
            number = arrays.point_number[arrays.slot_row[tree, slot]]
            arrays.slot_key[tree, slot] = key_of(arrays.seeds[tree], number, rate)
            sift(arrays, tree, slot, slot + 1)
    return read == shapes.shape[0]
