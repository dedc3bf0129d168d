"""While no page is open, nothing is polled."""

import threading
import time

import pytest

from console import watched
from tests.waiting import until


def test_polling_runs_only_while_a_page_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watched, "PATIENCE_SECONDS", 0.2)
    looks: list[float] = []

    def look() -> float:
        looks.append(time.monotonic())
        return 0.01

    threads = set(threading.enumerate())
    it = watched.Watched("watched in a test", look)
    assert set(threading.enumerate()) == threads
    it.touch()
    (thread,) = set(threading.enumerate()) - threads
    until(lambda: bool(looks) and time.monotonic() - looks[-1] > 0.5)
    seen = len(looks)
    it.touch()
    until(lambda: len(looks) > seen)
    it.close()
    thread.join(30)
    assert not thread.is_alive()
