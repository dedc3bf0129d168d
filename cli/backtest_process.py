"""A backtest in a separate process, for the page: one line of JSON in, lines of JSON out.

``python -m cli.backtest_process`` reads one request from standard input: the parameters of :func:`answered` without
`say`. It answers with its progress, ``{"said"}``, and at the end ``{"result"}`` or ``{"error"}``. It ends when its
standard input is closed, so it does not outlive the process that started it.
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
    """Answer one request."""
    # What the JVM and its libraries print must not mix with the answers: it goes to standard error.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def answer(**what: Any) -> None:
        answers.write(json.dumps(what) + "\n")
        answers.flush()

    question = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_the_asker, daemon=True).start()
    try:
        found = answered(**question, say=lambda text: answer(said=text))
    except (KdaError, OSError) as error:  # our own errors have one line per fault
        answer(error=str(error))
    except Exception as error:  # Flink's exceptions have their reason at the end of a long chain
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
    """Run the backtest, and return it as the page draws it.

    Parameters
    ----------
    folder, groups
        The application's folder, and its property groups.
    rows : str
        File of the rows that the detector reads. It is written first if `recording` or `records` is given.
    recording : str or None
        File of `kda record` to make the rows from.
    records : str or None
        File of :mod:`console.backtest_input` to make the rows from.
    settings : list of str
        Further settings to try.
    labels : str
        Lines ``from,to`` of known anomalies.
    suggest_too : bool
        Suggest settings, and try them too.
    say : callable
        Called with each step's description.
    """
    chosen, watched = watched_by(read(Path(folder)))
    known = labels_of(labels)
    tried = {name: p.options for name, p in settings_to_try(chosen, watched, settings, groups).items()}
    kept = Path(rows)
    if recording or records:
        say("Running the records through Flink …")
        given = (
            read_records(Path(records))
            if records
            else {next(iter(chosen.sources)): itertools.islice(recorded(Path(recording or "")), MOST_RECORDS)}
        )
        made, moments = rows_of_relation(chosen, watched.of, given, groups)
        if not made:
            raise InputError(f"required records that give rows of {watched.of}, got none")
        write_rows(kept, made, moments)
    found, times = read_rows(kept)
    proposed = []
    if suggest_too:
        say(f"Searching for settings with {len(found):,} rows …")
        proposed = suggest(found, times, tried[AS_IT_IS], known)
        better = settings_to_try(chosen, watched, [assignments(proposed)], groups)
        tried |= {name: p.options for name, p in better.items()}
    say(f"Trying {len(tried)} settings on {len(found):,} rows …")
    return result(found, times, tried, known, proposed)


def _end_with_the_asker() -> None:
    while os.read(0, 1024):
        pass
    # The whole process group, so that the JVM ends too.
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
