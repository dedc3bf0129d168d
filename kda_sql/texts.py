"""KDA's string functions in Flink's SQL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from kda_sql.types import BIGINT, TEXT, SqlType
from kda_sql.values import ATOM, PLUS, Value, call, failures, literal

_VARCHAR = SqlType("VARCHAR")


class Misused(ValueError):
    """A function has wrong arguments; the message says what was required."""


def substring(s: Value, start: Value, length: Value | None, beyond_is_null: bool) -> Value:
    """Characters from ``start``, from 1; a start before the text shortens the length."""
    fails = failures(s, start, *([length] if length else []))
    whole = start.number is not None and start.number >= 1
    first = start.sql if whole else f"GREATEST({start.sql}, 1)"
    if length is None:
        cut = f"SUBSTRING({s.sql}, {first})"
    elif whole:
        cut = f"SUBSTRING({s.sql}, {first}, {length.sql})"
    else:
        cut = f"SUBSTRING({s.sql}, {first}, GREATEST({length.inside(PLUS)} + LEAST({start.sql}, 1) - 1, 0))"
    if not beyond_is_null:
        return Value(cut, _VARCHAR, fails=fails)
    if whole and (length is None or (length.number or 0) >= 1):
        return Value(f"NULLIF({cut}, '')", _VARCHAR, fails=fails)
    return Value(f"CASE WHEN {first} <= CHAR_LENGTH({s.sql}) THEN {cut} END", _VARCHAR, fails=fails)


def substring_or_pattern(a: Sequence[Value]) -> Value:
    """SUBSTRING with commas."""
    if len(a) == 2 and a[1].type.kind in TEXT:
        return call("REGEXP_EXTRACT", _VARCHAR, a[0], a[1], Value("0", BIGINT))
    return substring(text_only(a[0]), a[1], a[2] if len(a) > 2 else None, beyond_is_null=True)


def regex_replace(a: Sequence[Value]) -> Value:
    """REGEX_REPLACE."""
    s, pattern, replacement = a[:3]
    start, occurrence = (a[3].number if len(a) > 3 else 1), (a[4].number if len(a) > 4 else 0)
    if start == 1 and occurrence == 0 and not _has_escapes(replacement):
        return call("REGEXP_REPLACE", _VARCHAR, s, pattern, replacement)
    given = [*a, *[Value(n, BIGINT) for n in ("1", "0")][len(a) - 3 :]]
    return call("kda_regex_replace", _VARCHAR, *given)


def _has_escapes(replacement: Value) -> bool:
    return replacement.text is None or "$" in replacement.text or "\\" in replacement.text


def textual(name: str) -> Callable[[Sequence[Value]], Value]:
    """A function of one string."""

    def made(a: Sequence[Value]) -> Value:
        return Value(
            f"{name}({text_only(a[0]).sql})",
            replace(a[0].type, kind="VARCHAR") if a[0].type.length else _VARCHAR,
            fails=failures(*a),
        )

    return made


def overlay(a: Sequence[Value]) -> Value:
    """OVERLAY."""
    length = f" FOR {a[3].sql}" if len(a) > 3 else ""
    return Value(
        f"OVERLAY({a[0].sql} PLACING {a[1].sql} FROM {a[2].sql}{length})", _VARCHAR, fails=failures(*a)
    )


def position(part: Value, whole: Value) -> Value:
    """POSITION(part IN whole)."""
    sql = f"POSITION({part.sql} IN {whole.sql})"
    return Value(sql, SqlType("INTEGER"), fails=failures(part, whole))


def trimmed(value: Value, characters: str | None, where: str) -> Value:
    """TRIM."""
    chars = literal(characters or " ")
    return Value(f"TRIM({where} {chars} FROM {value.sql})", value.type, ATOM, value.fails)


def text_only(value: Value) -> Value:
    """The value, if it is a string; raises :class:`Misused` otherwise."""
    if value.type.kind not in TEXT:
        raise Misused(f"required a text, got {value.type}: write CAST(… AS VARCHAR(n))")
    return value
