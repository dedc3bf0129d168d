"""The one way in which tests wait for another process or a thread."""

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")

#: Long enough for a machine at a quarter of its speed; a test that passes never waits that long.
SECONDS = 240.0


def until(condition: Callable[[], Found], what: str = "it", seconds: float = SECONDS) -> Found:
    """Wait until a condition returns a true value, and return that.

    It looks again after a tenth of the time that it has waited, so that looking costs little.

    Raises
    ------
    AssertionError
        When it is not within so many seconds.
    """
    began = time.monotonic()
    while not (found := condition()):
        waited = time.monotonic() - began
        assert waited < seconds, f"waited {seconds:g} s for {what}"
        time.sleep(min(max(0.05, waited / 10), 1.0))
    return found
