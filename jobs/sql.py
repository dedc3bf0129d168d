"""SQL files and their parameters: the one place where values become SQL text.

A statement names its parameters ``:like_this``. They are bound as typed literals, never by string formatting in a
job, and a name that is missing or unused is an error.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

type_of_value = str | bool | int | float | Decimal | timedelta

# Strings, quoted identifiers and comments are skipped; only the last alternative captures a name.
_TOKENS = re.compile(
    r"'(?:[^']|'')*'|`(?:[^`]|``)*`|--[^\n]*|/\*.*?\*/|(?<![:\w]):([a-z_][a-z0-9_]*)", re.DOTALL
)


def load(path: Path) -> str:
    """The text of one SQL file, without the closing semicolon."""
    return path.read_text(encoding="utf-8").strip().rstrip(";")


def bind(statement: str, parameters: Mapping[str, type_of_value], where: str = "statement") -> str:
    """Put values in place of the ``:names`` of a statement.

    Parameters
    ----------
    statement : str
        SQL text.
    parameters : mapping
        A value for each name, neither more nor fewer.
    where : str
        What to call the statement in an error.

    Raises
    ------
    ValueError
        For a name without a value, a value without a name, or a value that has no literal.

    Examples
    --------
    >>> bind("SELECT * FROM t WHERE score > :threshold AND site = ':x' AND s = :s", {"threshold": 2.0, "s": "it's"})
    "SELECT * FROM t WHERE score > 2.0E0 AND site = ':x' AND s = 'it''s'"
    """
    used: set[str] = set()

    def replace(match: re.Match[str]) -> str:
        name = match.group(1)
        if name is None:
            return match.group(0)
        used.add(name)
        if name not in parameters:
            raise ValueError(
                f"{where}: parameter :{name} has no value; given: {sorted(parameters) or 'none'}"
            )
        return literal(parameters[name])

    bound = _TOKENS.sub(replace, statement)
    unused = sorted(set(parameters) - used)
    if unused:
        raise ValueError(f"{where}: the statement has no parameter named {', '.join(unused)}")
    return bound


def literal(value: type_of_value) -> str:
    """A value as a typed SQL literal; a timedelta becomes an interval.

    Examples
    --------
    >>> literal(timedelta(minutes=1, milliseconds=5))
    "INTERVAL '0 00:01:00.005' DAY TO SECOND(3)"
    """
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"literal: required a finite number, got {value}")
        mantissa, _, exponent = repr(value).partition("e")
        return f"{mantissa}E{int(exponent or 0)}"
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, timedelta):
        return _interval(value)
    if isinstance(value, str):
        return quote(value)
    raise ValueError(f"literal: required text, number, truth value or timedelta, got {type(value).__name__}")


def quote(text: str) -> str:
    """Text as an SQL string."""
    return "'" + text.replace("'", "''") + "'"


def with_options(options: Mapping[str, str]) -> str:
    """Connector options as a WITH clause."""
    return "WITH (\n" + ",\n".join(f"  {quote(k)} = {quote(v)}" for k, v in options.items()) + "\n)"


def _interval(value: timedelta) -> str:
    # The one form that Flink takes in windows, OVER ranges and arithmetic alike, with milliseconds.
    if not timedelta(0) <= value < timedelta(days=100):
        raise ValueError(f"literal: required an interval of 0 to 99 days, got {value}")
    seconds, microseconds = value.seconds, value.microseconds
    clock = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{microseconds // 1000:03d}"
    return f"INTERVAL '{value.days} {clock}' DAY TO SECOND(3)"
