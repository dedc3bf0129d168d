"""What is proposed for some documents."""

import json
from typing import Any

from discovery.schema import Schema, discover


def of(*documents: Any) -> Schema:
    return discover([json.dumps(document).encode() for document in documents])


def types(schema: Schema) -> dict[str, str]:
    return {column.name: column.type for column in schema.columns}


def one(*values: Any) -> tuple[str, str]:
    (column,) = of(*({"x": value} for value in values)).columns
    return column.type, column.note
