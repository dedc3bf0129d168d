"""Compact forests from a forest's trees as they are saved, and back (see :mod:`udfs.forest.packing`)."""

import numpy as np

from udfs.compiled import at, compiled, whole
from udfs.forest.compact import MASK, NODES_BITS, RECORDS_BITS, Compact, Room, set_oldest
from udfs.forest.layout import Array
from udfs.forest.packing import equal_rows
from udfs.forest.ranges import ordered


@compiled
def read_compact(
    forest: Compact, room: Room, shapes: Array, rows: Array, points: Array, numbers: Array, rate: float
) -> None:
    """Fill in a compact forest: `shapes` and `rows` as `write_shapes` writes them, with full samples."""
    samples = forest.numbers.shape[1]
    end = whole(shapes.shape[0])
    for tree in range(forest.seeds.shape[0] - 1, -1, -1):
        its_rows = rows[tree * samples : (tree + 1) * samples]
        nodes = forest.nodes[at(tree)]
        for k in range(samples):
            row = its_rows[at(k)]
            forest.numbers[at(tree), at(k)] = np.uint32(numbers[at(row)])
            for d in range(points.shape[1]):
                forest.coordinates[at(tree), at(d), at(k)] = ordered(points[at(row), at(d)])
        # From right to left, so a node comes after its two children: the records and the nodes of each are a stack.
        height, record, first = whole(0), whole(samples), whole(samples - 1)
        while record > 0 or height > 1:
            end -= 1
            d = whole(shapes[at(end)]) - 1
            if d < 0:
                mass = whole(1)
                while record - mass > 0 and equal_rows(
                    points, whole(its_rows[at(record - 1)]), whole(its_rows[at(record - mass - 1)])
                ):
                    mass += 1
                record -= mass
                room.begins[at(height)], room.ends[at(height)] = mass, 0
                height += 1
            else:
                left_records, left_nodes = room.begins[at(height - 1)], room.ends[at(height - 1)]
                first -= 1
                nodes[at(first)] = np.uint32(d | (left_nodes << NODES_BITS) | (left_records << RECORDS_BITS))
                height -= 1
                room.begins[at(height - 1)] += left_records
                room.ends[at(height - 1)] += left_nodes + 1
        count = samples - 1 - first
        for k in range(count):
            nodes[at(k)] = nodes[at(first + k)]
        nodes[at(samples - 1)] = np.uint32(count)
        set_oldest(forest, room, tree, whole(forest.learned[0]), rate)


@compiled
def write_compact(forest: Compact, room: Room, shapes: Array, rows: Array) -> int:
    """`write_shapes` of a compact forest. `rows` holds each record's row of the points, ordered by their numbers."""
    samples = forest.numbers.shape[1]
    written = whole(0)
    for tree in range(forest.seeds.shape[0]):
        nodes, its_rows = forest.nodes[at(tree)], rows[tree * samples : (tree + 1) * samples]
        begin, end, below, node, height = whole(0), whole(samples), whole(nodes[at(samples - 1)]), whole(0), 0
        while True:
            if below > 0:
                word = whole(nodes[at(node)])
                node += 1
                left_nodes, split = (word >> NODES_BITS) & MASK, begin + (word >> RECORDS_BITS)
                shapes[at(written)] = (word & 0xFF) + 1
                written += 1
                room.begins[at(height)], room.ends[at(height)] = end, below - 1 - left_nodes
                height += 1
                end, below = split, left_nodes
                continue
            shapes[at(written)] = 0
            written += 1
            for k in range(begin + 1, end):
                row, place = its_rows[at(k)], k
                while place > begin and its_rows[at(place - 1)] > row:
                    its_rows[at(place)] = its_rows[at(place - 1)]
                    place -= 1
                its_rows[at(place)] = row
            if height == 0:
                break
            height -= 1
            begin = end
            end, below = room.begins[at(height)], room.ends[at(height)]
    return int(written)
