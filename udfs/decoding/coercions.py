"""KDA SQL's coercions from JSON values to SQL types.

References
----------
Kinesis Data Analytics for SQL developer guide, "Mapping streaming source elements to SQL input columns".
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Context, Decimal, InvalidOperation
from typing import Annotated, Any, NamedTuple

from msgspec import Meta

from base.errors import InvalidValue
from udfs.decoding.json_documents import Number

_INTEGERS = {"TINYINT": 8, "SMALLINT": 16, "INT": 32, "INTEGER": 32, "BIGINT": 64}
_FLOATS = {"FLOAT": 3.4028234663852886e38, "REAL": 3.4028234663852886e38, "DOUBLE": sys.float_info.max}
#: SQL's decimals have up to 38 digits; Python's default context keeps 28.
_DIGITS = Context(prec=38)
# Python's int() and float() also accept "1_000", "nan" and the digits of other scripts.
_WHOLE = re.compile(r"\s*[+-]?[0-9]+\s*")
_NUMBER = re.compile(r"\s*[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\s*")
_BINARY = re.compile(r"\s*[xX]'((?:[0-9a-fA-F]{2})*)'\s*")


class CoercionError(ValueError):
    """A value that does not fit its column's type."""


class Coercion(NamedTuple):
    """How JSON values become values of a SQL type.

    ``coerce`` takes any value but None and raises :class:`CoercionError` if it does not fit. A value is a string, a
    boolean, a number (as written: :class:`~udfs.decoding.json_documents.Number`, or as msgspec reads it), an array or
    an object; a text column gets arrays and objects as their source text. ``plain`` is a msgspec type whose values
    ``coerce`` leaves unchanged, except values of the class ``but``.
    """

    coerce: Callable[[Any], Any]
    plain: Any
    but: type | None = None


def coercion(type_: str) -> Coercion:
    """The coercion for a SQL type; ValueError for a type that is not supported."""
    match = re.fullmatch(r"\s*(\w+)\s*(?:\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\))?\s*", type_.upper())
    name = match.group(1) if match else ""
    sizes = [int(n) for n in (match.groups()[1:] if match else ()) if n]
    length = sizes[0] if sizes else None
    if is_text(type_):
        return Coercion(_text(length), Annotated[str, Meta(max_length=length)])
    if name in _INTEGERS:
        low, high = -(2 ** (_INTEGERS[name] - 1)), 2 ** (_INTEGERS[name] - 1) - 1
        return Coercion(_integer(low, high), Annotated[int, Meta(ge=low, le=high)] | str, but=str)
    if name in _FLOATS:
        limit = _FLOATS[name]
        return Coercion(_float(limit), Annotated[float, Meta(ge=-limit, le=limit)] | str, but=str)
    if name in ("DECIMAL", "DEC", "NUMERIC"):
        # Any, so that the fast path gets the number as it is written.
        return Coercion(_decimal(*(sizes or [10])), Any, but=object)
    if name == "BOOLEAN":
        return Coercion(_boolean, bool)
    if name.startswith("TIMESTAMP"):
        return Coercion(_moment, str, but=str)
    if name == "DATE":
        return Coercion(_date, str, but=str)
    if name == "TIME":
        return Coercion(_time, str, but=str)
    if name in ("BINARY", "VARBINARY", "BYTES"):
        fixed, most = name == "BINARY", None if name == "BYTES" else length or 1
        return Coercion(_bytes(fixed, most), str, but=str)
    raise InvalidValue(
        f"type {type_}: required VARCHAR, BOOLEAN, an integer, FLOAT, DOUBLE, DECIMAL, DATE, TIME, TIMESTAMP or "
        "VARBINARY"
    )


def is_text(type_: str) -> bool:
    """Whether a SQL type is a character type."""
    return re.match(r"\s*(VARCHAR|CHAR|CHARACTER|STRING)\b", type_.upper()) is not None


def is_number(text: str) -> bool:
    """Whether a text is a number, in decimal or with an exponent."""
    return _NUMBER.fullmatch(text) is not None


