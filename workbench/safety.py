"""What an application made on the page may not name: files of this machine, Flink's table options, code."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from pipeline.application import Application
from workbench.problems import Problem, at

#: As Flink reads them: a line ends at either of its ends, and // begins a comment too.
_STRING_OR_COMMENT = re.compile(
    r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`[^`]*`|(?:--|//)[^\n\r]*|/\*(?!\s*\+).*?\*/", re.DOTALL
)
_HINT = re.compile(r"/\*\s*\+")
#: Property groups that say where AWS is and what the engine itself does.
ENGINE = ("aws", "tap", "errors", "job")
_PATHS = ("path",)


def hints(files: Mapping[str, str]) -> Iterator[Problem]:
    """Table hints, by which a query could give a connector other options."""
    for name, text in files.items():
        if not name.endswith(".sql"):
            continue
        # What stands in strings and comments keeps its length, so that places stay.
        code = _STRING_OR_COMMENT.sub(lambda m: " " * len(m[0]), text)
        for match in _HINT.finditer(code):
            line = text.count("\n", 0, match.start()) + 1
            column = match.start() - (text.rfind("\n", 0, match.start()) + 1) + 1
            yield at(files, name, line, column, "a hint /*+ … */ is no part of an application's SQL here")


def aliases(files: Mapping[str, str]) -> Iterator[Problem]:
    """Aliases of YAML, by which a short text becomes an endless one."""
    for name, text in files.items():
        if name.endswith((".yaml", ".yml", ".template")) and (place := _alias(text)):
            yield at(files, name, *place, "an alias is not taken here: write it out")


def _alias(text: str) -> tuple[int, int] | None:
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent):
                mark: Any = event.start_mark
                return mark.line + 1, mark.column + 1
    except (yaml.YAMLError, RecursionError):
        pass  # reported by whoever reads it
    return None


def paths(application: Application) -> Iterator[str]:
    """What of a description names files of this machine, or a module: a line each, with what was required."""
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
    """Why a property may not be set so from the page; None: it may."""
    if group in ENGINE:
        return f"{group}.{key}: is the console's own"
    if (key in _PATHS or "://" in value) and not is_remote(value):
        return f"{group}.{key}: {_REMOTE}, got {value[:60]!r}"
    if key == "type" and value == "recording":
        return f"{group}.{key}: must be kinesis or firehose, got recording"
    return None


def is_remote(path: Any) -> bool:
    """Whether a path is one of S3.

    Examples
    --------
    >>> is_remote("s3://bucket/a"), is_remote("file:///etc/passwd"), is_remote("s3://../x")
    (True, False, False)
    """
    return (
        isinstance(path, str) and re.fullmatch(r"s3[an]?://[a-z0-9][a-z0-9.-]{1,62}/[^\n]*", path) is not None
    )


_REMOTE = "must look like s3://bucket/prefix/"
