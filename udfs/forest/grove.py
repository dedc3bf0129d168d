"""Many forests of equal parameters side by side in memory, so that a row for each is one compiled call.

Where a stream has thousands of keys, a batch brings each forest a row or two, and to check and to call cost more than
to score. And as no cache holds thousands of forests, most of what is left is waiting for memory.
"""

from dataclasses import astuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from udfs.compiled import at, compiled, real, whole
from udfs.forest.layout import LEARNED, USED, Array, Arrays, Scratch, scale, scratch
from udfs.forest.records import as_records
from udfs.forest.state import Parameters, StateError
from udfs.forest.stream import through
from udfs.random_cut_forest import RandomCutForest

#: Equal in all forests of a grove.
_SHARED = ("seeds", "weights", "logarithms")


@compiled
def through_each(
    grove: Arrays, forests: Array, scratch: Scratch, rows: Array, rate: float, scores: Array
) -> None:
    """`through` for each run of rows of one forest; `forests` are their places in the grove, row by row.

    In a grove each array but `seeds`, `weights` and `logarithms` has an axis more, in front: the forest.
    """
    start = 0
    while start < rows.shape[0]:
        forest = forests[start]
        end = start + 1
        while end < rows.shape[0] and forests[end] == forest:
            end += 1
        arrays = Arrays(
            grove.nodes[forest],
            grove.links[forest],
            grove.trees[forest],
            grove.leaf_row[forest],
            grove.leaf_first[forest],
            grove.leaf_parent[forest],
            grove.leaf_mass[forest],
            grove.slot_key[forest],
            grove.slot_row[forest],
            grove.slot_leaf[forest],
            grove.seeds,
            grove.gates[forest],
            grove.gate_until[forest],
            grove.counts[forest],
            grove.points[forest],
            grove.point_number[forest],
            grove.weights,
            grove.logarithms,
        )
        fetch(arrays, scratch)
        points = rows[start:end].reshape((end - start) * rows.shape[1])
        through(arrays, scratch, points, rows.shape[1], rate, True, scores[start:end])
        start = end


@compiled
def fetch(arrays: Arrays, scratch: Scratch) -> None:
    """Read what a row is about to need of a forest of small trees, one word of each cache line.

    A walk waits for each thing it comes to; memory that is read in order, with nothing to wait for, comes by itself. Of
    a tree of up to 32 cache lines most are wanted.
    """
    if arrays.nodes.shape[0] > 32 * 16 * arrays.seeds.shape[0]:
        return
    samples = arrays.leaf_row.shape[1]
    learned = whole(arrays.counts[LEARNED])
    # The slot to fill; of a sample that was full not long ago many records go in, and sink through all of its slots.
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
    # Loops without a result would be left out.
    scratch.score[0] = numbers + real(words)


class Grove:
    """Room for forests of equal parameters.

    Parameters
    ----------
    parameters : Parameters
        Of each forest.
    most_bytes : int
        Of all forests together; for one there always is room. The system gives the memory once it is used.
    """

    def __init__(self, parameters: Parameters, most_bytes: int) -> None:
        self._parameters = parameters
        self._empty = RandomCutForest(*astuple(parameters))
        one = self._empty.arrays
        self.room = max(1, most_bytes // self.bytes_of_one)
        beside = {
            name: array if name in _SHARED else np.empty((self.room, *array.shape), array.dtype)
            for name, array in one._asdict().items()
        }
        self._arrays = Arrays(**beside)._replace(links=beside["nodes"].view(np.int16))
        self._free = list(reversed(range(self.room)))

    @property
    def bytes_of_one(self) -> int:
        """Memory of one forest."""
        # `links` is the memory of `nodes`.
        arrays = self._empty.arrays._asdict()
        return sum(array.nbytes for name, array in arrays.items() if name != "links" and name not in _SHARED)

    @property
    def is_full(self) -> bool:
        """Whether there is no room for another forest."""
        return not self._free

    @property
    def scores_each(self) -> bool:
        """Whether these forests are ones for `score_each`: a shingle is put together outside of compiled code."""
        return self._parameters.shingle_size == 1

    def plant(self, packed: bytes | None = None) -> tuple[int, RandomCutForest]:
        """The forest of packed bytes, or one that has learned nothing: its place, and itself.

        Raises
        ------
        StateError
            (a ValueError) for bytes that are no forest, and for a forest with other parameters than the grove's.
        IndexError
            If the grove is full.
        """
        forest = self._empty if packed is None else RandomCutForest.from_bytes(packed)
        if forest.parameters != self._parameters:
            raise StateError(
                f"saved forest: it was made with {forest.parameters}, the job asks for {self._parameters};"
                " give the job the parameters that it had, or start it without the saved state"
            )
        place = self._free.pop()
        arrays = Arrays(
            **{n: a if n in _SHARED else a[place] for n, a in zip(Arrays._fields, self._arrays, strict=True)}
        )
        return place, forest.copied_into(arrays)

    def clear(self, place: int) -> None:
        """Give the room free; what grows there is lost."""
        self._free.append(place)

    def score_each(self, places: ArrayLike, points: ArrayLike) -> NDArray[np.float64]:
        """Score, then learn, each row by the forest at its place, in order. For forests without shingles.

        Parameters
        ----------
        places : array of int, (n,)
            Rows of one forest next to each other go through it together.
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
        through_each(self._arrays, np.asarray(places, np.int64), room, records, 1.0 / p.time_decay, scores)
        return scores * scale(self._empty.arrays)


def warm_up() -> None:
    """Load all that is compiled, compiling it first if this machine has not: up to 20 s, once.

    Any first score does so too; a command that a person waits for calls this, and says so.
    """
    forest = RandomCutForest(1, number_of_trees=1, sub_sample_size=10)
    forest.score_many(np.arange(12.0)[:, None])
    forest.attribution([3.0])
    grove = Grove(forest.parameters, 0)
    place, _ = grove.plant(forest.to_bytes())
    grove.score_each([place], [[3.0]])
