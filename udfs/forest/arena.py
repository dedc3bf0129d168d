"""Many forests with equal parameters side by side in memory, so that rows of many forests are one compiled call.

If a stream has thousands of keys, a batch has only a row or two for each forest. One call per forest would cost more
than the scores. As thousands of forests don't fit into the CPU cache, most of the remaining time is waiting for memory.
"""

from dataclasses import astuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from udfs.compiled import at, compiled, real, whole
from udfs.forest.layout import LEARNED, USED, Array, Arrays, Scratch, scale, scratch
from udfs.forest.records import as_records
from udfs.forest.slots import Slots
from udfs.forest.state import Parameters, StateError, pack_young, unpack_young
from udfs.forest.stream import score_and_learn
from udfs.random_cut_forest import RandomCutForest

#: Arrays that are equal in all forests of an arena.
SHARED = ("seeds", "weights", "logarithms")


@compiled
def score_and_learn_each(
    arena: Arrays, forests: Array, scratch: Scratch, rows: Array, rate: float, scores: Array
) -> None:
    """`score_and_learn` for each run of rows of one forest; `forests` are their slots in the arena, row by row.

    In an arena each array but `seeds`, `weights` and `logarithms` has the forest as an additional first axis.
    """
    start = 0
    while start < rows.shape[0]:
        forest = forests[start]
        end = start + 1
        while end < rows.shape[0] and forests[end] == forest:
            end += 1
        arrays = Arrays(
            arena.nodes[forest],
            arena.links[forest],
            arena.trees[forest],
            arena.leaf_row[forest],
            arena.leaf_first[forest],
            arena.leaf_parent[forest],
            arena.leaf_mass[forest],
            arena.slot_key[forest],
            arena.slot_row[forest],
            arena.slot_leaf[forest],
            arena.seeds,
            arena.gates[forest],
            arena.gate_until[forest],
            arena.counts[forest],
            arena.points[forest],
            arena.point_number[forest],
            arena.weights,
            arena.logarithms,
        )
        fetch(arrays, scratch)
        points = rows[start:end].reshape((end - start) * rows.shape[1])
        score_and_learn(arrays, scratch, points, rows.shape[1], rate, True, scores[start:end])
        start = end


@compiled
def fetch(arrays: Arrays, scratch: Scratch) -> None:
    """Prefetch a forest of small trees into the CPU cache: read one word of each cache line that a row may need.

    A walk down a tree waits for each node it reads, whereas sequential reads are prefetched by the CPU. Most cache
    lines of a tree of up to 32 lines are needed anyway.
    """
    if arrays.nodes.shape[0] > 32 * 16 * arrays.seeds.shape[0]:
        return
    samples = arrays.leaf_row.shape[1]
    learned = whole(arrays.counts[LEARNED])
    # The slot to fill. A sample that became full recently takes in many records, which sift down through all slots.
    first = learned if learned < samples else 0
    end = samples if samples <= learned < 4 * samples else first + 1
    numbers = np.float32(0.0)
    words = whole(0)
    for tree in range(arrays.seeds.shape[0]):
        for k in range(first, end, 8):
            numbers += np.float32(arrays.slot_key[at(tree), at(k)])
        for k in range(first, end, 16):
            words += arrays.slot_row[at(tree), at(k)]
        for k in range(first, end, 32):
            words += arrays.slot_leaf[at(tree), at(k)]
        for k in range(0, samples, 16):
            words += arrays.leaf_row[at(tree), at(k)]
            numbers += arrays.leaf_first[at(tree), at(k)]
        for k in range(0, samples, 32):
            words += arrays.leaf_mass[at(tree), at(k)]
            words += arrays.leaf_parent[at(tree), at(k)]
    for k in range(0, min(whole(arrays.counts[USED]), 16 * samples), 8):
        numbers += arrays.points[at(k), 0]
        words += arrays.point_number[at(k)]
    for k in range(0, arrays.nodes.shape[0], 16):
        numbers += arrays.nodes[at(k)]
    # Without a result, the compiler would remove the loops.
    scratch.score[0] = numbers + real(words)


