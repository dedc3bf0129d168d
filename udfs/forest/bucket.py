"""The random cut forests of the keys in one bucket, which share one piece of state, and how that is saved.

Saving a forest costs as much as scoring a thousand records. So a bucket is saved as a base (every forest, packed) and a
log of the records learned since. Each call adds to the log; the base is rewritten when the log is long. Base and log
always give the same forests, as learning depends only on the records.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from udfs.forest.live import LiveForests, Run
from udfs.forest.records import as_records

if TYPE_CHECKING:
    from numpy.typing import NDArray

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
            self.come(key, entry.times[run[0]], entry.times[run[-1]])
            forest = self._live.use(self, key)[1]
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
            if (packed := self._live.to_bytes(self, key)) is None:
                records = self.young.get(key)
                packed = self.packed[key] if records is None else self._live.arena.packed_young(records)
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

    def stays_young(self, key: Any, first: int, last: int, records: NDArray[np.float32]) -> bool:
        """Add records to a forest that is kept as records, if it still can be with them. Their scores are 0 then."""
        self.come(key, first, last)
        young = self.young.get(key)
        if young is None and (key in self.packed or self._live.has(self, key)):
            return False
        young = (young or b"") + records.tobytes()
        if len(young) > 4 * records.shape[1] * self._live.young:
            return False
        self.young[key] = young
        return True

    def come(self, key: Any, first: int, last: int) -> None:
        """Note that a key's next rows are from time ``first`` to time ``last``."""
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
                self._live.learn(self, key, points)

    def _expired(self, last: int, time: int) -> bool:
        return 0 < self._idle_expiry < time - last

    def _forget(self, key: Any) -> None:
        self._live.remove(self, key)
        self.packed.pop(key, None)
        self.young.pop(key, None)
        self._last.pop(key, None)


def score_together(
    live: LiveForests, parts: Sequence[tuple[ForestBucket, Entry]]
) -> list[NDArray[np.float64]]:
    """Score, then learn, the rows of several buckets; scores by bucket, in order. One compiled call if possible."""
    points = np.concatenate([entry.points for _, entry in parts]) if len(parts) > 1 else parts[0][1].points
    scores, ends = np.zeros(len(points)), list(accumulate(len(entry.points) for _, entry in parts))
    runs: list[Run] = []
    for (bucket, entry), end in zip(parts, ends, strict=True):
        bucket.logged += len(entry.points)
        first = end - len(entry.points)
        runs += [
            Run(bucket, key, entry.times[rows[0]], entry.times[rows[-1]], [first + r for r in rows])
            for key, rows in bucket.runs(entry)
        ]
    records = as_records(points, 2, points.shape[1])
    each_once = len({(run.bucket, run.key) for run in runs}) == len(runs)
    older = []
    for bucket, key, begun, last, rows in runs:
        if live.young and bucket.stays_young(key, begun, last, records[rows]):
            continue
        bucket.come(key, begun, last)
        if each_once and live.arena.scores_each:
            older.append(Run(bucket, key, begun, last, rows))
        else:
            scores[rows] = live.score_alone(bucket, key, points[rows])
    live.score_runs(older, points, scores)
    return np.split(scores, ends[:-1])


def _rows_by_key(keys: Sequence[Any]) -> dict[Any, list[int]]:
    rows: dict[Any, list[int]] = {}
    for row, key in enumerate(keys):
        rows.setdefault(key, []).append(row)
    return rows
