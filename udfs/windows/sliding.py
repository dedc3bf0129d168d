"""Windows that look back from each row. A row does not see rows of the same time that come after it.

A :class:`SlidingWindows` holds the windows of one key, each with a length in rows or in time, and computes any number
of aggregates over each. It does not depend on Flink.

Examples
--------
>>> total = Call(Aggregate("sum", "BIGINT", "n"), 0, None, milliseconds=60_000)
>>> count = Call(Aggregate("count", "BIGINT"), None, None, rows=1)
>>> windows = SlidingWindows([total, count])
>>> [windows.push(time, (n,)) for time, n in [(0, 1), (60_000, 2), (60_001, 3)]]
[(1, 1), (3, 2), (5, 2)]
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from base.errors import InvalidValue
from udfs.windows.aggregates import Accumulator, Aggregate, accumulator


@dataclass(frozen=True)
class Call:
    """One aggregate over one window.

    Parameters
    ----------
    aggregate : Aggregate
    of, default : int or None
        Positions, in a row's values, of the aggregated value and of the default.
    rows : int or None
        The window is the current row and this many rows before it.
    milliseconds : int or None
        The window is the rows of up to this age, inclusive. Give either this or ``rows``.
    """

    aggregate: Aggregate
    of: int | None
    default: int | None
    rows: int | None = None
    milliseconds: int | None = None

    def __post_init__(self) -> None:
        if (self.rows is None) == (self.milliseconds is None):
            raise InvalidValue(f"{self.aggregate.function}: required either rows or seconds")
        if min(self.rows or 0, self.milliseconds or 0) < 0:
            raise InvalidValue(
                f"{self.aggregate.function}: the window's length must be at least 0, got a negative one"
            )


class SlidingWindows:
    """The windows of one key.

    Parameters
    ----------
    calls : sequence of Call
    """

    def __init__(self, calls: Sequence[Call]) -> None:
        frames: dict[tuple[int | None, int | None], list[tuple[Call, Accumulator]]] = {}
        self._results: list[tuple[Call, Accumulator]] = []
        for call in calls:
            pair = (call, accumulator(call.aggregate))
            frames.setdefault((call.rows, call.milliseconds), []).append(pair)
            self._results.append(pair)
        self._frames = [_Frame(rows, milliseconds, pairs) for (rows, milliseconds), pairs in frames.items()]
        self._rows: deque[tuple[int, tuple[Any, ...]]] = deque()
        self._first = 0

    @property
    def rows(self) -> deque[tuple[int, tuple[Any, ...]]]:
        """The rows, as (time, values), that a window may still need; the newest last."""
        return self._rows

    def push(self, time: int, values: tuple[Any, ...]) -> tuple[Any, ...]:
        """Add a row, in order of time (milliseconds); returns each call's result for it."""
        self._rows.append((time, values))
        end = self._first + len(self._rows)
        needed = end
        for frame in self._frames:
            frame.take(time, values, self._rows, self._first, end)
            needed = min(needed, frame.start)
        while self._first < needed:
            self._rows.popleft()
            self._first += 1
        return tuple(
            a.result(None if c.default is None else values[c.default], time) for c, a in self._results
        )


class _Frame:
    """A window of one length, and the aggregates over it."""

    def __init__(
        self, rows: int | None, milliseconds: int | None, pairs: list[tuple[Call, Accumulator]]
    ) -> None:
        self._length, self._milliseconds, self._pairs = rows, milliseconds, pairs
        #: Number of the first row in the window, counted from the beginning.
        self.start = 0

    def take(
        self,
        time: int,
        values: tuple[Any, ...],
        rows: deque[tuple[int, tuple[Any, ...]]],
        first: int,
        end: int,
    ) -> None:
        for call, total in self._pairs:
            total.add(None if call.of is None else values[call.of], time)
        while self._outside(rows[self.start - first][0], time, end):
            old, left = rows[self.start - first]
            for call, total in self._pairs:
                total.remove(None if call.of is None else left[call.of], old)
            self.start += 1

    def _outside(self, old: int, time: int, end: int) -> bool:
        if self._length is not None:
            return end - self.start > self._length + 1
        return time - old > (self._milliseconds or 0)
