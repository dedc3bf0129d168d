"""A process with Flink at hand: it plans what it is asked to, and becomes a job on command.

``python -m cli.standby [ENDPOINT]``, asked in lines of JSON. ``{"folder", "job"}``, an application's folder and the
name of the job whose newest saved state counts, is answered by a line, ``{"error"}`` or ``{"relations", "operators",
"saved"}``.
``{"run", "log"}``, the words of a `kda` command and a file for what it prints, is the last line: the process goes on as
that command, seconds ahead of a new one, whose JVM would have to start. It ends with its standard input, so with
whoever asks.
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
from infra import flink

_TRIES = 5
#: No service is asked anything while planning.
_NOWHERE = "http://127.0.0.1:1"


def main(endpoint: str | None) -> None:
    """Answer until the input ends, or a command is to be run."""
    # What the JVM and its libraries print is no answer.
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
        except KdaError as error:  # ours, a line for each fault
            answer = {"error": str(error)}
        except Exception as error:  # whatever Flink throws has its reason at the end of a long chain
            answer = {"error": flink.cause(str(error)) or type(error).__name__}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def planned(folder: str, job: str) -> dict[str, Any]:
    """What Flink makes of an application."""
    from pipeline.application import read
    from pipeline.environment import table_environment
    from pipeline.operators import saved_operators
    from pipeline.pipeline import Pipeline
    from pipeline.settings import settings

    application = read(Path(folder))
    chosen = settings(application, {"aws": {"endpoint": _NOWHERE}}).with_tap(application.tap_stream)
    with tempfile.TemporaryDirectory(prefix="kda-plan-") as work:
        table_env = table_environment(flink.cluster("plan", folder=Path(work)))
        pipeline = Pipeline(table_env, application, chosen)
        pipeline.deliver()
        return {
            "relations": {name: pipeline.columns(name) for name in application.shown},
            "operators": {o.id: o.uid or o.name for o in pipeline.operators()},
            "saved": sorted(_newest(job, saved_operators)),
        }


def _newest(job: str, saved_operators: Callable[[str], set[str]]) -> set[str]:
    """Ids of the operators in a job's newest saved state; none where it has none."""
    for _ in range(_TRIES):
        state = flink.last_state(job)
        if state is None:
            return set()
        # While the job runs, the next checkpoint takes the last one's place.
        with contextlib.suppress(Exception):
            return saved_operators(state)
    return set()


def _become(words: list[str], log: Path) -> None:
    """Go on as a command; does not return."""
    from cli.main import app

    printed = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    for standard in (1, 2):
        os.dup2(printed, standard)
    threading.Thread(target=_end_with_the_asker, daemon=True).start()
    sys.argv = ["kda", *words]
    app()


def _end_with_the_asker() -> None:
    # Not by Python's own buffer: who waits there when the process ends, aborts it.
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
