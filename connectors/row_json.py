"""A row's values as JSON, in the form that KDA's destinations sent them."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

_EPOCH = datetime(1970, 1, 1)
_text: Callable[[str], str] = json.encoder.encode_basestring


def object_json(names: tuple[str, ...], values: Any) -> bytes:
    """One JSON object in UTF-8, with the names as keys, in their order.

    Parameters
    ----------
    names : tuple of str
        Column names; their case is kept.
    values : sequence
        One value for each name: a Flink row, a list or a tuple.

    Notes
    -----
    NULL, NaN and the infinities are ``null``, as JSON has no numbers for them. TIMESTAMP and TIMESTAMP_LTZ
    (in UTC) are ``YYYY-MM-DD HH:MM:SS.mmm`` as KDA wrote them; DATE and TIME are ISO. DECIMAL is a number
    with all its digits, BYTES are base64 as in Flink's own JSON. Half of a surrogate pair, which UTF-8 can't
    encode, becomes ``?``.

    Examples
    --------
    >>> object_json(("site", "rate"), ("a", 3.5))
    b'{"site":"a","rate":3.5}'
    """
    fields = [start + value_json(value) for start, value in zip(_starts(names), values, strict=True)]
    return f"{{{','.join(fields)}}}".encode("utf-8", "replace")


@lru_cache(maxsize=64)
def _starts(names: tuple[str, ...]) -> list[str]:
    return [f"{_text(name)}:" for name in names]


def value_json(value: Any) -> str:
    """The JSON of one value.

    Raises
    ------
    TypeError
        When the value's type is not that of any SQL type.
    """
    writer = _WRITERS.get(type(value))
    if writer is not None:
        return writer(value)
    if hasattr(value, "nanos"):  # Flink's Instant, which this module need not import
        return f'"{_second(value.seconds)}.{value.nanos // 1_000_000:03}"'
    if hasattr(value, "as_dict"):  # Flink's Row
        return _object(value.as_dict()) if getattr(value, "_fields", None) else _array(value)
    if hasattr(value, "getClass"):  # a Java object, in thread mode
        return _java(value)
    if isinstance(value, Mapping):
        return _object(value)
    if isinstance(value, list | tuple):
        return _array(value)
    raise TypeError(f"lambda_sink: a column must be of a SQL type, got {type(value).__name__}")


@lru_cache(maxsize=1024)
def _second(seconds: int) -> str:
    return (_EPOCH + timedelta(seconds=seconds)).isoformat(" ")


def _java(value: Any) -> str:
    kind = value.getClass().getName()
    if kind == "java.time.Instant":
        return _timestamp(_EPOCH + timedelta(milliseconds=value.toEpochMilli()))
    if kind == "java.time.LocalDateTime":
        return _timestamp(datetime.fromisoformat(value.toString()[:26]))
    if kind == "java.time.LocalDate":
        return value_json(date.fromisoformat(value.toString()))
    if kind == "java.time.LocalTime":
        return value_json(time.fromisoformat(value.toString()[:15]))
    raise TypeError(f"lambda_sink: a column must be of a SQL type, got {kind}")


def _float(value: float) -> str:
    return repr(value) if math.isfinite(value) else "null"


def _decimal(value: Decimal) -> str:
    return format(value, "f") if value.is_finite() else "null"


def _timestamp(value: datetime) -> str:
    return f'"{value.isoformat(" ", "milliseconds")}"'


def _bytes(value: bytes) -> str:
    return f'"{base64.b64encode(value).decode("ascii")}"'


def _array(values: Any) -> str:
    return "[" + ",".join(value_json(value) for value in values) + "]"


def _object(values: Mapping[Any, Any]) -> str:
    # A MAP's key may be a number or a time; a JSON key is always text.
    pairs = (
        (key if isinstance(key, str) else value_json(key).strip('"'), value) for key, value in values.items()
    )
    return "{" + ",".join(f"{_text(key)}:{value_json(value)}" for key, value in pairs) + "}"


_WRITERS: dict[type, Callable[[Any], str]] = {
    str: _text,
    int: repr,
    float: _float,
    bool: lambda value: "true" if value else "false",
    type(None): lambda value: "null",
    Decimal: _decimal,
    datetime: _timestamp,
    date: lambda value: f'"{value.isoformat()}"',
    time: lambda value: f'"{value.isoformat("milliseconds" if value.microsecond else "seconds")}"',
    bytes: _bytes,
    bytearray: _bytes,
}
