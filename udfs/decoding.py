"""Records to typed columns, with the coercions that KDA SQL applied; what does not fit is told, never dropped.

A Kinesis record may hold several JSON documents, with or without newlines between them. Each becomes one
:class:`Decoded`, either with values or with an error; so one record in gives at least one row out.

References
----------
Kinesis Data Analytics for SQL developer guide, "Mapping streaming source elements to SQL input columns".
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

#: KDA's error_stream cuts the hexadecimal raw record at VARCHAR(49152), the message at VARCHAR(4096).
MAX_DATA_ROW = 49152
MAX_MESSAGE = 4096
#: Errors told of one record: a megabyte of ``1 1 1 …`` would else be half a million rows of raw bytes.
MAX_ERRORS = 10

_INTEGERS = {"TINYINT": 8, "SMALLINT": 16, "INT": 32, "INTEGER": 32, "BIGINT": 64}
_FLOATS = {"FLOAT": 3.4028234663852886e38, "REAL": 3.4028234663852886e38, "DOUBLE": sys.float_info.max}
_PATH = re.compile(r"\$(\.[^.\[\]]+)+")


class CoercionError(ValueError):
    """A value that does not fit its column's type."""


class Decoded(NamedTuple):
    """One document of a record: its column values, or why it has none.

    ``data_row`` is the raw record in hexadecimal, only where there is an error.
    """

    values: tuple[Any, ...] | None
    error_name: str | None = None
    message: str | None = None
    data_row: str | None = None


@dataclass(frozen=True)
class Column:
    """A column to fill from a record.

    Parameters
    ----------
    name : str
        The column's name in SQL.
    type : str
        A Flink SQL type: ``VARCHAR(n)``, ``STRING``, ``BOOLEAN``, ``TINYINT`` … ``BIGINT``, ``FLOAT``,
        ``DOUBLE``, ``DECIMAL(p, s)`` or ``TIMESTAMP(p)``.
    path : str
        Where the value stands in the document, as ``$.name`` or ``$.outer.inner``.
    required : bool
        Whether a document without a value is an error; otherwise the column is None there, as in KDA.

    Raises
    ------
    ValueError
        For a type or a path that is not of these forms.
    """

    name: str
    type: str
    path: str
    required: bool = False

    def __post_init__(self) -> None:
        if not _PATH.fullmatch(self.path):
            raise ValueError(
                f"column {self.name}: the record path must look like $.a or $.a.b, got {self.path!r}"
            )
        _coercion(self.type)


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
        self._columns = [(c, c.path[2:].split("."), _coercion(c.type)) for c in columns]
        self._scan = json.JSONDecoder(parse_constant=_refuse_constant).raw_decode

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


def _coercion(type_: str) -> Callable[[Any], Any]:
    """The function that turns a JSON value into a value of the SQL type."""
    match = re.fullmatch(r"\s*(\w+)\s*(?:\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\))?\s*", type_.upper())
    name = match.group(1) if match else ""
    sizes = [int(n) for n in (match.groups()[1:] if match else ()) if n]
    if name in ("VARCHAR", "CHAR", "STRING"):
        return _text(sizes[0] if sizes else None)
    if name in _INTEGERS:
        return _integer(_INTEGERS[name])
    if name in _FLOATS:
        return _float(_FLOATS[name])
    if name == "DECIMAL":
        return _decimal(*(sizes or [10]))
    if name == "BOOLEAN":
        return _boolean
    if name.startswith("TIMESTAMP"):
        return _timestamp
    raise ValueError(
        f"type {type_}: required VARCHAR, BOOLEAN, an integer, FLOAT, DOUBLE, DECIMAL or TIMESTAMP"
    )


def _text(length: int | None) -> Callable[[Any], str]:
    def coerce(value: Any) -> str:
        text = (
            value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)
        )
        try:
            # A lone surrogate ("\ud800") is legal in JSON text but no character: it can't leave as UTF-8.
            if not text.isascii():
                text.encode("utf-8")
        except UnicodeEncodeError:
            raise CoercionError("characters that UTF-8 can carry") from None
        return text[:length]

    return coerce


def _number(value: Any, what: str) -> int | float:
    if isinstance(value, str):
        try:
            value = int(value) if re.fullmatch(r"\s*[+-]?\d{1,40}\s*", value) else float(value)
        except ValueError:
            raise CoercionError(what) from None
    if isinstance(value, bool):
        return int(value)
    # A tuple, as `int | float` would be made anew for each value.
    if not isinstance(value, (int, float)):
        raise CoercionError(what)
    return value


def _integer(bits: int) -> Callable[[Any], int]:
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    what = f"a whole number between {low} and {high}"

    def coerce(value: Any) -> int:
        if type(value) is int and low <= value <= high:  # nearly always
            return value
        number = _number(value, what)
        if not low <= number <= high or number != int(number):
            raise CoercionError(what)
        return int(number)

    return coerce


def _float(limit: float) -> Callable[[Any], float]:
    def coerce(value: Any) -> float:
        if type(value) is float and -limit <= value <= limit:  # nearly always
            return value
        try:
            number = float(_number(value, "a number"))
        except OverflowError:
            raise CoercionError("a finite number") from None
        if not math.isfinite(number) or abs(number) > limit:
            raise CoercionError("a finite number")
        return number

    return coerce


def _decimal(precision: int, scale: int = 0) -> Callable[[Any], Decimal]:
    what = f"a number of at most {precision} digits, {scale} of them behind the point"

    def coerce(value: Any) -> Decimal:
        try:
            exact = Decimal(value.strip() if isinstance(value, str) else repr(_number(value, what)))
            number = exact.quantize(Decimal(1).scaleb(-scale)) if exact.is_finite() else exact
        except InvalidOperation:
            raise CoercionError(what) from None
        if not number.is_finite() or len(number.as_tuple().digits) > precision:
            raise CoercionError(what)
        return number

    return coerce


def _boolean(value: Any) -> bool:
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    if isinstance(value, bool) or value in (0, 1):
        return bool(value)
    raise CoercionError("true or false")


def _timestamp(value: Any) -> datetime:
    what = "a time like 2024-01-31T12:00:00.000Z"
    if not isinstance(value, str):
        raise CoercionError(what)
    try:
        moment = datetime.fromisoformat(value.strip())
        if moment.tzinfo is not None:
            moment = moment.astimezone(timezone(timedelta(0))).replace(tzinfo=None)
    except (ValueError, OverflowError):
        raise CoercionError(what) from None
    return moment
