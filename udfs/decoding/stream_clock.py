"""Event time where records flow by: records and heartbeats in, a watermark out. No Flink.

Flink loses records without a word: one watermark for shards that are read at different speeds drops the backlog of the
slower ones, and the connector's watermark per shard ignores a shard until its first record has come. A clock here says
of each record when it counts: at its arrival, or just after the watermark where it comes later than that.

Each subtask has a clock of its own. Its watermark is in every row and in a heartbeat each second, so that Flink never
takes the subtask for idle: what Flink makes of all subtasks' watermarks, the least, is never beyond one of them. So no
record is dropped as late further on, at any parallelism.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

#: Seconds after a start in which the watermark stands still: a shard that has not been heard of may be the oldest.
HOLD = 5.0
#: Milliseconds by which arrival times within a shard, and the reading of two shards, may be out of step.
DISORDER = 500
#: An idle shard holds back others that are behind the present so many times longer.
PATIENCE = 2
#: Seconds by which the watermark of idle shards stays behind the present while other subtasks wait for it: as long
#: as a record may take from its arrival to here.
LAG = 2.0
#: Seconds between two looks at all shards.
_STEP = 0.1
#: Seconds that may pass between two calls; more means that Flink let nothing through, and no record proves nothing.
_GAP = 2.0


class StreamClock(ABC):
    """Says of each record when it counts, and up to when all have come.

    Attributes
    ----------
    watermark : int
        The time that is over, in milliseconds since the epoch; 0 until the first is known. It never goes back.
    """

    def __init__(self, monotonic: Callable[[], float], wall: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._wall = wall
        self._now = monotonic()
        self._passed = 0.0
        self._next_look = 0.0
        self.watermark = 0

    def hear(self, shard: str, arrival: int) -> int:
        """Take note of a record; return the time it counts at: its arrival, or just after the watermark.

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
        """The time that is over by what is known now; None: none that is known."""

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
    """The clock of a stream's shards, each in order: the watermark is that of the slowest one that is not idle.

    When it fails: a shard that gives nothing for longer than ``idle_timeout``, though it has older records, is taken
    for an idle one; these records count later than they arrived. Cost: a look-up per record, a pass over the shards ten
    times a second.

    Parameters
    ----------
    idle_timeout : float
        Seconds, above 0, after which a shard without records is idle and no longer holds back the others.
    shared : bool
        Whether others wait for this watermark: other subtasks, or other sources. While all shards are idle, it then
        follows the wall's clock, `LAG` behind; else the newest record, ``idle_timeout`` behind, which needs no clock.
    monotonic, wall : callable
        The clocks, in seconds. Not shared, the wall's only tells a backlog from the present, and the time of a stream
        that never had a record.

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
            # Who has no shards does not hold the others for ever; alone, it may be the first read that is slow.
            patience = self._idle if self._shared else PATIENCE * self._idle
            return None if now < patience else self._while_idle(int(1000 * self._wall()))
        awake = [arrival for arrival, at in heard if now - at < self._idle]
        if awake:
            over = reached = min(awake)
        else:
            reached = max(arrival for arrival, _ in heard)
            # The newest record is as old as the time since, at least.
            over = self._while_idle(reached + int(1000 * (now - max(at for _, at in heard))))
        if reached < 1000 * (self._wall() - 2 * self._idle):
            # Behind the present, a slow read or a full pipe may look like an idle shard.
            patience = PATIENCE * self._idle
            over = min([over, *(arrival for arrival, at in heard if now - at < patience)])
        return over - DISORDER

    def _while_idle(self, present: int) -> int:
        """The time that is over while all shards are idle; ``present`` is it by the records."""
        if not self._shared:
            return present - int(1000 * self._idle)
        return max(present, int(1000 * self._wall())) - int(1000 * LAG)


class LandingClock(StreamClock):
    """The clock of records that come in any order, as objects of a bucket do: the watermark follows the wall's clock.

    It stands ``idle_timeout`` behind the present once no record older than that has come for as long, so it stands
    still while a backlog is read.

    Parameters
    ----------
    idle_timeout : float
        Seconds, above 0.
    monotonic, wall : callable
        The clocks, in seconds. The wall's and that of the records' arrival must agree within half of ``idle_timeout``.
    """

    def __init__(
        self,
        idle_timeout: float,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(monotonic, wall)
        self._idle = idle_timeout
        # A start is like a record of a backlog: there may be one.
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
    """How a source's time is kept; each subtask makes its clock of it.

    Parameters
    ----------
    idle_timeout : timedelta
        Without records for so long, a shard is idle.
    in_order : bool
        Whether a shard's records come in order; else see :class:`LandingClock`.
    shared : bool
        Whether other subtasks or sources wait for this watermark.
    count_late : bool
        Whether a record that comes later than the watermark counts just after it, and is reported; else it is only
        reported.
    """

    idle_timeout: timedelta
    in_order: bool = True
    shared: bool = False
    count_late: bool = True

    def start(self) -> StreamClock:
        """A clock that starts now."""
        seconds = self.idle_timeout.total_seconds()
        return ShardClock(seconds, self.shared) if self.in_order else LandingClock(seconds)
