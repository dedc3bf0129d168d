"""Translates a described application to relations, and writes the files of an application of this project."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from kda_sql import report
from kda_sql.description import Described, Input, Output, Schema
from kda_sql.plan import Plan, Planner
from kda_sql.program import Program, fold, parse
from kda_sql.scope import METADATA, Relation
from kda_sql.steps import Step
from kda_sql.values import identifier

_HEADER = "# Imported from KDA SQL; MIGRATION.md says how each statement was translated.\n"


@dataclass
class Translation:
    """A translated application.

    Attributes
    ----------
    described : Described
    program : Program
    plan : Plan
    sources, references : dict of Relation
        By the name that the program uses.
    parallel : dict of str
        The source of each input that is read in parallel, by the names of its parts in the program.
    notes : list of str
        Parts of the description that are not imported, or differ.
    """

    described: Described
    program: Program
    plan: Plan
    sources: dict[str, Relation]
    references: dict[str, Relation]
    parallel: dict[tuple[str, ...], str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def relation_of(self) -> dict[str, str]:
        """Relation by the name of the stream, source or table."""
        others = {n: r.name for n, r in (*self.sources.items(), *self.references.items())}
        return {**others, **self.plan.streams}


def translate(described: Described, prefix: str = "") -> Translation:
    """Read, resolve and plan a program; writes nothing.

    Parameters
    ----------
    described : Described
    prefix : str
        Put before every relation's name, so that one job can hold several programs.

    Raises
    ------
    KdaSqlError
        The program can't be translated; lists every problem.
    """
    program = parse(described.sql)
    sources = {
        name: Relation(name, {c.name: c.type for c in each.schema.columns}, name, metadata=set())
        for each in described.inputs
        for name in each.names
    }
    references = {
        r.name: Relation(r.name, {c.name: c.type for c in r.schema.columns}, r.name, reference=True)
        for r in described.references
    }
    planner = Planner(program, sources, references, prefix)
    plan = planner.run(described.file)
    made = Translation(described, program, plan, sources, references)
    made.notes += described.notes
    for each in described.inputs:
        if len(each.names) > 1:
            _split(made, each, planner.names.new(re.sub(r"_\d{3}$", "", each.names[0])))
        if each.firehose:
            made.notes.append(
                f"{each.names[0]} reads the delivery stream {each.stream}: here it reads the files that the stream "
                "writes to S3; set their folder as property source.path"
            )
    return made


def _split(translation: Translation, each: Input, source: str) -> None:
    """Make one source of an input that is read in parallel, and a view per part over some of its shards."""
    translation.parallel[each.names] = source
    views = []
    for part, name in enumerate(each.names):
        relation = translation.sources[name]
        columns = [*relation.columns, *sorted(relation.metadata or ())]
        selected = ", ".join(map(identifier, [*columns, "rowtime"]))
        sql = (
            f"SELECT {selected}\nFROM {identifier(source)}\n"
            f"WHERE MOD(ABS(HASH_CODE(`SHARD_ID`)), {len(each.names)}) = {part}"
        )
        note = f"The records of the shards of part {part + 1} of {len(each.names)}."
        views.append(Step("view", relation.name, sql=sql, note=note))
        relation.metadata = (relation.metadata or set()) | {"SHARD_ID"}
    translation.plan.steps[:0] = views
    translation.plan.parts += [view.name for view in views]
    translation.notes.append(
        f"{', '.join(each.names)}: one source, its shards distributed; a stream of one shard fills one of them, as in "
        "KDA"
    )


def write(translation: Translation, folder: Path, detector: bool = False) -> None:
    """Write ``application.yaml``, a file per view, and ``MIGRATION.md``; ``detector`` adds alerts to the scores.

    Raises
    ------
    FileExistsError
        The folder already has an application.
    """
    if (folder / "application.yaml").exists():
        raise FileExistsError(f"{folder} has an application.yaml already: give another folder")
    folder.mkdir(parents=True, exist_ok=True)
    tree = application(translation)
    if detector:
        tree = {"title": tree["title"], "detector": "on"} | tree
    text = yaml.safe_dump(tree, sort_keys=False, allow_unicode=True, width=110)
    (folder / "application.yaml").write_text(_HEADER + text, encoding="utf-8")
    comments = _comments(translation)
    for step in translation.plan.steps:
        if step.sql:
            (folder / f"{step.name}.sql").write_text(
                _file(step, comments.get(step.name, ())), encoding="utf-8"
            )
    (folder / "MIGRATION.md").write_text(report.report(translation), encoding="utf-8")


def application(translation: Translation) -> dict[str, Any]:
    """The tree of ``application.yaml``."""
    described = translation.described
    tree: dict[str, Any] = {"title": f"{described.name}, from KDA SQL", "sources": {}}
    for each in described.inputs:
        # The source of an input that is read in parallel has all metadata that any part uses.
        parts = [translation.sources[name] for name in each.names]
        made = {translation.parallel[each.names]: parts} if len(parts) > 1 else {parts[0].name: parts}
        for name, relations in made.items():
            entry: dict[str, Any] = {}
            if each.stream and each.firehose:
                entry |= {"type": "firehose"}
            elif each.stream:
                entry["stream"] = each.stream
            entry |= _format(each.schema)
            if each.preprocess:
                entry["preprocess"] = each.preprocess
            columns = _columns(each.schema)
            for metadata in sorted({m for r in relations for m in r.metadata or ()}):
                columns[metadata] = f"{METADATA[metadata][0].flink} {METADATA[metadata][1]}"
            tree["sources"][name] = entry | {"columns": columns}
    if described.references:
        tree["references"] = {
            translation.references[r.name].name: {"path": r.path}
            | ({"format": r.schema.format} if r.schema.format != "csv" else {})
            | ({"delimiter": r.schema.delimiter} if r.schema.delimiter != "," else {})
            | {"columns": {c.name: c.type.flink for c in r.schema.columns}}
            for r in described.references
        }
    tree["relations"] = [_relation(step, translation.plan.inner(step)) for step in translation.plan.steps]
    tree["destinations"] = _destinations(translation)
    return tree


def _relation(step: Step, inner: bool) -> Any:
    if step.kind == "view" and not inner:
        return step.name
    return {step.kind: step.name, **step.body, **({"inner": True} if inner else {})}


def _format(schema: Schema) -> dict[str, Any]:
    if schema.format == "csv":
        return {"format": "csv", "delimiter": schema.delimiter, "row_delimiter": schema.row_delimiter}
    return {"row_path": schema.row_path} if schema.row_path not in ("$", "") else {}


def _columns(schema: Schema) -> dict[str, str]:
    if schema.format == "csv":
        return {c.name: c.type.flink for c in schema.columns}
    return {
        c.name: c.type.flink if c.mapping in (None, "", f"$.{c.name}") else f"{c.type.flink} {c.mapping}"
        for c in schema.columns
    }


def _destinations(translation: Translation) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    streams = {name.upper(): relation for name, relation in translation.plan.streams.items()}
    exact = translation.plan.streams
    outputs: Iterable[Output] = translation.described.outputs
    for output in outputs:
        if output.stream.upper() == "ERROR_STREAM":
            translation.notes.append(
                f"the error stream went to {output.resource}: here it goes to the stream of property errors.stream"
            )
            continue
        relation = exact.get(output.stream) or streams.get(output.stream.upper())
        if relation is None:
            translation.notes.append(
                f"output {output.stream}: the program has no stream of this name; left out"
                if output.stream.upper() not in {n.upper() for n in translation.plan.lost}
                else f"output {output.stream}: its stream is not translated; left out"
            )
            continue
        key = {"kinesis": "stream", "firehose": "delivery_stream", "lambda": "function"}[output.type]
        entry: dict[str, Any] = {
            "of": relation,
            "name": _group(made, relation),
            "type": output.type,
            key: output.resource,
        }
        made.append(entry | ({"format": "csv"} if output.format == "csv" else {}))
    if not made:
        read = {
            fold(table.this)
            for pump in translation.program.pumps
            for table in pump.query.find_all(_table())
            if hasattr(table.this, "args") and table.this.args.get("quoted") is not None
        }
        ends = [n for n in translation.plan.streams if n == "DESTINATION_SQL_STREAM" or n not in read]
        for name in ends or list(translation.plan.streams)[-1:]:
            relation = translation.plan.streams[name]
            made.append({"of": relation, "name": _group(made, relation), "type": "none"})
    return made


def _table() -> Any:
    from sqlglot import exp

    return exp.Table


def _group(made: list[dict[str, Any]], relation: str) -> str:
    return "sink" if not made else f"sink_{len(made) + 1}"


def _comments(translation: Translation) -> dict[str, tuple[str, ...]]:
    """The program's comments on a pump and its stream, by the pump's last relation."""
    found: dict[str, tuple[str, ...]] = {}
    for pump in translation.program.pumps:
        names = [n for n in translation.plan.relations.get(pump.name, ()) if not n.endswith("_errors")]
        stream = translation.program.streams.get(fold(pump.into))
        about = (*(stream.statement.comments if stream else ()), *pump.statement.comments)
        if names and about:
            found[names[-1]] = tuple(dict.fromkeys(about))
    return found


def _file(step: Step, comments: Iterable[str]) -> str:
    lines = [f"-- {step.note or 'One row per row that is read, as it comes.'}"]
    # Only letters and signs that can't end the comment's line or name a property.
    lines += [f"-- {re.sub(r'[^ -~À-￿]', ' ', comment)}" for comment in comments]
    return "\n".join(lines) + f"\n{step.sql}\n"
