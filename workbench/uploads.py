"""Converts uploaded descriptions, or SQL alone, into the two files that the page edits."""

from __future__ import annotations

import contextlib
import json
import re
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from kda_sql.description import Described, DescriptionError, Input, Output, Reference, Schema, schema_of
from kda_sql.importing import read, source_names
from workbench import safety
from workbench.description import DESCRIPTION, SQL

#: Endings of files that can be uploaded.
UPLOADS = (".json", ".yaml", ".yml", ".template", ".tf")
#: Terraform functions that read files of the machine.
_READS_FILES = re.compile(r"\b(?:template)?file(?:base64|set|exists)?\s*\(")


def uploaded(name: str, text: str) -> Described:
    """Read the application that an uploaded file describes.

    Raises
    ------
    DescriptionError
        The file describes none or several, or reads other files.
    """
    kind = Path(name).suffix.lower()
    if kind not in UPLOADS:
        raise DescriptionError(f"required a file that ends in {', '.join(UPLOADS)}, got {name[-40:]!r}")
    if kind == ".tf" and _READS_FILES.search(text):
        raise DescriptionError(
            "the file reads other files: paste its SQL, and describe the source on the page"
        )
    # A .json file may be read as YAML, so it is checked too.
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
    """The page's two files for a description."""
    tree = {
        "Inputs": [_input(i) for i in described.inputs],
        "Outputs": [_output(o) for o in described.outputs],
        "ReferenceDataSources": [_reference(r) for r in described.references],
    }
    return {SQL: described.sql.replace("\r\n", "\n"), DESCRIPTION: as_text(tree)}


def files_of_sql(sql: str, stream: str | None, schema: Any) -> dict[str, str]:
    """The page's two files for SQL alone; the sources are those that the SQL names.

    Raises
    ------
    DescriptionError
        `schema` is not an InputSchema.
    """
    columns = schema_of(schema) if schema else Schema(())
    names = tuple(source_names(sql)) if sql.strip() else ("SOURCE_SQL_STREAM_001",)
    tree: dict[str, Any] = {
        "Inputs": [_input(Input((name,), columns, stream)) for name in names],
        "Outputs": [],
        "ReferenceDataSources": [],
    }
    return {SQL: sql, DESCRIPTION: as_text(tree)}


def landings(files: Mapping[str, str], landing_of: Callable[[str], str]) -> dict[str, str]:
    """Add the path that each delivery stream of the inputs writes to, if it can be found."""
    tree = json.loads(files[DESCRIPTION])
    for each in tree["Inputs"]:
        firehose = each.get("KinesisFirehoseInput")
        if firehose and "Path" not in firehose:
            with contextlib.suppress(Exception):  # then the page asks for it
                firehose["Path"] = landing_of(firehose["ResourceARN"])
    return {**files, DESCRIPTION: as_text(tree)}


def as_text(tree: Mapping[str, Any]) -> str:
    """Write ``application.json``."""
    return json.dumps(tree, indent=2, ensure_ascii=False) + "\n"


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
