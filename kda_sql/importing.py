"""Reads the application to import: a ``.sql`` file, describe-application's JSON, a template or a Terraform file."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from kda_sql.cloudformation import parsed, read_template
from kda_sql.described_json import is_description, read_description
from kda_sql.description import Described, DescriptionError, Input, Schema, schema_of
from kda_sql.terraform import read_terraform

_SOURCE = re.compile(r'"(\w*?_\d{3})"|\b(\w*SOURCE_SQL_STREAM_\d{3})\b', re.IGNORECASE)


def read(path: Path, schema: Schema | None = None, stream: str | None = None) -> list[Described]:
    """Read the applications that a file describes.

    Parameters
    ----------
    path : Path
        ``.sql``, ``.json``, ``.yaml``, ``.yml``, ``.template`` or ``.tf``.
    schema : Schema or None
        The columns of the source; required with a ``.sql`` file.
    stream : str or None
        The stream to read instead of the described one.

    Raises
    ------
    DescriptionError
        The kind of file is unknown, or it can't be read.
    """
    if not path.is_file():
        raise DescriptionError(f"{path}: no such file")
    kind = path.suffix.lower()
    if kind == ".sql":
        if schema is None:
            raise DescriptionError(
                f"{path}: a .sql file does not name its source's columns: give --stream to discover them, or "
                "--schema with an InputSchema"
            )
        return [_from_sql(path, schema, stream)]
    if kind in (".tf", ".hcl"):
        found = read_terraform(path)
    elif kind in (".json", ".yaml", ".yml", ".template"):
        tree = parsed(path.read_text(encoding="utf-8-sig"), str(path))
        found = [read_description(path)] if is_description(tree) else read_template(path)
    else:
        raise DescriptionError(
            f"{path}: required .sql, .json, .yaml, .template or .tf, got {kind or 'no extension'}"
        )
    found = [replace(d, file=path.name) if d.file == "program.sql" else d for d in found]
    if stream:
        found = [
            replace(d, inputs=tuple(replace(i, stream=stream, firehose=False) for i in d.inputs))
            for d in found
        ]
    return found


def read_schema(path: Path) -> Schema:
    """Read an InputSchema, or the answer of DiscoverInputSchema, saved as JSON."""
    try:
        tree = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, OSError) as e:
        raise DescriptionError(f"{path}: required an InputSchema as JSON: {e}") from None
    return schema_of(tree.get("InputSchema", tree) if isinstance(tree, dict) else tree, str(path))


def source_names(sql: str) -> Sequence[str]:
    """The names of a program's sources, as it spells them: those that end in _001, _002 …

    Examples
    --------
    >>> source_names('SELECT STREAM * FROM "ticks_001" a, source_sql_stream_002 b')
    ['ticks_001', 'SOURCE_SQL_STREAM_002']
    """
    code = re.sub(r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'", " ", sql, flags=re.DOTALL)
    created = {m.strip('"').upper() for m in re.findall(r'(?i)\b(?:STREAM|PUMP)\s+("[^"]+"|\w+)', code)}
    names = [m[1] or m[2].upper() for m in _SOURCE.finditer(code)]
    return [n for n in dict.fromkeys(names) if n.upper() not in created] or ["SOURCE_SQL_STREAM_001"]


def _from_sql(path: Path, schema: Schema, stream: str | None) -> Described:
    sql = path.read_text(encoding="utf-8-sig")
    name = re.sub(r"\W", "_", path.stem, flags=re.ASCII)
    names = tuple(source_names(sql))
    return Described(
        name if re.match(r"[A-Za-z_]", name) else f"_{name}",
        sql,
        (Input(names, schema, stream),),
        file=path.name,
    )
