"""Arithmetic, CAST and ||."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlglot import exp

from kda_sql import functions
from kda_sql.errors import Located
from kda_sql.expressions import Expressions, bare, handles, time_literal
from kda_sql.nodes import Difference, offset
from kda_sql.times import interval_ms, interval_sql
from kda_sql.types import BIGINT, INTEGERS, NULL, TEXT, SqlType, common, parse_type
from kda_sql.values import (
    PLUS,
    TIMES,
    UNARY,
    Value,
    cast,
    divided,
    failures,
    too_large,
)


@handles(exp.Neg)
def _negative(x: Expressions, node: exp.Neg) -> Value:
    value = x.value(node.this)
    return Value(f"-{value.inside(UNARY + 1)}", value.type, UNARY, value.fails)


@handles(exp.Add, exp.Sub)
def _sum(x: Expressions, node: Any) -> Value:
    sign = "+" if isinstance(node, exp.Add) else "-"
    for a, b in ((node.this, node.expression), (node.expression, node.this)):
        if isinstance(bare(b), exp.Interval) and (sign == "+" or b is node.expression):
            time = x.value(a)
            if time.type.kind not in ("TIMESTAMP", "DATE"):
                raise Located(f"an interval is added to a time, not to {time.type}", offset(a))
            interval = interval_sql(interval_ms(bare(b)))
            return Value(f"{time.inside(PLUS)} {sign} {interval}", time.type, PLUS, time.fails, clock=False)
        moved = _times_interval(x, bare(b)) if sign == "+" or b is node.expression else None
        if moved is not None:
            time = x.value(a)
            if time.type.kind != "TIMESTAMP":
                raise Located(f"an interval is added to a time, not to {time.type}", offset(a))
            sql = f"{functions.unix_ms(time).sql} {sign} {moved.sql}"
            return functions.from_ms(Value(sql, moved.type, PLUS, failures(time, moved)))
    left, right = x.value(node.this), x.value(node.expression)
    if left.type.kind == right.type.kind == "TIMESTAMP":
        raise Located(
            "the difference of two times needs a unit: (a - b) SECOND, or TSDIFF(a, b) for milliseconds",
            offset(node),
        )
    type_ = _arithmetic(left, right, node, sign)
    right_sql = right.inside(PLUS if sign == "+" else TIMES)
    made = Value(f"{left.inside(PLUS)} {sign} {right_sql}", type_, PLUS, failures(left, right))
    # Adding a literal rarely overflows: only the column that takes the result is checked.
    literal = left.number is not None or right.number is not None
    return made if literal else _overflow_checked(made, left, sign, right_sql)


def _times_interval(x: Expressions, node: Any) -> Value | None:
    """A number times an interval, in milliseconds; None for any other node."""
    if isinstance(node, exp.Mul):
        for count, interval in ((node.this, node.expression), (node.expression, node.this)):
            if isinstance(bare(interval), exp.Interval):
                times = x.value(count)
                if not times.type.integer:
                    raise Located(
                        f"an interval is multiplied by a whole number, got {times.type}", offset(count)
                    )
                sql = f"CAST({times.sql} AS BIGINT) * {interval_ms(bare(interval))}"
                return Value(sql, BIGINT, TIMES, times.fails)
    return None


@handles(exp.Mul)
def _product(x: Expressions, node: exp.Mul) -> Value:
    left, right = x.value(node.this), x.value(node.expression)
    type_ = _arithmetic(left, right, node, "*")
    made = Value(f"{left.inside(TIMES)} * {right.inside(TIMES)}", type_, TIMES, failures(left, right))
    return _overflow_checked(made, left, "*", right.inside(TIMES))


def _overflow_checked(made: Value, left: Value, sign: str, right: str) -> Value:
    """A result that fails for a row whose number is too large for its type."""
    if made.type.kind not in INTEGERS[:3] or "`" not in made.sql:
        return made
    wide = f"CAST({left.sql} AS BIGINT) {sign} {right}"
    return replace(made, fails=(*made.fails, too_large(made, wide, made.type)))


@handles(exp.Div)
def _quotient(x: Expressions, node: exp.Div) -> Value:
    left, right = x.value(node.this), x.value(node.expression)
    type_ = _arithmetic(left, right, node, "/")
    return divided(left, right, type_)


@handles(exp.Mod)
def _modulo(x: Expressions, node: exp.Mod) -> Value:
    return functions.scalar("MOD", [x.value(node.this), x.value(node.expression)])


def _arithmetic(left: Value, right: Value, node: Any, sign: str) -> SqlType:
    type_ = common(left.type, right.type)
    if type_ is None or not (type_.numeric or type_ == NULL):
        raise Located(f"{sign} takes numbers, got {left.type} and {right.type}", offset(node))
    if type_.kind == "DECIMAL" and type_.length is not None:
        # Wide enough for Flink's result; the column that takes it sets precision and scale.
        scale = left.type.scale + right.type.scale if sign == "*" else type_.scale
        return SqlType("DECIMAL", 38, max(scale, 6) if sign == "/" else scale)
    return type_


@handles(exp.Cast)
def _cast(x: Expressions, node: exp.Cast) -> Value:
    to = _type_of(node)
    inner = bare(node.this)
    if isinstance(inner, Difference):
        return replace(x.value(inner), type=to, sql=f"CAST({x.value(inner).sql} AS {to.flink})")
    value = x.value(node.this)
    if value.text is not None and to.kind in ("TIMESTAMP", "DATE"):
        return time_literal(value.text, to, offset(node))
    made = cast(value, to)
    if made is None:
        raise Located(f"CAST can't make {to} of {value.type}", offset(node))
    return made


def _type_of(node: exp.Cast) -> SqlType:
    try:
        return parse_type(node.args["to"].sql())
    except ValueError as e:
        raise Located(f"CAST: {e}", offset(node)) from None


@handles(exp.DPipe, exp.Concat)
def _joined(x: Expressions, node: Any) -> Value:
    nodes = node.expressions or [node.this, node.expression]
    parts = [x.value(n) for n in nodes]
    for part, at in zip(parts, nodes, strict=True):
        if part.type.kind not in (*TEXT, "NULL"):
            raise Located(f"|| takes texts, got {part.type}: write CAST(… AS VARCHAR(n))", offset(at))
    lengths = [p.type.length for p in parts]
    length = sum(n for n in lengths if n) if all(lengths) else None
    return Value(
        " || ".join(p.inside(PLUS) for p in parts), SqlType("VARCHAR", length), PLUS, failures(*parts)
    )
