"""A process with Flink already started: it plans applications on request, and can become a job.

``python -m cli.standby [ENDPOINT]`` reads requests from standard input, one JSON object per line:

- ``{"folder", "job"}``: plan the application in a folder. The answer is one line, ``{"error"}`` or ``{"relations",
  "operators", "saved"}``; ``saved`` are the operators in the newest saved state of the job of that name.
- ``{"run", "log"}``: become a `kda` command with these arguments, and print to a file. This is the last request. It
  saves the seconds that a new process needs to start its JVM.

The process ends when its standard input is closed, so it does not outlive the process that started it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from base.errors import KdaError
from infra import flink, saved_state

_TRIES = 5
#: Planning calls no service.
_NOWHERE = "http://127.0.0.1:1"


def main(endpoint: str | None) -> None:
    """Answer requests until the input ends, or the process becomes a command."""
    # What the JVM and its libraries print must not mix with the answers: it goes to standard error.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    flink.prepare(endpoint or _NOWHERE)
    for line in sys.stdin:
        asked = json.loads(line)
        if "run" in asked:
            answers.close()
            _become(asked["run"], Path(asked["log"]))
        try:
            answer = planned(**asked)
        except KdaError as error:  # our own errors have one line per fault
            answer = {"error": str(error)}
        except Exception as error:  # Flink's exceptions have their reason at the end of a long chain
            answer = {"error": flink.cause(str(error)) or type(error).__name__}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def planned(folder: str, job: str) -> dict[str, Any]:
    """Plan an application: columns of its relations, its operators by id, and those with saved state."""
    from pipeline.application import read
    from pipeline.environment import table_environment
    from pipeline.operators import saved_operators
    from pipeline.pipeline import Pipeline
    from pipeline.settings import settings

    application = read(Path(folder))
    chosen = settings(application, {"aws": {"endpoint": _NOWHERE}}).with_tap(application.tap_stream)
    with tempfile.TemporaryDirectory(prefix="kda-plan-") as work:
        table_env = table_environment(flink.cluster("plan", folder=Path(work), short=True))
        pipeline = Pipeline(table_env, application, chosen)
        pipeline.deliver()
        return {
            "relations": {name: pipeline.columns(name) for name in application.shown},
            "operators": {o.id: o.uid or o.name for o in pipeline.operators()},
            "saved": sorted(_newest(job, saved_operators)),
        }


def _newest(job: str, saved_operators: Callable[[str], set[str]]) -> set[str]:
    """Ids of the operators in a job's newest saved state; empty if there is none."""
    for _ in range(_TRIES):
        state = saved_state.last_state(job)
        if state is None:
            return set()
        # A running job replaces its checkpoint by the next one, maybe while it is read.
        with contextlib.suppress(Exception):
            return saved_operators(state)
    return set()


def _become(words: list[str], log: Path) -> None:
    """Become a `kda` command; does not return."""
    from cli.main import app

    printed = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    for standard in (1, 2):
        os.dup2(printed, standard)
    threading.Thread(target=_end_with_the_asker, daemon=True).start()
    sys.argv = ["kda", *words]
    app()


def _end_with_the_asker() -> None:
    # Not with sys.stdin: a thread that waits in its buffer when the interpreter ends aborts the process.
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
