"""Several cases as one job: each with its own sources, its relations' names with a prefix of its own.

What a job costs (a mini-cluster, its plan, its Python workers) is so paid once for all. A case that fails must fail
alone: cases that do not run together are halved until it is found.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kda_sql.translate import Translation, application, translate
from pipeline.application import ERRORS, Application, parse
from pipeline.settings import settings
from tests.kda_sql import restored
from tests.kda_sql.case import Case, Record, milliseconds
from tests.kda_sql.source import CaseSource

#: How many run as one job: of more the planner takes longer than it saves.
TOGETHER = 8
#: The rows of each stream that a case expects, and of the error stream.
Rows = dict[str, list[dict[str, Any]]]


@dataclass(frozen=True)
class Trial:
    """A case, translated; its relations' names begin with ``prefix``."""

    case: Case
    translation: Translation
    prefix: str

    @property
    def streams(self) -> dict[str, str]:
        """The relation of each stream that the case expects rows of."""
        return {s: self.translation.plan.streams[s] for s in self.case.tree["expect"] if s != ERRORS}

    @property
    def records(self) -> dict[str, tuple[Record, ...]]:
        """By source relation."""
        return {self.translation.sources[n].name: tuple(rs) for n, rs in self.case.records().items()}

    def own(self, rows: dict[str, list[tuple[str | None, dict[str, Any]]]]) -> Rows:
        """Of all rows of the job those of this case."""
        found: Rows = {ERRORS: []}
        for stream, relation in self.streams.items():
            timed = [{"ROWTIME": milliseconds(t)} | values for t, values in rows[relation]]
            # What is open when nothing comes any more is not over: the end of the input ends nothing.
            found[stream] = [row for row in timed if row["ROWTIME"] < self.case.quiet_until]
        for _, error in rows[ERRORS]:
            name = str(error["pump_name"])
            if name.startswith(self.prefix):
                found[ERRORS].append(error | {"pump_name": name.removeprefix(self.prefix)})
        return found


def tried(case: Case, folder: Path, prefix: str) -> Trial:
    """A case, translated to stand beside others; raises :class:`kda_sql.errors.KdaSqlError`."""
    folder.mkdir(parents=True, exist_ok=True)
    return Trial(case, translate(case.described(folder), prefix), prefix)


def rows_of(
    trials: Sequence[Trial], folder: Path, environment: Callable[..., Any], stop: bool = False
) -> dict[str, Rows | Exception]:
    """The rows of each case by its name, or why it does not run; ``stop``: with a stop in the middle of each."""
    found: dict[str, Rows | Exception] = {}
    for i in range(0, len(trials), TOGETHER):
        found |= _halved(trials[i : i + TOGETHER], folder / str(i), environment, stop)
    return found


def _halved(
    trials: Sequence[Trial], folder: Path, environment: Callable[..., Any], stop: bool
) -> dict[str, Rows | Exception]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        rows = _run(trials, folder, environment, stop)
    except Exception as e:
        if len(trials) < 2:
            return {t.case.name: e for t in trials}
        half = len(trials) // 2
        first = _halved(trials[:half], folder / "a", environment, stop)
        return first | _halved(trials[half:], folder / "b", environment, stop)
    return {t.case.name: t.own(rows) for t in trials}


def _run(
    trials: Sequence[Trial], folder: Path, environment: Callable[..., Any], stop: bool
) -> dict[str, list[tuple[str | None, dict[str, Any]]]]:
    from pipeline import trial

    app = _united(trials)
    wanted = [*(r for t in trials for r in t.streams.values()), ERRORS]
    if stop:
        return restored.rows_of(
            [(t.records, t.case.quiet_until) for t in trials], app, wanted, folder, environment
        )
    sources = {n: CaseSource(rs, t.case.quiet_until) for t in trials for n, rs in t.records.items()}
    made = trial.rows_of(environment(), app, settings(app, {}), {}, wanted, sources)
    return {name: [(row.rowtime, row.values) for row in rows] for name, rows in made.items()}


def _united(trials: Sequence[Trial]) -> Application:
    """One application of all; nothing of it is delivered."""
    tree: dict[str, Any] = {"title": "cases", "sources": {}, "references": {}, "relations": []}
    queries: dict[str, str] = {}
    for each in trials:
        own = application(each.translation)
        tree["sources"] |= own["sources"]
        tree["references"] |= own.get("references", {})
        tree["relations"] += own["relations"]
        queries |= {step.name: step.sql for step in each.translation.plan.steps if step.sql}
    return parse(tree, name="cases", folder=Path(), queries=queries)
