"""Processes that end with this one, each in a process group of its own."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from base.errors import KdaError

_PR_SET_PDEATHSIG = 1
# Loaded before the fork, as a forked child should do as little as possible.
_LIBC = ctypes.CDLL(None)
_POLL_SECONDS = 0.05


class ChildError(KdaError):
    """A process did not come up; the message says where its log is."""


def start(
    command: Sequence[str | Path],
    log: Path,
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    end_with: signal.Signals = signal.SIGKILL,
    append: bool = False,
) -> subprocess.Popen[bytes]:
    """Start a process that prints to a file.

    Its own process group: Ctrl-C reaches only the caller, who then ends it. The kernel ends it with the thread that
    called this, even if that is killed.

    Parameters
    ----------
    command : sequence of str or Path
    log : Path
        File that gets what it prints.
    env, cwd
        As for ``subprocess.Popen``.
    end_with : signal
        What the kernel sends to it.
    append : bool
        Keep what the file has.
    """
    with log.open("ab" if append else "wb") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=env,
            cwd=cwd,
            start_new_session=True,
            preexec_fn=lambda: _LIBC.prctl(_PR_SET_PDEATHSIG, end_with),
        )


def wait_until(process: subprocess.Popen[bytes], up: Callable[[], bool], seconds: float, log: Path) -> None:
    """Wait until a process is up.

    Raises
    ------
    ChildError
        It has ended, or is not up within so many seconds.
    """
    deadline = time.monotonic() + seconds
    while not up():
        if process.poll() is not None or time.monotonic() > deadline:
            raise ChildError(f"{process.args!r} did not come up: see {log}")
        time.sleep(_POLL_SECONDS)


def kill(process: subprocess.Popen[bytes] | subprocess.Popen[str]) -> None:
    """Kill a process and its group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
