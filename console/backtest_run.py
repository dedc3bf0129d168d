"""Runs a backtest in a separate process, which ends with the answer."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: Longest time of a run; then it is killed.
PATIENCE_SECONDS = 600.0


@dataclass
class Run:
    """The newest run of an application's backtest.

    Attributes
    ----------
    number : int
        Number of this run of the application, from 1.
    said : str
        Its progress, as a sentence.
    error : str
        Why there is no result; else empty.
    result : dict or None
        As :func:`console.backtest_result.result` makes it.
    rows : str
        Description of its rows, once they are stored.
    """

    number: int
    said: str = "Reading the rows …"
    error: str = ""
    result: dict[str, Any] | None = None
    rows: str = ""
    running: bool = True
    stopped: bool = False
    process: subprocess.Popen[str] | None = None


def ask(run: Run, question: dict[str, Any], words: Path) -> None:
    """Run `question` in a process, and update `run` with its answers; its output goes to the file `words`."""
    command = [sys.executable, "-m", "cli.backtest_process"]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    # Its own process group, so that the JVM is killed with it.
    with (
        words.open("w+b") as printed,
        subprocess.Popen(command, stderr=printed, start_new_session=True, **pipes) as process,
    ):
        run.process = process
        timer = threading.Timer(PATIENCE_SECONDS, kill, [process])
        timer.daemon = True
        timer.start()
        try:
            if run.stopped:
                return
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps(question) + "\n")
            process.stdin.flush()
            for line in process.stdout:
                answer = json.loads(line)
                run.said = answer.get("said", run.said)
                run.error, run.result = answer.get("error", ""), answer.get("result")
        finally:
            timer.cancel()
            kill(process)
        if not run.result and not run.error:
            printed.seek(0)
            last = printed.read()[-2000:].decode("utf-8", errors="replace").strip().splitlines()
            run.error = f"The backtest gave no result: {last[-1] if last else 'it took too long'}"


def kill(process: subprocess.Popen[str] | None) -> None:
    """Kill a process, if there is one, and the processes that it started."""
    if process is not None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
