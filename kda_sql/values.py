"""Translated expressions: Flink's SQL, the type, and when the expression fails."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any

from kda_sql.types import APPROXIMATE, BOOLEAN, INTEGERS, NULL, TEXT, SqlType

#: Operator precedence: an expression of lower precedence needs parentheses inside one of higher.
ATOM, UNARY, TIMES, PLUS, COMPARED, NOT, AND, OR = 8, 7, 6, 5, 4, 3, 2, 1
_NUMBER = re.compile(r"\d+(\.\d+)?")


@dataclass(frozen=True)
class Failure:
    """A reason why a row goes to the error stream: its ``condition`` is true of the row."""

    condition: str
    error_name: str
    message: str


@dataclass(frozen=True)
class Value:
    """A translated expression.

    Parameters
    ----------
    sql : str
        In Flink's SQL.
    type : SqlType
        KDA's type.
    binds : int
        Operator precedence.
    fails : tuple of Failure
        When its row goes to the error stream instead.
    clock : bool
        Whether it is ROWTIME itself.
    fields : dict or None
        The fields of a record.
    small : bool
        Whether an INTEGER column always holds it, whatever its type: a count, a part of a time.
    grows : int or None
        For a step of ROWTIME, the step in milliseconds.
    """

    sql: str
    type: SqlType
    binds: int = ATOM
    fails: tuple[Failure, ...] = ()
    clock: bool = False
    fields: dict[str, Value] | None = field(default=None, compare=False)
    small: bool = False
    grows: int | None = None

    def inside(self, binds: int) -> str:
        """Its SQL, in parentheses if the expression around it has a higher precedence."""
        return self.sql if self.binds >= binds else f"({self.sql})"

    @property
    def number(self) -> float | None:
        """The number, if it is a number literal."""
        text = self.sql.lstrip("-")
        return float(self.sql) if _NUMBER.fullmatch(text) else None

    @property
    def text(self) -> str | None:
        """The text, if it is a string literal."""
        match = re.fullmatch(r"'((?:[^']|'')*)'", self.sql)
        return match.group(1).replace("''", "'") if match else None


def call(name: str, type_: SqlType, *arguments: Value) -> Value:
    """A call of a Flink function."""
    return Value(f"{name}({', '.join(a.sql for a in arguments)})", type_, fails=failures(*arguments))


def failures(*values: Any) -> tuple[Failure, ...]:
    """The failures of some values, each once."""
    return tuple(dict.fromkeys(f for v in values for f in v.fails))


def only_if(condition: str, value: Value) -> Value:
    """A value that can fail only where a condition holds."""
    guarded = tuple(replace(f, condition=f"({condition}) AND {f.condition}") for f in value.fails)
    return replace(value, fails=guarded)


def identifier(name: str) -> str:
    """A name quoted for Flink.

    Examples
    --------
    >>> identifier("Means")
    '`Means`'
    """
    return "`" + name.replace("`", "``") + "`"


def aliased(name: str, value: Value) -> str:
    """A value as the column ``name`` of a select list."""
    return value.sql if value.sql == identifier(name) else f"{value.sql} AS {identifier(name)}"


def in_json(sql: str, type_: SqlType) -> str:
    """A value for JSON_OBJECT, which takes no dates and times of day."""
    return f"CAST({sql} AS STRING)" if type_.kind in ("DATE", "TIME") else sql


def literal(text: str) -> str:
    """A text as a SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def divided(a: Value, b: Value, type_: SqlType) -> Value:
    """A quotient; a row that divides by zero goes to the error stream."""
    fails = failures(a, b)
    if b.number:
        return Value(f"{a.inside(TIMES)} / {b.inside(UNARY)}", type_, TIMES, fails)
    fails += (Failure(f"{b.inside(PLUS)} = 0", "DIVISION_BY_ZERO", f"division by zero: {plain(b.sql)} is 0"),)
    return Value(f"{a.inside(TIMES)} / NULLIF({b.sql}, 0)", type_, TIMES, fails)


def plain(sql: str) -> str:
    """An expression for a message: without backquotes, at most 80 characters."""
    return re.sub(r"\s+", " ", sql.replace("`", ""))[:80]


