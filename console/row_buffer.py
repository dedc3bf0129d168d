"""Bounded buffers of each relation's newest rows, with counts and rates."""

from __future__ import annotations

import json
import math
import re
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

#: Most rows kept per relation.
MOST_ROWS = 500
#: Most relations kept, so that a stream of random names can't fill the memory.
MOST_RELATIONS = 64
_MOST_COLUMNS = 60
_MOST_CHARACTERS = 2000
#: Most hexadecimal digits of a raw record.
_MOST_RAW = 50_000
RATE_SECONDS = 10
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z)?")


@dataclass(frozen=True)
class Row:
    """One row of a relation.

    Attributes
    ----------
    number : int
        Counts up in its relation.
    rowtime : str
        ISO time in UTC; empty if it has none.
    arrival : float
        Seconds since the epoch at which it reached the stream that it was read from.
    values : dict
    """

    number: int
    rowtime: str
    arrival: float
    values: dict[str, Any]


class RowBuffer:
    """The newest rows of one relation.

    Parameters
    ----------
    most_rows : int
        Most rows to keep; older ones are dropped.

    Attributes
    ----------
    rows : deque of Row
        Oldest first.
    total : float
        Number of rows so far. If the tap samples, a row counts for several.
    sampled : bool
        Some rows counted for several, so totals and rates are estimates.
    """

    def __init__(self, most_rows: int = MOST_ROWS) -> None:
        self.rows: deque[Row] = deque(maxlen=most_rows)
        self.total = 0.0
        self.sampled = False
        self._seconds: deque[tuple[int, float]] = deque(maxlen=RATE_SECONDS + 2)
        self._number = 0

    def add(self, values: Mapping[str, Any], rowtime: str, arrival: float, weight: float = 1.0) -> None:
        """Add a row that counts for `weight` rows."""
        self._number += 1
        self.rows.append(Row(self._number, rowtime, arrival, dict(values)))
        self.total += weight
        self.sampled = self.sampled or weight > 1
        second = int(arrival)
        if self._seconds and self._seconds[-1][0] >= second:
            self._seconds[-1] = (self._seconds[-1][0], self._seconds[-1][1] + weight)
        else:
            self._seconds.append((second, weight))

    def rate(self, now: float) -> float:
        """Rows per second over the last ten seconds."""
        return sum(weight for second, weight in self._seconds if second > now - RATE_SECONDS) / RATE_SECONDS


class RowBuffers:
    """The row buffers of one job's relations.

    Parameters
    ----------
    most_rows : int
        Most rows to keep of each relation.

    Attributes
    ----------
    unreadable : int
        Number of tap records that are not rows.
    """

    def __init__(self, most_rows: int = MOST_ROWS) -> None:
        self._most_rows = most_rows
        self.by_relation: dict[str, RowBuffer] = {}
        self.unreadable = 0

    def buffer(self, relation: str) -> RowBuffer | None:
        """The relation's buffer; None if there are too many relations."""
        if relation not in self.by_relation and len(self.by_relation) >= MOST_RELATIONS:
            return None
        return self.by_relation.setdefault(relation, RowBuffer(self._most_rows))

    def add_tapped(self, data: bytes, arrival: datetime, skip: Iterable[str] = ()) -> None:
        """Add a record of a tap stream.

        Parameters
        ----------
        data : bytes
            ``{"relation": …, "rowtime": …, "weight": …, "columns": "[…]", "data": "{…}"}``; anything else
            is counted as unreadable.
        arrival : datetime
        skip : iterable of str
            Relations that are read elsewhere.
        """
        try:
            record = json.loads(data)
            relation, row = record["relation"], json.loads(record["data"])
            weight = float(record.get("weight") or 1.0)
            if not isinstance(relation, str) or not isinstance(row, dict) or not 1 <= weight < 1e9:
                raise ValueError
        except (ValueError, TypeError, LookupError, RecursionError, AttributeError):
            self.unreadable += 1
            return
        buffer = None if relation in skip else self.buffer(relation[:128])
        if buffer:
            buffer.add(
                bounded(_in_order(row, record.get("columns"))),
                _iso(record.get("rowtime")),
                arrival.timestamp(),
                weight,
            )

    def add_error(self, data: bytes, arrival: datetime, relation: str) -> None:
        """Add a record of an error stream, with its raw record decoded."""
        try:
            row = json.loads(data)
            if not isinstance(row, dict):
                raise ValueError
        except (ValueError, RecursionError):
            self.unreadable += 1
            return
        buffer = self.buffer(relation)
        if buffer:
            shown = bounded({k: v for k, v in row.items() if k != "data_row"})
            shown["record"] = decoded(row.get("data_row"))
            buffer.add(shown, _iso(row.get("error_time")), arrival.timestamp())


def _in_order(row: Mapping[str, Any], columns: Any) -> Mapping[str, Any]:
    """A row with its relation's order of columns, as Flink writes JSON objects with sorted keys."""
    try:
        names = json.loads(columns) if isinstance(columns, str) else []
        known = [name for name in names if name in row]
    except (ValueError, TypeError, RecursionError):
        return row
    return {name: row[name] for name in (*known, *row)}


def bounded(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row small enough for the page: fewer columns, shorter texts, and nested values as JSON."""
    result: dict[str, Any] = {}
    for name, value in list(row.items())[:_MOST_COLUMNS]:
        if isinstance(value, dict | list):
            value = json.dumps(value, ensure_ascii=False)
        if isinstance(value, str) and len(value) > _MOST_CHARACTERS:
            value = value[: _MOST_CHARACTERS - 1] + "…"
        # JavaScript's integers are exact to 53 bits, and an id must not change. Its JSON has no NaN.
        if (isinstance(value, int) and abs(value) > 2**53) or (
            isinstance(value, float) and not math.isfinite(value)
        ):
            value = str(value)
        result[str(name)[:128]] = value
    return result


def decoded(data_row: Any) -> str:
    """The raw record of an error row as text; bytes that are not UTF-8 are escaped.

    Examples
    --------
    >>> decoded("6e6f206a736f6eff")
    'no json\\\\xff'
    """
    if not isinstance(data_row, str) or not data_row:
        return ""
    try:
        text = bytes.fromhex(data_row[:_MOST_RAW]).decode("utf-8", errors="backslashreplace")
    except ValueError:
        return data_row[:_MOST_CHARACTERS]
    return text if len(text) <= _MOST_CHARACTERS else text[: _MOST_CHARACTERS - 1] + "…"


def to_milliseconds(text: str) -> str:
    """A time with three digits of milliseconds, as Flink omits trailing zeros; other text is returned unchanged.

    Examples
    --------
    >>> to_milliseconds("2024-01-31 12:00:00.5"), to_milliseconds("2024-01-31T12:00:00Z"), to_milliseconds("12.5")
    ('2024-01-31 12:00:00.500', '2024-01-31T12:00:00.000Z', '12.5')
    """
    match = _MOMENT.fullmatch(text)
    return f"{match[1]}.{(match[2] or '').ljust(3, '0')}{match[3] or ''}" if match else text


def _iso(moment: Any) -> str:
    """Flink's ``2024-01-31 12:00:00.5`` in UTC as an ISO 8601 time."""
    if not isinstance(moment, str) or len(moment) > 40 or len(moment) < 19:
        return ""
    return to_milliseconds(f"{moment.replace(' ', 'T').removesuffix('Z')}Z")
