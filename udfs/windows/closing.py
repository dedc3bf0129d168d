"""Windows that give one row per key: aligned to the clock, from a key's first row on, or until a value changes.

:class:`Windows` holds the windows of one key (``clock``, ``first_row``) or of all keys (``change``). It does not depend
on Flink. Rows must come in order of time.

- ``clock``: aligned to multiples of ``milliseconds`` since 1970, as TUMBLE.
- ``first_row``: opens at the first row and closes ``milliseconds`` later; the next row opens another (stagger).
- ``change``: closes, for all keys, when a row's value differs from the last row's (MONOTONIC).

Examples
--------
>>> stagger = Windows("first_row", 60_000, [Aggregate("count", "BIGINT")])
>>> stagger.push(50_200, (None,), ()), stagger.due
([], 110200)
>>> stagger.push(80_000, (None,), ()), stagger.close(110_200)
([], [Closed(opened=50200, closed=110200, key=(), results=(2,))])
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from udfs.windows.aggregates import Accumulator, Aggregate, growing

Opens = Literal["clock", "first_row", "change"]


class Closed(NamedTuple):
    """A closed window: when it opened and closed in milliseconds, its key, the result of each aggregate."""

    opened: int
    closed: int
    key: tuple[Any, ...]
    results: tuple[Any, ...]


class Windows:
    """One window at a time, and the aggregates of its keys.

    Parameters
    ----------
    opens : {"clock", "first_row", "change"}
    milliseconds : int
        Length of a window; not used with ``change``.
    aggregates : sequence of Aggregate
    """

    def __init__(self, opens: Opens, milliseconds: int, aggregates: Sequence[Aggregate]) -> None:
        self._opens, self._milliseconds, self._aggregates = opens, milliseconds, tuple(aggregates)
        self._opened: int | None = None
        self._value: tuple[Any, ...] | None = None
        self._groups: dict[tuple[Any, ...], list[Accumulator]] = {}

    @property
    def due(self) -> int | None:
        """When the open window is due to close; None if none is open, or if only a change closes it."""
        if self._opened is None or self._opens == "change":
            return None
        return self._opened + self._milliseconds

    def push(
        self,
        time: int,
        values: Sequence[Any],
        key: tuple[Any, ...],
        changes: tuple[Any, ...] = (),
    ) -> list[Closed]:
        """Add a row, given as one value for each aggregate; returns the windows that the row closes."""
        over = self.close(time) if self._opens != "change" else self._changed(time, changes)
        if self._opened is None:
            self._opened = time - time % self._milliseconds if self._opens == "clock" else time
        totals = self._groups.get(key)
        if totals is None:
            totals = self._groups[key] = [growing(a) for a in self._aggregates]
        for total, value in zip(totals, values, strict=True):
            total.add(value, time)
        return over

    def close(self, time: int) -> list[Closed]:
        """Close the windows that are due at a time, and return them."""
        due = self.due
        return self._closed(due) if due is not None and time >= due else []

    def _changed(self, time: int, changes: tuple[Any, ...]) -> list[Closed]:
        over = self._closed(time) if self._groups and changes != self._value else []
        self._value = changes
        return over

    def _closed(self, at: int) -> list[Closed]:
        opened = self._opened or 0
        over = [
            Closed(opened, at, key, tuple(t.result(None, at) for t in totals))
            for key, totals in self._groups.items()
        ]
        self._groups, self._opened = {}, None
        return over
