"""A thread that reads a lab's tap and error streams into rings for as long as somebody looks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from console.labs import ERRORS, Lab
from console.rings import Rings
from infra.stream_reader import StreamError, StreamReader

_READ_SECONDS = 0.5
_TRY_AGAIN_SECONDS = 3.0
#: Rows from so long before the first look are shown as well.
_LOOK_BACK = timedelta(minutes=15)
#: After so long without a look the streams are left alone.
_PATIENCE_SECONDS = 30.0


class Feed:
    """What a lab's streams say.

    Parameters
    ----------
    lab : Lab
    kinesis : callable
        Makes a boto3 client; called in the thread.
    look_back : timedelta
        How far back the first look goes.

    Attributes
    ----------
    rings : Rings
        Read and changed under `lock` only.
    problem : str
        Why there is nothing to see; empty when all is well.
    version : int
        Counts the changes.
    """

    def __init__(self, lab: Lab, kinesis: Callable[[], Any], look_back: timedelta = _LOOK_BACK) -> None:
        self.lab = lab
        self.rings = Rings()
        self.lock = threading.Lock()
        self.problem = ""
        self.version = 0
        self.ready = threading.Event()
        self._kinesis = kinesis
        self._since = datetime.now(UTC) - look_back
        self._touched = 0.0
        self._wake = threading.Event()
        self._end = threading.Event()
        self._thread: threading.Thread | None = None

    def touch(self) -> None:
        """Say that somebody looks."""
        self._touched = time.monotonic()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=f"feed {self.lab.name}", daemon=True)
            self._thread.start()
        self._wake.set()

    def close(self) -> None:
        """End the thread; it may take a read's time."""
        self._end.set()
        self._wake.set()

    def _run(self) -> None:
        taps = errors = None
        while not self._end.is_set():
            if time.monotonic() - self._touched > _PATIENCE_SECONDS:
                self._wake.clear()
                self._wake.wait()
                continue
            try:
                if taps is None or errors is None:
                    kinesis = self._kinesis()
                    taps = StreamReader(kinesis, self.lab.taps, self._since)
                    errors = StreamReader(kinesis, self.lab.errors, self._since)
                rows, refused = taps.read(), errors.read()
            except StreamError as error:
                self._say(str(error))
                self._end.wait(_TRY_AGAIN_SECONDS)
                continue
            except Exception as error:  # no mistake of ours may end the view in silence
                self._say(f"{type(error).__name__}: {error}")
                self._end.wait(_TRY_AGAIN_SECONDS)
                continue
            with self.lock:
                for record in rows:
                    self.rings.add_tapped(record.data, record.arrival, skip=(ERRORS,))
                for record in refused:
                    self.rings.add_error(record.data, record.arrival, ERRORS)
            if rows or refused or self.problem or not self.ready.is_set():
                self._say("")
            self.ready.set()
            # A backlog is read without a pause between the reads.
            self._end.wait(0.0 if len(rows) >= 1000 else _READ_SECONDS)

    def _say(self, problem: str) -> None:
        self.problem = problem
        self.version += 1
