"""The random cut forests of the keys in one bucket, which share one piece of state, and how that is saved.

Saving a forest costs as much as scoring a thousand records. So a bucket is saved as a base (every forest, packed) and a
log of the records learned since. Each call adds to the log; the base is rewritten when the log is long. Base and log
always give the same forests, as learning depends only on the records.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate, chain, pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from udfs.forest.records import as_records

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from udfs.forest.arena import Arena
    from udfs.random_cut_forest import RandomCutForest

#: Rows in the log before a new base is written, at least. Learning them again takes 0.1 s.
LONGEST_LOG = 10_000
#: The same for all buckets together, if there are many.
_LONGEST_LOGS = 160_000
#: Rows in the log per forest before a new base is written, so that packing all forests costs about 3 µs per row.
_ROWS_PER_FOREST = 20
#: Packed forests by key, each with the time of its last row.
Base = dict[Any, tuple[int, bytes]]


class Entry(NamedTuple):
    """Rows learned in one call: each row's time in milliseconds, its key and its point; points are (n, columns)."""

    times: Sequence[int]
    keys: Sequence[Any]
    points: NDArray[np.float64]

    def packed(self) -> bytes:
        """The entry as saved in the log. It holds only plain values, so that it stays readable when code changes."""
        same = self.times.count(self.times[0]) == len(self.times)
        times = self.times[0] if same else np.array(self.times, np.int64).tobytes()
        return pickle.dumps((times, self.keys, self.points.shape[1], self.points.tobytes()))

    @classmethod
    def unpacked(cls, data: bytes) -> Entry:
        """The entry that `packed` packed."""
        times, keys, columns, points = pickle.loads(data)  # noqa: S301  # the job's own state
        moments = [times] * len(keys) if isinstance(times, int) else np.frombuffer(times, np.int64).tolist()
        return cls(moments, keys, np.frombuffer(points, np.float64).reshape(-1, columns))


class LiveForests:
    """A cache of unpacked forests for all buckets of a worker. When it is full, the least recently used is packed.

    Parameters
    ----------
    arena : Arena
        Memory for the forests.
    young : int
        A forest of up to this many records is kept only as these records. For forests whose scores are 0 until then.
    """

    def __init__(self, arena: Arena, young: int = 0) -> None:
        self.arena = arena
        self.young = young
        self._unpacked: dict[tuple[ForestBucket, Any], tuple[int, RandomCutForest]] = {}

    def get(self, bucket: ForestBucket, key: Any) -> RandomCutForest | None:
        """The forest, if it is unpacked; else None."""
        found = self._unpacked.get((bucket, key))
        return found and found[1]

    def use(self, bucket: ForestBucket, key: Any) -> tuple[int, RandomCutForest]:
        """The forest's slot and the forest, unpacked if necessary; it is now the most recently used."""
        found = self._unpacked.pop((bucket, key), None)
        if found is None:
            if self.arena.is_full:
                other, oldest = next(iter(self._unpacked))
                slot, forest = self._unpacked.pop((other, oldest))
                other.packed[oldest] = forest.to_bytes()
                self.arena.free(slot)
            records = bucket.young.pop(key, None)
            packed = bucket.packed.pop(key, None) if records is None else self.arena.packed_young(records)
            found = self.arena.allocate(packed)
        self._unpacked[bucket, key] = found
        return found

    def remove(self, bucket: ForestBucket, key: Any) -> None:
        """Remove the forest, if it is unpacked."""
        if found := self._unpacked.pop((bucket, key), None):
            self.arena.free(found[0])


