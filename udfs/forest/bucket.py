"""The random cut forests of the keys that share one piece of state, and how they are written down.

To write a forest down costs as much as to score a thousand records with it. So a bucket is written as a base (every
forest, packed) and a log: the records learned since. Each call adds to the log; the base is rewritten once the log
is long. Base and log together always give the same forests, as learning depends on the records alone.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Sequence
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from udfs.forest.arena import Arena
    from udfs.random_cut_forest import RandomCutForest

#: Rows in the log that make a new base worthwhile, at least: 0.1 s to learn them again.
LONGEST_LOG = 10_000
#: The same of all buckets together, where they are many.
_LONGEST_LOGS = 160_000
#: Rows in the log per forest, so that packing all forests costs a row some 3 µs.
_ROWS_PER_FOREST = 20
#: Packed forests by key, each with the time of its last row.
Base = dict[Any, tuple[int, bytes]]


class Entry(NamedTuple):
    """Rows learned in one call, row by row: when, in milliseconds; whose they are; their points, (n, columns)."""

    times: Sequence[int]
    keys: Sequence[Any]
    points: NDArray[np.float64]

    def packed(self) -> bytes:
        """As it goes into the log; of plain values, so that no change of code makes it unreadable."""
        same = self.times.count(self.times[0]) == len(self.times)
        times = self.times[0] if same else np.array(self.times, np.int64).tobytes()
        return pickle.dumps((times, self.keys, self.points.shape[1], self.points.tobytes()))

    @classmethod
    def unpacked(cls, data: bytes) -> Entry:
        """What was packed."""
        times, keys, columns, points = pickle.loads(data)  # noqa: S301  # the job's own state
        moments = [times] * len(keys) if isinstance(times, int) else np.frombuffer(times, np.int64).tolist()
        return cls(moments, keys, np.frombuffer(points, np.float64).reshape(-1, columns))


class LiveForests:
    """The unpacked forests of all buckets of a worker; those used longest ago are packed when there is no more room.

    Parameters
    ----------
    arena : Arena
        Where they live.
    """

    def __init__(self, arena: Arena) -> None:
        self.arena = arena
        self._unpacked: dict[tuple[ForestBucket, Any], tuple[int, RandomCutForest]] = {}

    def get(self, bucket: ForestBucket, key: Any) -> RandomCutForest | None:
        """The forest, if it is here."""
        found = self._unpacked.get((bucket, key))
        return found and found[1]

    def use(self, bucket: ForestBucket, key: Any) -> tuple[int, RandomCutForest]:
        """The forest, unpacked first if need be, and its slot: from now on the one used last."""
        found = self._unpacked.pop((bucket, key), None)
        if found is None:
            if self.arena.is_full:
                other, oldest = next(iter(self._unpacked))
                slot, forest = self._unpacked.pop((other, oldest))
                other.packed[oldest] = forest.to_bytes()
                self.arena.free(slot)
            found = self.arena.allocate(bucket.packed.pop(key, None))
        self._unpacked[bucket, key] = found
        return found

    def remove(self, bucket: ForestBucket, key: Any) -> None:
        """Take the forest away, if it is here."""
        if found := self._unpacked.pop((bucket, key), None):
            self.arena.free(found[0])


class ForestBucket:
    """Forests by key; each row is scored by its key's forest before that forest learns it.

    Parameters
    ----------
    live : LiveForests
        Where forests are while they are unpacked.
    idle_expiry : int
        A forest that has scored nothing for so many milliseconds is forgotten; 0: never.
    base, log
        What was written down.
    buckets : int
        How many there are in all: what all have to learn again after a failure is no more than a few would.
    """

    def __init__(
        self,
        live: LiveForests,
        idle_expiry: int = 0,
        base: Base | None = None,
        log: Iterable[Entry] = (),
        buckets: int = 1,
    ) -> None:
        self._buckets = buckets
        self._live = live
        self._idle_expiry = idle_expiry
        self.packed: dict[Any, bytes] = {}
        self._last: dict[Any, int] = {}
        self.logged = 0
        for key, (time, packed) in (base or {}).items():
            self.packed[key], self._last[key] = packed, time
        self._learn_again(log)

    def score(self, entry: Entry, explain: Callable[[RandomCutForest, Any], Any] | None = None) -> list[Any]:
        """One score for each row, in order; with ``explain`` what it gives for each row instead.

        Parameters
        ----------
        explain : callable or None
            (forest, points) to (scores, explanations), which learns too.
        """
        self.logged += len(entry.points)
        if not self._idle_expiry and entry.keys.count(entry.keys[0]) == len(entry.keys):
            return self._score_and_learn(entry.keys[0], entry.points, entry.times, explain)
        rows = _rows_by_key(entry.keys)
        runs = [
            (key, run) for key, rows_of_key in rows.items() for run in self._runs(rows_of_key, entry.times)
        ]
        if explain is None and self._live.arena.scores_each and len(runs) == len(rows):
            return self._through_each(rows, entry)
        results: list[Any] = [None] * len(entry.points)
        for key, run in runs:
            found = self._score_and_learn(
                key, entry.points[run], [entry.times[run[0]], entry.times[run[-1]]], explain
            )
            for row, result in zip(run, found, strict=True):
                results[row] = result
        return results

    @property
    def log_is_long(self) -> bool:
        """Whether it is time for a new base."""
        least = min(LONGEST_LOG, _LONGEST_LOGS // self._buckets)
        return self.logged >= max(least, _ROWS_PER_FOREST * len(self._last))

    def base(self, time: int) -> Base:
        """Every forest, packed; the log begins anew. Those that have expired at ``time`` are forgotten."""
        self.logged = 0
        for key in [k for k, last in self._last.items() if self._expired(last, time)]:
            self._forget(key)
        base = {}
        for key, last in self._last.items():
            forest = self._live.get(self, key)
            base[key] = (last, self.packed[key] if forest is None else forest.to_bytes())
        return base

    def _score_and_learn(self, key: Any, points: Any, times: Sequence[int], explain: Any) -> list[Any]:
        _, forest = self._use(key, times[0], times[-1])
        if explain is None:
            return [(score,) for score in forest.score_many(points).tolist()]
        scores, explanations = explain(forest, points)
        return list(zip(scores.tolist(), explanations, strict=True))

    def _through_each(self, rows: dict[Any, list[int]], entry: Entry) -> list[Any]:
        scores = np.empty(len(entry.points))
        keys, room = list(rows), self._live.arena.room
        # No more keys at once than there is room: what one needs must not push out another.
        for some in (keys[k : k + room] for k in range(0, len(keys), room)):
            order = list(chain.from_iterable(rows[key] for key in some))
            slots = [self._use(key, entry.times[rows[key][0]], entry.times[rows[key][-1]])[0] for key in some]
            rows_of_each = [len(rows[key]) for key in some]
            scores[order] = self._live.arena.score_each(np.repeat(slots, rows_of_each), entry.points[order])
        return [(score,) for score in scores.tolist()]

    def _runs(self, rows: list[int], times: Sequence[int]) -> list[list[int]]:
        """A key's rows, cut where its forest expires between two of them."""
        if not self._idle_expiry:
            return [rows]
        runs = [rows[:1]]
        for last, row in pairwise(rows):
            if self._expired(times[last], times[row]):
                runs.append([])
            runs[-1].append(row)
        return runs

    def _use(self, key: Any, first: int, last: int) -> tuple[int, RandomCutForest]:
        """The forest of a key whose next rows are of these times."""
        if (before := self._last.get(key)) is not None and self._expired(before, first):
            self._forget(key)
        self._last[key] = last
        return self._live.use(self, key)

    def _learn_again(self, log: Iterable[Entry]) -> None:
        pending: dict[Any, list[Any]] = {}
        for entry in log:
            self.logged += len(entry.points)
            for key, rows in _rows_by_key(entry.keys).items():
                for run in self._runs(rows, entry.times):
                    last = self._last.get(key)
                    if last is not None and self._expired(last, entry.times[run[0]]):
                        self._forget(key)
                        pending.pop(key, None)
                    self._last[key] = entry.times[run[-1]]
                    pending.setdefault(key, []).append(entry.points[run])
        for key, points in pending.items():
            self._live.use(self, key)[1].update_many(np.concatenate(points))

    def _expired(self, last: int, time: int) -> bool:
        return 0 < self._idle_expiry < time - last

    def _forget(self, key: Any) -> None:
        self._live.remove(self, key)
        self.packed.pop(key, None)
        self._last.pop(key, None)


def _rows_by_key(keys: Sequence[Any]) -> dict[Any, list[int]]:
    rows: dict[Any, list[int]] = {}
    for row, key in enumerate(keys):
        rows.setdefault(key, []).append(row)
    return rows
