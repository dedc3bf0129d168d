"""SQL files and their parameters: the one place where values become SQL text.

A query's parameters are the application's properties, named ``:group.key``. They are bound as typed literals, never by
string formatting; an unknown name is an error.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path

from base.errors import InvalidValue

Value = str | bool | int | float | Decimal | timedelta | None

_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
# Strings, quoted identifiers and comments are skipped; only the last alternative captures a name.
_TOKENS = re.compile(
    rf"'(?:[^']|'')*'|`(?:[^`]|``)*`|--[^\n]*|/\*.*?\*/|(?<![:\w]):({_NAME}(?:\.{_NAME})?)", re.DOTALL
)
_WORDS = re.compile(
    rf"'(?:[^']|'')*'|--[^\n]*|/\*.*?\*/|`(?P<quoted>(?:[^`]|``)*)`|(?P<word>{_NAME})|(?P<sign>[^\s\w])",
    re.DOTALL,
)
#: Words that a relation follows.
_BEFORE_RELATION = ("FROM", "JOIN", "TABLE")
_CLAUSES = (
    "SELECT",
    "FROM",
    "WHERE",
    "GROUP",
    "HAVING",
    "ORDER",
    "WINDOW",
    "ON",
    "UNION",
    "QUALIFY",
    "LIMIT",
)
_NO_RELATION = ("TABLE", "LATERAL", "UNNEST", "SELECT", "VALUES")


def load(path: Path) -> str:
    """The text of one SQL file, without the closing semicolon."""
    return path.read_text(encoding="utf-8").strip().rstrip(";")


def bind(statement: str, parameters: Mapping[str, Value], where: str = "statement") -> str:
    """Put values in place of the ``:names`` of a statement.

    Parameters
    ----------
    statement : str
        SQL text.
    parameters : mapping
        Values by name, as ``group.key``.
    where : str
        Name of the statement in an error.

    Raises
    ------
    ValueError
        A name has no value, or a value has no literal.

    Examples
    --------
    >>> bind("SELECT * FROM t WHERE x > :a.threshold AND site = ':x' AND s = :a.s", {"a.threshold": 2.0, "a.s": "it's"})
    "SELECT * FROM t WHERE x > 2.0E0 AND site = ':x' AND s = 'it''s'"
    """

    def replace(match: re.Match[str]) -> str:
        name = match.group(1)
        if name is None:
            return match.group(0)
        if name not in parameters:
            line = statement.count("\n", 0, match.start()) + 1
            column = match.start() - (statement.rfind("\n", 0, match.start()) + 1) + 1
            known = ", ".join(get_close_matches(name, parameters, 3, 0.5)) or "none like it"
            raise InvalidValue(f"{where}:{line}:{column}: :{name} is not a property; there are {known}")
        return literal(parameters[name])

    return _TOKENS.sub(replace, statement)


def parameters_of(statement: str) -> tuple[str, ...]:
    """The names of a statement's parameters, without duplicates, in order.

    Examples
    --------
    >>> parameters_of("SELECT ':no' FROM t WHERE a > :x.y AND b > :x.y")
    ('x.y',)
    """
    return tuple(dict.fromkeys(m.group(1) for m in _TOKENS.finditer(statement) if m.group(1)))


def relations_of(query: str) -> tuple[str, ...]:
    """The relations that a query reads, without duplicates, in order; names of its own WITH clause are left out.

    Examples
    --------
    >>> relations_of("WITH w AS (SELECT x FROM a) SELECT y, z FROM w, b JOIN TABLE(TUMBLE(TABLE `c`, DESCRIPTOR(t)))")
    ('a', 'b', 'c')
    >>> relations_of("SELECT EXTRACT(EPOCH FROM t) FROM a WHERE x IS DISTINCT FROM y")
    ('a',)
    """
    found, own = [], set()
    before, clause, depth = "", {0: ""}, 0
    tokens = [m for m in _WORDS.finditer(query) if m.lastgroup]
    for i, token in enumerate(tokens):
        text = token["quoted"] if token.lastgroup == "quoted" else token.group()
        upper = "" if token.lastgroup == "quoted" else text.upper()
        if upper == "(":
            depth += 1
            clause[depth] = ""
        elif upper == ")":
            depth -= 1
        elif upper == "FROM" and (not clause.get(depth) or before == "DISTINCT"):
            upper = ""  # EXTRACT(… FROM …), IS DISTINCT FROM
        elif upper in _CLAUSES:
            clause[depth] = upper
        following = [t.group().upper() for t in tokens[i + 1 : i + 3]]
        if following == ["AS", "("] and before in ("WITH", ",", "RECURSIVE"):
            own.add(text)
        elif (
            (token.lastgroup == "quoted" or upper.isidentifier())
            and (before in _BEFORE_RELATION or (before == "," and clause.get(depth) == "FROM"))
            and upper not in _NO_RELATION
            and following[:1] != ["("]
        ):
            found.append(text)
        before = upper or "`"
    return tuple(dict.fromkeys(name for name in found if name not in own))


def literal(value: Value) -> str:
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
            raise InvalidValue(f"literal: required a finite number, got {value}")
        mantissa, _, exponent = repr(value).partition("e")
        return f"{mantissa}E{int(exponent or 0)}"
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, timedelta):
        return _interval(value)
    if isinstance(value, str):
        return quote(value)
    if value is None:
        return "CAST(NULL AS STRING)"
    raise InvalidValue(
        f"literal: required text, number, boolean, timedelta or None, got {type(value).__name__}"
    )


def quote(text: str) -> str:
    """Text as an SQL string."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """A name as a quoted SQL identifier."""
    return "`" + name.replace("`", "``") + "`"


def json_value(column: str, type_: str) -> str:
    """A column for JSON_OBJECT, which takes no dates and times of day.

    Examples
    --------
    >>> json_value("day", "DATE"), json_value("at", "TIMESTAMP(3)")
    ('CAST(`day` AS STRING)', '`at`')
    """
    name = identifier(column)
    return f"CAST({name} AS STRING)" if re.match(r"(DATE|TIME)\b", type_) else name


def with_options(options: Mapping[str, str]) -> str:
    """Connector options as a WITH clause."""
    return "WITH (\n" + ",\n".join(f"  {quote(k)} = {quote(v)}" for k, v in options.items()) + "\n)"


def _interval(value: timedelta) -> str:
    # The only form with milliseconds that Flink takes in windows, OVER ranges and arithmetic.
    if not timedelta(0) <= value < timedelta(days=100):
        raise InvalidValue(f"literal: required an interval of 0 to 99 days, got {value}")
    seconds, microseconds = value.seconds, value.microseconds
    clock = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{microseconds // 1000:03d}"
    return f"INTERVAL '{value.days} {clock}' DAY TO SECOND(3)"