def _text(length: int | None) -> Callable[[Any], str]:
    def coerce(value: Any) -> str:
        text = value if type(value) is str else _as_written(value)
        try:
            # A lone surrogate ("\ud800") is legal in JSON but is not a character: UTF-8 can't encode it.
            if not text.isascii():
                text.encode("utf-8")
        except UnicodeEncodeError:
            raise CoercionError("characters that UTF-8 can encode") from None
        return text[:length]

    return coerce


def _as_written(value: Any) -> str:
    return ("false", "true")[value] if isinstance(value, bool) else str(value)


def _integer(low: int, high: int) -> Callable[[Any], int]:
    what = f"a whole number between {low} and {high}"

    def coerce(value: Any) -> int:
        number: int | Decimal
        try:
            number = (
                int(value)
                if isinstance(value, str) and value.isdecimal() and value.isascii()
                else _exact(value)
            )
        except (ValueError, InvalidOperation):
            raise CoercionError(what) from None
        if not low <= number <= high or number != int(number):
            raise CoercionError(what)
        return int(number)

    return coerce


def _is_whole(value: Any) -> bool:
    return isinstance(value, str) and _WHOLE.fullmatch(value) is not None


def _exact(value: Any) -> Decimal:
    """A number, a numeric text, or a boolean as 1 or 0; ValueError for others, InvalidOperation for a huge exponent."""
    if isinstance(value, int):
        return Decimal(int(value))
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return Decimal(value.strip())
    raise ValueError("not a number")


def _float(limit: float) -> Callable[[Any], float]:
    def coerce(value: Any) -> float:
        if not (isinstance(value, int) or (isinstance(value, str) and _NUMBER.fullmatch(value))):
            raise CoercionError("a number")
        number = float(value)
        if not math.isfinite(number) or abs(number) > limit:
            raise CoercionError("a finite number")
        # "-0" is an integer, and integers have no negative zero.
        return number if number or not _is_whole(value) else 0.0

    return coerce


def _decimal(precision: int, scale: int = 0) -> Callable[[Any], Decimal]:
    what = f"a number of at most {precision} digits, {scale} of them after the decimal point"

    def coerce(value: Any) -> Decimal:
        try:
            number = _exact(value).quantize(Decimal(1).scaleb(-scale), context=_DIGITS)
        except (ValueError, InvalidOperation):
            raise CoercionError(what) from None
        if len(number.as_tuple().digits) > precision:
            raise CoercionError(what)
        # SQL has no negative zero.
        return number if number else abs(number)

    return coerce


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, Number):
        # Zero may be written 0, -0, 0.00 or 0e5: only zeros before the exponent.
        return any(c in "123456789" for c in re.split("[eE]", value)[0])
    if isinstance(value, str):
        return value.strip().lower() == "true"
    raise CoercionError("a boolean, a number or a string")


def _moment(value: Any) -> datetime:
    what = "a time like 2024-01-31T12:00:00.000Z"
    if not isinstance(value, str) or isinstance(value, Number):
        raise CoercionError(what)
    try:
        moment = datetime.fromisoformat(value.strip())
        if moment.tzinfo is not None:
            moment = moment.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        raise CoercionError(what) from None
    return moment


def _date(value: Any) -> date:
    try:
        return _moment(value).date()
    except CoercionError:
        raise CoercionError("a date like 2024-01-31") from None


def _time(value: Any) -> time:
    what = "a time of day like 12:00:00"
    if not isinstance(value, str) or isinstance(value, Number):
        raise CoercionError(what)
    try:
        of_day = time.fromisoformat(value.strip())
    except ValueError:
        raise CoercionError(what) from None
    if of_day.tzinfo is not None:
        raise CoercionError(f"{what}, without a zone")
    return of_day


def _bytes(fixed: bool, most: int | None) -> Callable[[Any], bytes]:
    what = "a binary literal like X'3F67'" + (
        "" if most is None else f" of {'' if fixed else 'at most '}{most} bytes"
    )

    def coerce(value: Any) -> bytes:
        if isinstance(value, bool):
            return bytes([value]).rjust(most if fixed and most else 1, b"\0")
        literal = (
            None if isinstance(value, Number) or not isinstance(value, str) else _BINARY.fullmatch(value)
        )
        found = bytes.fromhex(literal[1]) if literal else b""
        fits = most is None or (len(found) == most if fixed else len(found) <= most)
        if literal is None or not fits:
            raise CoercionError(what)
        return found

    return coerce
