"""What a decoder makes of a record."""

from typing import Any

from udfs.decoding.columns import Column
from udfs.decoding.decoder import RecordDecoder

V = [Column("v", "INTEGER", "$.v")]


def rows(decoder: RecordDecoder, data: bytes) -> list[Any]:
    """Values, or an error's name."""
    return [row.values if row.values is not None else row.error_name for row in decoder.decode(data)]


def values(data: bytes) -> list[Any]:
    return [row if isinstance(row, str) else row[0] for row in rows(RecordDecoder(V), data)]
