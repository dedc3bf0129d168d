"""Aggregates over a sliding window: values are added at one end and removed at the other.

Each keeps only what it needs. Sums are exact, so a value that has left a window leaves no rounding error behind.

Examples
--------
>>> mean = accumulator(Aggregate("avg", "DOUBLE"))
>>> for value in (0.1, 1e16, None):
...     mean.add(value, 0)
>>> mean.remove(0.1, 0), mean.remove(1e16, 0)
(None, None)
>>> mean.result(None, 0) is None
True
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any, Protocol

from base.errors import InvalidValue
from udfs.windows.spread import ExponentialMean, Spread

_EXACT = Context(prec=76)


@dataclass(frozen=True)
class Aggregate:
    """What to compute of a window.

    Parameters
    ----------
    function : str
        ``count``, ``sum``, ``avg``, ``min``, ``max``, ``first_value``, ``last_value``, ``stddev_pop``, ``stddev_samp``,
        ``var_pop``, ``var_samp``, ``nth_value``, ``lag``, ``exp_avg``.
    type : str
        The result's type in Flink SQL.
    of : str or None
        The column to aggregate; None: rows are counted.
    distinct, ignore_nulls : bool
    offset : int
        With ``lag``: how many rows back; with ``nth_value``: which value, from 1.
    default : str or None
        With ``lag``: the column whose value is used if there is no such row.
    half_life : float
        With ``exp_avg``: seconds after which a value's weight has halved.
    """

    function: str
    type: str
    of: str | None = None
    distinct: bool = False
    ignore_nulls: bool = False
    offset: int = 1
    default: str | None = None
    half_life: float = 0.0


class Accumulator(Protocol):
    """Values are added and removed in order of time (milliseconds); the result is for the newest row."""

    def add(self, value: Any, time: int) -> None: ...
    def remove(self, value: Any, time: int) -> None: ...
    def result(self, default: Any, time: int) -> Any: ...


def accumulator(aggregate: Aggregate) -> Accumulator:
    """An empty accumulator.

    Raises
    ------
    ValueError
        For an unknown function.
    """
    if aggregate.function not in FUNCTIONS:
        raise InvalidValue(f"function must be one of {', '.join(FUNCTIONS)}, got {aggregate.function}")
    return FUNCTIONS[aggregate.function](aggregate)


class _Count:
    """COUNT: of rows, of values that are not NULL, or of distinct values."""

    def __init__(self, aggregate: Aggregate) -> None:
        self._rows = aggregate.of is None
        self._distinct: Counter[Any] | None = Counter() if aggregate.distinct else None
        self._count = 0

    def add(self, value: Any, time: int) -> None:
        if self._rows or value is not None:
            self._count += 1
            if self._distinct is not None:
                self._distinct[value] += 1

    def remove(self, value: Any, time: int) -> None:
        if self._rows or value is not None:
            self._count -= 1
            if self._distinct is not None:
                self._distinct[value] -= 1
                if not self._distinct[value]:
                    del self._distinct[value]

    def result(self, default: Any, time: int) -> int:
        return self._count if self._distinct is None else len(self._distinct)


class _Sum:
    """SUM and AVG. Floats are summed exactly, as non-overlapping parts, so removing a value leaves no error."""

    def __init__(self, aggregate: Aggregate) -> None:
        self._average = aggregate.function == "avg"
        self._type = aggregate.type
        self._count = 0
        self._total: Any = 0
        self._parts: list[float] = []

    def add(self, value: Any, time: int) -> None:
        if value is not None:
            self._count += 1
            self._move(value)

    def remove(self, value: Any, time: int) -> None:
        if value is not None:
            self._count -= 1
            self._move(-value)

    def _move(self, value: Any) -> None:
        if isinstance(value, float):
            parts, kept = [], value
            for part in self._parts:
                if abs(kept) < abs(part):
                    kept, part = part, kept
                high = kept + part
                low = part - (high - kept)
                if low:
                    parts.append(low)
                kept = high
            self._parts = [*parts, kept] if kept else parts
        elif isinstance(value, Decimal):
            self._total = _EXACT.add(Decimal(self._total), value)
        else:
            self._total += value

    def result(self, default: Any, time: int) -> Any:
        if not self._count:
            return None
        total = math.fsum(self._parts) if self._parts or self._type in ("DOUBLE", "FLOAT") else self._total
        if self._type in ("DOUBLE", "FLOAT"):
            total = total + float(self._total)
        if not self._average:
            return total
        if isinstance(total, int):  # the mean of integers is an integer, truncated towards zero
            return total // self._count if total >= 0 else -(-total // self._count)
        if isinstance(total, Decimal):
            return _EXACT.divide(total, Decimal(self._count)).quantize(
                Decimal("0.000001"), ROUND_HALF_UP, _EXACT
            )
        return total / self._count


class _Extreme:
    """MIN and MAX: only values that can still become the extreme are kept."""

    def __init__(self, aggregate: Aggregate) -> None:
        self._sign = 1 if aggregate.function == "max" else -1
        self._kept: deque[tuple[int, Any]] = deque()
        self._added = self._removed = 0

    def add(self, value: Any, time: int) -> None:
        if value is None:
            return
        while self._kept and (self._kept[-1][1] <= value if self._sign > 0 else self._kept[-1][1] >= value):
            self._kept.pop()
        self._kept.append((self._added, value))
        self._added += 1

    def remove(self, value: Any, time: int) -> None:
        if value is None:
            return
        if self._kept and self._kept[0][0] == self._removed:
            self._kept.popleft()
        self._removed += 1

    def result(self, default: Any, time: int) -> Any:
        return self._kept[0][1] if self._kept else None


class _Ends:
    """FIRST_VALUE, LAST_VALUE, NTH_VALUE and LAG: by position. NULLs count unless they are to be ignored."""

    def __init__(self, aggregate: Aggregate) -> None:
        self._function = aggregate.function
        self._ignore = aggregate.ignore_nulls
        self._offset = aggregate.offset
        self._values: deque[Any] = deque()
        self._last: Any = None

    def add(self, value: Any, time: int) -> None:
        self._last = value
        if not self._ignore or value is not None:
            self._values.append(value)

    def remove(self, value: Any, time: int) -> None:
        if not self._ignore or value is not None:
            self._values.popleft()

    def result(self, default: Any, time: int) -> Any:
        if self._function == "lag":
            # The current row is the last one kept, unless it is an ignored NULL.
            back = self._offset + (0 if self._ignore and self._last is None else 1)
            return self._values[-back] if 1 <= back <= len(self._values) else default
        if self._function == "nth_value":
            return self._values[self._offset - 1] if self._offset <= len(self._values) else None
        if not self._values:
            return None
        return self._values[0 if self._function == "first_value" else -1]


class _FirstAndLast:
    """FIRST_VALUE and LAST_VALUE of a window that only grows."""

    def __init__(self, aggregate: Aggregate) -> None:
        self._first = aggregate.function == "first_value"
        self._ignore = aggregate.ignore_nulls
        self._value: Any = None
        self._found = False

    def add(self, value: Any, time: int) -> None:
        if (self._ignore and value is None) or (self._first and self._found):
            return
        self._value, self._found = value, True

    def remove(self, value: Any, time: int) -> None:
        raise NotImplementedError

    def result(self, default: Any, time: int) -> Any:
        return self._value


#: Their names in windows that earlier versions saved.
_Spread, _ExponentialMean = Spread, ExponentialMean

FUNCTIONS: dict[str, Callable[[Aggregate], Accumulator]] = {
    "count": _Count,
    "sum": _Sum,
    "avg": _Sum,
    "min": _Extreme,
    "max": _Extreme,
    "first_value": _Ends,
    "last_value": _Ends,
    "nth_value": _Ends,
    "lag": _Ends,
    "stddev_pop": Spread,
    "stddev_samp": Spread,
    "var_pop": Spread,
    "var_samp": Spread,
    "exp_avg": ExponentialMean,
}


def growing(aggregate: Aggregate) -> Accumulator:
    """An accumulator for a window that only grows: it keeps only one value if one is enough."""
    if aggregate.function in ("first_value", "last_value"):
        return _FirstAndLast(aggregate)
    return accumulator(aggregate)
