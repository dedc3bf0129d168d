"""Refuses what an application made on the page may not use: files of this machine, Flink's table options, code."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from pipeline.application import Application
from workbench.problems import Problem, at

#: As Flink reads them: a comment ends at \n or \r, and // begins one too.
_STRING_OR_COMMENT = re.compile(
    r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`[^`]*`|(?:--|//)[^\n\r]*|/\*(?!\s*\+).*?\*/", re.DOTALL
)
_HINT = re.compile(r"/\*\s*\+")
#: Property groups of AWS and the engine, which the console sets itself.
ENGINE = ("aws", "tap", "errors", "job")
_PATHS = ("path",)


def hints(files: Mapping[str, str]) -> Iterator[Problem]:
    """Find table hints: they could give a connector other options."""
    for name, text in files.items():
        if not name.endswith(".sql"):
            continue
        # Blank out strings and comments at their length, so that positions stay the same.
        code = _STRING_OR_COMMENT.sub(lambda m: " " * len(m[0]), text)
        for match in _HINT.finditer(code):
            line = text.count("\n", 0, match.start()) + 1
            column = match.start() - (text.rfind("\n", 0, match.start()) + 1) + 1
            yield at(
                files, name, line, column, "a hint /*+ … */ is not allowed in an application made on the page"
            )


def aliases(files: Mapping[str, str]) -> Iterator[Problem]:
    """Find YAML aliases: they could make a short text expand without end."""
    for name, text in files.items():
        if name.endswith((".yaml", ".yml", ".template")) and (place := _alias(text)):
            yield at(files, name, *place, "a YAML alias is not allowed here: write its value out")


def _alias(text: str) -> tuple[int, int] | None:
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent):
                mark: Any = event.start_mark
                return mark.line + 1, mark.column + 1
    except (yaml.YAMLError, RecursionError):
        pass  # the caller that reads the text reports it
    return None


def paths(application: Application) -> Iterator[str]:
    """Find paths outside S3 and recordings in a description: one line each, with what was required."""
    for name, source in application.sources.items():
        if source.type == "recording":
            yield f"sources.{name}: type must be kinesis or firehose for an application made here, got recording"
        if source.path is not None and not is_remote(source.path):
            yield f"sources.{name}.path: {_REMOTE}, got {source.path[:60]!r}"
    for name, table in application.references.items():
        if not is_remote(table.path):
            yield f"references.{name}.path: {_REMOTE}, got {table.path[:60]!r}"
    for destination in application.destinations:
        if destination.path is not None and not is_remote(destination.path):
            yield f"destinations.{destination.name}.path: {_REMOTE}, got {destination.path[:60]!r}"


def assignment(group: str, key: str, value: str) -> str | None:
    """Why a property may not be set to a value from the page; None: it may."""
    if group in ENGINE:
        return f"{group}.{key}: is set by the console"
    if (key in _PATHS or "://" in value) and not is_remote(value):
        return f"{group}.{key}: {_REMOTE}, got {value[:60]!r}"
    if key == "type" and value == "recording":
        return f"{group}.{key}: must be kinesis or firehose, got recording"
    return None


def is_remote(path: Any) -> bool:
    """Whether a path is in S3.

    Examples
    --------
    >>> is_remote("s3://bucket/a"), is_remote("file:///etc/passwd"), is_remote("s3://../x")
    (True, False, False)
    """
    return (
        isinstance(path, str) and re.fullmatch(r"s3[an]?://[a-z0-9][a-z0-9.-]{1,62}/[^\n]*", path) is not None
    )


_REMOTE = "must look like s3://bucket/prefix/"
