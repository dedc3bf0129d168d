"""`kda check`: checks an application without deploying it or calling a service."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer
import yaml
from pydantic import Field, ValidationError
from rich.console import Console
from rich.text import Text

from base.errors import KdaError
from cli.groups import Name, application
from infra import flink
from infra.template import derived
from pipeline.application import ERRORS, Application, ApplicationError
from pipeline.document import load
from pipeline.requirements import requirements
from pipeline.settings import Settings, override, settings
from pipeline.spec import Spec

TESTS = "tests.yaml"
_out = Console(soft_wrap=True, highlight=False)


class Record(Spec):
    """A record of a test: its time of arrival, and its text or a value that is sent as JSON."""

    at: datetime
    data: str | None = None
    value: Any = None


class Case(Spec):
    """A test: records in, expected rows out. Only the columns that an expected row names are compared."""

    name: str
    properties: dict[str, str | int | float | bool] = Field(default_factory=dict)
    records: dict[str, tuple[Record, ...]]
    expect: dict[str, tuple[dict[str, Any], ...]]


def check(name: Name) -> None:
    """Check an application: its description, properties, stack, role and plan, and the tests in its tests.yaml.

    Exit code 1: a check failed.

    Example: kda check trades
    """
    try:
        chosen = application(name)
        cases = read_cases(chosen)
        found = [line for line in _faults(chosen, cases)]
    except KdaError as e:
        for line in str(e).splitlines():
            _out.print(Text(f"failed: {line}", style="red"))
        raise typer.Exit(1) from e
    if found:
        raise typer.Exit(1)
    _out.print(Text(f"{chosen.name}: all checks passed", style="green"))


def read_cases(chosen: Application) -> tuple[Case, ...]:
    """The tests of an application's folder; none if it has no tests.yaml.

    Raises
    ------
    ApplicationError
        The file is not a list of tests.
    """
    path = chosen.folder / TESTS
    if not path.exists():
        return ()
    try:
        tree = load(path.read_text(encoding="utf-8"))
        if not isinstance(tree, list):
            raise ApplicationError(f"{path}: required a list of tests, got {type(tree).__name__}")
        return tuple(Case.model_validate(case) for case in tree)
    except yaml.YAMLError as e:
        raise ApplicationError(f"{path}: not valid YAML: {e}") from None
    except ValidationError as e:
        lines = (f"{path}: {'.'.join(map(str, error['loc']))}: {error['msg']}" for error in e.errors())
        raise ApplicationError("\n".join(lines)) from None


def _faults(chosen: Application, cases: Sequence[Case]) -> Iterator[str]:
    """Print every check's result; yield the failed ones."""
    defaults = settings(chosen, {})
    _holds(
        f"description: {len(chosen.sources)} sources, {len(chosen.relations)} relations, "
        f"{len(chosen.destinations)} destinations"
    )
    _holds(f"properties: the defaults of {', '.join(g for g, _ in defaults)}")
    from cfnlint.api import lint

    tree = derived(chosen, defaults)
    for fault in lint(json.dumps(tree), config={"regions": ["us-east-1"]}):
        line = f"stack: {'.'.join(map(str, fault.path or ()))}: {fault.message}"
        _out.print(Text(f"failed: {line}", style="red"))
        yield line
    _holds(f"stack: {len(tree.get('Resources', {}))} resources; role: {_allowed(chosen, defaults)}")
    with tempfile.TemporaryDirectory() as folder:
        flink.prepare("http://127.0.0.1:1", Path(folder), short=True)
        from pipeline.environment import table_environment
        from pipeline.pipeline import Pipeline

        def environment() -> Any:
            never = {"restart-strategy.type": "none"}
            return table_environment(flink.cluster("check", folder=Path(folder), short=True, overrides=never))

        pipeline = Pipeline(environment(), chosen, defaults.with_tap(chosen.tap_stream))
        pipeline.deliver()
        pipeline.explain()
        _holds(f"plan: {len(pipeline.statements)} statements, every relation has a tap")
        for case in cases:
            wrong = list(differences(environment(), chosen, case))
            if not wrong:
                _holds(f"test: {case.name}")
            for line in wrong:
                _out.print(Text(f"failed: test: {case.name}: {line}", style="red"))
                yield line
    if not cases:
        _out.print(
            Text(f"no tests: write records and expected rows in {chosen.folder / TESTS}", style="yellow")
        )


def differences(table_env: Any, chosen: Application, case: Case) -> Iterator[str]:
    """Run a test; yield one line per difference from its expected rows."""
    from pipeline.trial import rows_of

    for relation in case.expect:
        if relation not in (*chosen.shown, ERRORS):
            yield f"{relation}: must be one of {', '.join((*chosen.shown, ERRORS))}"
            return
    given = settings(chosen, override({}, [f"{k}={_text(v)}" for k, v in case.properties.items()]))
    records = {source: [_arrival(r) for r in rs] for source, rs in case.records.items()}
    found = rows_of(table_env, chosen, given, records, case.expect)
    for relation, expected in case.expect.items():
        rows = [{**row.values, "rowtime": row.rowtime} for row in found[relation]]
        for number, row in enumerate(expected, 1):
            if number > len(rows):
                yield f"{relation}: row {number}: required {_shown(row)}, got no more rows"
                break
            got = {column: rows[number - 1].get(column) for column in row}
            if any(not _same(row[column], got[column]) for column in row):
                yield f"{relation}: row {number}: required {_shown(row)}, got {_shown(got)}"
        if len(rows) > len(expected):
            more = _shown(rows[len(expected)])
            yield f"{relation}: required {len(expected)} rows, got {len(rows)}; the next is {more}"


def _arrival(record: Record) -> tuple[int, bytes]:
    at = record.at if record.at.tzinfo else record.at.replace(tzinfo=UTC)
    text = record.data if record.data is not None else json.dumps(record.value)
    return round(at.timestamp() * 1000), text.encode()


def _same(expected: Any, got: Any) -> bool:
    if isinstance(expected, int | float) and isinstance(got, int | float) and not isinstance(expected, bool):
        return abs(expected - got) <= 1e-6 * max(abs(expected), abs(got))
    return bool(expected == got)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _shown(row: Mapping[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False, default=str)


def _allowed(chosen: Application, defaults: Settings) -> str:
    """The size of the deployed job's role."""
    statements = requirements(chosen, defaults).statements
    return f"{sum(len(s['Action']) for s in statements)} permissions on {len(statements)} resources"


def _holds(text: str) -> None:
    _out.print(Text(f"ok: {text}"))
