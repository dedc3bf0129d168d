"""Starts, stops and resumes an application's job on this machine, and reports its state."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from console.job_view import JobError, JobView
from infra import child
from infra.flink_health import Health, health

_LOOK_SECONDS = 1.0
_STOP_SECONDS = 60.0
_LOG_BYTES = 20_000
#: What `kda run` prints if it can't take a savepoint and needs none.
_NOTHING_DONE = "--resume goes on from the state before"
#: Start of a `kda` command, before its arguments.
KDA = (sys.executable, "-m", "cli.main")


class LocalJob:
    """One application's job.

    Parameters
    ----------
    name : str
        Name of the application.
    command : callable or sequence of str
        Command that runs it, without ``--resume``; a callable is called at each start.
    folder : Path
        Holds the log of what it prints.
    look : callable
        Returns its health; :func:`infra.flink_health.health` by default.
    spare : callable
        Returns a standby process that becomes a `kda` command and prints to a file, or None.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str] | Callable[[], Sequence[str]],
        folder: Path,
        look: Callable[[str], Health] = health,
        spare: Callable[[Sequence[str], Path], subprocess.Popen[Any] | None] = lambda words, log: None,
    ) -> None:
        self._command = command if callable(command) else lambda: command
        self._name = name
        self.log = folder / f"{name}.log"
        self._look = look
        self._spare = spare
        self._lock = threading.Lock()
        self._process: subprocess.Popen[Any] | None = None
        self._stopping_since: float | None = None
        self._view = JobView(Health("unknown"))
        self._wanted: list[str] = []
        self._following: list[str] = []
        self._wake, self._end = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._watch, name=f"job {name}", daemon=True)
        self._thread.start()

    @property
    def view(self) -> JobView:
        """The job's state, at most a second old."""
        return self._view

    def start(self, resume: bool, leave_state: bool = False) -> None:
        """Start the job, without state or from its newest state; with `leave_state`, drop state that no longer fits.

        Raises
        ------
        JobError
            The job runs already.
        """
        with self._lock:
            if self._wanted or self._alive() or self._look(self._name).url:
                raise JobError("the job runs already")
            options = ["--resume", *(["--yes"] if leave_state else [])] if resume else []
            self._wanted = [*self._command(), *options]
            self._stopping_since = None
            self._view = JobView(replace(self._view.health, state="starting", reason=""), "start")
        self._wake.set()

    def run(self, leave_state: bool = False) -> None:
        """Run the current command: stop the job with a savepoint if it runs, then start it from its newest state.

        Raises
        ------
        JobError
            The job is starting or stopping.
        """
        with self._lock:
            runs = self._alive() or self._look(self._name).url is not None
        if not runs:
            self.start(True, leave_state)
        else:
            self.stop(and_then=[*self._command(), "--resume", *(["--yes"] if leave_state else [])])

    def stop(self, and_then: Sequence[str] = ()) -> None:
        """Stop the job with a savepoint, also if it was started elsewhere.

        Parameters
        ----------
        and_then : sequence of str
            Command to run after it has stopped with a savepoint.

        Raises
        ------
        JobError
            The job does not run.
        """
        with self._lock:
            pid = self._process.pid if self._process and self._alive() else self._look(self._name).pid
            if pid is None:
                raise JobError("the job does not run")
            if and_then and self._stopping_since:
                raise JobError("the job is stopping: wait until it has stopped")
            os.kill(pid, signal.SIGINT)
            self._following = list(and_then)
            self._stopping_since = time.monotonic()
            self._view = replace(self._view, asked="stop")

    def close(self) -> None:
        """Stop the job if this console started it, and wait for its savepoint."""
        self._end.set()
        self._wake.set()
        process = self._process
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGINT)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill(process)

    def discard(self) -> None:
        """Kill the job if this console started it, without saving its state."""
        self._end.set()
        with self._lock:
            self._wanted = []
            if self._process is not None and self._process.poll() is None:
                child.kill(self._process)
        self._wake.set()

    def _launch(self) -> None:
        """Start the wanted process, in the thread that lives as long as this console.

        The kernel ends the job when the thread that started it ends; threads of the server's pool end after seconds.
        """
        command, self._wanted = self._wanted, []
        try:
            self.log.parent.mkdir(parents=True, exist_ok=True)
            if (spare := self._spare(command[len(KDA) :], self.log)) is not None:
                self._process = spare
                return
            self._process = child.start(command, self.log, end_with=signal.SIGTERM)
        except OSError as error:
            self._view = JobView(replace(self._view.health, state="failed"), trouble=str(error))

    def _alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _watch(self) -> None:
        while not self._end.is_set():
            try:
                found = self._look(self._name)
            except Exception as error:  # shown, as the thread must not die
                found = Health("unknown", f"{type(error).__name__}: {error}")
            with self._lock:
                if self._wanted:
                    self._launch()
                else:
                    self._view = self._seen(found)
                    self._follow()
            self._wake.wait(_LOOK_SECONDS)
            self._wake.clear()

    def _follow(self) -> None:
        """Start the following command once the job has stopped with a savepoint."""
        if (
            self._following
            and not self._alive()
            and self._view.health.url is None
            and not self._stopping_since
        ):
            # A job that did nothing yet has no savepoint and needs none: its earlier state is kept.
            in_order = not self._view.trouble or _NOTHING_DONE in self._view.trouble
            if self._view.health.state == "stopped" and in_order:
                self._wanted = self._following
                self._view = JobView(replace(self._view.health, state="starting"), "start")
                self._wake.set()
            self._following = []

    def _seen(self, found: Health) -> JobView:
        alive = self._alive()
        if self._stopping_since and (alive or found.url):
            return JobView(replace(found, state="stopping"), "stop")
        if alive and not found.url:
            return JobView(replace(found, state="starting"), "start")
        if alive or found.url:
            return JobView(found)
        code = self._process.returncode if self._process else 0
        asked, self._stopping_since = self._stopping_since, None
        if found.state == "lost" or code < 0:
            signal_name = f" by signal {-code}" if code < 0 else ""
            killed = replace(found, state="killed")
            return JobView(killed, trouble=f"The job's process was killed{signal_name}.")
        if code and not asked:
            failed = replace(found, state="failed")
            return JobView(failed, trouble=self._last_words(), left_behind=self._left_behind())
        if self._view.health.state == "stopping" and "no savepoint" in (words := self._last_words()):
            return JobView(found, trouble=words)
        return replace(self._view, health=found, asked="") if self._view.trouble else JobView(found)

    def _last_words(self) -> str:
        return "\n".join(self.lines()[-3:])[-1000:]

    def _left_behind(self) -> tuple[str, ...]:
        """The steps with unused state, which `kda run --resume` prints before it asks whether to drop it."""
        mark = f"  no longer in {self._name}: "
        return tuple(line.removeprefix(mark) for line in self.lines() if line.startswith(mark))

    def lines(self) -> list[str]:
        """The last lines that the process printed."""
        try:
            text = self.log.read_bytes()[-_LOG_BYTES:].decode("utf-8", errors="replace")
            return text.rstrip().splitlines()
        except OSError:
            return []
