"""One run of a backtest: a process of its own answers, for so long as it takes and no longer."""

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

#: A run that takes longer is ended.
PATIENCE_SECONDS = 600.0


@dataclass
class Run:
    """The newest run of an application's backtest.

    Attributes
    ----------
    number : int
        Counts the runs of the application.
    said : str
        What it is at.
    error : str
        Why there is no result.
    result : dict or None
        As :func:`console.backtest_result.result` makes it.
    rows : str
        What its rows are, once they are kept.
    """

    number: int
    said: str = "The rows are read …"
    error: str = ""
    result: dict[str, Any] | None = None
    rows: str = ""
    running: bool = True
    stopped: bool = False
    process: subprocess.Popen[str] | None = None


def ask(run: Run, question: dict[str, Any], words: Path) -> None:
    """Let a process answer; what it prints goes to a file."""
    command = [sys.executable, "-m", "cli.backtest_process"]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    # Of its own group: the JVM ends with it.
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
    """End a process and those that it began, if there is one."""
    if process is not None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
