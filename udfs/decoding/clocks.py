"""The clock of records in no order; and which clock a source has."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import timedelta

from udfs.decoding.shard_clock import Lister, ShardClock
from udfs.decoding.stream_clock import StreamClock


class LandingClock(StreamClock):
    """The clock for records in any order, such as objects of a bucket. The watermark follows the wall clock.

    It is ``idle_timeout`` behind the present. It advances only when no record older than that has come for
    ``idle_timeout``, so it does not advance while a backlog is read.

    Parameters
    ----------
    idle_timeout : float
        Seconds, above 0.
    monotonic, wall : callable
        The clocks, in seconds. The wall clock must agree with the records' arrival within half of ``idle_timeout``.
    """

    # Each update is saved in all buckets.
    step, most = 1.0, sys.maxsize

    def __init__(
        self,
        idle_timeout: float,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(monotonic, wall)
        self._idle = idle_timeout
        # Counts as an outdated record, as there may be a backlog at a start.
        self._outdated = 0.0

    def new_shards(self) -> Collection[str]:
        """It knows no shards."""
        return ()

    def close(self) -> None:
        """Nothing runs beside it."""

    def _note(self, shard: str, earliest: int, latest: int) -> None:
        if earliest < 1000 * (self._wall() - self._idle):
            self._outdated = self._passed

    def _over(self) -> int | None:
        if self._passed - self._outdated < self._idle:
            return None
        return int(1000 * (self._wall() - self._idle))


@dataclass(frozen=True)
class Clocks:
    """How a source's event time is tracked; each subtask makes its own clock from this.

    Parameters
    ----------
    idle_timeout : timedelta
        A shard without records for this long is idle.
    lister : callable or None
        For a stream whose records come in order (:class:`ShardClock`): makes, on the worker, what lists its shards;
        pickled with the job. None if records come in no order (:class:`LandingClock`).
    shared : bool
        Whether other subtasks or sources wait for this watermark.
    count_late : bool
        Whether a late record counts just after the watermark. Late records are reported in any case.
    """

    idle_timeout: timedelta
    lister: Callable[[], Lister] | None = None
    shared: bool = False
    count_late: bool = True

    def start(self, own: Callable[[str], bool]) -> StreamClock:
        """A clock that starts now, of the shards that are this subtask's ``own``."""
        seconds = self.idle_timeout.total_seconds()
        if self.lister is None:
            return LandingClock(seconds)
        return ShardClock(seconds, self.lister(), own, self.shared)