class Arena:
    """Memory for forests with equal parameters.

    Parameters
    ----------
    parameters : Parameters
        Of each forest.
    most_bytes : int
        Of all forests together; there is always room for one. The operating system assigns memory only when it is used.
    """

    def __init__(self, parameters: Parameters, most_bytes: int) -> None:
        self._parameters = parameters
        self._empty = RandomCutForest(*astuple(parameters))
        one = self._empty.arrays
        self.room = max(1, most_bytes // self.bytes_of_one)
        beside = {
            name: array if name in SHARED else np.empty((self.room, *array.shape), array.dtype)
            for name, array in one._asdict().items()
        }
        self._arrays = Arrays(**beside)._replace(links=beside["nodes"].view(np.int16))
        self._slots = Slots(self.room)

    @property
    def bytes_of_one(self) -> int:
        """Memory of one forest."""
        # `links` is the memory of `nodes`.
        arrays = self._empty.arrays._asdict()
        return sum(array.nbytes for name, array in arrays.items() if name != "links" and name not in SHARED)

    @property
    def is_full(self) -> bool:
        """Whether there is no room for another forest."""
        return self._slots.are_taken

    @property
    def scores_each(self) -> bool:
        """Whether `score_each` can be used: not with shingles, which are assembled outside compiled code."""
        return self._parameters.shingle_size == 1

    def allocate(self, packed: bytes | None = None) -> tuple[int, RandomCutForest]:
        """Allocate a slot for the forest in `packed`, or for a new forest; returns slot and forest.

        Raises
        ------
        StateError
            (a ValueError) if the bytes are not a forest, or one with other parameters than the arena's.
        IndexError
            If the arena is full.
        """
        forest = self._empty if packed is None else self.unpacked(packed)
        slot = self._slots.take()
        arrays = Arrays(
            **{n: a if n in SHARED else a[slot] for n, a in zip(Arrays._fields, self._arrays, strict=True)}
        )
        return slot, forest.copied_into(arrays)

    def unpacked(self, packed: bytes | None) -> RandomCutForest:
        """The forest in `packed`, or a new one, outside the arena; StateError as for `allocate`."""
        if packed is None:
            return RandomCutForest(*astuple(self._parameters))
        forest = RandomCutForest.from_bytes(packed)
        if forest.parameters != self._parameters:
            raise StateError(
                f"saved forest: it was made with {forest.parameters}, the job asks for {self._parameters};"
                " set the job's parameters back to the saved ones, or start it without the saved state"
            )
        return forest

    def packed_young(self, records: bytes) -> bytes:
        """Packed bytes, for `allocate`, of a forest that has learned only these records (float32)."""
        return pack_young(self._parameters, records)

    def young_records(self, packed: bytes) -> bytes | None:
        """The records of a forest that `packed_young` packed with this arena's parameters; None for other bytes."""
        young = unpack_young(packed)
        return young[1] if young and young[0] == self._parameters else None

    def free(self, slot: int) -> None:
        """Free a slot; the forest in it is lost."""
        self._slots.free(slot)

    def score_each(self, slots: ArrayLike, points: ArrayLike) -> NDArray[np.float64]:
        """Score, then learn, each row with the forest in its slot, in order. Not for forests with shingles.

        Parameters
        ----------
        slots : array of int, (n,)
            The slot of each row's forest. Consecutive rows of one forest are processed together.
        points : array, (n, dimensions)
            Finite numbers.

        Returns
        -------
        array, (n,)
            Exactly the scores of `RandomCutForest.score_many`, forest by forest.
        """
        p = self._parameters
        records = as_records(points, 2, p.dimensions)
        scores = np.zeros(len(records))
        room = scratch(p.number_of_trees, p.sub_sample_size, p.dimensions)
        score_and_learn_each(
            self._arrays, np.asarray(slots, np.int64), room, records, 1.0 / p.time_decay, scores
        )
        return scores * scale(self._empty.arrays)
