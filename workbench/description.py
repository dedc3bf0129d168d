"""A KDA application as the page edits it: its SQL in ``kda.sql``, everything else in ``application.json``.

``application.json`` has the parts of describe-application by their names there, and what KDA had not: destinations in
S3 and DynamoDB, a destination's key, senders. What was uploaded in any form comes out in this one.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kda_sql.described_json import application
from kda_sql.description import Described, DescriptionError, Input, Output, Reference, Schema, get, schema_of
from kda_sql.importing import read, source_names
from workbench import safety

SQL, DESCRIPTION = "kda.sql", "application.json"
#: Files that can be uploaded, by their ending.
UPLOADS = (".json", ".yaml", ".yml", ".template", ".tf")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
#: What a Terraform file may read of the machine it is read on.
_READS_FILES = re.compile(r"\b(?:template)?file(?:base64|set|exists)?\s*\(")
_KEYS = {
    "Title",
    "Inputs",
    "Outputs",
    "ReferenceDataSources",
    "Senders",
}


@dataclass(frozen=True)
class Target:
    """A destination: an :class:`Output` of KDA's types, or one in S3 or DynamoDB.

    Attributes
    ----------
    stream : str
        In-application stream.
    type : str
        ``kinesis``, ``firehose``, ``lambda``, ``s3`` or ``dynamodb``.
    resource : str
        Name, or a folder's path.
    key : str or None
        Column.
    format : str
    """

    stream: str
    type: str
    resource: str
    key: str | None = None
    format: str = "json"


@dataclass(frozen=True)
class Page:
    """What the two files say.

    Attributes
    ----------
    described : Described
        Without its outputs.
    targets : tuple of Target
    senders : tuple of dict
        ``label``, ``template`` (a name of the generator's), or ``text`` of a template, and ``rate``.
    """

    described: Described
    targets: tuple[Target, ...] = ()
    senders: tuple[dict[str, Any], ...] = ()


def uploaded(name: str, text: str) -> Described:
    """The application that an uploaded file describes.

    Raises
    ------
    DescriptionError
        It describes none, or several, or reads other files.
    """
    kind = Path(name).suffix.lower()
    if kind not in UPLOADS:
        raise DescriptionError(f"required a file that ends in {', '.join(UPLOADS)}, got {name[-40:]!r}")
    if kind == ".tf" and _READS_FILES.search(text):
        raise DescriptionError("the SQL is in a file of its own: paste it, and describe its source by hand")
    # JSON is read as YAML too.
    for problem in safety.aliases({"description.yaml": text} if kind != ".tf" else {}):
        raise DescriptionError(f"line {problem.line}: {problem.message}")
    with tempfile.TemporaryDirectory(prefix="kda-upload-") as folder:
        path = Path(folder) / f"description{kind}"
        path.write_text(text, encoding="utf-8")
        try:
            found = read(path)
        except DescriptionError as error:
            raise DescriptionError(str(error).replace(str(path), "the file")) from None
    if len(found) > 1:
        names = ", ".join(d.name for d in found)
        raise DescriptionError(f"the file describes {names}: upload a file for each")
    return found[0]


def files_of(described: Described) -> dict[str, str]:
    """The two files of an application that was described elsewhere."""
    tree = {
        "Inputs": [_input(i) for i in described.inputs],
        "Outputs": [_output(o) for o in described.outputs],
        "ReferenceDataSources": [_reference(r) for r in described.references],
    }
    return {SQL: described.sql.replace("\r\n", "\n"), DESCRIPTION: as_text(tree)}


def files_of_sql(sql: str, stream: str | None, schema: Any) -> dict[str, str]:
    """The two files of an application of SQL alone: its sources by their names in it.

    Raises
    ------
    DescriptionError
        `schema` is no InputSchema.
    """
    columns = schema_of(schema) if schema else Schema(())
    names = tuple(source_names(sql)) if sql.strip() else ("SOURCE_SQL_STREAM_001",)
    tree: dict[str, Any] = {
        "Inputs": [_input(Input((name,), columns, stream)) for name in names],
        "Outputs": [],
        "ReferenceDataSources": [],
    }
    return {SQL: sql, DESCRIPTION: as_text(tree)}


def as_text(tree: Mapping[str, Any]) -> str:
    """``application.json`` of its tree."""
    return json.dumps(tree, indent=2, ensure_ascii=False) + "\n"


def page_of(name: str, files: Mapping[str, str]) -> Page:
    """What the two files say.

    Raises
    ------
    DescriptionError
        ``application.json`` says something else than it should.
    """
    try:
        tree = json.loads(files.get(DESCRIPTION, "{}"))
    except RecursionError:
        raise DescriptionError("nested too deeply") from None
    if not isinstance(tree, dict):
        raise DescriptionError(f"required an object, got {type(tree).__name__}")
    if unknown := sorted(tree.keys() - _KEYS):
        raise DescriptionError(f"{unknown[0]} is no key that is known here: {', '.join(sorted(_KEYS))}")
    for n, each in enumerate(_list(tree, "Inputs"), 1):
        if not isinstance(each, dict) or not get(get(each, "InputSchema") or {}, "RecordColumns"):
            raise DescriptionError(f"input {n}: its columns are not known yet: discover them, or write them")
    targets = tuple(_target(each, f"output {n}") for n, each in enumerate(_list(tree, "Outputs"), 1))
    shown = {**tree, "Outputs": []}
    described = application(shown, "application", name, sql=files.get(SQL, "").strip() and files[SQL])
    if not described.inputs:
        raise DescriptionError("Inputs: required a source, got none")
    described = replace(described, name=name, file=SQL, notes=())
    for i in described.inputs:
        for source in i.names:
            if not _NAME.fullmatch(source):
                raise DescriptionError(
                    f"InAppStreamNames: required letters, digits and _, got {source[:60]!r}"
                )
    return Page(described, targets, tuple(_sender(s, n) for n, s in enumerate(_list(tree, "Senders"), 1)))


def _list(tree: Mapping[str, Any], key: str) -> list[Any]:
    found = tree.get(key) or []
    if not isinstance(found, list):
        raise DescriptionError(f"{key}: required a list, got {type(found).__name__}")
    return found


def _input(each: Input) -> dict[str, Any]:
    made: dict[str, Any] = {"InAppStreamNames": list(each.names)}
    if each.stream:
        made["KinesisFirehoseInput" if each.firehose else "KinesisStreamsInput"] = {
            "ResourceARN": each.stream
        }
    if each.preprocess:
        made["InputProcessingConfiguration"] = {"InputLambdaProcessor": {"ResourceARN": each.preprocess}}
    return made | {"InputSchema": schema_tree(each.schema)}


def schema_tree(schema: Schema) -> dict[str, Any]:
    """An InputSchema as AWS's API writes it."""
    is_json = schema.format == "json"
    mapping: dict[str, Any] = (
        {"JSONMappingParameters": {"RecordRowPath": schema.row_path}}
        if is_json
        else {
            "CSVMappingParameters": {
                "RecordRowDelimiter": schema.row_delimiter,
                "RecordColumnDelimiter": schema.delimiter,
            }
        }
    )
    return {
        "RecordFormat": {"RecordFormatType": schema.format.upper(), "MappingParameters": mapping},
        "RecordEncoding": "UTF-8",
        "RecordColumns": [
            {"Name": c.name, "SqlType": str(c.type)} | ({"Mapping": c.mapping} if c.mapping else {})
            for c in schema.columns
        ],
    }


def _output(each: Output) -> dict[str, Any]:
    key = {"kinesis": "KinesisStreamsOutput", "firehose": "KinesisFirehoseOutput", "lambda": "LambdaOutput"}
    return {
        "Name": each.stream,
        key[each.type]: {"ResourceARN": each.resource},
        "DestinationSchema": {"RecordFormatType": each.format.upper()},
    }


def _reference(each: Reference) -> dict[str, Any]:
    bucket, _, key = each.path.removeprefix("s3://").partition("/")
    return {
        "TableName": each.name,
        "S3ReferenceDataSource": {"BucketARN": bucket, "FileKey": key},
        "ReferenceSchema": schema_tree(each.schema),
    }


def _target(tree: Any, where: str) -> Target:
    stream, schema = get(tree, "Name"), get(tree, "DestinationSchema") or {}
    if not isinstance(stream, str) or not stream:
        raise DescriptionError(f"{where}: required Name, the in-application stream whose rows it takes")
    kinds = {
        "KinesisStreamsOutput": ("kinesis", "ResourceARN"),
        "KinesisFirehoseOutput": ("firehose", "ResourceARN"),
        "LambdaOutput": ("lambda", "ResourceARN"),
        "S3Output": ("s3", "Path"),
        "DynamoDBOutput": ("dynamodb", "TableName"),
    }
    for key, (type_, name) in kinds.items():
        part = get(tree, key)
        if part is None:
            continue
        resource = get(part, name)
        if not isinstance(resource, str) or not resource:
            raise DescriptionError(f"{where} ({stream}): {key}: required {name}")
        last = resource.rpartition("/")[2] if type_ in ("kinesis", "firehose", "dynamodb") else resource
        key_column = get(tree, "Key")
        if key_column is not None and not isinstance(key_column, str):
            raise DescriptionError(f"{where} ({stream}): Key: required a column's name")
        format_ = str(get(schema, "RecordFormatType") or "JSON").lower()
        if format_ not in ("json", "csv"):
            raise DescriptionError(f"{where} ({stream}): RecordFormatType must be JSON or CSV")
        return Target(stream, type_, last, key_column or None, format_)
    raise DescriptionError(f"{where} ({stream}): required one of {', '.join(kinds)}")


def _sender(tree: Any, number: int) -> dict[str, Any]:
    where = f"sender {number}"
    if not isinstance(tree, dict) or not isinstance(tree.get("label"), str):
        raise DescriptionError(f"{where}: required label, and template or text")
    given = [k for k in ("template", "text") if isinstance(tree.get(k), str)]
    rate = tree.get("rate", 1.0)
    if len(given) != 1 or isinstance(rate, bool) or not isinstance(rate, int | float):
        raise DescriptionError(f"{where}: required template (a name) or text, and rate, a number")
    if given == ["template"] and not re.fullmatch(r"[a-z][a-z0-9-]{0,60}", tree["template"]):
        raise DescriptionError(f"{where}: template must be the name of one of the generator's")
    return {"label": tree["label"][:80], given[0]: tree[given[0]], "rate": float(rate)}
