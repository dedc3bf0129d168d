"""Records to typed columns, with the coercions that KDA SQL applied; what does not fit is told, never dropped.

A Kinesis record may hold several JSON documents, with or without newlines between them. Each becomes one
:class:`Decoded`, either with values or with an error; so one record in gives at least one row out.

References
----------
Kinesis Data Analytics for SQL developer guide, "Mapping streaming source elements to SQL input columns".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from udfs.columns import CoercionError, Column, coercion
from udfs.plain_records import plain_reader

#: KDA's error_stream cuts the hexadecimal raw record at VARCHAR(49152), the message at VARCHAR(4096).
MAX_DATA_ROW = 49152
MAX_MESSAGE = 4096
#: Errors told of one record: a megabyte of ``1 1 1 …`` would else be half a million rows of raw bytes.
MAX_ERRORS = 10


class Decoded(NamedTuple):
    """One document of a record: its column values, or why it has none.

    ``data_row`` is the raw record in hexadecimal, only where there is an error.
    """

    values: tuple[Any, ...] | None
    error_name: str | None = None
    message: str | None = None
    data_row: str | None = None


class RecordDecoder:
    """Turns the bytes of a record into rows of typed columns.

    Parameters
    ----------
    columns : sequence of Column
        What to take from each document.

    Examples
    --------
    >>> decoder = RecordDecoder([Column("price", "DOUBLE", "$.price"), Column("symbol", "VARCHAR(2)", "$.s")])
    >>> [row.values for row in decoder.decode(b'{"price": 1, "s": "ABC"} {"s": "D"}')]
    [(1.0, 'AB'), (None, 'D')]
    >>> next(decoder.decode(b'{"price": "much"}')).message
    "column price DOUBLE: required a number, got 'much'"
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        self._plain = plain_reader(columns)
        self._columns = [(c, c.steps, coercion(c.type).coerce) for c in columns]
        self._scan = json.JSONDecoder(parse_constant=_refuse_constant).raw_decode

    def plain(self, data: bytes | None) -> tuple[Any, ...] | None:
        """The values of a record that is one document and fits as it stands, which most do; of any other None.

        They are those that :meth:`decode` would give, in a tenth of the time.
        """
        if self._plain is None or data is None:
            return None
        try:
            return self._plain(data)
        except (ValueError, RecursionError):
            return None

    def decode(self, data: bytes | None) -> Iterator[Decoded]:
        """Yield one row for each document in ``data``; an undecodable rest is one error row; nothing for None.

        Of more than ``MAX_ERRORS`` errors the last says how many more there were.
        """
        errors = 0
        last = None
        for row in self._documents(data):
            if row.values is not None:
                yield row
                continue
            errors += 1
            if errors < MAX_ERRORS:
                yield _told(row, data or b"")
            elif last is None:
                last = row
        if last is not None:
            more = f" (and {errors - MAX_ERRORS} more errors in this record)" if errors > MAX_ERRORS else ""
            yield _told(last, data or b"", more)

    def _documents(self, data: bytes | None) -> Iterator[Decoded]:
        if data is None:
            return
        try:
            text = bytes(data).decode("utf-8")
        except UnicodeDecodeError as e:
            yield _error(
                "INVALID_UTF8",
                f"record: required UTF-8, got byte {e.object[e.start]:#04x} at {e.start}",
            )
            return
        start, end = _skip_blanks(text, 0), len(text)
        if start == end:
            yield _error("EMPTY_RECORD", "record: required a JSON object, got an empty record")
        while start < end:
            try:
                document, stop = self._scan(text, start)
            except (ValueError, RecursionError) as e:
                reason = "nested too deeply" if isinstance(e, RecursionError) else str(e)
                yield _error(
                    "INVALID_JSON",
                    f"record: required a JSON object, got {text[start : start + 40]!r}: {reason}",
                )
                return
            try:
                row = self._row(document)
            except RecursionError:
                # Read just within the limit, it can be too deep to be written.
                row = _error("INVALID_JSON", "record: nested too deeply")
            yield row
            start = _skip_blanks(text, stop)

    def _row(self, document: Any) -> Decoded:
        if not isinstance(document, dict):
            return _error("INVALID_JSON", f"record: required a JSON object, got {type(document).__name__}")
        values = []
        for column, path, coerce in self._columns:
            value: Any = document
            for step in path:
                value = value.get(step) if isinstance(value, dict) else None
            try:
                if value is None and column.required:
                    raise CoercionError("a value")
                values.append(None if value is None else coerce(value))
            except CoercionError as e:
                message = f"column {column.name} {column.type}: required {e}, got {_shown(value)}"
                return _error("COERCION", message)
        return Decoded(tuple(values))


def late_record(data: bytes, arrival: int, counted: int) -> Decoded:
    """What is told of a record that came after its time was over, times in milliseconds since the epoch."""
    late = (counted - arrival) / 1000
    message = f"record: came {late:.3f} s after its time was over; it counts at data_rowtime"
    return _told(_error("LATE_RECORD", message), data)


def _error(name: str, message: str) -> Decoded:
    return Decoded(None, name, message)


def _told(row: Decoded, data: bytes, more: str = "") -> Decoded:
    """An error with the raw record, both cut to what an error stream takes."""
    if len(data) * 2 > MAX_DATA_ROW:
        more += f" (record of {len(data)} bytes, cut to {MAX_DATA_ROW // 2})"
    message = f"{(row.message or '')[: MAX_MESSAGE - len(more)]}{more}"
    return row._replace(message=message, data_row=bytes(data[: MAX_DATA_ROW // 2]).hex())


_BLANKS = re.compile(r"[\s\ufeff]*")


def _skip_blanks(text: str, start: int) -> int:
    return _BLANKS.match(text, start).end()  # type: ignore[union-attr]


def _refuse_constant(name: str) -> None:
    # Python's parser takes NaN and Infinity, JSON has neither.
    raise ValueError(f"{name} is no JSON number")


def _shown(value: Any) -> str:
    return repr(value)[:80]
