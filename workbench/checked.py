"""Checks an application's files: their problems, their relations, and the folder that runs."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from kda_sql import translate as kda
from kda_sql.description import DescriptionError
from kda_sql.errors import KdaSqlError
from kda_sql.translate import Translation, translate
from pipeline import application as pipeline
from pipeline.application import Application, ApplicationError
from pipeline.document import load
from pipeline.settings import SettingsError, settings
from pipeline.sql import parameters_of
from workbench import safety
from workbench.description import DESCRIPTION, SQL, Page, page_of
from workbench.names import MOST_SQL
from workbench.problems import Problem, Refused, at, of_lines
from workbench.store import Form
from workbench.verdicts import relations_of, statements_of

_HEADER = (
    "# Made from kda.sql and application.json on the page; MIGRATION.md says what became of each statement.\n"
)


@dataclass(frozen=True)
class Checked:
    """The result of a check.

    Attributes
    ----------
    problems : tuple of Problem
        Errors and notes.
    folder : dict
        Text by file name, for the folder that runs; empty if it can't be made.
    left_out : tuple of str
        Pumps that can't be translated. Each is an error among the problems; the folder is made without them.
    application : Application or None
        The application in that folder.
    relations : list of dict
        ``name``, ``kind`` and ``columns`` of each, as far as known without Flink.
    statements : list of dict
        ``name``, ``kind``, ``line``, ``verdict`` and ``notes`` of each statement of a KDA program.
    migration : str
        MIGRATION.md of a KDA program.
    """

    problems: tuple[Problem, ...]
    folder: dict[str, str] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    application: Application | None = None
    relations: list[dict[str, Any]] = field(default_factory=list)
    statements: list[dict[str, Any]] = field(default_factory=list)
    migration: str = ""

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that keep the application from running."""
        return tuple(p for p in self.problems if p.severity == "error")


def check(name: str, title: str, form: Form, files: Mapping[str, str]) -> Checked:
    """Check files without Flink, within some hundredths of a second.

    Parameters
    ----------
    name, title : str
        The application's.
    form : {"kda", "flink"}
        The SQL that the files are written in.
    files : mapping
        Text by file name.
    """
    found = [*safety.hints(files), *safety.aliases(files)]
    if found:
        return Checked(tuple(found))
    try:
        return _of_kda(name, title, files) if form == "kda" else _of_flink(name, files)
    except Refused as error:
        return Checked(error.problems)
    except Exception as error:  # unforeseen input: reported like any other problem
        blamed = DESCRIPTION if form == "kda" else pipeline.DESCRIPTION
        reason = f"can't be read: {type(error).__name__}: {str(error)[:300]}"
        return Checked((at(files, blamed, 1, 1, reason),))


def written(checked: Checked, folder: Path) -> None:
    """Write the files of the folder that runs."""
    for name, text in checked.folder.items():
        (folder / name).write_text(text, encoding="utf-8")


def _of_flink(name: str, files: Mapping[str, str]) -> Checked:
    application = _application(name, files, dict(files), pipeline.DESCRIPTION)
    kinds = {r.name: r.kind for r in application.relations}
    relations = [
        {"name": n, "kind": "source", "columns": [{"name": c.name, "type": c.type} for c in s.columns]}
        for n, s in application.sources.items()
    ]
    relations += [
        {"name": n, "kind": "reference", "columns": [{"name": c.name, "type": c.type} for c in r.columns]}
        for n, r in application.references.items()
    ]
    relations += [{"name": n, "kind": kind, "columns": []} for n, kind in kinds.items()]
    return Checked((), dict(files), (), application, relations)


def _of_kda(name: str, title: str, files: Mapping[str, str]) -> Checked:
    text = files.get(SQL, "")
    if len(text) > MOST_SQL:
        raise Refused(
            [at(files, SQL, 1, 1, f"required at most {MOST_SQL:,} characters, as in KDA, got {len(text):,}")]
        )
    if not text.strip():
        raise Refused([at(files, SQL, 1, 1, "required CREATE STREAM and CREATE PUMP, got no statement")])
    page = _page(name, files)
    try:
        translation = translate(page.described)
    except KdaSqlError as error:
        raise Refused(at(files, SQL, p.line, p.column, p.message) for p in error.problems) from None
    except RecursionError:
        raise Refused([at(files, SQL, 1, 1, "nested too deeply")]) from None
    folder, notes = _folder(title, page, translation)
    application = _application(name, files, folder, DESCRIPTION)
    problems = [at(files, DESCRIPTION, *_place(files, n), n, "note") for n in notes]
    statements = statements_of(translation)
    for statement in statements:
        problems += [
            at(files, SQL, statement["line"], 1, f"{statement['name']}: {note}", "note")
            for note in statement["notes"]
        ]
    refused = translation.plan.refused
    problems += {at(files, SQL, p.line, p.column, p.message) for found in refused.values() for p in found}
    return Checked(
        tuple(sorted(problems, key=lambda p: (p.file != SQL, p.line, p.column))),
        folder,
        tuple(refused),
        application,
        relations_of(translation),
        statements,
        folder.get("MIGRATION.md", ""),
    )


