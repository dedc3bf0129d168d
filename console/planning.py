"""Flink's planner in a process of its own: asked in lines of JSON, answered in lines of JSON.

``python -m console.planning FOLDER``: one line in, ``{"folder", "state"}`` (an application's folder and its newest
saved state, or null), one line out, ``{"error"}`` or ``{"relations", "operators", "saved"}``. It ends with its standard
input, so with whoever asks. The console itself has no JVM.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from infra import flink

#: No service is asked anything.
_NOWHERE = "http://127.0.0.1:1"


def main(folder: Path) -> None:
    """Answer until the input ends."""
    # What the JVM and its libraries print is no answer.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    flink.prepare(_NOWHERE, folder)
    for line in sys.stdin:
        try:
            answer = planned(folder, **json.loads(line))
        except Exception as error:  # the asker shows it: whatever Flink throws is one
            answer = {"error": str(error) or type(error).__name__}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def planned(work: Path, folder: str, state: str | None) -> dict[str, Any]:
    """What Flink makes of an application."""
    from pipeline.application import read
    from pipeline.environment import table_environment
    from pipeline.operators import saved_operators
    from pipeline.pipeline import Pipeline
    from pipeline.settings import settings

    application = read(Path(folder))
    chosen = settings(application, {"aws": {"endpoint": _NOWHERE}}).with_tap(application.tap_stream)
    table_env = table_environment(flink.cluster("plan", folder=work))
    pipeline = Pipeline(table_env, application, chosen)
    pipeline.deliver()
    return {
        "relations": {name: pipeline.columns(name) for name in application.shown},
        "operators": {o.id: o.uid or o.name for o in pipeline.operators()},
        "saved": sorted(saved_operators(state)) if state else [],
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]))
