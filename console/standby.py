"""A process with Flink already started: it plans drafts, and becomes the next job that is started.

The console itself has no JVM. The process starts with the first request, or when somebody edits. It ends after some
time without requests, and with the console.
"""

from __future__ import annotations

import contextlib
import json
import selectors
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from base.errors import KdaError
from infra import child
from workbench.checked import Checked, written
from workbench.problems import Refused, at, of_lines

#: Time without requests after which the process ends, as it uses up to a gigabyte of memory.
IDLE_SECONDS = 600.0
PATIENCE_SECONDS = 300.0


class StandbyError(KdaError):
    """The process gives no answer; the message says why."""


class Standby:
    """One process at a time.

    Parameters
    ----------
    endpoint : str or None
        URL of the AWS that jobs use. None: the process only plans.
    patience : float
        Seconds to wait for an answer, including the start of the process.
    """

    def __init__(self, endpoint: str | None = None, patience: float = PATIENCE_SECONDS) -> None:
        self._endpoint = endpoint
        self._patience = patience
        self._process: subprocess.Popen[str] | None = None
        self._folder: Path | None = None
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None

    def plan(self, name: str, checked: Checked, blamed: str) -> dict[str, Any]:
        """Plan checked files with Flink: ``relations``, ``operators``, ``saved``; see :mod:`cli.standby`.

        Parameters
        ----------
        name : str
            Name of the application, to find its saved state.
        checked : Checked
            Must have a folder.
        blamed : str
            File to which errors without a position are assigned.

        Raises
        ------
        Refused
            Flink refuses them; it has the positions of the errors.
        StandbyError
            The process gives no answer.
        """
        with tempfile.TemporaryDirectory(prefix="kda-plan-") as made, self._lock:
            folder = Path(made) / name
            folder.mkdir()
            written(checked, folder)
            try:
                answer = self._asked({"folder": str(folder), "job": name})
            except (OSError, ValueError, StandbyError):
                self._end()
                raise
            self._end_when_idle()
        if error := answer.get("error"):
            files = checked.folder if blamed in checked.folder else {}
            found = of_lines(files, str(error).replace(f"{folder}/", ""), blamed)
            raise Refused(found or [at(files, blamed, 1, 1, str(error))])
        return answer

    def warm(self) -> None:
        """Start the process, as somebody edits and may need it soon. It does not wait for it."""
        if self._endpoint is not None and self._lock.acquire(blocking=False):
            try:
                self._running()
                self._end_when_idle()
            finally:
                self._lock.release()

    def become(self, words: Sequence[str], log: Path) -> subprocess.Popen[str] | None:
        """Let the process become a `kda` command that prints to a file; None: no process is ready."""
        if self._endpoint is None or not self._lock.acquire(blocking=False):
            return None
        try:
            process = self._process
            if process is None or process.poll() is not None or process.stdin is None:
                return None
            with contextlib.suppress(OSError):
                process.stdin.write(json.dumps({"run": list(words), "log": str(log.absolute())}) + "\n")
                process.stdin.flush()
                self._process = None
                if process.stdout:
                    process.stdout.close()
                return process
            return None
        finally:
            self._lock.release()

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._end()

    def _asked(self, question: dict[str, Any]) -> dict[str, Any]:
        process = self._running()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(question) + "\n")
        process.stdin.flush()
        line = _line(process.stdout, self._patience)
        if not line:
            raise StandbyError(f"Flink's planner gave no answer: {self._last_words()}")
        found: dict[str, Any] = json.loads(line)
        return found

    def _running(self) -> subprocess.Popen[str]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._end()
        self._folder = Path(tempfile.mkdtemp(prefix="kda-standby-"))
        with (self._folder / "words").open("wb") as words:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "cli.standby", *([self._endpoint] if self._endpoint else [])],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=words,
                text=True,
                # Its own process group, so that the JVM is killed with it.
                start_new_session=True,
            )
        return self._process

    def _end_when_idle(self) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = threading.Timer(IDLE_SECONDS, self.close)
        self._timer.daemon = True
        self._timer.start()

    def _end(self) -> None:
        if self._timer:
            self._timer.cancel()
        process, self._process = self._process, None
        if process is not None:
            child.kill(process)
            process.communicate()  # closes its pipes
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _last_words(self) -> str:
        try:
            assert self._folder is not None
            lines = (
                (self._folder / "words").read_text(encoding="utf-8", errors="replace").strip().splitlines()
            )
            return lines[-1][:500]
        except (OSError, IndexError, AssertionError):
            return "it did not start in time"


def _line(stream: IO[str], patience: float) -> str:
    """Read the next line; empty if none comes in time."""
    deadline = time.monotonic() + patience
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while time.monotonic() < deadline:
            if selector.select(deadline - time.monotonic()):
                return stream.readline()
    return ""
