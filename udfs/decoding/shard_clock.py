"""The clock of a stream whose shards are in order."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence

from udfs.decoding.stream_clock import Saved, StreamClock

#: Seconds after a start in which the watermark does not advance if a shard that is not known, or that was idle, may
#: have the oldest records.
HOLD = 5.0
#: Seconds after which a shard without records is forgotten: Kinesis keeps records for a day by default.
FORGOTTEN = 86_400.0
#: Milliseconds of disorder allowed between arrival times within a shard, and between the reading of two shards.
DISORDER = 500
#: While the stream is behind the present, a shard counts as idle after this many times ``idle_timeout``.
PATIENCE = 2
#: Seconds by which the watermark of idle shards stays behind the present while other subtasks wait for it. Covers the
#: time that a record takes from its arrival to here.
LAG = 2.0


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
        self._restored = False

    def _note(self, shard: str, earliest: int, latest: int) -> None:
        known = self._shards.get(shard)
        self._shards[shard] = (latest if known is None or latest > known[0] else known[0], self._passed)

    def saved(self, shards: Collection[str]) -> Saved:
        """What to save of these shards; those forgotten by then are left out."""
        now = self._passed
        heard = {s: (self._shards[s][0], now - self._shards[s][1]) for s in shards if s in self._shards}
        return self._identity, self.watermark, {s: h for s, h in heard.items() if h[1] < FORGOTTEN}

    def restore(self, parts: Sequence[Saved]) -> None:
        """Continue from these parts.

        There may be shards that the source has found and that are not in the parts, so the watermark waits as after a
        first start, but it is never behind.
        """
        super().restore(parts)
        if not parts:
            return
        known = {shard: heard for _, _, shards in parts for shard, heard in shards.items()}
        self._restored = True
        self._awaited = {
            s for s, (_, since) in known.items() if since >= self._idle and s not in self._shards
        }
        # The stop itself makes no shard idle: each that was not has the whole timeout again.
        self._shards = {
            s: (latest, -since if since >= self._idle else 0.0) for s, (latest, since) in known.items()
        } | self._shards

    def _over(self) -> int | None:
        over = self._of_shards()
        # As a shard, the rest of the source counts as idle if it does not go on.
        if over is None or not self._shared or self._passed - self._bounded >= self._idle:
            return over
        return min(over, self._bound) if self._bound else over

    def _of_shards(self) -> int | None:
        """The watermark by this subtask's shards."""
        now, heard = self._passed, self._shards.values()
        if now < HOLD:
            return None
        if not heard:
            # A subtask without shards must not hold back the others for ever. Alone, its first read may just be slow.
            patience = self._idle if self._shared else PATIENCE * self._idle
            return (
                None if now < patience and not self._restored else self._while_idle(int(1000 * self._wall()))
            )
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
