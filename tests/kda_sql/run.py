"""Run cases of KDA SQL as real jobs: ``python -m tests.kda_sql.run [FOLDER] [NAME …]``; last line ``N of M hold``.

With ``--stop`` the job is stopped in its middle, and another goes on from its savepoint. All cases are one job, on a
mini-cluster in this process. Exit code 0 only if every case holds.
"""

from __future__ import annotations

import logging
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from infra import flink
from kda_sql.errors import KdaSqlError
from pipeline.application import ERRORS
from tests.kda_sql.case import Case, read_cases
from tests.kda_sql.compare import differences, errors_differ
from tests.kda_sql.together import TOGETHER, Rows, Trial, rows_of, tried

CASES = Path(__file__).with_name("cases")


def verdicts(
    cases: Sequence[Case], folder: Path, environment: Callable[..., Any], stop: bool = False
) -> dict[str, list[str]]:
    """What does not hold of each case, a line each; nothing where all does. ``stop``: with a stop in the middle."""
    found: dict[str, list[str]] = {}
    trials: list[Trial] = []
    for number, case in enumerate(cases):
        try:
            each = tried(case, folder / str(number), f"c{number}_")
        except KdaSqlError as e:
            found[case.name] = list(refused(case, e))
        except Exception as e:
            found[case.name] = traceback.format_exception(e)
        else:
            plan = each.translation.plan
            error = KdaSqlError([p for problems in plan.refused.values() for p in problems], case.sql)
            missing = [s for s in case.tree.get("expect", {}) if s not in (*plan.streams, ERRORS)]
            if missing or "expect_error" in case.tree or (error.problems and "or_expect_error" in case.tree):
                found[case.name] = list(refused(case, error))
            else:
                trials.append(each)
    for name, rows in rows_of(trials, folder / "job", environment, stop).items():
        case = next(t.case for t in trials if t.case.name == name)
        try:
            found[name] = (
                traceback.format_exception(rows) if isinstance(rows, Exception) else [*faults(case, rows)]
            )
        except Exception as e:
            found[name] = traceback.format_exception(e)
    return {case.name: found[case.name] for case in cases}


def faults(case: Case, rows: Rows) -> Iterator[str]:
    """What does not hold of a case that ran."""
    for stream, expected in case.tree["expect"].items():
        if stream != "error_stream":
            yield from (f"{stream}: {line}" for line in differences(case, stream, expected, rows[stream]))
    expected = case.tree["expect"].get("error_stream", [])
    yield from (f"error_stream: {line}" for line in errors_differ(expected, rows["error_stream"]))


def refused(case: Case, error: KdaSqlError) -> Iterator[str]:
    """What is not as the case wants its refusal."""
    expected = case.tree.get("expect_error") or case.tree.get("or_expect_error")
    if expected is None:
        yield f"refused: {error}"
        return
    places = [[expected["line"], expected["column"]], *expected.get("or_at", [])]
    at = [p for p in error.problems if [p.line, p.column] in places]
    if not at:
        yield f"required an error at {places}, got {[(p.line, p.column) for p in error.problems]}"
    said = str(error).lower()
    yield from (
        f"the message does not say {t!r}: {error}" for t in expected["contains"] if t.lower() not in said
    )


def main(arguments: list[str]) -> int:
    """Run the cases of a folder; how many of them hold is printed last."""
    stop, arguments = "--stop" in arguments, [a for a in arguments if a != "--stop"]
    folder = Path(arguments[0]) if arguments else CASES
    cases = [c for c in read_cases(folder) if not arguments[1:] or c.name in arguments[1:]]
    _without_the_noise_of_workers()
    with tempfile.TemporaryDirectory() as temporary:
        flink.prepare("http://127.0.0.1:1", Path(temporary))

        def environment(**options: str) -> Any:
            from pipeline.environment import table_environment

            given = {k.replace("__", ".").replace("_", "-"): v for k, v in options.items()}
            overrides = {"restart-strategy.type": "none"} | given
            return table_environment(
                flink.cluster("cases", folder=Path(temporary), short=True, overrides=overrides)
            )

        found: dict[str, list[str]] = {}
        for i in range(0, len(cases), TOGETHER):
            own = Path(temporary) / f"cases_{i}"
            own.mkdir()
            some = verdicts(cases[i : i + TOGETHER], own, environment, stop)
            for name, wrong in some.items():
                print(f"{'holds' if not wrong else 'does not hold'}: {name}", flush=True)
                for line in wrong:
                    print(f"    {line}", flush=True)
            found |= some
    hold = sum(not wrong for wrong in found.values())
    print(f"{hold} of {len(cases)} hold")
    return 0 if hold == len(cases) else 1


def _without_the_noise_of_workers() -> None:
    """A worker whose job has ended tells twice that its channel is closed, with tracebacks; a failure the job tells."""
    logging.getLogger("apache_beam.runners.worker").setLevel(logging.CRITICAL)
    reported = threading.excepthook

    def hook(died: threading.ExceptHookArgs) -> None:
        if not any("apache_beam" in f.filename for f in traceback.extract_tb(died.exc_traceback)):
            reported(died)

    threading.excepthook = hook


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