def cast(value: Value, to: SqlType) -> Value | None:
    """CAST as in KDA: rounds to whole numbers, and fails for values that don't fit; None if there is no such cast."""
    of = value.type
    if of == to:
        return value
    if of == NULL:
        return Value(f"CAST(NULL AS {to.flink})", to)
    if of.kind in TEXT and (to.numeric or to.kind in ("BOOLEAN", "TIMESTAMP", "DATE", "TIME")):
        inner = f"TRIM({value.sql})" if to.kind != "TIMESTAMP" else value.sql
        if to.kind in INTEGERS:  # '2.7' is a number too
            sql = f"CAST(ROUND(TRY_CAST({inner} AS DECIMAL(38, 9))) AS {to.flink})"
        else:
            sql = f"TRY_CAST({inner} AS {to.flink})"
        failure = Failure(
            f"{value.inside(COMPARED)} IS NOT NULL AND {sql} IS NULL",
            "COERCION",
            f"{plain(value.sql)}: required a text that CAST can convert to {to}",
        )
        return Value(sql, to, fails=(*value.fails, failure)) if value.text is None else Value(sql, to)
    if of.kind in TEXT and to.kind in TEXT:
        fails = value.fails
        if to.length and (of.length or 10**9) > to.length and value.text is None:
            message = f"{plain(value.sql)}: longer than {to}"
            fails += (Failure(f"CHAR_LENGTH({value.sql}) > {to.length}", "COERCION", message),)
        return Value(f"CAST({value.sql} AS {to.flink})", to, fails=fails)
    if to.kind in TEXT:
        if of.kind in ("RECORD", "INTERVAL"):
            return None
        return Value(f"CAST({value.sql} AS {to.flink})", to, fails=value.fails)
    if of.numeric and to.numeric:
        whole = _whole(value, to)
        fails = value.fails
        if to.kind in INTEGERS and value.number is None and not (value.small and to.kind in INTEGERS[2:]):
            wider = of.kind not in INTEGERS or INTEGERS.index(of.kind) > INTEGERS.index(to.kind)
            fails += (too_large(value, whole, to),) if wider else ()
        return Value(f"CAST({whole} AS {to.flink})", to, fails=fails)
    if of.kind in ("TIMESTAMP", "DATE", "TIME") and to.kind in ("TIMESTAMP", "DATE", "TIME"):
        return Value(f"CAST({value.sql} AS {to.flink})", to, fails=value.fails)
    if of == BOOLEAN and to.numeric:
        return Value(f"CAST({value.sql} AS {to.flink})", to, fails=value.fails)
    return None


def too_large(value: Value, sql: str, type_: SqlType) -> Failure:
    """The failure of a whole number too large for its type: Flink would let it wrap around."""
    most = 2 ** (7, 15, 31, 63)[INTEGERS.index(type_.kind)]
    # A DOUBLE can't tell the largest BIGINTs apart.
    bounds = (
        f"{-most} AND {most - 1}"
        if type_.kind != "BIGINT"
        else "-9.223372036854774E18 AND 9.223372036854774E18"
    )
    inner = sql if re.fullmatch(r"[\w`]+|\w+\(.*\)", sql) else f"({sql})"
    message = f"{plain(value.sql)}: required {type_}, {-most} to {most - 1}"
    return Failure(f"{inner} NOT BETWEEN {bounds}", "OVERFLOW", message)


def assigned(value: Value, to: SqlType) -> Value | None:
    """A value converted for a column of a type; None if KDA refuses it or there is no conversion."""
    of = value.type
    if of == to:
        return value
    if of.kind in TEXT and to.kind in TEXT:
        return replace(value, sql=f"CAST({value.sql} AS {to.flink})", type=to, binds=ATOM)
    fits = (
        (of.numeric and to.numeric)
        or of == NULL
        or (of.kind in ("TIMESTAMP", "DATE") and to.kind in ("TIMESTAMP", "DATE"))
    )
    return cast(value, to) if fits else None


def exactly(value: Value) -> Value:
    """A computed value with a CAST to its type, as Flink may infer another."""
    if value.fields is not None or value.type.kind in ("NULL", "INTERVAL"):
        return value
    if re.fullmatch(r"(`[^`]+`\.)?`[^`]+`", value.sql) or _is_cast(value.sql):
        return value
    return replace(value, sql=f"CAST({value.sql} AS {value.type.flink})", binds=ATOM)


def _is_cast(sql: str) -> bool:
    """Whether an expression is one CAST and nothing more."""
    depth = 0
    for sign in re.finditer(r"'(?:[^']|'')*'|`[^`]*`|[()]", sql):
        depth += {"(": 1, ")": -1}.get(sign.group(), 0)
        if not depth and sign.group() == ")":
            return sql.startswith("CAST(") and sign.end() == len(sql)
    return False


def _whole(value: Value, to: SqlType) -> str:
    fraction = value.type.kind in APPROXIMATE or (value.type.kind == "DECIMAL" and value.type.scale)
    return f"ROUND({value.sql})" if to.kind in INTEGERS and fraction else value.sql
