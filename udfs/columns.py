"""Typed columns, and the coercions by which KDA SQL made JSON values fit them.

References
----------
Kinesis Data Analytics for SQL developer guide, "Mapping streaming source elements to SQL input columns".
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Context, Decimal, InvalidOperation
from typing import Annotated, Any, NamedTuple

from msgspec import Meta

_INTEGERS = {"TINYINT": 8, "SMALLINT": 16, "INT": 32, "INTEGER": 32, "BIGINT": 64}
_FLOATS = {"FLOAT": 3.4028234663852886e38, "REAL": 3.4028234663852886e38, "DOUBLE": sys.float_info.max}
#: As many digits as SQL knows; by itself Python's arithmetic keeps 28.
_DIGITS = Context(prec=38)
_PATH = re.compile(r"\$(\.[^.\[\]]+)+")


class CoercionError(ValueError):
    """A value that does not fit its column's type."""


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
        coercion(self.type)

    @property
    def steps(self) -> list[str]:
        """The path's names, outermost first."""
        return self.path[2:].split(".")


class Coercion(NamedTuple):
    """How JSON values become values of a SQL type.

    ``coerce`` takes a value, not None, and raises :class:`CoercionError` when it does not fit. Of the values of type
    ``plain``, in msgspec's terms, it changes none but those of the class ``but``.
    """

    coerce: Callable[[Any], Any]
    plain: Any
    but: type | None = None


def coercion(type_: str) -> Coercion:
    """What a SQL type asks of JSON values; ValueError for a type that no column can have."""
    match = re.fullmatch(r"\s*(\w+)\s*(?:\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\))?\s*", type_.upper())
    name = match.group(1) if match else ""
    sizes = [int(n) for n in (match.groups()[1:] if match else ()) if n]
    if name in ("VARCHAR", "CHAR", "STRING"):
        length = sizes[0] if sizes else None
        return Coercion(_text(length), Annotated[str, Meta(max_length=length)])
    if name in _INTEGERS:
        low, high = -(2 ** (_INTEGERS[name] - 1)), 2 ** (_INTEGERS[name] - 1) - 1
        return Coercion(_integer(low, high), Annotated[int, Meta(ge=low, le=high)] | str, but=str)
    if name in _FLOATS:
        limit = _FLOATS[name]
        return Coercion(_float(limit), Annotated[float, Meta(ge=-limit, le=limit)] | str, but=str)
    if name == "DECIMAL":
        return Coercion(_decimal(*(sizes or [10])), int | float | str, but=object)
    if name == "BOOLEAN":
        return Coercion(_boolean, bool)
    if name.startswith("TIMESTAMP"):
        return Coercion(_timestamp, str, but=str)
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


def _integer(low: int, high: int) -> Callable[[Any], int]:
    what = f"a whole number between {low} and {high}"

    def coerce(value: Any) -> int:
        number = _number(value, what)
        if not low <= number <= high or number != int(number):
            raise CoercionError(what)
        return int(number)

    return coerce


def _float(limit: float) -> Callable[[Any], float]:
    def coerce(value: Any) -> float:
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
            number = (
                exact.quantize(Decimal(1).scaleb(-scale), context=_DIGITS) if exact.is_finite() else exact
            )
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
