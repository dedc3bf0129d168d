"""The rows of a message in columns: which rows are plain, their numbers, keys and times; and the answer to them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from udfs.forest.layout import Array
from udfs.row_bytes import (
    BEGIN,
    BODY,
    END,
    FIELDS,
    FIELDS_END,
    KEY,
    KEY_END,
    TIME,
    VALUE,
    VALUE_END,
    count_records,
    read_records,
    write_records,
)

#: Bytes of a field by PyFlink's coder; 0: variable, after its length.
WIDTHS = {
    "TinyIntCoder": 1,
    "BooleanCoder": 1,
    "SmallIntCoder": 2,
    "IntCoder": 4,
    "BigIntCoder": 8,
    "FloatCoder": 4,
    "DoubleCoder": 8,
    "InstantCoder": 12,
    "CharCoder": 0,
    "BigDecimalCoder": 0,
    "BinaryCoder": 0,
}
#: Coders of fields that can be read as numbers.
FLOATS = ("FloatCoder", "DoubleCoder")
INTEGERS = ("TinyIntCoder", "SmallIntCoder", "IntCoder", "BigIntCoder")

#: Bytes by which an answer may be longer than its row: length, mask and score.
_MORE = 24


class RowLayout:
    """How the rows of one operator are encoded.

    Parameters
    ----------
    coders : list of str
        Names of the coders of an element's fields; all must be in `WIDTHS`.
    numbers : list of int
        The fields to read as numbers, in this order.
    value : int or None
        The field that `Rows.values` returns: text or an integer.
    rowtime : bool
        Whether each element is followed by its rowtime.
    """

    def __init__(
        self, coders: list[str], numbers: list[int], value: int | None = None, rowtime: bool = True
    ) -> None:
        self.tail = WIDTHS["InstantCoder"] if rowtime else 0
        self.widths = np.array([WIDTHS[c] for c in coders], np.int64)
        self.floats = np.array([c in FLOATS for c in coders], np.bool_)
        self.columns = len(numbers)
        self.column_of = np.full(len(coders), -1, np.int64)
        self.column_of[numbers] = range(len(numbers))
        self.value = -1 if value is None else value
        self.value_is_text = value is not None and coders[value] == "CharCoder"

    @staticmethod
    def reads(coders: list[str], numbers: list[int], value: int | None = None) -> bool:
        """Whether rows of this kind can be read."""
        return (
            all(c in WIDTHS for c in coders)
            and len(set(numbers)) == len(numbers)
            and all(coders[n] in (*FLOATS, *INTEGERS) for n in numbers)
            and (value is None or coders[value] in ("CharCoder", *INTEGERS))
        )


@dataclass(frozen=True)
class Rows:
    """The rows of a message.

    Attributes
    ----------
    data : bytes
        The message.
    places : array of int64, (n, 11)
        Positions in ``data``; columns as in :mod:`udfs.row_bytes`.
    plain : array of bool, (n,)
        False for rows that PyFlink has to decode.
    points : array, (n, columns)
        The numbers; finite in plain rows.
    key : str or None
        The key of all rows, if they have the same.
    """

    data: bytes
    layout: RowLayout
    places: Array
    plain: Array
    points: Array
    key: str | None

    @classmethod
    def read(cls, data: bytes, layout: RowLayout) -> Rows:
        """Read the rows of a message."""
        given = np.frombuffer(data, np.uint8)
        n = count_records(given)
        places = np.zeros((n, 11), np.int64)
        plain = np.zeros(n, np.bool_)
        points = np.zeros((n, layout.columns))
        short = np.zeros(1, np.float32)
        same = read_records(
            given, layout.widths, layout.column_of, layout.floats, layout.value, layout.tail,
            places, plain, points, points.view(np.uint64), short, short.view(np.uint32),
        )  # fmt: skip
        key = data[places[0, KEY] : places[0, KEY_END]].decode() if n and same else None
        return cls(data, layout, places, plain, points, key)

    def runs(self) -> Iterator[tuple[bool, int, int]]:
        """Runs of consecutive rows that are all plain or all not: (plain, first, end)."""
        edges = [0, *(np.flatnonzero(self.plain[1:] != self.plain[:-1]) + 1).tolist(), len(self.plain)]
        for first, end in pairwise(edges):
            if end > first:
                yield bool(self.plain[first]), first, end

    def record(self, first: int, end: int) -> bytes:
        """The bytes of some rows as they came."""
        return self.data[self.places[first, BEGIN] : self.places[end - 1, END]]

    def keys(self, first: int, end: int) -> list[str]:
        """Flink's key of each row."""
        if self.key is not None:
            return [self.key] * (end - first)
        return self._texts(first, end, KEY, KEY_END)

    def times(self, first: int, end: int) -> list[int]:
        """The time of each row, in milliseconds."""
        return self.places[first:end, TIME].tolist()  # type: ignore[no-any-return]

    def values(self, first: int, end: int) -> list[str | int | None]:
        """The value of the layout's value field in each row."""
        places = self.places[first:end]
        if self.layout.value_is_text:
            found: list[str | int | None] = list(self._texts(first, end, VALUE, VALUE_END, 4))
        else:
            data = self.data
            found = [
                int.from_bytes(data[a:b], "big", signed=True)
                for a, b in zip(places[:, VALUE].tolist(), places[:, VALUE_END].tolist(), strict=True)
            ]
        for k in np.flatnonzero(places[:, VALUE] < 0).tolist():
            found[k] = None
        return found

    def parts(self, first: int, end: int) -> tuple[Array, Array, Array, Array, Array]:
        """Where parts of rows are, each (n, 2): what begins an answer, and the fields, encoded.

        For rows of text or bytes, the layout's value, a wide integer and, if there are more, one text.
        """
        places = self.places[first:end]
        head, number = places[:, BODY], places[:, VALUE_END]
        return (
            np.stack([head, head + 9], axis=1),
            places[:, [FIELDS, VALUE]],
            places[:, [VALUE, VALUE_END]],
            np.stack([number, number + 8], axis=1),
            np.stack([number + 8, places[:, FIELDS_END]], axis=1),
        )

    def texts(self, parts: Array) -> list[bytes]:
        """The bytes of an encoded text field in each row; none if it is not there."""
        return [self.data[a + 4 : b] for a, b in parts.tolist()]

    def scored(self, first: int, end: int, scores: Array, nulls: int) -> bytes:
        """The answer to some rows: each followed by its score and ``nulls`` NULLs."""
        places = self.places[first:end]
        out = np.empty(int(places[-1, END] - places[0, BEGIN]) + _MORE * len(places) + 2 * nulls, np.uint8)
        bits = np.ascontiguousarray(scores, np.float64).view(np.uint64)
        size = write_records(
            np.frombuffer(self.data, np.uint8), places, len(self.layout.widths), bits, nulls, out
        )
        return out[:size].tobytes()

    def _texts(self, first: int, end: int, begins: int, ends: int, skipped: int = 0) -> list[str]:
        places, data = self.places[first:end], self.data
        return [
            data[a:b].decode()
            for a, b in zip((places[:, begins] + skipped).tolist(), places[:, ends].tolist(), strict=True)
        ]
