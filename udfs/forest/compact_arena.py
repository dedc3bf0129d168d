"""Memory for compact forests with equal parameters."""

from __future__ import annotations

from dataclasses import astuple
from typing import TYPE_CHECKING

import numpy as np

from udfs.compiled import at, compiled, whole
from udfs.forest.arena import SHARED
from udfs.forest.compact import Compact, Room, score_and_learn_compact
from udfs.forest.compact_shapes import read_compact, write_compact
from udfs.forest.layout import LEARNED, Array, scale
from udfs.forest.records import as_records
from udfs.forest.slots import Slots
from udfs.forest.state import pack_parts, shapes_of
from udfs.random_cut_forest import RandomCutForest

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from udfs.forest.state import Parameters

#: Numbers are kept modulo 2**32. No record stays in a sample for longer than 42 times the time decay.
_LONGEST_DECAY = 100_000_000


@compiled
def forest_at(arena: Compact, slot: int) -> Compact:
    """The forest in a slot."""
    return Compact(
        arena.coordinates[at(slot)],
        arena.numbers[at(slot)],
        arena.nodes[at(slot)],
        arena.oldest[at(slot)],
        arena.largest[at(slot)],
        arena.learned[at(slot)],
        arena.seeds,
        arena.weights,
        arena.logarithms,
    )


@compiled
def score_and_learn_compacts(
    arena: Compact, slots: Array, room: Room, rows: Array, rate: float, scores: Array
) -> None:
    """`score_and_learn_compact` for each run of rows of one forest; `slots` are their slots, row by row."""
    start = whole(0)
    while start < rows.shape[0]:
        end = start + 1
        while end < rows.shape[0] and slots[at(end)] == slots[at(start)]:
            end += 1
        forest = forest_at(arena, whole(slots[at(start)]))
        score_and_learn_compact(forest, room, rows[start:end], rate, scores[start:end])
        start = end


class CompactArena:
    """Memory for compact forests.

    Parameters
    ----------
    parameters : Parameters
        Of each forest; without shingles.
    most_bytes : int
        Of all forests together. The operating system assigns memory only when it is used.
    """

    def __init__(self, parameters: Parameters, most_bytes: int) -> None:
        p = self._parameters = parameters
        trees, samples, dimensions = p.number_of_trees, p.sub_sample_size, p.dimensions
        one = trees * (samples * (4 * dimensions + 8) + 12) + 8
        fits = p.shingle_size == 1 and p.time_decay <= _LONGEST_DECAY
        self.room = most_bytes // one if fits else 0
        empty = RandomCutForest(*astuple(parameters)).arrays
        self._scale = scale(empty)
        self._arrays = Compact(
            np.empty((self.room, trees, dimensions, samples), np.int32),
            np.empty((self.room, trees, samples), np.uint32),
            np.empty((self.room, trees, samples), np.uint32),
            np.empty((self.room, trees), np.int32),
            np.empty((self.room, trees)),
            np.empty((self.room, 1), np.int64),
            empty.seeds,
            empty.weights,
            empty.logarithms,
        )
        self._scratch = Room(
            np.zeros(2 * dimensions, np.float32),
            np.zeros(2 * dimensions, np.float32),
            np.zeros(samples, np.int64),
            np.zeros(samples, np.int64),
            np.zeros(samples, np.uint64),
        )
        self._slots = Slots(self.room)

    @property
    def is_full(self) -> bool:
        """Whether there is no room for another forest."""
        return self._slots.are_taken

    def takes(self, forest: RandomCutForest) -> bool:
        """Whether the forest has a full sample, as a compact one must."""
        return forest.learned >= self._parameters.sub_sample_size

    def allocate(self, forest: RandomCutForest) -> int:
        """Allocate a slot for a copy of a forest, which must have a full sample; returns the slot."""
        slot = self._slots.take()
        arrays = forest.arrays
        shapes, rows = shapes_of(forest.parameters, arrays)
        self._arrays.learned[slot] = arrays.counts[LEARNED]
        read_compact(
            self._forest(slot),
            self._scratch,
            shapes,
            rows,
            arrays.points,
            arrays.point_number,
            1.0 / self._parameters.time_decay,
        )
        return slot

    def free(self, slot: int) -> None:
        """Free a slot; the forest in it is lost."""
        self._slots.free(slot)

    def to_bytes(self, slot: int) -> bytes:
        """The forest in a slot, as `RandomCutForest.to_bytes` packs it."""
        p, forest = self._parameters, self._forest(slot)
        learned = int(forest.learned[0])
        numbers = learned - (np.uint32(learned % 2**32) - forest.numbers.ravel()).astype(np.int64)
        living, first, rows = np.unique(numbers, return_index=True, return_inverse=True)
        tree, record = np.divmod(first, p.sub_sample_size)
        integers = forest.coordinates[tree, :, record]
        points = (integers ^ ((integers >> 31) & 0x7FFFFFFF)).view(np.float32)
        shapes = np.empty(2 * len(rows), np.uint16)
        rows = rows.astype(np.int32)
        shapes = shapes[: write_compact(forest, self._scratch, shapes, rows)]
        return pack_parts(p, learned, np.zeros((0, p.dimensions), np.float32), points, living, shapes, rows)

    def score_each(self, slots: ArrayLike, points: ArrayLike) -> NDArray[np.float64]:
        """Score, then learn, each row with the forest in its slot, in order: as `Arena.score_each`."""
        p = self._parameters
        records = as_records(points, 2, p.dimensions)
        scores = np.zeros(len(records))
        score_and_learn_compacts(
            self._arrays, np.asarray(slots, np.int64), self._scratch, records, 1.0 / p.time_decay, scores
        )
        return scores * self._scale

    def _forest(self, slot: int) -> Compact:
        its_own = {n: a[slot] for n, a in self._arrays._asdict().items() if n not in SHARED}
        return self._arrays._replace(**its_own)
