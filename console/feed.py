"""Reads an application's tap and error streams into row buffers while somebody watches."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from console.resources import Resources, resources
from console.row_buffer import RowBuffers
from console.watched import Watched
from infra.stream_reader import StreamError, StreamReader
from pipeline.application import ERRORS, Application

_READ_SECONDS = 0.5
_TRY_AGAIN_SECONDS = 3.0
#: How far back the first read goes.
_LOOK_BACK = timedelta(minutes=15)


class Feed:
    """The rows of an application's tap and error streams.

    Parameters
    ----------
    application : Application
    kinesis : callable
        Makes a boto3 client; called in the thread.
    look_back : timedelta
        How far back the first read goes.
    found : Resources or None
        The application's streams; None: those of its defaults.

    Attributes
    ----------
    buffers : RowBuffers
        The rows; use it only with `lock` held.
    problem : str
        Why the streams can't be read; else empty.
    version : int
        Increases with each change.
    """

    def __init__(
        self,
        application: Application,
        kinesis: Callable[[], Any],
        look_back: timedelta = _LOOK_BACK,
        found: Resources | None = None,
    ) -> None:
        self.application = application
        self.buffers = RowBuffers()
        self.lock = threading.Lock()
        self.problem = ""
        self.version = 0
        self.ready = threading.Event()
        self._found = found or resources(application)
        self._kinesis = kinesis
        self._since = datetime.now(UTC) - look_back
        self._taps: StreamReader | None = None
        self._errors: StreamReader | None = None
        watched = Watched(f"feed {application.name}", self._look)
        self.touch, self.close = watched.touch, watched.close

    def _look(self) -> float:
        try:
            if self._taps is None or self._errors is None:
                kinesis = self._kinesis()
                self._taps = StreamReader(kinesis, self._found.taps, self._since)
                self._errors = StreamReader(kinesis, self._found.errors, self._since)
            rows, refused = self._taps.read(), self._errors.read()
        except StreamError as error:
            self._say(str(error))
            return _TRY_AGAIN_SECONDS
        except Exception as error:  # shown, as the thread must not die silently
            self._say(f"{type(error).__name__}: {error}")
            return _TRY_AGAIN_SECONDS
        with self.lock:
            for record in rows:
                self.buffers.add_tapped(record.data, record.arrival, skip=(ERRORS,))
            for record in refused:
                self.buffers.add_error(record.data, record.arrival, ERRORS)
        if rows or refused or self.problem or not self.ready.is_set():
            self._say("")
        self.ready.set()
        # Read a backlog without pauses.
        return 0.0 if len(rows) >= 1000 else _READ_SECONDS

    def _say(self, problem: str) -> None:
        self.problem = problem
        self.version += 1
