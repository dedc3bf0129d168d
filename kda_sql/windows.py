"""Aggregates of a query: the calls, the columns they need, the types they return."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp

from kda_sql.errors import Located
from kda_sql.expressions import AGGREGATES, Expressions, function_name
from kda_sql.nodes import offset
from kda_sql.types import APPROXIMATE, BIGINT, DOUBLE, SqlType
from kda_sql.values import Value, exactly, identifier

#: Aggregates that Flink computes as KDA does; an operator in `udfs/windows` computes the others.
_IN_SQL = ("COUNT", "SUM", "AVG", "MIN", "MAX", "STDDEV_POP", "STDDEV_SAMP", "VAR_POP", "VAR_SAMP")


@dataclass
class Columns:
    """The columns that a step provides: values by name."""

    values: dict[str, Value] = field(default_factory=dict)

    def add(self, value: Value, wanted: str) -> str:
        """The column that holds a value: an existing one, or a new one with a name like ``wanted``."""
        for name, other in self.values.items():
            if other.sql == value.sql and other.type == value.type:
                return name
        base = re.sub(r"[^\w.$ ]", "_", wanted)[:60] or "value"
        name, n = base, 1
        while name in self.values or name == "rowtime":
            n += 1
            name = f"{base}_{n}"
        self.values[name] = value
        return name


@dataclass
class Call:
    """One aggregate over a window."""

    function: str
    of: str | None
    type: SqlType
    distinct: bool = False
    ignore_nulls: bool = False
    offset: int = 1
    default: str | None = None
    rows: int | None = None
    milliseconds: int | None = None
    unbounded: bool = False
    half_life: int | None = None

    @property
    def in_sql(self) -> bool:
        return self.function in _IN_SQL

    @property
    def sql(self) -> str:
        """The call in a GROUP BY."""
        of = "*" if self.of is None else identifier(self.of)
        if self.function == "SUM" and self.type == BIGINT:
            of = f"CAST({of} AS BIGINT)"
        return f"CAST({self.function}({'DISTINCT ' if self.distinct else ''}{of}) AS {self.type.flink})"

    @property
    def over_in_sql(self) -> bool:
        """Whether Flink's own OVER gives the same rows as KDA.

        With ROWS it goes row by row, as KDA does. With RANGE, and with LAG, all rows of one time get the same result.
        Its sums of DOUBLEs keep the rounding errors of rows that have left the window, so the operator computes those,
        unless no row leaves.
        """
        if (self.rows is None and not self.unbounded) or self.distinct:
            return False
        if self.function in ("SUM", "AVG"):
            return self.unbounded or self.type.kind not in APPROXIMATE
        return self.function in ("COUNT", "MIN", "MAX")

    def over_sql(self, partition_by: Sequence[str]) -> str:
        """The call with its OVER window."""
        keys = f"PARTITION BY {', '.join(map(identifier, partition_by))} " if partition_by else ""
        order = f"{keys}ORDER BY `rowtime`"
        of = "*" if self.of is None else identifier(self.of)
        if self.function == "SUM" and self.type == BIGINT:
            of = f"CAST({of} AS BIGINT)"
        start = "UNBOUNDED" if self.unbounded else self.rows
        frame = f"ROWS BETWEEN {start} PRECEDING AND CURRENT ROW"
        return f"CAST({self.function}({of}) OVER ({order} {frame}) AS {self.type.flink})"

    def described(self) -> dict[str, Any]:
        """The call as an operator's entry in ``application.yaml``."""
        entry: dict[str, Any] = {"function": self.function.lower(), "type": self.type.flink}
        if self.of is not None:
            entry["of"] = self.of
        for key in ("distinct", "ignore_nulls"):
            if getattr(self, key):
                entry[key] = True
        if self.function in ("LAG", "NTH_VALUE"):
            entry["offset"] = self.offset
        if self.half_life is not None:
            entry["half_life"] = self.half_life / 1000
        for key in ("default", "rows"):
            if getattr(self, key) is not None:
                entry[key] = getattr(self, key)
        if self.milliseconds is not None:
            entry["seconds"] = self.milliseconds / 1000
        return entry


