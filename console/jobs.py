"""Start, stop and resume an application's job on this machine, and say how it is."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from base.errors import KdaError
from infra.flink_health import Health, health

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)
_LOOK_SECONDS = 1.0
_STOP_SECONDS = 60.0
_LOG_BYTES = 20_000
#: What `kda run` says where it can't take a savepoint, and none is needed.
_NOTHING_DONE = "--resume goes on from the state before"
#: Before the words of a `kda` command.
KDA = (sys.executable, "-m", "cli.main")
#: What the page shows of a job that runs.
FACTS = ("checkpoint", "checkpoints", "failed", "restored", "behind", "late")


class JobError(KdaError):
    """What was asked can't be done to the job now; the message says why."""


@dataclass(frozen=True)
class JobView:
    """What the page shows of a job: its health, and what the operator asked of it.

    Attributes
    ----------
    health : Health
    asked : str
        What is under way: ``start``, ``stop`` or nothing.
    trouble : str
        Why it ended, or why something asked was not done.
    measured : tuple of str
        Which facts of its health are known, out of `FACTS`.
    left_behind : tuple of str
        Steps whose saved state the application has no use for any more: to resume is to agree to lose it.
    """

    health: Health
    asked: str = ""
    trouble: str = ""
    measured: tuple[str, ...] = ("checkpoint", "checkpoints", "restored", "behind", "late")
    left_behind: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Plain data; the process's id is nobody's business."""
        found = asdict(self.health)
        del found["pid"]
        return found | {
            "asked": self.asked,
            "trouble": self.trouble,
            "measured": self.measured,
            "left_behind": self.left_behind,
        }


class Job(Protocol):
    """A job that can be seen, started and stopped, wherever it runs."""

    @property
    def view(self) -> JobView: ...
    def start(self, resume: bool, leave_state: bool = False) -> None: ...
    def stop(self) -> None: ...
    def run(self, leave_state: bool = False) -> None: ...
    def close(self) -> None: ...


class LocalJob:
    """One application's job.

    Parameters
    ----------
    name : str
        The application's.
    command : callable or sequence of str
        What runs it, without ``--resume``; a callable is asked at each start.
    folder : Path
        For the log of what it prints.
    look : callable
        How it is; :func:`infra.flink_health.health` by default.
    spare : callable
        Gives a process that goes on as a `kda` command and prints to a file, if there is one at hand.
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
        """The job as it was seen a second ago at most."""
        return self._view

    def start(self, resume: bool, leave_state: bool = False) -> None:
        """Start the job, afresh or from its newest state; `leave_state`: even if that means to leave some of it behind.

        Raises
        ------
        JobError
            It runs already.
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
        """Let the job be what its command is now: stop it with a savepoint if it runs, go on from its newest state.

        Raises
        ------
        JobError
            It is about to start, or to stop.
        """
        with self._lock:
            runs = self._alive() or self._look(self._name).url is not None
        if not runs:
            self.start(True, leave_state)
        else:
            self.stop(and_then=[*self._command(), "--resume", *(["--yes"] if leave_state else [])])

    def stop(self, and_then: Sequence[str] = ()) -> None:
        """Ask the job to stop with a savepoint, whoever started it.

        Parameters
        ----------
        and_then : sequence of str
            The command to run once it has stopped in order.

        Raises
        ------
        JobError
            It does not run.
        """
        with self._lock:
            pid = self._process.pid if self._process and self._alive() else self._look(self._name).pid
            if pid is None:
                raise JobError("the job does not run")
            if and_then and self._stopping_since:
                raise JobError("the job is about to stop: wait until it has")
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
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def discard(self) -> None:
        """Kill the job if this console started it: nothing of it is kept."""
        self._end.set()
        with self._lock:
            self._wanted = []
            if self._process is not None and self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
        self._wake.set()

    def _launch(self) -> None:
        """Start the wanted process, in the thread that lives as long as this console.

        The kernel ends the job with the thread that started it: a thread of the server's pool is gone after seconds.
        """
        command, self._wanted = self._wanted, []
        try:
            self.log.parent.mkdir(parents=True, exist_ok=True)
            if (spare := self._spare(command[len(KDA) :], self.log)) is not None:
                self._process = spare
                return
            with self.log.open("wb") as log:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    # Of its own group: Ctrl-C reaches the console, which then ends the job in order.
                    start_new_session=True,
                    preexec_fn=lambda: _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM),
                )
        except OSError as error:
            self._view = JobView(replace(self._view.health, state="failed"), trouble=str(error))

    def _alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _watch(self) -> None:
        while not self._end.is_set():
            try:
                found = self._look(self._name)
            except Exception as error:  # the view goes on, and says so
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
        """Start again what was stopped only for that, if it stopped as it should."""
        if (
            self._following
            and not self._alive()
            and self._view.health.url is None
            and not self._stopping_since
        ):
            # A job that did nothing yet has no savepoint, and needs none: the state before is kept.
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
        """What `kda run --resume` says of each step before it asks whether its state may be lost."""
        mark = f"  no longer in {self._name}: "
        return tuple(line.removeprefix(mark) for line in self.lines() if line.startswith(mark))

    def lines(self) -> list[str]:
        """The last lines of what the process printed."""
        try:
            text = self.log.read_bytes()[-_LOG_BYTES:].decode("utf-8", errors="replace")
            return text.rstrip().splitlines()
        except OSError:
            return []