def _page(name: str, files: Mapping[str, str]) -> Page:
    try:
        return page_of(name, files)
    except json.JSONDecodeError as error:
        raise Refused(
            [at(files, DESCRIPTION, error.lineno, error.colno, f"not valid JSON: {error.msg}")]
        ) from None
    except DescriptionError as error:
        message = re.sub(r"^application(\.json)?: ", "", str(error))
        raise Refused([at(files, DESCRIPTION, *_place(files, message), message)]) from None


def _place(files: Mapping[str, str], message: str) -> tuple[int, int]:
    """Line and column of the last word of a message that is also a quoted string in the description."""
    text = files.get(DESCRIPTION, "")
    for word in reversed(re.findall(r"\w+", message)):
        if start := text.find(f'"{word}"') + 1:
            return text.count("\n", 0, start) + 1, start - text.rfind("\n", 0, start - 1) - 1
    return 1, 1


def _folder(title: str, page: Page, translation: Translation) -> tuple[dict[str, str], list[str]]:
    with tempfile.TemporaryDirectory(prefix="kda-made-") as made:
        kda.write(translation, Path(made))
        folder = {p.name: p.read_text(encoding="utf-8") for p in Path(made).iterdir()}
    tree = load(folder[pipeline.DESCRIPTION])
    tree["title"] = title
    for source, path in zip(tree["sources"].values(), page.paths, strict=True):
        source |= {"path": path} if path else {}
    # The page's description already has a delivery stream's path.
    notes = [note for note in translation.notes if "source.path" not in note]
    destinations: list[dict[str, Any]] = []
    streams = {n.upper(): r for n, r in translation.relation_of.items()} | translation.relation_of
    for target in page.targets:
        relation = streams.get(target.stream) or streams.get(target.stream.upper())
        if target.stream.upper() == "ERROR_STREAM":
            notes.append(f"the error stream goes to {title}'s own stream of errors, not to {target.resource}")
        elif relation is None:
            notes.append(f"output {target.stream}: the program has no stream of this name; it gets no rows")
        else:
            destinations.append(_destination(target, relation, len(destinations)))
    tree["destinations"] = destinations or tree["destinations"]
    senders = []
    for n, sender in enumerate(page.senders, 1):
        template = sender.get("template")
        if template is None:
            template = f"sender_{n}.template"
            folder[template] = sender["text"]
        senders.append({"label": sender["label"], "template": template, "rate": sender["rate"]})
    if senders:
        tree["senders"] = senders
    text = yaml.safe_dump(tree, sort_keys=False, allow_unicode=True, width=110)
    folder[pipeline.DESCRIPTION] = _HEADER + text
    return folder, notes


def _destination(target: Any, relation: str, before: int) -> dict[str, Any]:
    key = {
        "kinesis": "stream",
        "firehose": "delivery_stream",
        "lambda": "function",
        "s3": "path",
        "dynamodb": "table",
    }[target.type]
    entry = {
        "of": relation,
        "name": "sink" if not before else f"sink_{before + 1}",
        "type": target.type,
        key: target.resource,
    }
    if target.key:
        entry["key"] = target.key
    return entry | ({"format": "csv"} if target.format == "csv" else {})


def _application(name: str, files: Mapping[str, str], folder: Mapping[str, str], blamed: str) -> Application:
    """Read the folder that runs as every command does; problems without a file are put in `blamed`."""
    text = folder.get(pipeline.DESCRIPTION, "")
    # Parsed from memory, without a folder: no file of this machine is read.
    queries = {
        file.removesuffix(".sql"): body.strip().rstrip(";")
        for file, body in sorted(folder.items())
        if file.endswith(".sql")
    }
    try:
        tree = load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        message = f"not valid YAML: {getattr(error, 'problem', None) or error}"
        raise Refused([at(files, blamed, line, column, message)]) from None
    except RecursionError:
        raise Refused([at(files, blamed, 1, 1, "nested too deeply")]) from None
    shown = files if blamed == pipeline.DESCRIPTION else {blamed: files.get(blamed, "")}
    try:
        application = pipeline.parse(tree, name=name, folder=Path(), queries=queries, text=text)
        chosen = settings(application, {})
        known = {f"{g}.{k}" for g, values in chosen for k in type(values).model_fields}
    except (ApplicationError, SettingsError) as error:
        raise Refused(of_lines(shown, str(error), blamed)) from None
    except RecursionError:
        raise Refused([at(files, blamed, 1, 1, "nested too deeply")]) from None
    if lines := list(safety.paths(application)):
        raise Refused(of_lines(shown, "\n".join(lines), blamed))
    for view, query in queries.items():
        for parameter in parameters_of(query):
            if parameter.removesuffix("_ms") not in known and f"{view}.sql" in files:
                raise Refused(
                    of_lines(files, f"{view}.sql: {parameter} is not a property of this application", blamed)
                )
    return application