class ForestBucket:
    """Forests by key; each row is scored by its key's forest before that forest learns it.

    Parameters
    ----------
    live : LiveForests
        Cache of the unpacked forests.
    idle_expiry : int
        A forest without rows for this many milliseconds is dropped; 0: never.
    base, log
        The saved state.
    buckets : int
        How many buckets there are. The more, the shorter their logs, to limit what a restore has to learn again.
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
        #: Records (float32) of forests that are kept only as their records.
        self.young: dict[Any, bytes] = {}
        self._last: dict[Any, int] = {}
        self.logged = 0
        for key, (time, packed) in (base or {}).items():
            self._last[key] = time
            records = live.arena.young_records(packed) if live.young else None
            if records is None:
                self.packed[key] = packed
            else:
                self.young[key] = records
        self._learn_again(log)

    def score(self, entry: Entry, explain: Callable[[RandomCutForest, Any], Any]) -> list[Any]:
        """Score, explain and learn rows: (score, explanation) for each row, in order.

        Parameters
        ----------
        explain : callable
            Takes (forest, points), learns the points and returns (scores, explanations).
        """
        self.logged += len(entry.points)
        results: list[Any] = [None] * len(entry.points)
        for key, run in self.runs(entry):
            forest = self.use(key, entry.times[run[0]], entry.times[run[-1]])[1]
            scores, explanations = explain(forest, entry.points[run])
            for row, result in zip(run, zip(scores.tolist(), explanations, strict=True), strict=True):
                results[row] = result
        return results

    def runs(self, entry: Entry) -> list[tuple[Any, list[int]]]:
        """Each key with its rows, in order. If a key's forest expires between two rows, the key comes again."""
        if not self._idle_expiry and entry.keys.count(entry.keys[0]) == len(entry.keys):
            return [(entry.keys[0], list(range(len(entry.keys))))]
        return [
            (key, run)
            for key, rows in _rows_by_key(entry.keys).items()
            for run in self._cut(rows, entry.times)
        ]

    @property
    def log_is_long(self) -> bool:
        """Whether it is time for a new base."""
        least = min(LONGEST_LOG, _LONGEST_LOGS // self._buckets)
        return self.logged >= max(least, _ROWS_PER_FOREST * len(self._last))

    def base(self, time: int) -> Base:
        """Every forest, packed; forests expired at ``time`` are dropped. The log starts again from this base."""
        self.logged = 0
        for key in [k for k, last in self._last.items() if self._expired(last, time)]:
            self._forget(key)
        base = {}
        for key, last in self._last.items():
            if forest := self._live.get(self, key):
                packed = forest.to_bytes()
            elif (records := self.young.get(key)) is not None:
                packed = self._live.arena.packed_young(records)
            else:
                packed = self.packed[key]
            base[key] = (last, packed)
        return base

    def _cut(self, rows: list[int], times: Sequence[int]) -> list[list[int]]:
        """A key's rows, split where its forest expires between two rows."""
        if not self._idle_expiry:
            return [rows]
        runs = [rows[:1]]
        for last, row in pairwise(rows):
            if self._expired(times[last], times[row]):
                runs.append([])
            runs[-1].append(row)
        return runs

    def use(self, key: Any, first: int, last: int) -> tuple[int, RandomCutForest]:
        """The slot and the forest of a key whose next rows are from time ``first`` to time ``last``."""
        self._come(key, first, last)
        return self._live.use(self, key)

    def stays_young(self, key: Any, first: int, last: int, records: NDArray[np.float32]) -> bool:
        """Add records to a forest that is kept as records, if it still can be with them. Their scores are 0 then."""
        self._come(key, first, last)
        young = self.young.get(key)
        if young is None and (key in self.packed or self._live.get(self, key) is not None):
            return False
        young = (young or b"") + records.tobytes()
        if len(young) > 4 * records.shape[1] * self._live.young:
            return False
        self.young[key] = young
        return True

    def _come(self, key: Any, first: int, last: int) -> None:
        if (before := self._last.get(key)) is not None and self._expired(before, first):
            self._forget(key)
        self._last[key] = last

    def _learn_again(self, log: Iterable[Entry]) -> None:
        pending: dict[Any, list[Any]] = {}
        for entry in log:
            self.logged += len(entry.points)
            for key, rows in _rows_by_key(entry.keys).items():
                for run in self._cut(rows, entry.times):
                    last = self._last.get(key)
                    if last is not None and self._expired(last, entry.times[run[0]]):
                        self._forget(key)
                        pending.pop(key, None)
                    self._last[key] = entry.times[run[-1]]
                    pending.setdefault(key, []).append(entry.points[run])
        for key, runs in pending.items():
            points, last = np.concatenate(runs), self._last[key]
            if not self._live.young or not self.stays_young(
                key, last, last, as_records(points, 2, points.shape[1])
            ):
                self._live.use(self, key)[1].update_many(points)

    def _expired(self, last: int, time: int) -> bool:
        return 0 < self._idle_expiry < time - last

    def _forget(self, key: Any) -> None:
        self._live.remove(self, key)
        self.packed.pop(key, None)
        self.young.pop(key, None)
        self._last.pop(key, None)


class _Run(NamedTuple):
    """Rows of one key, with the times of the first and of the last row."""

    bucket: ForestBucket
    key: Any
    first: int
    last: int
    rows: list[int]


def score_together(
    live: LiveForests, parts: Sequence[tuple[ForestBucket, Entry]]
) -> list[NDArray[np.float64]]:
    """Score, then learn, the rows of several buckets; scores by bucket, in order. One compiled call if possible."""
    points = np.concatenate([entry.points for _, entry in parts]) if len(parts) > 1 else parts[0][1].points
    scores, ends = np.zeros(len(points)), list(accumulate(len(entry.points) for _, entry in parts))
    runs: list[_Run] = []
    for (bucket, entry), end in zip(parts, ends, strict=True):
        bucket.logged += len(entry.points)
        first = end - len(entry.points)
        runs += [
            _Run(bucket, key, entry.times[rows[0]], entry.times[rows[-1]], [first + r for r in rows])
            for key, rows in bucket.runs(entry)
        ]
    records = as_records(points, 2, points.shape[1])
    each_once = len({(bucket, key) for bucket, key, *_ in runs}) == len(runs)

    def is_young(run: _Run) -> bool:
        return live.young > 0 and run.bucket.stays_young(run.key, run.first, run.last, records[run.rows])

    if each_once:
        runs = [run for run in runs if not is_young(run)]
    if not live.arena.scores_each or len(runs) < 2 or not each_once:
        for run in runs:
            if each_once or not is_young(run):
                forest = run.bucket.use(run.key, run.first, run.last)[1]
                scores[run.rows] = forest.score_many(points[run.rows])
    else:
        # No more keys at once than the arena has room for, so that no key's forest evicts another's.
        for some in (runs[k : k + live.arena.room] for k in range(0, len(runs), live.arena.room)):
            order = list(chain.from_iterable(run.rows for run in some))
            slots = [run.bucket.use(run.key, run.first, run.last)[0] for run in some]
            rows_of_each = [len(run.rows) for run in some]
            scores[order] = live.arena.score_each(np.repeat(slots, rows_of_each), points[order])
    return np.split(scores, ends[:-1])


def _rows_by_key(keys: Sequence[Any]) -> dict[Any, list[int]]:
    rows: dict[Any, list[int]] = {}
    for row, key in enumerate(keys):
        rows.setdefault(key, []).append(row)
    return rows
