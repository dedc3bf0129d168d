"""A thread that works while somebody watches."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

#: Time without a touch after which the thread stops calling services.
PATIENCE_SECONDS = 30.0


class Watched:
    """Calls a function repeatedly in a thread, which starts at the first touch.

    Parameters
    ----------
    name : str
        Name of the thread.
    look : callable
        Returns the seconds until its next call. It must not raise.
    """

    def __init__(self, name: str, look: Callable[[], float]) -> None:
        self._name = name
        self._look = look
        self._touched = 0.0
        self._wake, self._end = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None

    def touch(self) -> None:
        """Tell that somebody watches."""
        self._touched = time.monotonic()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()
        self._wake.set()

    def close(self) -> None:
        """End the thread, after a call that is running."""
        self._end.set()
        self._wake.set()

    def _run(self) -> None:
        while not self._end.is_set():
            self._wake.clear()
            if time.monotonic() - self._touched > PATIENCE_SECONDS:
                self._wake.wait()
            else:
                self._end.wait(self._look())
