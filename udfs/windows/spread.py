"""Aggregates that need all values of their window: variance, standard deviation, EXP_AVG."""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from udfs.windows.aggregates import Aggregate


class Spread:
    """Variance and standard deviation, in two passes over the window's values."""

    def __init__(self, aggregate: Aggregate) -> None:
        self._sample = aggregate.function.endswith("samp")
        self._root = aggregate.function.startswith("stddev")
        self._values: deque[float] = deque()

    def add(self, value: Any, time: int) -> None:
        if value is not None:
            self._values.append(float(value))

    def remove(self, value: Any, time: int) -> None:
        if value is not None:
            self._values.popleft()

    def result(self, default: Any, time: int) -> float | None:
        n = len(self._values)
        if n < (2 if self._sample else 1):
            return None
        mean = math.fsum(self._values) / n
        variance = math.fsum((v - mean) ** 2 for v in self._values) / (n - self._sample)
        return math.sqrt(variance) if self._root else variance


class ExponentialMean:
    """EXP_AVG: a mean in which a value's weight halves with each half-life."""

    def __init__(self, aggregate: Aggregate) -> None:
        self._half_life = aggregate.half_life * 1000
        self._values: deque[tuple[int, float]] = deque()

    def add(self, value: Any, time: int) -> None:
        if value is not None:
            self._values.append((time, float(value)))

    def remove(self, value: Any, time: int) -> None:
        if value is not None:
            self._values.popleft()

    def result(self, default: Any, time: int) -> float | None:
        weighed = [(0.5 ** ((time - t) / self._half_life), v) for t, v in self._values]
        total = math.fsum(w for w, _ in weighed)
        return math.fsum(w * v for w, v in weighed) / total if total else None
