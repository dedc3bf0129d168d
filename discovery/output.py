"""Writes a discovered schema as an application's source, and as the answer of DiscoverInputSchema."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from discovery.schema import Column, Schema
from udfs.decoding.json_documents import Number

#: Shortest VARCHAR that is proposed, as KDA cuts longer texts silently; and KDA's longest.
_SHORTEST, _LONGEST = 64, 65535


def source_yaml(schema: Schema, name: str, stream: str) -> str:
    """The YAML of a source, for the ``sources:`` of an application's description.

    Parameters
    ----------
    schema : Schema
        The discovered schema.
    name : str
        Name of the relation.
    stream : str
        Name of the stream.
    """
    lines = [
        f"  # Inferred from {len(schema.rows):,} rows. Check the types and notes before you use it.",
        f"  {name}:",
        f"    stream: {json.dumps(stream)}",
    ]
    if schema.format == "CSV":
        lines += ["    format: csv", f"    delimiter: {json.dumps(schema.delimiter)}"]
        if schema.header:
            lines.append("    # The sample has header lines: each of them will be an error.")
    elif schema.row_path != "$":
        lines.append(f"    row_path: {json.dumps(schema.row_path)}")
    lines.append("    columns:")
    for column in schema.columns:
        path = "" if schema.format == "CSV" or column.path == f"$.{column.name}" else f" {column.path}"
        text = f"{column.type}{path}"
        # A path may have a character with a meaning in YAML; JSON's quotes are valid YAML.
        shown = text if re.fullmatch(r"[\w .,()$]+", text) else json.dumps(text, ensure_ascii=False)
        key = column.name if re.fullmatch(r"[A-Za-z_]\w*", column.name) else json.dumps(column.name)
        note = f"  # {_one_line(column.note)}" if column.note else ""
        lines.append(f"      {_key(key)}: {shown}{note}")
    return "\n".join(lines) + "\n"


def _key(name: str) -> str:
    """A key, quoted if YAML would read it as a boolean or null."""
    return (
        json.dumps(name)
        if name.lower() in ("y", "n", "yes", "no", "on", "off", "true", "false", "null")
        else name
    )


def input_schema(schema: Schema, raw: Sequence[bytes]) -> dict[str, Any]:
    """The answer of the DiscoverInputSchema call: the InputSchema and the sampled records."""
    mapping: dict[str, Any] = (
        {"JSONMappingParameters": {"RecordRowPath": schema.row_path}}
        if schema.format == "JSON"
        else {
            "CSVMappingParameters": {
                "RecordRowDelimiter": "\n",
                "RecordColumnDelimiter": schema.delimiter,
            }
        }
    )
    columns = [
        {"Name": column.json_name, "SqlType": _kda_type(column)}
        | ({"Mapping": column.path} if schema.format == "JSON" else {})
        for column in schema.columns
    ]
    return {
        "InputSchema": {
            "RecordFormat": {"RecordFormatType": schema.format, "MappingParameters": mapping},
            "RecordEncoding": "UTF-8",
            "RecordColumns": columns,
        },
        "ParsedInputRecords": [[as_text(value) for value in row.values()] for row in schema.rows],
        "RawInputRecords": [record.decode("utf-8", errors="replace") for record in raw],
    }


def as_text(value: Any) -> str:
    """A sampled value as text; numbers as the source wrote them."""
    if value is None:
        return ""
    return str(value) if isinstance(value, str) else _json(value)


def _json(value: Any) -> str:
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_json(name)}: {_json(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_json, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def _kda_type(column: Column) -> str:
    if column.type == "STRING":
        # Four times the longest text of the sample, rounded up to a power of two.
        length = max(_SHORTEST, 1 << (column.longest * 4 - 1).bit_length()) if column.longest else _SHORTEST
        return f"VARCHAR({min(length, _LONGEST)})"
    return "TIMESTAMP" if column.type.startswith("TIMESTAMP") else column.type.replace(" ", "")


def _one_line(text: str) -> str:
    return " ".join(text.split())
