"""Event time for records as they are read: records and heartbeats in, a watermark and what to save out. No Flink.

Flink can drop late records silently. One watermark for shards that are read at different speeds drops the backlog of
the slower ones, and the connector's per-shard watermark ignores a shard until its first record. A clock here gives
each record its rowtime: its arrival, or just after the watermark if the record is late.

Each subtask has its own clock. Its watermark is in every row and in a heartbeat each second, so Flink never considers
the subtask idle. Flink's combined watermark is the least of all subtasks', so it is never ahead of any of them and no
record is dropped as late downstream, at any parallelism.

A clock's state is saved in parts, one for each bucket of shards, so that other subtasks can take over some of them. A
restored clock is never behind the watermark that operators downstream have seen, and knows the shards to wait for.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Sequence
from uuid import uuid4

import numpy as np
import numpy.typing as npt

#: The most seconds counted between two calls. A longer gap means that Flink was blocked, so the lack of records says
#: nothing about the shards.
_GAP = 2.0


Times = npt.NDArray[np.int64]
#: A part of a clock's state: which clock it was, its watermark, and for each shard of the part the latest arrival in
#: milliseconds since the epoch and the seconds since. Kept in savepoints.
Saved = tuple[str, int, dict[str, tuple[int, float]]]


class StreamClock(ABC):
    """Gives each record its rowtime, and tracks the watermark.

    Attributes
    ----------
    watermark : int
        Milliseconds since the epoch; 0 until the first one is known. It never goes back.
    """

    #: The watermark is updated after these seconds, or after these records: SQL's OVER sorts the rows between two of
    #: its updates in time that grows with the square of their number.
    step, most = 0.1, 1_000

    def __init__(self, monotonic: Callable[[], float], wall: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._wall = wall
        self._now = monotonic()
        self._passed = 0.0
        self._next_look = 0.0
        self._since_look = 0
        self._identity = uuid4().hex
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
        self._note(shard, arrival, arrival)
        self._look_if_due(1)
        watermark = self.watermark
        return arrival if arrival > watermark else watermark + 1

    def hear_all(self, shards: Iterable[tuple[str, int, int]], arrivals: Times) -> tuple[Times, Times]:
        """Take note of records that came together; return the rowtime of each, and the watermark with it.

        The same as `hear` for each, if they take no time. The watermark advances with the last record at most.

        Parameters
        ----------
        shards : iterable of (str, int, int)
            Runs of records of one shard: the shard, the first record and the end.
        arrivals : array of int64, (n,)
            At least one.
        """
        self._pass_time()
        before = self.watermark
        for shard, first, end in shards:
            of_shard = arrivals[first:end]
            self._note(shard, int(of_shard.min()), int(of_shard.max()))
        self._look_if_due(len(arrivals))
        reached = np.full(len(arrivals), before, np.int64)
        reached[-1] = self.watermark
        return np.maximum(arrivals, reached + 1), reached

    def saved(self, shards: Collection[str]) -> Saved:
        """What to save of these shards."""
        return self._identity, self.watermark, {}

    def restore(self, parts: Sequence[Saved]) -> None:
        """Continue from these parts, which several clocks may have saved; without parts this is a fresh start.

        A clock's parts are not all saved at the same moment: its watermark is the greatest of them.
        """
        said: dict[str, int] = {}
        for identity, watermark, _ in parts:
            said[identity] = max(watermark, said.get(identity, 0))
        self.watermark = max(self.watermark, min(said.values(), default=0))

    def heartbeat(self) -> int:
        """Take note that time passes; return the watermark. Call it about once a second."""
        self._pass_time()
        self._look_if_due(0)
        return self.watermark

    @abstractmethod
    def new_shards(self) -> Collection[str]:
        """The shards to save that were not known at the last call."""

    @abstractmethod
    def close(self) -> None:
        """End what runs beside the clock."""

    @abstractmethod
    def _note(self, shard: str, earliest: int, latest: int) -> None:
        """Take note of records that arrived in this span."""

    @abstractmethod
    def _over(self) -> int | None:
        """The watermark by what is known now; None if it is not known."""

    def _pass_time(self) -> None:
        now = self._monotonic()
        self._passed += min(now - self._now, _GAP)
        self._now = now

    def _look_if_due(self, records: int) -> None:
        self._since_look += records
        if self._passed < self._next_look and self._since_look < self.most:
            return
        self._next_look, self._since_look = self._passed + self.step, 0
        over = self._over()
        if over is not None and over > self.watermark:
            self.watermark = over
