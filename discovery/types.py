"""Proposes a column's type from sampled values, wide enough for likely later values."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any

from udfs.decoding.json_documents import Number

#: Fewer whole numbers than this don't make an integer column: a price list may start with round prices.
FEW = 20
_EXACT_IN_DOUBLE = 2**53
_ISO = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?")
_DIGITS = re.compile(r"[+-]?[0-9]{1,40}")
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")
#: Numbers of this many characters or more don't count for DECIMAL.
_LONGEST_DECIMAL = 45
_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?")
# Unit, least value (2001), and digits after the decimal point of a second; the greatest value is in 2099.
_EPOCHS = (
    ("seconds", 1e9, 0),
    ("milliseconds", 1e12, 3),
    ("microseconds", 1e15, 6),
    ("nanoseconds", 1e18, 9),
)
_LATEST_EPOCH = 4.102
#: Formats of time that SQL must convert: strptime's pattern and Flink's.
_FORMS = (
    ("%d/%b/%Y:%H:%M:%S %z", "dd/MMM/yyyy:HH:mm:ss Z"),
    ("%Y/%m/%d %H:%M:%S", "yyyy/MM/dd HH:mm:ss"),
    ("%m/%d/%Y %H:%M:%S", "MM/dd/yyyy HH:mm:ss"),
    ("%d.%m.%Y %H:%M:%S", "dd.MM.yyyy HH:mm:ss"),
)


@dataclass(frozen=True)
class Proposal:
    """A proposed type.

    Attributes
    ----------
    type : str
        SQL type.
    present : int
        Values that are not NULL.
    longest : int
        Characters of the longest text; 0 for other types.
    note : str
        Hint for the user; may be empty.
    """

    type: str
    present: int
    longest: int = 0
    note: str = ""


def propose(values: Sequence[Any], *, all_text: bool = False) -> Proposal:
    """Propose a column's type.

    Parameters
    ----------
    values : sequence
        Values from JSON; None if missing.
    all_text : bool
        Whether the format has only text, so that a text of digits counts as a number.

    Examples
    --------
    >>> propose([100, 99.5]).type, propose([1, 2]).type, propose(list(range(50))).type, propose(["a", 1]).type
    ('DOUBLE', 'DOUBLE', 'BIGINT', 'STRING')
    """
    found = [value for value in values if value is not None]
    digits = _lost_digits(found)
    found = [_value(value) for value in found]
    if not found:
        return Proposal("STRING", 0, note="only NULL in the sample: the type is unknown")
    if all(isinstance(value, bool) for value in found):
        return Proposal("BOOLEAN", len(found))
    if all(isinstance(value, str) for value in found):
        return _of_texts(found, numbers=all_text)
    if any(isinstance(value, dict | list) for value in found):
        kinds = sorted({_kind(value) for value in found})
        return Proposal("STRING", len(found), _longest(found), f"{' and '.join(kinds)}: as JSON text")
    if all(isinstance(value, bool | int | float) or _is_number(value) for value in found):
        return digits or _of_numbers(found)
    kinds = [f"{sum(_kind(v) == k for v in found)} {k}" for k in sorted({_kind(v) for v in found})]
    return Proposal("STRING", len(found), _longest(found), f"mixed: {', '.join(kinds)}; as text")


def _value(written: Any) -> Any:
    """A record's number as a Python number; other values are returned unchanged."""
    if not isinstance(written, Number):
        return written
    return int(written) if re.fullmatch(r"-?\d{1,4000}", written) else float(written)


def _lost_digits(found: Sequence[Any]) -> Proposal | None:
    """DECIMAL if a number has more digits than a DOUBLE, else None."""
    written = [
        Decimal(value) for value in found if isinstance(value, Number) and len(value) < _LONGEST_DECIMAL
    ]
    if not any(math.isfinite(float(n)) and n != Decimal(repr(float(n))) and n != int(n) for n in written):
        return None
    scale = max(-int(number.as_tuple().exponent) for number in written)
    before = max(number.adjusted() + 1 for number in written)
    if scale + max(before, 1) > 38:
        return None
    note = "more digits than DOUBLE has"
    return Proposal(f"DECIMAL(38, {scale})", len(found), note=note)


