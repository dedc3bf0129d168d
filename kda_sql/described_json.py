"""Parts of an application from AWS's structures: describe-application of both APIs, templates, Terraform blocks.

The same part is called ``Inputs``, ``InputDescriptions`` or ``inputs``, a stream ``KinesisStreamsInput``,
``KinesisStreamsInputDescription`` or ``kinesis_stream``. All spellings are accepted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kda_sql.description import (
    Described,
    DescriptionError,
    Input,
    Output,
    Reference,
    first,
    get,
    named,
    parallel,
    schema_of,
)

_STREAM = ("KinesisStreams{}", "KinesisStreams{}Description", "KinesisStream")
_FIREHOSE = ("KinesisFirehose{}", "KinesisFirehose{}Description", "KinesisFirehose")
_LAMBDA = ("Lambda{}", "Lambda{}Description", "Lambda")


def read_description(path: Path) -> Described:
    """Read the output of describe-application, saved as JSON.

    Raises
    ------
    DescriptionError
        The file is not JSON, or has no SQL.
    """
    try:
        tree = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, OSError) as e:
        raise DescriptionError(f"{path}: required the JSON of describe-application: {e}") from None
    detail = get(tree, "ApplicationDetail") or tree
    return application(detail, str(path), default_name=path.stem)


def is_description(tree: Any) -> bool:
    """Whether a tree is the output of describe-application."""
    detail = get(tree, "ApplicationDetail") or tree
    return bool(get(detail, "ApplicationCode") or get(detail, "ApplicationConfigurationDescription"))


def application(detail: Any, where: str, default_name: str, sql: str | None = None) -> Described:
    """Read an application from one tree that holds all its parts."""
    configuration = block(
        first([get(detail, "ApplicationConfigurationDescription"), get(detail, "ApplicationConfiguration")])
        or {}
    )
    code = block(
        first(
            [
                get(configuration, "ApplicationCodeConfigurationDescription"),
                get(configuration, "ApplicationCodeConfiguration"),
            ]
        )
        or {}
    )
    content = block(first([get(code, "CodeContentDescription"), get(code, "CodeContent")]) or {})
    text = sql or first([get(detail, "ApplicationCode"), get(detail, "code"), get(content, "TextContent")])
    if not isinstance(text, str) or not text.strip():
        raise DescriptionError(
            f"{where}: required the application's SQL, as ApplicationCode or TextContent; got none"
        )
    runtime = str(get(detail, "RuntimeEnvironment") or "SQL-1_0")
    if not runtime.upper().startswith("SQL"):
        raise DescriptionError(f"{where}: required a SQL application, got {runtime}")
    parts = block(
        first(
            [
                get(configuration, "SqlApplicationConfigurationDescription"),
                get(configuration, "SqlApplicationConfiguration"),
            ]
        )
        or detail
    )
    name = re.sub(
        r"\W", "_", str(get(detail, "ApplicationName") or get(detail, "Name") or default_name), flags=re.ASCII
    )
    notes: list[str] = ["roles and accounts are not imported: `kda deploy` makes its own role"]
    return Described(
        name if re.match(r"[A-Za-z_]", name) else f"_{name}",
        text,
        tuple(input_of(i, f"{where}: input {n}") for n, i in enumerate(blocks(parts, "Input"), 1)),
        tuple(
            reference_of(r, f"{where}: reference {n}")
            for n, r in enumerate(blocks(parts, "ReferenceDataSource"), 1)
        ),
        tuple(
            o
            for n, each in enumerate(blocks(parts, "Output"), 1)
            for o in output_of(each, f"{where}: output {n}", notes)
        ),
        tuple(notes),
    )


def blocks(tree: Any, kind: str) -> list[Any]:
    """The parts of a kind, from ``Inputs``, ``InputDescriptions``, ``inputs`` or ``input``."""
    found = first(get(tree, key) for key in (f"{kind}Descriptions", f"{kind}s", kind)) or []
    return list(found) if isinstance(found, list) else [found]


def block(tree: Any) -> Any:
    """A part that occurs once; HCL reads it as a list of one."""
    return tree[0] if isinstance(tree, list) and len(tree) == 1 else tree


def input_of(tree: Any, where: str) -> Input:
    """Read an input stream."""
    schema = schema_of(
        first(get(tree, key) for key in ("InputSchema", "Schema")) or {}, f"{where}: InputSchema"
    )
    prefix = str(get(tree, "NamePrefix") or "SOURCE_SQL_STREAM")
    count = get(block(get(tree, "InputParallelism") or get(tree, "Parallelism") or {}), "Count")
    names = get(tree, "InAppStreamNames")
    processing = block(
        first(
            get(tree, key)
            for key in (
                "InputProcessingConfigurationDescription",
                "InputProcessingConfiguration",
                "ProcessingConfiguration",
            )
        )
        or {}
    )
    processor = block(
        first(
            get(processing, key)
            for key in ("InputLambdaProcessorDescription", "InputLambdaProcessor", "Lambda")
        )
        or {}
    )
    stream = _resource(tree, _STREAM, "Input")
    firehose = _resource(tree, _FIREHOSE, "Input")
    return Input(
        tuple(map(str, names)) if names else parallel(prefix, _count(count, where)),
        schema,
        stream or firehose,
        firehose is not None and stream is None,
        named(get(processor, "ResourceARN")),
    )


def reference_of(tree: Any, where: str) -> Reference:
    """Read a reference table."""
    s3 = block(
        first(get(tree, key) for key in ("S3ReferenceDataSourceDescription", "S3ReferenceDataSource", "S3"))
        or {}
    )
    bucket, key = named(get(s3, "BucketARN")) or get(s3, "BucketName"), get(s3, "FileKey")
    table = get(tree, "TableName")
    if not table or not bucket or not key:
        raise DescriptionError(f"{where}: required TableName, BucketARN and FileKey")
    schema = schema_of(
        first(get(tree, k) for k in ("ReferenceSchema", "Schema")) or {}, f"{where}: ReferenceSchema"
    )
    return Reference(str(table), schema, f"s3://{bucket}/{key}")


def output_of(tree: Any, where: str, notes: list[str]) -> list[Output]:
    """Read a stream's destination; an empty list, and a note, if none is named."""
    stream = get(tree, "Name")
    schema = block(first(get(tree, key) for key in ("DestinationSchema", "Schema")) or {})
    format_ = str(get(schema, "RecordFormatType") or "JSON").lower()
    for type_, keys in (("kinesis", _STREAM), ("firehose", _FIREHOSE), ("lambda", _LAMBDA)):
        resource = _resource(tree, keys, "Output")
        if resource and stream:
            return [Output(str(stream), type_, resource, format_)]
    notes.append(
        f"{where} ({stream or 'without a name'}): no stream, delivery stream or function is named; left out"
    )
    return []


def _resource(tree: Any, keys: tuple[str, ...], kind: str) -> str | None:
    for key in keys:
        found = block(get(tree, key.format(kind)))
        if isinstance(found, Mapping):
            return named(get(found, "ResourceARN")) or None
    return None


def _count(value: Any, where: str) -> int:
    try:
        return int(value or 1)
    except (TypeError, ValueError):
        raise DescriptionError(f"{where}: InputParallelism must be a number, got {value!r}") from None
