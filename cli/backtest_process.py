"""A backtest in a process of its own, for the page: asked by a line of JSON, answered by lines of JSON.

``python -m cli.backtest_process`` takes ``folder`` and ``groups`` (an application and its property groups), ``rows`` (a
file: the rows that were kept), ``recording`` (a file of `kda record`) or ``records`` (a file of
:mod:`console.backtest_input`) from which rows are made first, ``settings``, ``labels`` and ``suggest``. It says what it
is at, ``{"said"}``, and at the end ``{"result"}`` or ``{"error"}``. It ends with its standard input, so with whoever
asks.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from base.errors import KdaError
from cli.backtest_rows import recorded, rows_of_relation
from console.backtest_input import MOST_RECORDS, InputError, read_records, read_rows, write_rows
from console.backtest_result import result
from infra import flink
from pipeline.application import read
from pipeline.backtest_settings import AS_IT_IS, labels_of, settings_to_try, watched_by
from pipeline.suggest import assignments, suggest


def main() -> None:
    """Answer the one question."""
    # What the JVM and its libraries print is no answer.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def answer(**what: Any) -> None:
        answers.write(json.dumps(what) + "\n")
        answers.flush()

    question = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_the_asker, daemon=True).start()
    try:
        found = answered(**question, say=lambda text: answer(said=text))
    except (KdaError, OSError) as error:  # ours, a line for each fault
        answer(error=str(error))
    except Exception as error:  # whatever Flink throws has its reason at the end of a long chain
        answer(error=flink.cause(str(error)) or type(error).__name__)
    else:
        answer(result=found)


def answered(
    folder: str,
    groups: dict[str, dict[str, str]],
    rows: str,
    recording: str | None,
    records: str | None,
    settings: list[str],
    labels: str,
    suggest_too: bool,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """The backtest as the page draws it."""
    chosen, watched = watched_by(read(Path(folder)))
    known = labels_of(labels)
    tried = {name: p.options for name, p in settings_to_try(chosen, watched, settings, groups).items()}
    kept = Path(rows)
    if recording or records:
        say("The records go through Flink …")
        given = (
            read_records(Path(records))
            if records
            else {next(iter(chosen.sources)): itertools.islice(recorded(Path(recording or "")), MOST_RECORDS)}
        )
        made, moments = rows_of_relation(chosen, watched.of, given, groups)
        if not made:
            raise InputError(f"required records of which {watched.of} has rows, got none")
        write_rows(kept, made, moments)
    found, times = read_rows(kept)
    proposed = []
    if suggest_too:
        say(f"Settings are looked for in {len(found):,} rows …")
        proposed = suggest(found, times, tried[AS_IT_IS], known)
        better = settings_to_try(chosen, watched, [assignments(proposed)], groups)
        tried |= {name: p.options for name, p in better.items()}
    say(f"{len(tried)} settings are tried on {len(found):,} rows …")
    return result(found, times, tried, known, proposed)


def _end_with_the_asker() -> None:
    while os.read(0, 1024):
        pass
    # Of its own group: the JVM ends with it.
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