def aggregate_of(node: Any) -> tuple[str, Any, bool] | None:
    """Name, call and IGNORE NULLS of an aggregate without its OVER; None for any other node."""
    ignore = isinstance(node, exp.IgnoreNulls)
    inner = node.this if isinstance(node, exp.IgnoreNulls | exp.RespectNulls) else node
    name = function_name(inner)
    return (name, inner, ignore) if name in AGGREGATES else None


def call_of(node: Any, rows: Expressions, columns: Columns) -> Call:
    """Translate an aggregate; the columns that it needs are added to ``columns``."""
    found = aggregate_of(node)
    if found is None:
        raise Located(f"{function_name(node) or 'this'} is not an aggregate", offset(node))
    name, inner, ignore = found
    arguments, distinct = list(inner.expressions), False
    if len(arguments) == 1 and isinstance(arguments[0], exp.Distinct):
        arguments, distinct = list(arguments[0].expressions), True
    counted = {"LAG": (1, 3), "EXP_AVG": (2, 2), "NTH_VALUE": (2, 2)}.get(name, (1, 1))
    if not counted[0] <= len(arguments) <= counted[1]:
        raise Located(
            f"{name} takes {' to '.join(map(str, dict.fromkeys(counted)))} arguments, got {len(arguments)}",
            offset(inner),
        )
    if name == "COUNT" and isinstance(arguments[0], exp.Star | exp.Literal):
        return Call(name, None, BIGINT)
    value = rows.value(arguments[0])
    type_ = _result(name, value.type, offset(arguments[0]))
    call = Call(name, columns.add(exactly(value), _wanted(arguments[0], value)), type_, distinct, ignore)
    if name == "NTH_VALUE":
        place = rows.value(arguments[1]).number
        if place is None or place < 1 or place != int(place):
            raise Located("NTH_VALUE's second argument must be a whole number from 1", offset(arguments[1]))
        call.offset = int(place)
    if name == "LAG":
        if len(arguments) > 1:
            back = rows.value(arguments[1]).number
            if back is None or back < 0 or back != int(back):
                raise Located("LAG's second argument must be a whole number", offset(arguments[1]))
            call.offset = int(back)
        if len(arguments) > 2:
            from kda_sql.values import assigned

            default = assigned(rows.value(arguments[2]), type_)
            if default is None:
                raise Located(f"LAG's default must be {type_}, as its first argument", offset(arguments[2]))
            call.default = columns.add(exactly(default), "otherwise")
    if name == "EXP_AVG":
        from kda_sql.times import interval_ms

        call.half_life = interval_ms(arguments[1])
    return call


def _wanted(node: Any, value: Value) -> str:
    match = re.fullmatch(r"`([^`]+)`", value.sql)
    return match.group(1) if match else "value"


def _result(name: str, of: SqlType, start: int) -> SqlType:
    if name == "COUNT":
        return BIGINT
    if name in ("MIN", "MAX", "FIRST_VALUE", "LAST_VALUE", "NTH_VALUE", "LAG"):
        return of
    if not of.numeric:
        raise Located(f"{name} takes numbers, got {of}", start)
    if name == "SUM":
        return (
            BIGINT
            if of.kind in ("TINYINT", "SMALLINT", "INTEGER", "BIGINT")
            else (DOUBLE if of.kind in ("REAL", "DOUBLE") else SqlType("DECIMAL", 38, of.scale))
        )
    if name == "AVG" and of.kind == "DECIMAL":
        return SqlType("DECIMAL", 38, max(6, of.scale))
    if name == "AVG":
        return DOUBLE if of.kind in ("REAL", "DOUBLE") else of
    return DOUBLE
