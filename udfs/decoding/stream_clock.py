"""Event time for records as they are read: records and heartbeats in, a watermark out. No Flink.

Flink can drop late records silently. One watermark for shards that are read at different speeds drops the backlog of
the slower ones, and the connector's per-shard watermark ignores a shard until its first record. A clock here gives
each record its rowtime: its arrival, or just after the watermark if the record is late.

Each subtask has its own clock. Its watermark is in every row and in a heartbeat each second, so Flink never considers
the subtask idle. Flink's combined watermark is the least of all subtasks', so it is never ahead of any of them and no
record is dropped as late downstream, at any parallelism.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

#: Seconds after a start in which the watermark does not advance: a shard without records yet may be the oldest.
HOLD = 5.0
#: Milliseconds of disorder allowed between arrival times within a shard, and between the reading of two shards.
DISORDER = 500
#: While the stream is behind the present, a shard counts as idle after this many times ``idle_timeout``.
PATIENCE = 2
#: Seconds by which the watermark of idle shards stays behind the present while other subtasks wait for it. Covers the
#: time that a record takes from its arrival to here.
LAG = 2.0
#: Seconds between two updates of the watermark.
_STEP = 0.1
#: The most seconds counted between two calls. A longer gap means that Flink was blocked, so the lack of records says
#: nothing about the shards.
_GAP = 2.0


class StreamClock(ABC):
    """Gives each record its rowtime, and tracks the watermark.

    Attributes
    ----------
    watermark : int
        Milliseconds since the epoch; 0 until the first one is known. It never goes back.
    """

    def __init__(self, monotonic: Callable[[], float], wall: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._wall = wall
        self._now = monotonic()
        self._passed = 0.0
        self._next_look = 0.0
        self.watermark = 0

    def hear(self, shard: str, arrival: int) -> int:
        """Take note of a record; return its rowtime: its arrival, or just after the watermark if it is late.

        Parameters
        ----------
        shard : str
            Which shard it came from.
        arrival : int
            When it arrived there, in milliseconds since the epoch.
        """
        self._pass_time()
        self._note(shard, arrival)
        if self._passed >= self._next_look:
            self._look()
        watermark = self.watermark
        return arrival if arrival > watermark else watermark + 1

    def heartbeat(self) -> int:
        """Take note that time passes; return the watermark. Call it about once a second."""
        self._pass_time()
        if self._passed >= self._next_look:
            self._look()
        return self.watermark

    @abstractmethod
    def _note(self, shard: str, arrival: int) -> None:
        """Take note of a record."""

    @abstractmethod
    def _over(self) -> int | None:
        """The watermark by what is known now; None if it is not known."""

    def _pass_time(self) -> None:
        now = self._monotonic()
        self._passed += min(now - self._now, _GAP)
        self._now = now

    def _look(self) -> None:
        self._next_look = self._passed + _STEP
        over = self._over()
        if over is not None and over > self.watermark:
            self.watermark = over


class ShardClock(StreamClock):
    """The clock for a stream whose shards are in order. The watermark is that of the slowest shard that is not idle.

    When it fails: a shard that has older records but gives none for longer than ``idle_timeout`` is considered idle;
    those records then count later than they arrived. Cost: a look-up per record, and a pass over the shards ten times
    a second.

    Parameters
    ----------
    idle_timeout : float
        Seconds, above 0, after which a shard without records is idle and no longer holds back the others.
    shared : bool
        Whether others wait for this watermark: other subtasks, or other sources. While all shards are idle, a
        shared watermark follows the wall clock, `LAG` behind. Otherwise it follows the newest record and the time
        since, ``idle_timeout`` behind, without the wall clock.
    monotonic, wall : callable
        The clocks, in seconds. If not shared, the wall clock is only used to recognize a backlog, and for a stream that
        never had a record.

    Examples
    --------
    >>> clock = ShardClock(15, monotonic=iter(range(100)).__next__, wall=lambda: 10.0)
    >>> [clock.hear("a", 1000 * t) for t in range(10)][-1], clock.watermark
    (9000, 8500)
    >>> clock.hear("b", 7000)
    8501
    """

    def __init__(
        self,
        idle_timeout: float,
        shared: bool = False,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(monotonic, wall)
        self._idle = idle_timeout
        self._shared = shared
        self._shards: dict[str, tuple[int, float]] = {}  # latest arrival, and when it was heard
        self._next_look = HOLD

    def _note(self, shard: str, arrival: int) -> None:
        known = self._shards.get(shard)
        self._shards[shard] = (arrival if known is None or arrival > known[0] else known[0], self._passed)

    def _over(self) -> int | None:
        now, heard = self._passed, self._shards.values()
        if not heard:
            # A subtask without shards must not hold back the others for ever. Alone, its first read may just be slow.
            patience = self._idle if self._shared else PATIENCE * self._idle
            return None if now < patience else self._while_idle(int(1000 * self._wall()))
        awake = [arrival for arrival, at in heard if now - at < self._idle]
        if awake:
            over = reached = min(awake)
        else:
            reached = max(arrival for arrival, _ in heard)
            # At least as much time has passed since the newest record's arrival as since it was read.
            over = self._while_idle(reached + int(1000 * (now - max(at for _, at in heard))))
        if reached < 1000 * (self._wall() - 2 * self._idle):
            # While reading a backlog, a slow read or backpressure may look like an idle shard.
            patience = PATIENCE * self._idle
            over = min([over, *(arrival for arrival, at in heard if now - at < patience)])
        return over - DISORDER

    def _while_idle(self, present: int) -> int:
        """The watermark while all shards are idle; ``present`` is the present time according to the records."""
        if not self._shared:
            return present - int(1000 * self._idle)
        return max(present, int(1000 * self._wall())) - int(1000 * LAG)


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

    def _note(self, shard: str, arrival: int) -> None:
        if arrival < 1000 * (self._wall() - self._idle):
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
    in_order : bool
        Whether a shard's records come in order (:class:`ShardClock`); if not, :class:`LandingClock` is used.
    shared : bool
        Whether other subtasks or sources wait for this watermark.
    count_late : bool
        Whether a late record counts just after the watermark. Late records are reported in any case.
    """

    idle_timeout: timedelta
    in_order: bool = True
    shared: bool = False
    count_late: bool = True

    def start(self) -> StreamClock:
        """A clock that starts now."""
        seconds = self.idle_timeout.total_seconds()
        return ShardClock(seconds, self.shared) if self.in_order else LandingClock(seconds)
