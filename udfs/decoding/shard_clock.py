"""The clock of a stream whose shards are in order."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future
from typing import Protocol

from udfs.decoding.stream_clock import Saved, StreamClock

#: Seconds between two lists of the stream's shards. A little less than between two heartbeats.
LIST_INTERVAL = 0.9
#: Milliseconds of disorder allowed between arrival times within a shard, and between the reading of two shards.
DISORDER = 500
#: While the stream is behind the present, a shard counts as idle after this many times ``idle_timeout``.
PATIENCE = 2
#: Seconds by which the watermark of idle shards stays behind the present while other subtasks wait for it. Covers the
#: time that a record takes from its arrival to here.
LAG = 2.0

#: A list of the stream's shards, to come: whether each is open. Closed ones that have records are in it.
Listing = Future[Mapping[str, bool]]


class Lister(Protocol):
    """Lists a stream's shards."""

    def ask(self) -> Listing:
        """Ask for a list, without waiting for it."""

    def close(self) -> None:
        """Ask no more."""


_log = logging.getLogger(__name__)


class ShardClock(StreamClock):
    """The clock for a stream whose shards are in order. The watermark is that of the slowest shard that is not idle.

    A shard counts from the moment it is in a list of the stream's shards, heard or not. One that is not listed yet was
    made after that list was asked for, and so its records arrived later than the watermark of that moment. Wherever a
    new shard's parent may be idle, or read by another subtask, the watermark does not pass that point.

    When it fails: a shard that has older records but gives none for longer than ``idle_timeout`` is considered idle;
    those records then count later than they arrived. The same if no list comes for ``idle_timeout``. Cost: a look-up
    per record, a pass over the shards ten times a second, and a list each second.

    Parameters
    ----------
    idle_timeout : float
        Seconds, above 0, after which a shard without records is idle and no longer holds back the others.
    lister : Lister
        Lists the stream's shards.
    own : callable
        Whether a shard's records come here; other subtasks have the others.
    shared : bool
        Whether others wait for this watermark: other subtasks, or other sources. While all shards are idle, a
        shared watermark follows the wall clock, `LAG` behind. Otherwise it follows the newest record and the time
        since, ``idle_timeout`` behind, without the wall clock.
    monotonic, wall : callable
        The clocks, in seconds. If not shared, the wall clock is only used to recognize a backlog, and for a stream that
        never had a record.
    """

    def __init__(
        self,
        idle_timeout: float,
        lister: Lister,
        own: Callable[[str], bool] = lambda shard: True,
        shared: bool = False,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(monotonic, wall)
        self._idle = idle_timeout
        self._lister, self._own = lister, own
        self._shared = shared
        #: Latest arrival, 0 before the first record; and when the shard was heard, or listed.
        self._shards: dict[str, tuple[int, float]] = {}
        self._new: list[str] = []
        self._restored = False
        self._open: set[str] | None = None  # of the whole stream
        self._listing: Listing | None = lister.ask()
        self._asked = self._listed = 0.0
        self._then: int | None = None  # the watermark by what was known when the list was asked for
        self._confirmed: int | None = None  # and the same for the last list that came

    def new_shards(self) -> Collection[str]:
        """The shards to save that were not known at the last call."""
        new, self._new = self._new, []
        return new

    def _note(self, shard: str, earliest: int, latest: int) -> None:
        known = self._shards.get(shard)
        if known is None:
            self._new.append(shard)
        self._shards[shard] = (latest if known is None or latest > known[0] else known[0], self._passed)

    def saved(self, shards: Collection[str]) -> Saved:
        """What to save of these shards."""
        now = self._passed
        heard = {s: (self._shards[s][0], now - self._shards[s][1]) for s in shards if s in self._shards}
        return self._identity, self.watermark, heard

    def restore(self, parts: Sequence[Saved]) -> None:
        """Continue from these parts.

        The stop itself makes no shard idle: each has the whole timeout again, those that were idle if they are open.
        """
        super().restore(parts)
        known = {shard: heard for _, _, shards in parts for shard, heard in shards.items()}
        self._restored = bool(parts)
        self._shards = {
            s: (latest, self._passed - since if since >= self._idle else self._passed)
            for s, (latest, since) in known.items()
        } | self._shards
        self._new = list(self._shards)

    def close(self) -> None:
        """Ask for no more lists."""
        self._lister.close()

    def _over(self) -> int | None:
        self._take_list()
        over = self._of_shards() if self._open is not None or self._without_list() else None
        if self._listing is None and self._passed - self._asked >= LIST_INTERVAL:
            self._asked, self._listing, self._then = self._passed, self._lister.ask(), over
        if over is None or self._without_list() or self._all_awake():
            return over
        return None if self._confirmed is None else min(over, self._confirmed)

    def _take_list(self) -> None:
        if self._listing is None or not self._listing.done():
            return
        listing, self._listing = self._listing, None
        if listing.exception() is not None:
            _log.warning("the stream's shards could not be listed: %s", listing.exception())
            return
        now, listed = self._passed, listing.result()
        self._listed, self._confirmed = now, self._then
        self._open = {shard for shard, is_open in listed.items() if is_open}
        for shard in filter(self._own, listed):
            if shard not in self._shards:
                self._new.append(shard)
            latest, heard = self._shards.get(shard, (0, now))
            # While the job was stopped records may have come that have not been read.
            awake = self._restored and shard in self._open
            self._shards[shard] = (latest, now if awake else heard)
        self._restored = False
        for shard, (_, heard) in list(self._shards.items()):
            if shard not in listed and now - heard >= self._idle:
                del self._shards[shard]

    def _without_list(self) -> bool:
        """Whether it has been too long since the last list."""
        return self._passed - self._listed >= self._idle

    def _all_awake(self) -> bool:
        """Whether each open shard is read here and holds the watermark: so it does until its children are listed."""
        now = self._passed
        return self._open is not None and all(
            s in self._shards and now - self._shards[s][1] < self._idle for s in self._open
        )

    def _of_shards(self) -> int | None:
        """The watermark by this subtask's shards."""
        now, heard = self._passed, self._shards.values()
        present = int(1000 * self._wall())
        awake = [arrival for arrival, at in heard if now - at < self._idle]
        if awake:
            over = reached = min(awake)
        elif reached := max((arrival for arrival, _ in heard), default=0):
            # At least as much time has passed since the newest record's arrival as since it was read.
            over = self._while_idle(reached + int(1000 * (now - max(at for _, at in heard))))
        else:
            return self._while_idle(present)
        if reached < present - 2000 * self._idle:
            # While reading a backlog, a slow read or backpressure may look like an idle shard.
            patience = PATIENCE * self._idle
            over = min([over, *(arrival for arrival, at in heard if now - at < patience)])
        return over - DISORDER

    def _while_idle(self, present: int) -> int:
        """The watermark while all shards are idle; ``present`` is the present time according to the records."""
        if not self._shared:
            return present - int(1000 * self._idle)
        return max(present, int(1000 * self._wall())) - int(1000 * LAG)
