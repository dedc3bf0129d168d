"""Event time over several shards, kept where the records flow by: so nothing overtakes it, and no record is late.

Flink's own ways silently lose records: one watermark for shards that are read at different speeds drops the slower
ones' backlog, and the connector's watermark per shard ignores a shard until its first record has come. Here the time
that is over is the oldest shard's; a shard that is idle holds it back, but not for ever. What comes later than that
all the same is not dropped: it counts at the present time of the stream, as it did in KDA, and is reported.

When it fails: a shard that gives nothing for longer than ``idle_timeout``, though it has older records, is taken for
an idle one; these records count later than they arrived. Cost: a look-up per record, a pass over the shards ten times
a second.
"""

from __future__ import annotations

import time
from collections.abc import Callable

#: Seconds after a start in which time stands still, as a shard that has not yet been heard of may be the oldest.
HOLD = 5.0
#: Milliseconds by which arrival times within a shard, and the reading of two shards, may be out of step.
DISORDER = 500
#: An idle shard holds back others that are behind the present so many times longer.
PATIENCE = 2
#: Seconds between two looks at all shards.
_STEP = 0.1
#: Seconds that may pass between two calls; more means that Flink let nothing through, and an idle shard proves nothing.
_GAP = 2.0


class ShardClock:
    """Says of each record when it happened, and up to when all have come.

    Parameters
    ----------
    idle_timeout : float
        Seconds, above 0, after which an idle shard no longer holds back the others; when all are idle, time moves
        on by itself, this far behind.
    monotonic, wall : callable
        The clocks, in seconds. The wall's only tells a backlog from the present.

    Attributes
    ----------
    reached : int or None
        The time that is over, in milliseconds since the epoch; None until the first is known. It never goes back.

    Examples
    --------
    >>> clock = ShardClock(15, monotonic=iter(range(100)).__next__, wall=lambda: 10.0)
    >>> [clock.hear("a", 1000 * t) for t in range(10)][-1], clock.reached
    (9000, 8500)
    >>> clock.hear("b", 7000)
    8501
    """

    def __init__(
        self,
        idle_timeout: float,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._idle = idle_timeout
        self._monotonic = monotonic
        self._wall = wall
        self._shards: dict[str, tuple[int, float]] = {}  # latest arrival, and when it was heard
        self._now = monotonic()
        self._passed = 0.0
        self._next_look = HOLD
        self.reached: int | None = None

    def hear(self, shard: str, arrival: int) -> int:
        """Take note of a record; return the time it counts at: its arrival, or just after what is over already.

        Parameters
        ----------
        shard : str
            Which shard it came from.
        arrival : int
            When it arrived there, in milliseconds since the epoch.
        """
        self._pass_time()
        known = self._shards.get(shard)
        self._shards[shard] = (arrival if known is None or arrival > known[0] else known[0], self._passed)
        reached = self.reached
        if self._passed >= self._next_look:
            self._look()
        return arrival if reached is None or arrival > reached else reached + 1

    def heartbeat(self) -> None:
        """Take note that time passes; call it about once a second."""
        self._pass_time()
        if self._passed >= self._next_look:
            self._look()

    @property
    def holding(self) -> bool:
        """Whether others must wait for what comes here: just started, or heard of something a short while ago."""
        return self._passed < HOLD or any(self._passed - h < self._idle for _, h in self._shards.values())

    def _pass_time(self) -> None:
        now = self._monotonic()
        self._passed += min(now - self._now, _GAP)
        self._now = now

    def _look(self) -> None:
        self._next_look = self._passed + _STEP
        if not self._shards:
            return
        heard = self._shards.values()
        awake = [arrival for arrival, at in heard if self._passed - at < self._idle]
        # When all are idle, the newest record is as old as the idle time, at least.
        idle_for = self._passed - max(at for _, at in heard)
        over = min(awake) if awake else max(a for a, _ in heard) + int(1000 * (idle_for - self._idle))
        if over < 1000 * (self._wall() - 2 * self._idle):
            # Behind the present, a shard may only seem idle: a slow read, or a full pipe.
            patience = PATIENCE * self._idle
            over = min([over, *(arrival for arrival, at in heard if self._passed - at < patience)])
        over -= DISORDER
        if self.reached is None or over > self.reached:
            self.reached = over
