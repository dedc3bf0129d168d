"""A discovered schema as a job's source statement and as the answer of DiscoverInputSchema."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from infra.discovery import Column, Schema
from udfs.json_documents import Number

#: VARCHAR's limits in KDA, and the least that is proposed: a text that is cut is lost in silence.
_SHORTEST, _LONGEST = 64, 65535


def create_table(schema: Schema, name: str, stream: str) -> str:
    """The CREATE TABLE of a job's source.

    Parameters
    ----------
    schema : Schema
        What was discovered.
    name : str
        Of the relation.
    stream : str
        Where it was discovered, for the comment.

    Returns
    -------
    str
        What ``jobs/<job>/<relation>.sql`` holds: for JSON the record paths as comments, for CSV the columns in their
        order; rowtime is added by the job.
    """
    lines = [
        f"-- Records of {_one_line(stream)}: one row a record, when it arrives.",
        f"-- Inferred from {len(schema.rows):,} rows; look at what each type rests on before you trust it.",
    ]
    if schema.format == "CSV":
        shown = schema.delimiter.replace("\t", "\\t")
        lines.append(f"-- Record format: csv, column delimiter {shown}; columns go by their place.")
        if schema.header:
            lines.append("-- Header lines were seen: the job will tell each of them as an error.")
    elif schema.row_path != "$":
        lines.append(f"-- Record format: json, row path {schema.row_path}.")
    width = len(schema.columns)
    columns = []
    for place, column in enumerate(schema.columns):
        comment = (
            f" COMMENT {_quoted(column.path)}" if column.path not in (f"$.{column.name}", str(place)) else ""
        )
        comma = "," if place < width - 1 else ""
        note = f"  -- {_one_line(column.note)}" if column.note else ""
        # Quoted, each of them: any word may be one that SQL has reserved.
        columns.append(f"  `{column.name}` {column.type}{comment}{comma}{note}")
    return "\n".join([*lines, f"CREATE TABLE {name} (", *columns, ")"]) + "\n"


def input_schema(schema: Schema, raw: Sequence[bytes]) -> dict[str, Any]:
    """The answer of the DiscoverInputSchema call: InputSchema and the records it rests on."""
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
    """A sampled value as a person reads it; numbers as the source has them."""
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
        # Four times the longest that was seen, up to a power of two.
        length = max(_SHORTEST, 1 << (column.longest * 4 - 1).bit_length()) if column.longest else _SHORTEST
        return f"VARCHAR({min(length, _LONGEST)})"
    return "TIMESTAMP" if column.type.startswith("TIMESTAMP") else column.type.replace(" ", "")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _one_line(text: str) -> str:
    return " ".join(text.split())
