"""Waiting for what another process, or a thread, is about to do: the one way in which a test does it."""

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")

#: Long enough for a machine at a quarter of its speed: who waits for what comes does not wait that long.
SECONDS = 240.0


def until(condition: Callable[[], Found], what: str = "it", seconds: float = SECONDS) -> Found:
    """What a condition returns, as soon as that is true.

    Raises
    ------
    AssertionError
        When it is not within so many seconds.
    """
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited {seconds:g} s for {what}"
        time.sleep(0.05)
    return found
