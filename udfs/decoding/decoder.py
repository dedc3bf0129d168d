"""Decode records to typed columns with KDA SQL's coercions; what does not fit is reported, never dropped.

A Kinesis record may hold several JSON documents, with or without newlines between them, or several rows of separated
values; it may be gzip, or aggregated by the Kinesis Producer Library. Each row becomes one :class:`Decoded`, either
with values or with an error. One bad row does not stop the others of its record from being read. A record gives at
least one row, unless the arrays at its row path are empty.

References
----------
Kinesis Data Analytics for SQL developer guide, "Mapping streaming source elements to SQL input columns".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from base.errors import InvalidValue
from udfs.decoding.coercions import CoercionError, coercion, is_number, is_text
from udfs.decoding.columns import Column
from udfs.decoding.json_documents import Document, Number, documents, source_text
from udfs.decoding.plain_records import plain_reader
from udfs.decoding.record_envelope import EnvelopeError, is_wrapped, unwrapped
from udfs.decoding.record_format import JSON, RecordFormat
from udfs.decoding.refused import Decoded, Refused, error_row
from udfs.decoding.separated_values import line_reader

#: Errors reported per record. A megabyte of ``1 1 1 …`` would otherwise give half a million error rows.
MAX_ERRORS = 10
#: A byte that is not UTF-8, as Python's ``surrogateescape`` decodes it.
_NO_UTF8 = re.compile("[\udc80-\udcff]")


class RecordDecoder:
    """Turns the bytes of a record into rows of typed columns.

    Parameters
    ----------
    columns : sequence of Column
        What to take from each row. Metadata columns (``@arrival`` and the like) are not allowed.
    record_format : RecordFormat
        How records are laid out.

    Raises
    ------
    ValueError
        For columns that flatten different arrays (each element of one array is a row), and for a metadata column.

    Examples
    --------
    >>> decoder = RecordDecoder([Column("price", "DOUBLE", "$.price"), Column("symbol", "VARCHAR(2)", "$.s")])
    >>> [row.values for row in decoder.decode(b'{"price": 1, "s": "ABC"} {"s": "D"}')]
    [(1.0, 'AB'), (None, 'D')]
    >>> next(decoder.decode(b'{"price": "much"}')).message
    "column price DOUBLE: required a number, got 'much'"
    """

    def __init__(self, columns: Sequence[Column], record_format: RecordFormat = JSON) -> None:
        for column in columns:
            if column.metadata:
                raise InvalidValue(f"column {column.name}: {column.path} is metadata, not in the record")
        arrays = (
            sorted({c.array for c in columns if c.array is not None}) if record_format.kind == "json" else []
        )
        if len(arrays) > 1:
            shown = " and ".join(".".join(("$", *array)) for array in arrays)
            raise InvalidValue(
                f"columns: required paths through one array at most ([0:] and a name), got {shown}"
            )
        self._format = record_format
        self._array = arrays[0] if arrays else None
        self._columns = [(c, c.steps, coercion(c.type).coerce) for c in columns]
        self._row_is_document = record_format == JSON and self._array is None
        self._plain = plain_reader(columns) if self._row_is_document else None
        self._lines = line_reader(record_format.column_delimiter, record_format.row_delimiter)
        self._places = [int(c.path) if c.path.isdecimal() else k for k, c in enumerate(columns)]

    def plain(self, data: bytes | None) -> tuple[Any, ...] | None:
        """The values of a record that is one document and fits its columns directly, as most do; else None.

        The values are the same as :meth:`decode` gives, in a tenth of the time.
        """
        if self._plain is None or data is None:
            return None
        try:
            return self._plain(data)
        except (ValueError, RecursionError):
            return None

    def decode(self, data: bytes | None) -> Iterator[Decoded]:
        """Yield the rows of ``data``, and an error row for what can't be read or does not fit; nothing for None.

        After ``MAX_ERRORS`` errors the rest are not reported; the last one says how many more there are.
        """
        if data is None:
            return
        errors, last = 0, None
        for row, record in self._rows(bytes(data)):
            if isinstance(row, Decoded):
                yield row
                continue
            errors += 1
            if errors < MAX_ERRORS:
                yield error_row(row, record)
            elif last is None:
                last = row, record
        if last is not None:
            more = f" (and {errors - MAX_ERRORS} more errors in this record)" if errors > MAX_ERRORS else ""
            yield error_row(*last, more)

    def _rows(self, data: bytes) -> Iterator[tuple[Decoded | Refused, bytes]]:
        if not is_wrapped(data):
            for row in self._of_text(data):
                yield row, data
            return
        try:
            for record in unwrapped(data):
                yield from ((row, record) for row in self._of_text(record))
        except EnvelopeError as e:
            yield Refused(e.name, str(e)), data

    def _of_text(self, data: bytes) -> Iterator[Decoded | Refused]:
        text = data.decode("utf-8", "surrogateescape")
        if not text.strip().strip("\ufeff"):
            yield Refused("EMPTY_RECORD", f"record: required {self._what}, got an empty record")
            return
        broken = not text.isascii() and _NO_UTF8.search(text) is not None
        for part in (
            documents(text) if self._format.kind == "json" else self._lines(text.removeprefix("\ufeff"))
        ):
            if broken and (byte := _NO_UTF8.search(text, part.start, part.stop)):
                number = ord(byte[0]) - 0xDC00
                message = f"record: required UTF-8, got byte {number:#04x} after {byte.start()} characters"
                yield Refused("INVALID_UTF8", message, part.start, part.stop)
            elif isinstance(part, Document):
                yield from self._of_document(part, text)
            elif part.values is None:
                yield Refused("INVALID_CSV", f"record: {part.reason}", part.start, part.stop)
            else:
                yield self._of_line(part.values, part.start, part.stop)

    @property
    def _what(self) -> str:
        if self._format.kind == "csv":
            return "separated values"
        return "a JSON array" if self._format.row_path == "$[0:]" else "a JSON object"

    def _of_document(self, document: Document, text: str) -> Iterator[Decoded | Refused]:
        span = document.start, document.stop
        if document.reason:
            shown = text[document.start : min(document.stop, document.start + 40)].rstrip()
            message = f"record: required {self._what}, got {shown!r}: {document.reason}"
            yield Refused("INVALID_JSON", message, *span)
            return
        try:
            if self._row_is_document:  # the usual case, in half the time
                yield self._of_row(document.value, (), None, document, text)
                return
            for row, trail, element in self._rows_of(document.value):
                yield self._of_row(row, trail, element, document, text)
        except CoercionError as e:
            yield Refused("INVALID_JSON", str(e), *span)
        except RecursionError:
            # A document just within the nesting limit can be read but not shown.
            yield Refused("INVALID_JSON", "record: nested too deeply", *span)

    def _rows_of(self, document: Any) -> Iterator[tuple[Any, tuple[str | int, ...], tuple[Any, int] | None]]:
        """The rows in a document, each with its path and, if an array is flattened, an element and its index."""
        steps = self._format.row_steps
        found = _at(document, steps)
        rows: list[tuple[Any, tuple[str | int, ...]]] = [(found, steps)]
        if self._format.rows_are_elements:
            if not isinstance(found, list):
                raise CoercionError(
                    f"record: required an array at {self._format.row_path}, got {_kind(found)}"
                )
            rows = [(row, (*steps, k)) for k, row in enumerate(found)]
        for row, trail in rows:
            if self._array is None:
                yield row, trail, None
                continue
            elements = _at(row, self._array)
            # A missing or empty array still gives one row.
            for k, element in enumerate(elements if isinstance(elements, list) and elements else [None]):
                yield row, trail, (element, k)

    def _of_row(
        self,
        row: Any,
        trail: tuple[str | int, ...],
        element: tuple[Any, int] | None,
        document: Document,
        text: str,
    ) -> Decoded | Refused:
        if not isinstance(row, dict) and self._array != ():
            hint = (
                ": its elements are rows with the row path $[0:]"
                if isinstance(row, list) and not trail
                else ""
            )
            where = "" if not trail else f" at {self._format.row_path}"
            message = f"record: required a JSON object{where}, got {_kind(row)}{hint}"
            return Refused("INVALID_JSON", message, document.start, document.stop)
        values: list[Any] = []
        for column, steps, coerce in self._columns:
            inside = element and column.array is not None
            value = element[0] if element and inside else row
            for step in steps:
                value = value.get(step) if isinstance(value, dict) else None
            try:
                if value is None:
                    if column.required:
                        raise CoercionError("a value")
                    values.append(None)
                    continue
                if isinstance(value, (dict, list)) and is_text(column.type):
                    way = (*trail, *(self._array or ()), element[1]) if element and inside else trail
                    value = source_text(text, document.start, (*way, *steps))
                values.append(coerce(value))
            except CoercionError as e:
                return Refused("COERCION", _misfit(column, e, value), document.start, document.stop)
        return Decoded(tuple(values))

    def _of_line(self, line: Sequence[str | None], start: int, stop: int) -> Decoded | Refused:
        values = []
        for (column, _, coerce), place in zip(self._columns, self._places, strict=True):
            if place >= len(line):
                required = f"a value for column {column.name} at position {place}"
                message = f"record: required {required}, got {len(line)} values"
                return Refused("INVALID_CSV", message, start, stop)
            value = line[place]
            if value is not None and column.type.upper() == "BOOLEAN" and is_number(value):
                value = Number(value)  # all separated values are text
            try:
                if value is None and column.required:
                    raise CoercionError("a value")
                values.append(None if value is None else coerce(value))
            except CoercionError as e:
                return Refused("COERCION", _misfit(column, e, value), start, stop)
        return Decoded(tuple(values))


def late_record(data: bytes, arrival: int, counted: int, counts: bool = True) -> Decoded:
    """The error row for a record that came later than the watermark; times in milliseconds since the epoch."""
    name, then = (
        ("LATE_RECORD", "it counts at data_rowtime") if counts else ("LATE_DROPPED", "it does not count")
    )
    late = (counted - arrival) / 1000
    return error_row(Refused(name, f"record: {late:.3f} s behind the watermark; {then}"), data)


def _misfit(column: Column, required: CoercionError, value: Any) -> str:
    shown = str(value) if isinstance(value, Number) else repr(value)
    return f"column {column.name} {column.type}: required {required}, got {shown[:80]}"


def _at(value: Any, steps: Sequence[str]) -> Any:
    for step in steps:
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _kind(value: Any) -> str:
    kinds = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", Number: "a number"}
    return kinds.get(type(value), "nothing")
