"""A KDA application as the page edits it: its SQL in ``kda.sql``, everything else in ``application.json``.

``application.json`` has the parts of describe-application under the same names, and what KDA lacks: destinations in S3
and DynamoDB, a destination's key, the path that a delivery stream writes to, senders. Uploads in any format are
converted to this one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from kda_sql.described_json import application
from kda_sql.description import Described, DescriptionError, get
from workbench import safety

SQL, DESCRIPTION = "kda.sql", "application.json"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
_KEYS = {"Inputs", "Outputs", "ReferenceDataSources", "Senders"}


@dataclass(frozen=True)
class Target:
    """A destination: one of KDA's, or S3 or DynamoDB.

    Attributes
    ----------
    stream : str
        In-application stream whose rows it takes.
    type : str
        ``kinesis``, ``firehose``, ``lambda``, ``s3`` or ``dynamodb``.
    resource : str
        Name; of ``lambda``, a name or ARN; of ``s3``, a folder's path.
    key : str or None
        Column of the key.
    format : str
        ``json`` or ``csv``.
    """

    stream: str
    type: str
    resource: str
    key: str | None = None
    format: str = "json"


@dataclass(frozen=True)
class Page:
    """The content of the two files.

    Attributes
    ----------
    described : Described
        The application without its outputs.
    targets : tuple of Target
        The outputs.
    paths : tuple of str or None
        For each input, the path that its delivery stream writes to; None: it is not a delivery stream.
    senders : tuple of dict
        ``label``, ``rate`` in records per second, and ``template`` (a name of the generator's) or its ``text``.
    """

    described: Described
    targets: tuple[Target, ...] = ()
    paths: tuple[str | None, ...] = ()
    senders: tuple[dict[str, Any], ...] = ()


def page_of(name: str, files: Mapping[str, str]) -> Page:
    """Parse the two files.

    Raises
    ------
    DescriptionError
        ``application.json`` is not as required; the message says where.
    """
    try:
        tree = json.loads(files.get(DESCRIPTION, "{}"))
    except RecursionError:
        raise DescriptionError("nested too deeply") from None
    if not isinstance(tree, dict):
        raise DescriptionError(f"required an object, got {type(tree).__name__}")
    if unknown := sorted(tree.keys() - _KEYS):
        raise DescriptionError(f"{unknown[0]} is not a known key: {', '.join(sorted(_KEYS))}")
    for n, each in enumerate(_list(tree, "Inputs"), 1):
        names = each.get("InAppStreamNames", []) if isinstance(each, dict) else []
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise DescriptionError(f"input {n}: InAppStreamNames: required a list of names")
        columns = get(get(each, "InputSchema") or {}, "RecordColumns")
        if not isinstance(columns, list) or not columns:
            raise DescriptionError(f"input {n}: required columns, got none: discover or write them")
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
    paths = tuple(_path(each, f"input {n}") for n, each in enumerate(_list(tree, "Inputs"), 1))
    return Page(
        described, targets, paths, tuple(_sender(s, n) for n, s in enumerate(_list(tree, "Senders"), 1))
    )


def _list(tree: Mapping[str, Any], key: str) -> list[Any]:
    found = tree.get(key) or []
    if not isinstance(found, list):
        raise DescriptionError(f"{key}: required a list, got {type(found).__name__}")
    return found


def _path(tree: Any, where: str) -> str | None:
    firehose = get(tree, "KinesisFirehoseInput")
    if firehose is None:
        return None
    path = get(firehose, "Path")
    if not safety.is_remote(path):
        raise DescriptionError(
            f"{where}: KinesisFirehoseInput: required Path, the s3://bucket/prefix/ that it writes to, got "
            f"{str(path)[:60]!r}"
        )
    return str(path)


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
        raise DescriptionError(f"{where}: template must be a name of the generator's templates")
    return {"label": tree["label"][:80], given[0]: tree[given[0]], "rate": float(rate)}
