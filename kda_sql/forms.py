"""Functions with a grammar of their own: STEP, FLOOR TO, EXTRACT, POSITION, SUBSTRING FROM, TRIM, intervals."""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp

from kda_sql import functions, values
from kda_sql.errors import Located
from kda_sql.expressions import Expressions, bare, handles
from kda_sql.nodes import Difference, PatternSubstring, Step, Truncated, offset
from kda_sql.times import MILLISECONDS, idiom, interval_ms, interval_sql
from kda_sql.types import BIGINT, INTEGER, TEXT, SqlType
from kda_sql.values import (
    TIMES,
    Value,
    failures,
)


@handles(exp.Interval)
def _interval(x: Expressions, node: exp.Interval) -> Value:
    return Value(interval_sql(interval_ms(node)), SqlType("INTERVAL"))


@handles(Step)
def _step(x: Expressions, node: Step) -> Value:
    value = x.value(node.this)
    by = node.args["by"]
    if isinstance(by, exp.Interval):
        if value.type.kind != "TIMESTAMP":
            raise Located(f"STEP by an interval takes a TIMESTAMP, got {value.type}", offset(node))
        return _growing(functions.stepped_time(value, interval_ms(by)), value, interval_ms(by))
    step = x.value(by)
    if not value.type.integer or not step.number:
        raise Located(
            "STEP takes a time and an interval, or two whole numbers, the second above 0", offset(node)
        )
    return Value(f"({value.inside(TIMES)} / {step.sql}) * {step.sql}", value.type, TIMES, value.fails)


@handles(Truncated)
def _truncated(x: Expressions, node: Truncated) -> Value:
    kind, unit = node.args["kind"], node.args.get("unit")
    pattern = idiom(node)
    if pattern is not None:
        time = x.value(pattern[0])
        return _growing(functions.stepped_time(time, pattern[1]), time, pattern[1])
    value = x.value(node.this)
    if unit is None:
        if not value.type.numeric:
            raise Located(
                f"{kind} takes a number, or a time with TO and a unit; got {value.type}", offset(node)
            )
        return values.call(kind, value.type, value)
    if unit.name not in (*MILLISECONDS, "MONTH", "YEAR"):
        raise Located(
            f"{kind} TO {unit.name}: required SECOND, MINUTE, HOUR, DAY, MONTH or YEAR", offset(node)
        )
    if value.type.kind not in ("TIMESTAMP", "DATE"):
        raise Located(f"{kind} TO {unit.name} takes a TIMESTAMP, got {value.type}", offset(node))
    made = Value(f"{kind}({value.sql} TO {unit.name})", value.type, fails=value.fails)
    return _growing(made, value, MILLISECONDS.get(unit.name))


def _growing(stepped: Value, of: Value, milliseconds: int | None) -> Value:
    return replace(stepped, grows=milliseconds) if of.clock else stepped


@handles(Difference)
def _difference(x: Expressions, node: Difference) -> Value:
    inner, unit = bare(node.this), node.args["unit"].name
    if not isinstance(inner, exp.Sub):
        raise Located("a unit follows only the difference of two times: (a - b) SECOND", offset(node))
    later, earlier = x.value(inner.this), x.value(inner.expression)
    for value, at in ((later, inner.this), (earlier, inner.expression)):
        if value.type.kind not in ("TIMESTAMP", "DATE"):
            raise Located(f"required a TIMESTAMP, got {value.type}", offset(at))
    sql = f"TIMESTAMPDIFF({unit}, {earlier.sql}, {later.sql})"
    return Value(sql, INTEGER, fails=failures(later, earlier))


@handles(exp.Extract)
def _extract(x: Expressions, node: exp.Extract) -> Value:
    unit, value = node.this.name.upper(), x.value(node.expression)
    known = (
        "YEAR",
        "QUARTER",
        "MONTH",
        "WEEK",
        "DAY",
        "DOW",
        "DOY",
        "HOUR",
        "MINUTE",
        "SECOND",
        "MILLISECOND",
        "EPOCH",
    )
    if unit not in known:
        raise Located(f"EXTRACT knows {', '.join(known)}, got {unit}", offset(node))
    if value.type.kind not in ("TIMESTAMP", "DATE"):
        raise Located(f"EXTRACT takes a TIMESTAMP, got {value.type}", offset(node))
    return Value(f"EXTRACT({unit} FROM {value.sql})", BIGINT, fails=value.fails, small=unit != "EPOCH")


@handles(exp.StrPosition)
def _position(x: Expressions, node: exp.StrPosition) -> Value:
    return functions.position(x.value(node.args["substr"]), x.value(node.this))


@handles(PatternSubstring)
def _pattern_substring(x: Expressions, node: PatternSubstring) -> Value:
    start = x.value(node.args["start"])
    if start.type.kind in TEXT:
        return functions.scalar("SUBSTRING", [x.value(node.this), start])
    length = x.value(node.args["length"]) if node.args.get("length") is not None else None
    return functions.substring(x.value(node.this), start, length, beyond_is_null=False)


@handles(exp.Trim)
def _trim(x: Expressions, node: exp.Trim) -> Value:
    characters = x.value(node.expression).text if node.expression is not None else None
    return functions.trimmed(x.value(node.this), characters, (node.args.get("position") or "BOTH").upper())
