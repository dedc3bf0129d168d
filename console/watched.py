"""A thread that works for as long as somebody looks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

#: After so long without a look the services are left alone.
PATIENCE_SECONDS = 30.0


class Watched:
    """Looks again and again in a thread of its own, begun at the first touch.

    Parameters
    ----------
    name : str
        Of the thread.
    look : callable
        Looks once and returns the seconds until it wants to look again. It must not raise.
    """

    def __init__(self, name: str, look: Callable[[], float]) -> None:
        self._name = name
        self._look = look
        self._touched = 0.0
        self._wake, self._end = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None

    def touch(self) -> None:
        """Say that somebody looks."""
        self._touched = time.monotonic()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()
        self._wake.set()

    def close(self) -> None:
        """End the thread; it may take a look's time."""
        self._end.set()
        self._wake.set()

    def _run(self) -> None:
        while not self._end.is_set():
            self._wake.clear()
            if time.monotonic() - self._touched > PATIENCE_SECONDS:
                self._wake.wait()
            else:
                self._end.wait(self._look())
