"""How much of the time each chain of operators of a running job is busy, back-pressured and idle."""

from __future__ import annotations

import math
import re
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from infra import flink
from infra.flink_rest import Step, steps

#: Shortest time to compute shares over.
_LEAST_SECONDS = 1.0
_LONGEST_NAME = 300


def _looked(job: str) -> list[Step]:
    running = flink.running(job)
    return steps(running.rest, running.job_id) if running else []


class Steps:
    """The chains of one job.

    Parameters
    ----------
    job : str
        Its name.
    look : callable
        Returns its chains with their metrics.
    clock : callable
        Monotonic clock, in seconds.
    """

    def __init__(
        self,
        job: str,
        look: Callable[[str], list[Step]] = _looked,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._job = job
        self._look = look
        self._clock = clock
        self._before: tuple[float, dict[str, Step]] = (0.0, {})
        self._shown: list[dict[str, Any]] = []
        self._lock = threading.Lock()

    def shown(self, relations: Sequence[str]) -> list[dict[str, Any]]:
        """Each chain with its shares of the time since the last call, and the relations in its name.

        A share is None at the first call, and if Flink does not measure it.
        """
        with self._lock:
            now = self._clock()
            if self._shown and now - self._before[0] < _LEAST_SECONDS:
                return self._shown
            found = self._look(self._job)
            since, before = self._before
            self._shown = [_shares(s, before.get(s.id), now - since, relations) for s in found]
            self._before = (now, {s.id: s for s in found})
            return self._shown


def _shares(step: Step, before: Step | None, seconds: float, relations: Sequence[str]) -> dict[str, Any]:
    milliseconds = seconds * 1000 * max(step.parallelism, 1)

    def share(now: float, then: float) -> float | None:
        found = (now - then) / milliseconds
        return round(min(max(found, 0.0), 1.0), 3) if math.isfinite(found) else None

    words = set(re.findall(r"\w+", step.name))
    return {
        "name": step.name[:_LONGEST_NAME],
        "parallelism": step.parallelism,
        "relations": [r for r in relations if r in words or f"{r}_stream" in words],
        "read": step.read,
        "written": step.written,
        "busy": share(step.busy, before.busy) if before else None,
        "back_pressured": share(step.back_pressured, before.back_pressured) if before else None,
        "idle": share(step.idle, before.idle) if before else None,
    }
