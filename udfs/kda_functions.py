"""KDA's scalar functions that Flink SQL does not have, registered by name for use in any view.

References
----------
Amazon Kinesis Data Analytics SQL reference: "Date and Time Functions", "String and Search Functions".
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_LETTERS = re.compile(r"'((?:[^']|'')*)'|([A-Za-z])\2*|(.)", re.DOTALL)


def timestamp_to_char(letters: str | None, time: datetime | None) -> str | None:
    """TIMESTAMP_TO_CHAR: format a time with Java's SimpleDateFormat letters. NULL gives the text ``null``.

    Examples
    --------
    >>> timestamp_to_char("dd/MM hh:mm:ss", datetime(2026, 3, 5, 23, 15, 30)), timestamp_to_char("u", None)
    ('05/03 11:15:30', 'null')
    """
    if letters is None:
        return None
    if time is None:
        return "null"
    return "".join(_written(m, time) for m in _LETTERS.finditer(letters))


def char_to_timestamp(letters: str | None, text: str | None) -> datetime | None:
    """CHAR_TO_TIMESTAMP: parse a time with the same letters. Parts not given default as in 1970-01-01 00:00:00.

    None for a text that does not match.

    Examples
    --------
    >>> char_to_timestamp("yyyy-MM", "2026-04"), char_to_timestamp("HH:mm", "noon")
    (datetime.datetime(2026, 4, 1, 0, 0), None)
    """
    if letters is None or text is None:
        return None
    pattern, parts = _reader(letters)
    match = pattern.match(text.strip())
    if not match:
        return None
    return _assembled({part: match.group(i + 1) for i, part in enumerate(parts)})


def regex_replace(
    text: str | None, pattern: str | None, replacement: str | None, start: int | None, occurrence: int | None
) -> str | None:
    """REGEX_REPLACE: replace one occurrence of a pattern from position `start` (from 1) on; occurrence 0: all.

    Examples
    --------
    >>> regex_replace("ab-12cd-3", "[0-9]", "#", 1, 2), regex_replace("aaa", "a", "b", 2, 0)
    ('ab-1#cd-3', 'abb')
    """
    if text is None or pattern is None or replacement is None:
        return None
    begin = max((start or 1) - 1, 0)
    found = 0

    def chosen(match: re.Match[str]) -> str:
        nonlocal found
        found += 1
        if occurrence and found != occurrence:
            return match.group()
        return re.sub(r"\$(\d)", lambda m: match.group(int(m[1])) or "", replacement)

    return text[:begin] + _compiled(pattern).sub(chosen, text[begin:])


def split(
    text: str | None, delimiter: str, place: int, escape: str | None, quote: str | None = None
) -> str | None:
    """One field of a delimited text, counted from 0. Fields may be quoted or hold escaped characters.

    Examples
    --------
    >>> [split('a;"b;c";d', ";", i, "", '"') for i in range(4)]
    ['a', 'b;c', 'd', None]
    """
    if text is None:
        return None
    fields, field, quoted, i = [], "", False, 0
    while i < len(text):
        if escape and text.startswith(escape, i) and i + len(escape) < len(text):
            i += len(escape)
            field += text[i]
        elif quote and text.startswith(quote, i):
            quoted = not quoted
            i += len(quote) - 1
        elif not quoted and text.startswith(delimiter, i):
            fields.append(field)
            field = ""
            i += len(delimiter) - 1
        else:
            field += text[i]
        i += 1
    fields.append(field)
    return fields[place] if place < len(fields) else None


#: SQL name: the function and its result type in Flink.
FUNCTIONS: dict[str, tuple[Callable[..., Any], str]] = {
    "kda_timestamp_to_char": (timestamp_to_char, "STRING"),
    "kda_char_to_timestamp": (char_to_timestamp, "TIMESTAMP(3)"),
    "kda_regex_replace": (regex_replace, "STRING"),
    "kda_split": (split, "STRING"),
}


@functools.lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _written(match: re.Match[str], time: datetime) -> str:
    if match[1] is not None:
        return match[1].replace("''", "'") or "'"
    if match[2] is None:
        return match[0]
    letter, width = match[2], len(match[0])
    hour = time.hour
    numbers = {
        "d": time.day, "D": time.timetuple().tm_yday, "H": hour, "k": hour or 24, "K": hour % 12, "h": hour % 12 or 12,
        "m": time.minute, "s": time.second, "S": time.microsecond // 1000, "u": time.isoweekday(),
        "F": (time.day - 1) // 7 + 1, "w": time.isocalendar().week,
        "W": (time.day + time.replace(day=1).weekday() - 1) // 7 + 1,
    }  # fmt: skip
    if letter in numbers:
        return str(numbers[letter]).zfill(width)
    if letter in "yY":
        year = time.year if letter == "y" else time.isocalendar().year
        return f"{year % 100:02d}" if width == 2 else str(year).zfill(width)
    if letter in "ML":
        return (
            str(time.month).zfill(width) if width < 3 else _MONTHS[time.month - 1][: None if width > 3 else 3]
        )
    if letter == "E":
        return _DAYS[time.weekday()][: None if width > 3 else 3]
    if letter in "zZX":
        return {"z": "UTC", "Z": "+0000", "X": "Z"}[letter]
    return {"a": "AM" if hour < 12 else "PM", "G": "AD"}.get(letter, match[0])


@functools.lru_cache(maxsize=256)
def _reader(letters: str) -> tuple[re.Pattern[str], tuple[str, ...]]:
    pieces, parts = [], []
    found = list(_LETTERS.finditer(letters))
    for i, match in enumerate(found):
        if match[2] is None:
            pieces.append(re.escape((match[1] or "'") if match[1] is not None else match[0]))
            continue
        letter, width = match[2], len(match[0])
        abutting = i + 1 < len(found) and found[i + 1][2] is not None
        digits = rf"\d{{{width}}}" if abutting else r"\d+"
        if letter in "yY" and width == 2:
            digits = r"\d\d"
        if letter == "E" or (letter in "ML" and width > 2):
            digits = r"[A-Za-z]+\.?"
        elif letter == "a":
            digits = r"[AaPp][Mm]"
        elif letter in "zZX":
            digits = r"[A-Za-z]+(?:/[A-Za-z_]+)?(?:[+-]\d\d:?\d\d)?|[+-]\d\d:?(?:\d\d)?"
        pieces.append(f"({'-?' if letter == 'y' and width != 2 else ''}{digits})")
        parts.append(letter + ("2" if letter in "yY" and width == 2 else ""))
    return re.compile("".join(pieces)), tuple(parts)


def _assembled(parts: dict[str, str]) -> datetime | None:
    try:
        year = int(parts.get("y") or parts.get("Y") or 1970)
        short = parts.get("y2") or parts.get("Y2")
        if short:
            year = 2000 + int(short) if int(short) < 50 else 1900 + int(short)
        month = _month(parts.get("M") or parts.get("L") or "1")
        hour = int(parts.get("H") or 0)
        if "k" in parts:
            hour = int(parts["k"]) % 24
        for letter in ("h", "K"):
            if letter in parts:
                hour = int(parts[letter]) % 12 + (12 if parts.get("a", "AM").upper() == "PM" else 0)
        moment = datetime(
            year, month, int(parts.get("d") or 1), hour, int(parts.get("m") or 0), int(parts.get("s") or 0)
        )
        if "D" in parts and "d" not in parts:
            moment = moment.replace(month=1, day=1) + timedelta(days=int(parts["D"]) - 1)
        moment += timedelta(milliseconds=int(parts.get("S") or 0))
        return moment - _offset(next((parts[z] for z in "zZX" if z in parts), ""))
    except (ValueError, OverflowError, KeyError):
        return None


def _month(text: str) -> int:
    if text.isdigit():
        return int(text)
    return 1 + next(i for i, m in enumerate(_MONTHS) if m.lower().startswith(text.lower().rstrip(".")[:3]))


def _offset(zone: str) -> timedelta:
    """A zone's offset from UTC."""
    match = re.search(r"([+-])(\d\d):?(\d\d)?$", zone)
    if match:
        minutes = int(match[2]) * 60 + int(match[3] or 0)
        return timedelta(minutes=minutes if match[1] == "+" else -minutes)
    hours = {
        "EST": -5,
        "EDT": -4,
        "CST": -6,
        "CDT": -5,
        "MST": -7,
        "MDT": -6,
        "PST": -8,
        "PDT": -7,
        "CET": 1,
        "CEST": 2,
        "JST": 9,
    }
    return timedelta(hours=hours.get(zone.upper(), 0))
