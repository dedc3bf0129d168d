"""Where a worker's forests are: unpacked in an arena, compact in another, or packed in their buckets.

An unpacked forest is the fastest for many rows at a time, and a compact one needs a quarter of the memory. So the first
forests are unpacked, as long as there is room, and the next ones compact; a row or two for one of these take about as
long. Only forests beyond both arenas are packed, and unpacked for each call.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from udfs.forest.arena import Arena
    from udfs.forest.bucket import ForestBucket
    from udfs.forest.compact_arena import CompactArena
    from udfs.random_cut_forest import RandomCutForest

#: A compact forest with this many rows in one call is unpacked: that and packing another take as long as they save.
_MANY_ROWS = 32


class Run(NamedTuple):
    """Rows of one key, with the times of the first and of the last row."""

    bucket: ForestBucket
    key: Any
    first: int
    last: int
    rows: list[int]


class LiveForests:
    """The forests of all buckets of a worker. When the arena is full, the least recently used forest leaves it.

    Parameters
    ----------
    arena : Arena
        Memory for unpacked forests.
    young : int
        A forest of up to this many records is kept only as these records. For forests whose scores are 0 until then.
    compact : CompactArena or None
        Memory for compact forests, if there may be any.
    """

    def __init__(self, arena: Arena, young: int = 0, compact: CompactArena | None = None) -> None:
        self.arena = arena
        self.young = young
        self._compact = compact
        self._unpacked: dict[tuple[ForestBucket, Any], tuple[int, RandomCutForest]] = {}
        self._compact_slots: dict[tuple[ForestBucket, Any], int] = {}

    def has(self, bucket: ForestBucket, key: Any) -> bool:
        """Whether the forest is unpacked or compact."""
        return (bucket, key) in self._unpacked or (bucket, key) in self._compact_slots

    def to_bytes(self, bucket: ForestBucket, key: Any) -> bytes | None:
        """The forest, packed; None if it is neither unpacked nor compact."""
        if found := self._unpacked.get((bucket, key)):
            return found[1].to_bytes()
        slot = self._compact_slots.get((bucket, key))
        return None if slot is None or self._compact is None else self._compact.to_bytes(slot)

    def use(self, bucket: ForestBucket, key: Any) -> tuple[int, RandomCutForest]:
        """The forest's slot and the forest, unpacked if necessary; it is now the most recently used."""
        found = self._unpacked.pop((bucket, key), None)
        if found is None:
            packed = self._take_packed(bucket, key)
            if self.arena.is_full:
                other = next(iter(self._unpacked))
                slot, forest = self._unpacked.pop(other)
                self._keep(*other, forest)
                self.arena.free(slot)
            found = self.arena.allocate(packed)
        self._unpacked[bucket, key] = found
        return found

    def remove(self, bucket: ForestBucket, key: Any) -> None:
        """Remove the forest, if it is unpacked or compact."""
        if found := self._unpacked.pop((bucket, key), None):
            self.arena.free(found[0])
        slot = self._compact_slots.pop((bucket, key), None)
        if slot is not None and self._compact is not None:
            self._compact.free(slot)

    def score_alone(self, bucket: ForestBucket, key: Any, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Score, then learn, rows of one forest."""
        if self._compact is None or (bucket, key) in self._unpacked or not self.arena.is_full:
            return self.use(bucket, key)[1].score_many(points)
        slot = self._compact_slots.get((bucket, key))
        if slot is not None:
            return self._compact.score_each(np.full(len(points), slot), points)
        forest = self.arena.unpacked(self._take_packed(bucket, key))
        scores = forest.score_many(points)
        self._keep(bucket, key, forest)
        return scores

    def learn(self, bucket: ForestBucket, key: Any, points: NDArray[np.float64]) -> None:
        """Learn rows of one forest."""
        if self._compact is None:
            self.use(bucket, key)[1].update_many(points)
        else:
            self.score_alone(bucket, key, points)

    def score_runs(
        self, runs: Sequence[Run], points: NDArray[np.float64], scores: NDArray[np.float64]
    ) -> None:
        """Score, then learn, rows of several forests, each of which has one run; fills in `scores`."""
        unpacked: list[Run] = []
        compact: list[Run] = []
        for run in runs:
            where = (run.bucket, run.key)
            if self._compact is None or where in self._unpacked:
                unpacked.append(run)
            elif where in self._compact_slots:
                (unpacked if len(run.rows) >= _MANY_ROWS else compact).append(run)
            elif self.arena.is_full:
                scores[run.rows] = self.score_alone(*where, points[run.rows])
            else:
                self.use(*where)
                unpacked.append(run)
        if compact and self._compact is not None:
            found = [self._compact_slots[run.bucket, run.key] for run in compact]
            _score_slots(self._compact, compact, found, points, scores)
        # No more keys at once than the arena has room for, so that no key's forest evicts another's.
        for k in range(0, len(unpacked), self.arena.room):
            some = unpacked[k : k + self.arena.room]
            used = [self.use(run.bucket, run.key) for run in some]
            if len(some) == 1:
                scores[some[0].rows] = used[0][1].score_many(points[some[0].rows])
            else:
                _score_slots(self.arena, some, [slot for slot, _ in used], points, scores)

    def _take_packed(self, bucket: ForestBucket, key: Any) -> bytes | None:
        """A forest that is not unpacked, packed, which is then nowhere; None for a new one."""
        slot = self._compact_slots.pop((bucket, key), None)
        if slot is not None and self._compact is not None:
            packed = self._compact.to_bytes(slot)
            self._compact.free(slot)
            return packed
        records = bucket.young.pop(key, None)
        return bucket.packed.pop(key, None) if records is None else self.arena.packed_young(records)

    def _keep(self, bucket: ForestBucket, key: Any, forest: RandomCutForest) -> None:
        """Keep a forest outside the arena."""
        if self._compact is None or self._compact.is_full or not self._compact.takes(forest):
            bucket.packed[key] = forest.to_bytes()
        else:
            self._compact_slots[bucket, key] = self._compact.allocate(forest)


def _score_slots(
    arena: Arena | CompactArena,
    runs: Sequence[Run],
    slots: Sequence[int],
    points: NDArray[np.float64],
    scores: NDArray[np.float64],
) -> None:
    order = list(chain.from_iterable(run.rows for run in runs))
    scores[order] = arena.score_each(np.repeat(slots, [len(run.rows) for run in runs]), points[order])
