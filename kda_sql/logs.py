"""KDA's log parsers: each returns a record with one Flink expression per field."""

from __future__ import annotations

import re
from collections.abc import Sequence

from kda_sql.types import SqlType, parse_type
from kda_sql.values import Value, cast, failures, literal

_FIELD = SqlType("VARCHAR", 1024)
#: The common log format: host, ident, user, time, request, status, bytes.
_COMMON = r'^(\S+) (\S+) (\S+) \[([^\]]*)\] "([^"]*)" (\S+) (\S+)'
_QUOTED = r' "([^"]*)"'
W3C = {
    "COMMON": _COMMON,
    "COMMON WITH VHOST": r"^(\S+) " + _COMMON[1:],
    "NCSA EXTENDED": _COMMON + _QUOTED * 2,
    "REFERER": r"^(\S+) -> (\S+)",
    "AGENT": r"^(.*)$",
}
_SYSLOG = r"^(?:<\d+>)?(\w{3}\s+\d+ \d\d:\d\d:\d\d) (\S+) ([^:\[]+)(?:\[\d+\])?: (.*)$"


def record(fields: dict[str, Value]) -> Value:
    """A record of these fields."""
    first = next(iter(fields.values()))
    type_ = SqlType("RECORD", fields=tuple((n, v.type) for n, v in fields.items()))
    return Value(first.sql, type_, fails=failures(*fields.values()), fields=fields)


def _by_pattern(line: Value, pattern: str) -> Value:
    try:
        groups = re.compile(pattern).groups
    except re.error:
        # Java's patterns have more than Python's: count the opening parentheses of groups.
        groups = len(re.findall(r"(?<!\\)\((?!\?)", pattern))
    if not groups:
        raise ValueError("the pattern has no group in parentheses: each group becomes a column")
    return record(
        {
            f"COLUMN{i}": Value(
                f"CAST(REGEXP_EXTRACT({line.sql}, {literal(pattern)}, {i}) AS VARCHAR(1024))",
                _FIELD,
                fails=line.fails,
            )
            for i in range(1, groups + 1)
        }
    )


def regex_log_parse(a: Sequence[Value]) -> Value:
    """REGEX_LOG_PARSE(line, pattern): the groups."""
    if a[1].text is None:
        raise ValueError("the pattern of REGEX_LOG_PARSE must be a string literal")
    return _by_pattern(a[0], a[1].text)


def w3c_log_parse(a: Sequence[Value]) -> Value:
    """W3C_LOG_PARSE(line, format)."""
    name = (a[1].text if len(a) > 1 else "COMMON") or ""
    if name.upper() not in W3C:
        raise ValueError(
            f"W3C_LOG_PARSE knows {', '.join(W3C)}, got {name or 'no literal'}: use REGEX_LOG_PARSE"
        )
    return _by_pattern(a[0], W3C[name.upper()])


def sys_log_parse(a: Sequence[Value]) -> Value:
    """SYS_LOG_PARSE(line): time, host, program, message."""
    return _by_pattern(a[0], _SYSLOG)


def variable_column_log_parse(a: Sequence[Value]) -> Value:
    """VARIABLE_COLUMN_LOG_PARSE(line, columns, delimiter[, escape[, quote]])."""
    delimiter = a[2].text
    if not delimiter:
        raise ValueError("the delimiter of VARIABLE_COLUMN_LOG_PARSE must be a string literal")
    fields = {}
    for i, (name, type_) in enumerate(_listed(a[1])):
        if len(a) > 3:
            more = [v.sql for v in a[3:]]
            piece = f"kda_split({', '.join([a[0].sql, literal(delimiter), str(i), *more])})"
        else:
            piece = f"SPLIT_INDEX({a[0].sql}, {literal(delimiter)}, {i})"
        fields[name] = _typed(Value(piece, SqlType("VARCHAR"), fails=a[0].fails), type_)
    return record(fields)


def fixed_column_log_parse(a: Sequence[Value]) -> Value:
    """FIXED_COLUMN_LOG_PARSE(line, 'name TYPE type START first FOR length, …')."""
    fields = {}
    for part in _parts(a[1].text or ""):
        match = re.fullmatch(
            r"\s*(\"[^\"]+\"|\w+)\s+(?:TYPE\s+)?(.+?)\s+START\s+(\d+)\s+(?:FOR\s+)?(\d+)\s*", part, re.I
        )
        if not match:
            raise ValueError(f"required name TYPE type START first FOR length, got {part.strip()}")
        name, type_, start, length = match.groups()
        piece = f"RTRIM(SUBSTRING({a[0].sql}, {int(start) + 1}, {length}))"
        fields[_folded(name)] = _typed(Value(piece, SqlType("VARCHAR"), fails=a[0].fails), parse_type(type_))
    return record(fields)


def _listed(columns: Value) -> list[tuple[str, SqlType]]:
    if columns.number is not None:
        return [(f"COLUMN{i + 1}", _FIELD) for i in range(int(columns.number))]
    found = []
    for part in _parts(columns.text or ""):
        match = re.fullmatch(r"\s*(\"[^\"]+\"|\w+)\s+TYPE\s+(.+?)\s*", part, re.I | re.S)
        if not match:
            raise ValueError(
                f"required a number of columns, or name TYPE type, …; got {part.strip() or 'nothing'}"
            )
        found.append((_folded(match[1]), parse_type(re.sub(r"(?i)\s+NOT\s+NULL$", "", match[2]))))
    return found


def _parts(text: str) -> list[str]:
    return re.split(r",(?![^()]*\))", text)


def _folded(name: str) -> str:
    return name[1:-1] if name.startswith('"') else name.upper()


def _typed(value: Value, type_: SqlType) -> Value:
    if type_.kind in ("VARCHAR", "CHAR"):
        return Value(f"CAST({value.sql} AS {type_.flink})", type_, fails=value.fails)
    return cast(value, type_) or value
