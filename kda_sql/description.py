"""Description of a KDA application: its SQL, inputs, reference tables and outputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from base.errors import KdaError
from kda_sql.types import SqlType, parse_type


class DescriptionError(KdaError, ValueError):
    """The description can't be read; the message says where, what was required and what came."""


@dataclass(frozen=True)
class InputColumn:
    """A column of an InputSchema; ``mapping`` is its path in a JSON document."""

    name: str
    type: SqlType
    mapping: str | None = None


@dataclass(frozen=True)
class Schema:
    """An InputSchema: the format of records, and their columns."""

    columns: tuple[InputColumn, ...]
    format: str = "json"
    row_path: str = "$"
    delimiter: str = ","
    row_delimiter: str = "\n"


@dataclass(frozen=True)
class Input:
    """A stream that the program reads under one name, or under several if it is read in parallel."""

    names: tuple[str, ...]
    schema: Schema
    stream: str | None = None
    firehose: bool = False
    preprocess: str | None = None


@dataclass(frozen=True)
class Reference:
    """A reference table, read from a file."""

    name: str
    schema: Schema
    path: str


@dataclass(frozen=True)
class Output:
    """Where an in-application stream's rows go: ``type`` is kinesis, firehose or lambda."""

    stream: str
    type: str
    resource: str
    format: str = "json"


@dataclass(frozen=True)
class Described:
    """A whole application.

    Parameters
    ----------
    name : str
    sql : str
    inputs, references, outputs
    notes : tuple of str
        Parts of the description that are not imported.
    file : str
        Name of the SQL file in error messages.
    """

    name: str
    sql: str
    inputs: tuple[Input, ...] = ()
    references: tuple[Reference, ...] = ()
    outputs: tuple[Output, ...] = ()
    notes: tuple[str, ...] = field(default=())
    file: str = "program.sql"


def schema_of(tree: Any, where: str = "InputSchema") -> Schema:
    """Read an InputSchema or a ReferenceSchema, with keys as AWS's API or Terraform writes them.

    Raises
    ------
    DescriptionError
        The format or a type is unknown, or a column is incomplete.
    """
    tree = _plain(tree, where)
    record_format = _plain(get(tree, "RecordFormat") or {}, f"{where}.RecordFormat")
    mapping = get(record_format, "MappingParameters") or record_format
    # Terraform's resource of the first API gives the format by the name of a block.
    default = "CSV" if get(mapping, "Csv") else "JSON"
    kind = str(get(record_format, "RecordFormatType") or get(tree, "RecordFormatType") or default).upper()
    json_ = get(mapping, "JSONMappingParameters") or get(mapping, "Json") or mapping
    csv = get(mapping, "CSVMappingParameters") or get(mapping, "Csv") or mapping
    if kind not in ("JSON", "CSV"):
        raise DescriptionError(f"{where}: RecordFormatType must be JSON or CSV, got {kind}")
    columns = []
    for i, column in enumerate(get(tree, "RecordColumns") or get(tree, "RecordColumn") or ()):
        column = _plain(column, f"{where}.RecordColumns[{i}]")
        name, type_ = get(column, "Name"), get(column, "SqlType")
        if not name or not type_:
            raise DescriptionError(
                f"{where}.RecordColumns[{i}]: required Name and SqlType, got {dict(column)}"
            )
        try:
            columns.append(InputColumn(str(name), parse_type(str(type_)), get(column, "Mapping")))
        except ValueError as e:
            raise DescriptionError(f"{where}: column {name}: {e}") from None
    if not columns:
        raise DescriptionError(f"{where}: required RecordColumns, got none")
    return Schema(
        tuple(columns),
        kind.lower(),
        str(get(json_, "RecordRowPath") or "$"),
        str(get(csv, "RecordColumnDelimiter") or ","),
        _unescaped(str(get(csv, "RecordRowDelimiter") or "\n")),
    )


def get(tree: Any, key: str) -> Any:
    """A value by its key in AWS's spelling; Terraform's and the command line's spellings are found too."""
    if isinstance(tree, list) and len(tree) == 1:  # a block, as HCL reads it
        tree = tree[0]
    if not isinstance(tree, Mapping):
        return None
    wanted = key.replace("_", "").lower()
    for name, value in tree.items():
        if str(name).replace("_", "").lower() == wanted:
            return value
    return None


def named(resource: Any) -> str | None:
    """The name at the end of an ARN, for a function with its alias; a plain name is returned unchanged.

    Examples
    --------
    >>> named("arn:aws:lambda:eu-west-1:123456789012:function:fix"), named("arn:aws:kinesis:r:1:stream/a")
    ('fix', 'a')
    """
    if not isinstance(resource, str) or not resource:
        return None
    last = resource.rpartition("/")[2]
    parts = last.split(":")
    if len(parts) > 6 and parts[5] == "function":
        return ":".join(parts[6:])
    return parts[-1]


def parallel(prefix: str, count: int) -> tuple[str, ...]:
    """The names of a stream that is read with a parallelism of ``count``, 1 to 64."""
    return tuple(f"{prefix}_{i:03d}" for i in range(1, max(1, min(count, 64)) + 1))


def first(values: Iterable[Any]) -> Any:
    """The first value that is not empty, else None."""
    return next((v for v in values if v), None)


def _plain(tree: Any, where: str) -> Mapping[str, Any]:
    if isinstance(tree, list) and len(tree) == 1:  # a block, as HCL reads it
        tree = tree[0]
    if not isinstance(tree, Mapping):
        raise DescriptionError(f"{where}: required an object, got {type(tree).__name__}")
    return tree


def _unescaped(text: str) -> str:
    return text.replace("\\n", "\n").replace("\\r", "\r").replace("\\t", "\t")
