"""Run cases of KDA SQL as real jobs: ``python -m tests.kda_sql.run [FOLDER] [NAME …]``; last line ``N of M hold``.

With ``--stop`` each job is stopped in its middle, and another goes on from its savepoint. All on one mini-cluster in
this process. Exit code 0 only if every case holds.
"""

from __future__ import annotations

import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from infra import flink
from kda_sql.errors import KdaSqlError
from kda_sql.translate import Translation, translate, write
from pipeline import application
from pipeline.application import ERRORS
from pipeline.settings import settings
from tests.kda_sql.case import Case, milliseconds, read_cases
from tests.kda_sql.compare import differences, errors_differ
from tests.kda_sql.source import CaseSource

CASES = Path(__file__).with_name("cases")
Environment = Callable[..., Any]


def faults(case: Case, folder: Path, environment: Environment, stop: bool = False) -> Iterator[str]:
    """What does not hold, a line each; nothing where all does. ``stop``: with a stop in the middle."""
    try:
        translation = translate(case.described(folder))
    except KdaSqlError as e:
        yield from refused(case, e)
        return
    if "expect_error" in case.tree:
        yield f"required an error {case.tree['expect_error']}, got a translation"
        return
    rows = rows_of(case, translation, folder, environment, stop)
    for stream, expected in case.tree["expect"].items():
        if stream != "error_stream":
            found = rows[translation.plan.streams[stream]]
            yield from (f"{stream}: {line}" for line in differences(case, stream, expected, found))
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


def rows_of(
    case: Case, translation: Translation, folder: Path, environment: Environment, stop: bool = False
) -> dict[str, list[dict[str, Any]]]:
    """The rows of every stream that the case expects, and of the error stream, from a real job."""
    from pipeline import trial
    from tests.kda_sql import restored

    write(translation, folder / "application")
    app = application.read(folder / "application")
    streams = [s for s in case.tree["expect"] if s != ERRORS]
    wanted = [*(translation.plan.streams[s] for s in streams), ERRORS]
    records = {translation.sources[name].name: tuple(rs) for name, rs in case.records().items()}
    found: dict[str, list[tuple[str | None, dict[str, Any]]]]
    if stop:
        found = restored.rows_of(case, app, records, wanted, folder, environment)
    else:
        sources = {name: CaseSource(rs, case.quiet_until) for name, rs in records.items()}
        made = trial.rows_of(environment(), app, settings(app, {}), {}, wanted, sources)
        found = {name: [(row.rowtime, row.values) for row in rows] for name, rows in made.items()}
    # What is open when nothing comes any more is not over: the end of the input ends nothing.
    return {
        name: [
            values if name == ERRORS else {"ROWTIME": milliseconds(rowtime)} | values
            for rowtime, values in rows
            if name == ERRORS or milliseconds(rowtime) < case.quiet_until
        ]
        for name, rows in found.items()
    }


def main(arguments: list[str]) -> int:
    """Run the cases of a folder; how many of them hold is printed last."""
    stop, arguments = "--stop" in arguments, [a for a in arguments if a != "--stop"]
    folder = Path(arguments[0]) if arguments else CASES
    cases = [c for c in read_cases(folder) if not arguments[1:] or c.name in arguments[1:]]
    with tempfile.TemporaryDirectory() as temporary:
        flink.prepare("http://127.0.0.1:1", Path(temporary))

        def environment(**options: str) -> Any:
            from pipeline.environment import table_environment

            given = {k.replace("__", ".").replace("_", "-"): v for k, v in options.items()}
            overrides = {"restart-strategy.type": "none"} | given
            return table_environment(flink.cluster("cases", folder=Path(temporary), overrides=overrides))

        hold = 0
        for i, case in enumerate(cases):
            try:
                own = Path(temporary) / f"case_{i}"
                own.mkdir()
                wrong = list(faults(case, own, environment, stop))
            except Exception:
                wrong = [traceback.format_exc()]
            hold += not wrong
            print(f"{'holds' if not wrong else 'does not hold'}: {case.name}", flush=True)
            for line in wrong:
                print(f"    {line}", flush=True)
    print(f"{hold} of {len(cases)} hold")
    return 0 if hold == len(cases) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
