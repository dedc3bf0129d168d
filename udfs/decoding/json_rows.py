"""Plain JSON records as arrays, and written as rows: :mod:`udfs.decoding.json_bytes` for some columns."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from udfs.decoding.coercions import is_text
from udfs.decoding.columns import Column
from udfs.decoding.json_answers import write_objects
from udfs.decoding.json_bytes import BOOLEAN, DOUBLE, INTEGER, TEXT, read_objects
from udfs.decoding.record_format import JSON, RecordFormat
from udfs.forest.layout import Array

_BYTES = {"TINYINT": 1, "SMALLINT": 2, "INT": 4, "INTEGER": 4, "BIGINT": 8, "DOUBLE": 8, "BOOLEAN": 1}
#: Powers of ten that are exact.
_TENS = np.array([10.0**k for k in range(23)])
#: Bytes by which a row may be longer than its record, apart from its columns.
_MORE = 64


@dataclass(frozen=True)
class Found:
    """What was read from records.

    Attributes
    ----------
    spans : array of int64, (n, columns, 2)
        Where the values are.
    bits : array of uint64, (n, columns)
        The values that are not text.
    plain : array of bool, (n,)
        Whether a record could be read.
    """

    spans: Array
    bits: Array
    plain: Array


class JsonRows:
    """Reads and writes rows of these columns; all must be `readable`."""

    def __init__(self, columns: Sequence[Column]) -> None:
        types = [re.fullmatch(r"\s*(\w+)\s*(?:\(\s*(\d+)\s*\))?\s*", c.type.upper()) for c in columns]
        kinds, limits, widths = [], [], []
        for column, type_ in zip(columns, types, strict=True):
            assert type_ is not None
            root, length = type_.groups()
            kinds.append(
                TEXT if is_text(column.type) else {"DOUBLE": DOUBLE, "BOOLEAN": BOOLEAN}.get(root, INTEGER)
            )
            widths.append(0 if kinds[-1] == TEXT else _BYTES[root])
            limits.append(int(length or 1 << 40) if kinds[-1] == TEXT else 8 * widths[-1])
        names = [c.steps[0].encode() for c in columns]
        self._names = np.frombuffer(b"".join(names), np.uint8)
        self._edges = np.cumsum([0, *map(len, names)]).astype(np.int64)
        self._kinds, self._limits, self._widths = (np.array(a, np.int64) for a in (kinds, limits, widths))
        self._required = np.array([c.required for c in columns], np.bool_)

    @staticmethod
    def readable(columns: Sequence[Column], record_format: RecordFormat) -> bool:
        """Whether records of this format and these columns can be plain."""
        return (
            record_format == JSON
            and bool(columns)
            and len({c.path for c in columns}) == len(columns)
            and all(len(c.steps) == 1 and c.array is None and c.path.startswith("$.") for c in columns)
            and all("[" not in c.path for c in columns)
            and all(
                re.fullmatch(r"\s*(VARCHAR|STRING)\s*(\(\s*\d+\s*\))?\s*", c.type.upper())
                or c.type.strip().upper() in _BYTES
                for c in columns
            )
        )

    def read(self, data: Array, begins: Array, ends: Array) -> Found:
        """Read the records in ``data`` (bytes) from ``begins`` to ``ends``, both (n,)."""
        n, columns = len(begins), len(self._kinds)
        spans = np.empty((n, columns, 2), np.int64)
        bits = np.zeros((n, columns), np.uint64)
        plain = np.empty(n, np.bool_)
        read_objects(
            data, begins, ends, self._names, self._edges, self._kinds, self._limits, self._required, _TENS,
            spans, bits, bits.view(np.float64), plain,
        )  # fmt: skip
        return Found(spans, bits, plain)

    def written(
        self,
        data: Array,
        found: Found,
        first: int,
        end: int,
        heads: Array,
        copied: Array,
        numbers: Array,
        nulls: int,
        ended: bool = False,
    ) -> bytes:
        """Some of the records as rows; the other arguments as for `write_objects`, one for each of these records."""
        spans = found.spans[first:end]
        room = (heads[:, 1] - heads[:, 0]).sum() + (copied[:, :, 1] - copied[:, :, 0]).sum()
        room += np.maximum(spans[:, :, 1] - spans[:, :, 0], 0)[spans[:, :, 0] >= 0].sum()
        room += len(spans) * (
            8 * (numbers.shape[1] + len(self._kinds)) + len(self._kinds) + copied.shape[1] + nulls + _MORE
        )
        out = np.empty(int(room), np.uint8)
        size = write_objects(
            data, heads, self._widths, spans, found.bits[first:end], copied, nulls, numbers, ended, out
        )
        return out[:size].tobytes()