def _of_numbers(found: Sequence[Any]) -> Proposal:
    as_text = sum(isinstance(value, str) for value in found)
    truths = sum(isinstance(value, bool) for value in found)
    notes = [f"{as_text} of them as text"] if as_text else []
    notes += [f"{truths} of them true or false: 1 or 0"] if truths else []
    whole = [_whole(value) for value in found]
    if any(number is None for number in whole):
        return Proposal("DOUBLE", len(found), note="; ".join(notes))
    numbers = [number for number in whole if number is not None]
    largest = max(abs(number) for number in numbers)
    if epoch := _epoch(numbers):
        return Proposal("BIGINT", len(found), note="; ".join([*notes, epoch]))
    if largest >= 2**63:
        digits = len(str(largest))
        type_ = "DECIMAL(38, 0)" if digits <= 38 else "STRING"
        return Proposal(type_, len(found), digits if type_ == "STRING" else 0, "larger than BIGINT holds")
    if len(numbers) < FEW and largest < _EXACT_IN_DOUBLE:
        notes.append(f"whole numbers in only {len(numbers)} samples: DOUBLE takes fractions too")
        return Proposal("DOUBLE", len(found), note="; ".join(notes))
    if largest < 2**31:
        notes.append("all samples would fit INTEGER")
    return Proposal("BIGINT", len(found), note="; ".join(notes))


def _of_texts(found: Sequence[str], *, numbers: bool) -> Proposal:
    digits = [int(value) for value in found if _DIGITS.fullmatch(value.strip())]
    if len(digits) == len(found) and (epoch := _epoch(digits)):
        return Proposal("BIGINT", len(found), note=f"as text; {epoch}")
    if numbers and all(_is_number(value) and not _has_leading_zero(value) for value in found):
        return _of_numbers([_number(value) for value in found])
    if numbers and all(value.strip().lower() in ("true", "false") for value in found):
        return Proposal("BOOLEAN", len(found))
    if all(_is_iso(value) for value in found):
        fractions = max(len((re.search(r"\.(\d+)", value) or ["", ""])[1]) for value in found)
        zones = sum(bool(re.search(r"(Z|[+-]\d\d:?\d\d)$", value.strip()[10:])) for value in found)
        note = "" if zones == len(found) else "without zone: taken as UTC"
        note = (
            f"{zones} of {len(found)} with zone, the others are taken as UTC"
            if 0 < zones < len(found)
            else note
        )
        return Proposal(f"TIMESTAMP({3 if fractions <= 3 else 6})", len(found), note=note)
    if all(_DECIMAL_COMMA.fullmatch(value.strip()) for value in found):
        note = "numbers with a decimal comma: CAST(REPLACE(…, ',', '.') AS DOUBLE) in a view"
        return Proposal("STRING", len(found), _longest(found), note)
    for pattern, flink in _FORMS:
        if all(_fits(value, pattern) for value in found):
            # Only data tells day/month from month/day: a day above 12 does not fit the wrong pattern.
            note = f"a time: TO_TIMESTAMP(…, '{flink}') in a view"
            return Proposal("STRING", len(found), _longest(found), note)
    if all(_is_mail_date(value) for value in found):
        return Proposal("STRING", len(found), _longest(found), "a time as in mail headers (RFC 5322)")
    return Proposal("STRING", len(found), _longest(found))


def _epoch(numbers: Sequence[int]) -> str:
    """The note for numbers that all look like times; empty if they don't."""
    for unit, size, digits in _EPOCHS:
        if all(size <= number <= size * _LATEST_EPOCH for number in numbers):
            to_milliseconds = {0: " * 1000", 3: "", 6: " / 1000", 9: " / 1000000"}[digits]
            return f"looks like epoch {unit}: TO_TIMESTAMP_LTZ(…{to_milliseconds}, 3) in a view"
    return ""


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "booleans"
    return {int: "numbers", float: "numbers", str: "texts", dict: "objects", list: "arrays"}[type(value)]


def _longest(found: Sequence[Any]) -> int:
    return max(len(value) if isinstance(value, str) else len(str(value)) for value in found)


def _is_number(value: Any) -> bool:
    return isinstance(value, str) and bool(_DECIMAL.fullmatch(value.strip()))


def _has_leading_zero(value: str) -> bool:
    return bool(re.match(r"[+-]?0\d", value.strip()))


def _number(value: str) -> int | float:
    return int(value) if _DIGITS.fullmatch(value.strip()) else float(value)


def _whole(value: Any) -> int | None:
    """A number written without a fraction, else None; 2.0 has one."""
    if isinstance(value, str):
        value = _number(value)
    return int(value) if isinstance(value, int) else None


def _is_iso(value: str) -> bool:
    if not _ISO.fullmatch(value.strip()):
        return False
    with suppress(ValueError):
        datetime.fromisoformat(value.strip())
        return True
    return False


def _fits(value: str, pattern: str) -> bool:
    with suppress(ValueError):
        datetime.strptime(value.strip(), pattern)
        return True
    return False


def _is_mail_date(value: str) -> bool:
    if not re.match(r"[A-Z][a-z]{2}, ", value):
        return False
    with suppress(ValueError, TypeError, IndexError):
        parsedate_to_datetime(value)
        return True
    return False
