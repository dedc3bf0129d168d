"""KDA's scalar functions in Flink's SQL, with Flink's argument order, format letters and units.

What Flink's SQL can't express exactly is a function of :mod:`udfs.kda_functions`, called by its name there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from kda_sql import logs
from kda_sql.texts import (
    Misused,
    overlay,
    position,
    regex_replace,
    substring,
    substring_or_pattern,
    text_only,
    textual,
    trimmed,
)
from kda_sql.types import BIGINT, DOUBLE, TEXT, TIMESTAMP, SqlType, common
from kda_sql.values import PLUS, TIMES, Failure, Value, call, failures, plain

_VARCHAR = SqlType("VARCHAR")
#: Formats whose letters mean the same in SimpleDateFormat and in Flink's DATE_FORMAT.
_SAME_LETTERS = re.compile(r"(yyyy|MM|dd|HH|hh|mm|ss|SSS|[^A-Za-z']|'[^']*')*")


def unix_ms(time: Value) -> Value:
    """A time as milliseconds since 1970."""
    sql = f"(EXTRACT(EPOCH FROM {time.sql}) * 1000 + EXTRACT(MILLISECOND FROM {time.sql}))"
    return Value(sql, BIGINT, fails=time.fails)


def from_ms(milliseconds: Value) -> Value:
    """Milliseconds since 1970 as a time."""
    sql = f"CAST(TO_TIMESTAMP_LTZ({milliseconds.sql}, 3) AS TIMESTAMP(3))"
    return Value(sql, TIMESTAMP, fails=milliseconds.fails)


def stepped_time(time: Value, milliseconds: int, up: bool = False) -> Value:
    """A time rounded down to a multiple of a step since 1970; ``up`` rounds up, for whole units only."""
    units = {1000: "SECOND", 60_000: "MINUTE", 3_600_000: "HOUR", 86_400_000: "DAY"}
    if milliseconds in units:
        return Value(
            f"{'CEIL' if up else 'FLOOR'}({time.sql} TO {units[milliseconds]})", TIMESTAMP, fails=time.fails
        )
    ms = unix_ms(time)
    return from_ms(Value(f"{ms.sql} - MOD({ms.sql}, {milliseconds})", BIGINT, PLUS, time.fails))


def _unix_timestamp(a: Sequence[Value]) -> Value:
    return unix_ms(_time(a[0]))


def _to_timestamp(a: Sequence[Value]) -> Value:
    if not a[0].type.numeric:
        raise Misused(
            f"TO_TIMESTAMP takes milliseconds since 1970 (BIGINT), got {a[0].type}: CHAR_TO_TIMESTAMP takes texts"
        )
    value = (
        a[0] if a[0].type.kind == "BIGINT" else Value(f"CAST({a[0].sql} AS BIGINT)", BIGINT, fails=a[0].fails)
    )
    return from_ms(value)


def _tsdiff(a: Sequence[Value]) -> Value:
    later, earlier = (unix_ms(x) if x.type.kind == "TIMESTAMP" else x for x in a)
    return Value(f"({later.sql} - {earlier.sql})", BIGINT, fails=failures(*a))


def _timestamp_to_char(a: Sequence[Value]) -> Value:
    if a[0].type.kind not in TEXT:
        raise Misused("TIMESTAMP_TO_CHAR takes the format first, then the time")
    time = _time(a[1])
    letters = a[0].text
    if letters is not None and _SAME_LETTERS.fullmatch(letters):
        return Value(f"COALESCE(DATE_FORMAT({time.sql}, {a[0].sql}), 'null')", _VARCHAR, fails=failures(*a))
    return call("kda_timestamp_to_char", _VARCHAR, a[0], time)


def _char_to_timestamp(a: Sequence[Value]) -> Value:
    if a[1].type.kind not in TEXT or a[0].type.kind not in TEXT:
        raise Misused("CHAR_TO_TIMESTAMP takes the format first, then the text")
    return call("kda_char_to_timestamp", TIMESTAMP, *a)


def _char_to_date(a: Sequence[Value]) -> Value:
    return replace(
        _char_to_timestamp(a),
        sql=f"CAST({_char_to_timestamp(a).sql} AS DATE)",
        type=SqlType("DATE"),
    )


def _power(a: Sequence[Value]) -> Value:
    return call("POWER", DOUBLE, *a)


def _mod(a: Sequence[Value]) -> Value:
    type_ = common(a[0].type, a[1].type) or BIGINT
    fails = failures(*a)
    if a[1].number:
        return Value(f"MOD({a[0].sql}, {a[1].sql})", type_, fails=fails)
    zero = Failure(
        f"{a[1].inside(PLUS)} = 0", "DIVISION_BY_ZERO", f"division by zero: {plain(a[1].sql)} is 0"
    )
    return Value(f"MOD({a[0].sql}, NULLIF({a[1].sql}, 0))", type_, fails=(*fails, zero))


def _same_type(name: str) -> Callable[[Sequence[Value]], Value]:
    return lambda a: call(name, a[0].type, *a)


def _abs(a: Sequence[Value]) -> Value:
    if not a[0].type.numeric:
        raise Misused(f"ABS takes a number, got {a[0].type}")
    return call("ABS", a[0].type, *a)


def _double(name: str) -> Callable[[Sequence[Value]], Value]:
    def made(a: Sequence[Value]) -> Value:
        if not a[0].type.numeric:
            raise Misused(f"{name} takes a number, got {a[0].type}")
        return Value(f"{name}(CAST({a[0].sql} AS DOUBLE))", DOUBLE, fails=failures(*a))

    return made


def _sqrt(a: Sequence[Value]) -> Value:
    value = _double("SQRT")(a)
    below = Failure(f"{a[0].inside(PLUS)} < 0", "INVALID_ARGUMENT", f"SQRT: {plain(a[0].sql)} is below 0")
    return value if a[0].number is not None else replace(value, fails=(*value.fails, below))


def _log(name: str) -> Callable[[Sequence[Value]], Value]:
    def made(a: Sequence[Value]) -> Value:
        value = _double(name)(a)
        below = Failure(
            f"{a[0].inside(PLUS)} <= 0", "INVALID_ARGUMENT", f"{name}: {plain(a[0].sql)} is not above 0"
        )
        return replace(value, fails=(*value.fails, below))

    return made


def _coalesce(a: Sequence[Value]) -> Value:
    type_ = a[0].type
    for value in a[1:]:
        type_ = common(type_, value.type) or type_
    return call("COALESCE", type_, *a)


def _now(a: Sequence[Value]) -> Value:
    return Value("CAST(CURRENT_ROW_TIMESTAMP() AS TIMESTAMP(3))", TIMESTAMP)


def _today(a: Sequence[Value]) -> Value:
    return Value("CAST(CURRENT_ROW_TIMESTAMP() AS DATE)", SqlType("DATE"))


def _time(value: Value) -> Value:
    if value.type.kind == "DATE":
        return Value(f"CAST({value.sql} AS TIMESTAMP(3))", TIMESTAMP, fails=value.fails)
    if value.type.kind == "NULL":
        return Value("CAST(NULL AS TIMESTAMP(3))", TIMESTAMP)
    if value.type.kind != "TIMESTAMP":
        raise Misused(f"required a TIMESTAMP, got {value.type}")
    return value


def _group_key(a: Sequence[Value]) -> Value:
    return a[0]


#: By name: least and most number of arguments, and the function that translates a call.
FUNCTIONS: dict[str, tuple[int, int, Callable[[Sequence[Value]], Value]]] = {
    "UNIX_TIMESTAMP": (1, 1, _unix_timestamp),
    "TO_TIMESTAMP": (1, 1, _to_timestamp),
    "TSDIFF": (2, 2, _tsdiff),
    "TIMESTAMP_TO_CHAR": (2, 2, _timestamp_to_char),
    "DATE_TO_CHAR": (2, 2, _timestamp_to_char),
    "CHAR_TO_TIMESTAMP": (2, 2, _char_to_timestamp),
    "CHAR_TO_DATE": (2, 2, _char_to_date),
    "CURRENT_ROW_TIMESTAMP": (0, 0, _now),
    "CURRENT_TIMESTAMP": (0, 0, _now),
    "LOCALTIMESTAMP": (0, 0, _now),
    "CURRENT_DATE": (0, 0, _today),
    "SUBSTRING": (2, 3, substring_or_pattern),
    "REGEX_REPLACE": (3, 5, regex_replace),
    "UPPER": (1, 1, textual("UPPER")),
    "LOWER": (1, 1, textual("LOWER")),
    "INITCAP": (1, 1, textual("INITCAP")),
    "LTRIM": (1, 1, textual("LTRIM")),
    "RTRIM": (1, 1, textual("RTRIM")),
    "CHAR_LENGTH": (1, 1, lambda a: call("CHAR_LENGTH", SqlType("INTEGER"), text_only(a[0]))),
    "CHARACTER_LENGTH": (1, 1, lambda a: call("CHAR_LENGTH", SqlType("INTEGER"), text_only(a[0]))),
    "OVERLAY": (3, 4, overlay),
    "ABS": (1, 1, _abs),
    "SQRT": (1, 1, _sqrt),
    "EXP": (1, 1, _double("EXP")),
    "LN": (1, 1, _log("LN")),
    "LOG10": (1, 1, _log("LOG10")),
    "POWER": (2, 2, _power),
    "MOD": (2, 2, _mod),
    "ROUND": (1, 2, _same_type("ROUND")),
    "COALESCE": (1, 50, _coalesce),
    "NULLIF": (2, 2, _same_type("NULLIF")),
    "REGEX_LOG_PARSE": (2, 2, logs.regex_log_parse),
    "VARIABLE_COLUMN_LOG_PARSE": (3, 5, logs.variable_column_log_parse),
    "FIXED_COLUMN_LOG_PARSE": (2, 2, logs.fixed_column_log_parse),
    "W3C_LOG_PARSE": (1, 2, logs.w3c_log_parse),
    "SYS_LOG_PARSE": (1, 1, logs.sys_log_parse),
    "MONOTONIC": (1, 1, _group_key),
}
#: Functions that are called without parentheses.
WITHOUT_PARENTHESES = ("CURRENT_ROW_TIMESTAMP", "CURRENT_TIMESTAMP", "LOCALTIMESTAMP", "CURRENT_DATE")
#: How a function differs from KDA's, for MIGRATION.md.
NOTES = {
    "CURRENT_TIMESTAMP": "CURRENT_TIMESTAMP is the time of each row here; KDA fixed it when the query started",
    "LOCALTIMESTAMP": "LOCALTIMESTAMP is the time of each row here; KDA fixed it when the query started",
    "CURRENT_DATE": "CURRENT_DATE is the date of each row here; KDA fixed it when the query started",
    "TSDIFF": "TSDIFF(a, b) is a - b, as programs use it; AWS's page gives the arguments without a sign",
    "REGEX_LOG_PARSE": "the pattern is found anywhere in the text, by Java's regular expressions",
}
#: Functions that are not translated, and what to do instead.
REFUSED = {
    "FAST_REGEX_LOG_PARSE": "its pattern language is its own: write the pattern for REGEX_LOG_PARSE",
    "FAST_REGEX_LOG_PARSER": "its pattern language is its own: write the pattern for REGEX_LOG_PARSE",
    "DATEDIFF": "write TSDIFF(a, b), which gives milliseconds",
    "CHAR_TO_TIME": "TIME columns don't go through streams here: write CHAR_TO_TIMESTAMP",
    "NOW": "write CURRENT_ROW_TIMESTAMP",
}


def scalar(name: str, arguments: Sequence[Value]) -> Value:
    """Translate a call of a KDA function; raises :class:`Misused` for wrong arguments."""
    least, most, made = FUNCTIONS[name]
    if not least <= len(arguments) <= most:
        counted = str(least) if least == most else f"{least} to {most}"
        raise Misused(f"{name} takes {counted} arguments, got {len(arguments)}")
    return made(arguments)


__all__ = ["FUNCTIONS", "NOTES", "REFUSED", "TIMES", "Misused", "position", "scalar", "substring", "trimmed"]
