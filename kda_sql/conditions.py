"""Comparisons, AND, OR, NOT, and CASE."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from sqlglot import exp

from kda_sql import functions
from kda_sql.errors import Located
from kda_sql.expressions import Expressions, bare, handles, time_literal
from kda_sql.nodes import Difference, offset
from kda_sql.times import interval_ms
from kda_sql.types import BIGINT, BOOLEAN, NULL, TEXT, common
from kda_sql.values import (
    AND,
    COMPARED,
    NOT,
    OR,
    PLUS,
    Value,
    failures,
    only_if,
)

_SIGNS = {exp.EQ: "=", exp.NEQ: "<>", exp.GT: ">", exp.GTE: ">=", exp.LT: "<", exp.LTE: "<="}


@handles(exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE)
def _comparison(x: Expressions, node: Any) -> Value:
    left, right = _measured(x, node) or (x.value(node.this), x.value(node.expression))
    left, right = _comparable(left, right, node)
    sql = f"{left.inside(PLUS)} {_SIGNS[type(node)]} {right.inside(PLUS)}"
    return Value(sql, BOOLEAN, COMPARED, failures(left, right))


def _measured(x: Expressions, node: Any) -> tuple[Value, Value] | None:
    """Both sides in milliseconds if the difference of two times is compared with an interval, else None."""
    sides = [bare(node.this), bare(node.expression)]
    sides = [bare(s.this) if isinstance(s, Difference) else s for s in sides]
    if not any(isinstance(s, exp.Interval) for s in sides) or not any(isinstance(s, exp.Sub) for s in sides):
        return None
    made = []
    for side in sides:
        if isinstance(side, exp.Sub):
            made.append(functions.scalar("TSDIFF", [x.value(side.this), x.value(side.expression)]))
        else:
            made.append(Value(str(interval_ms(side)), BIGINT))
    return made[0], made[1]


def _comparable(left: Value, right: Value, node: Any) -> tuple[Value, Value]:
    if common(left.type, right.type) is not None:
        return left, right
    times = ("TIMESTAMP", "DATE")
    for a, b, swapped in ((left, right, False), (right, left, True)):
        # A string literal beside a time is read as a time, as in Calcite.
        if a.type.kind in times and b.type.kind in TEXT and b.text is not None:
            made = time_literal(b.text, a.type, offset(node))
            return (made, a) if swapped else (a, made)
        if a.type.kind in times and b.type.kind in times:
            return left, right
    raise Located(
        f"{left.type} and {right.type} can't be compared: write CAST(… AS …) around one", offset(node)
    )


@handles(exp.And, exp.Or)
def _connected(x: Expressions, node: Any) -> Value:
    word, binds = ("AND", AND) if isinstance(node, exp.And) else ("OR", OR)
    left, right = x.condition(node.this), x.condition(node.expression)
    return Value(f"{left.inside(binds)} {word} {right.inside(binds)}", BOOLEAN, binds, failures(left, right))


@handles(exp.Not)
def _not(x: Expressions, node: exp.Not) -> Value:
    inner = node.this
    if isinstance(inner, exp.Is):
        value = x.value(inner)
        return replace(value, sql=re.sub(r" IS (\w+)$", r" IS NOT \1", value.sql))
    if isinstance(inner, exp.Like | exp.SimilarTo | exp.In | exp.Between) and not inner.args.get("negate"):
        negated = inner.copy()
        negated.set("negate", True)
        return x.value(negated)
    value = x.condition(node.this)
    return Value(f"NOT {value.inside(NOT)}", BOOLEAN, NOT, value.fails)


def _word(node: Any, word: str) -> str:
    return f"NOT {word}" if node.args.get("negate") else word


@handles(exp.Is)
def _is(x: Expressions, node: exp.Is) -> Value:
    value, what = x.value(node.this), node.expression
    word = "NULL" if isinstance(what, exp.Null) else "TRUE" if what.this else "FALSE"
    if value.fields is not None:
        parts = ", ".join(f"CAST({f.sql} AS STRING)" for f in value.fields.values())
        return Value(f"COALESCE({parts}) IS {word}", BOOLEAN, COMPARED, value.fails)
    return Value(f"{value.inside(PLUS)} IS {word}", BOOLEAN, COMPARED, value.fails)


@handles(exp.In)
def _in(x: Expressions, node: exp.In) -> Value:
    if not node.expressions:
        raise Located("IN takes a list of values; a query is not translated", offset(node))
    value = x.value(node.this)
    listed = [_comparable(value, x.value(e), e)[1] for e in node.expressions]
    sql = f"{value.inside(PLUS)} {_word(node, 'IN')} ({', '.join(v.sql for v in listed)})"
    return Value(sql, BOOLEAN, COMPARED, failures(value, *listed))


@handles(exp.Between)
def _between(x: Expressions, node: exp.Between) -> Value:
    value = x.value(node.this)
    low = _comparable(value, x.value(node.args["low"]), node)[1]
    high = _comparable(value, x.value(node.args["high"]), node)[1]
    sql = f"{value.inside(PLUS)} {_word(node, 'BETWEEN')} {low.inside(PLUS)} AND {high.inside(PLUS)}"
    return Value(sql, BOOLEAN, COMPARED, failures(value, low, high))


@handles(exp.Like, exp.SimilarTo)
def _like(x: Expressions, node: Any) -> Value:
    left, right = x.value(node.this), x.value(node.expression)
    for value, at in ((left, node.this), (right, node.expression)):
        if value.type.kind not in TEXT:
            raise Located(f"LIKE and SIMILAR TO take texts, got {value.type}", offset(at))
    word = _word(node, "SIMILAR TO" if isinstance(node, exp.SimilarTo) else "LIKE")
    return Value(f"{left.inside(PLUS)} {word} {right.inside(PLUS)}", BOOLEAN, COMPARED, failures(left, right))


@handles(exp.Escape)
def _escape(x: Expressions, node: exp.Escape) -> Value:
    value = x.value(node.this)
    return replace(value, sql=f"{value.sql} ESCAPE {x.value(node.expression).sql}")


@handles(exp.Case)
def _case(x: Expressions, node: exp.Case) -> Value:
    base = x.value(node.this) if node.this is not None else None
    parts, results, fails = [], [], list(base.fails if base else ())
    before = ""
    for branch in node.args["ifs"]:
        when = x.value(branch.this) if base else x.condition(branch.this)
        condition = f"{base.inside(PLUS)} = {when.inside(PLUS)}" if base else when.sql
        result = x.value(branch.args["true"])
        reached = f"({condition}) IS TRUE{before}"
        fails += [*when.fails, *only_if(reached, result).fails]
        before += f" AND ({condition}) IS NOT TRUE"
        parts.append((when, result))
        results.append(result)
    default = x.value(node.args["default"]) if node.args.get("default") is not None else Value("NULL", NULL)
    if default.fails:
        fails += only_if(before.removeprefix(" AND ") or "TRUE", default).fails
    results.append(default)
    type_ = NULL
    for result in results:
        joined = common(type_, result.type)
        if joined is None:
            raise Located(f"CASE has branches of {type_} and {result.type}: CAST one of them", offset(node))
        type_ = joined
    if type_ == NULL:
        raise Located("every branch of CASE is NULL: CAST one of them to a type", offset(node))

    def typed(value: Value) -> str:
        if value.type == NULL:
            return f"CAST(NULL AS {type_.flink})"
        # Flink takes the longer of two VARCHAR types, but would pad a CHAR beside a VARCHAR.
        return (
            f"CAST({value.sql} AS {type_.flink})"
            if value.type != type_ or value.text is not None
            else value.sql
        )

    head = f"CASE {base.sql}" if base else "CASE"
    body = " ".join(f"WHEN {when.sql} THEN {typed(result)}" for when, result in parts)
    return Value(f"{head} {body} ELSE {typed(default)} END", type_, fails=tuple(dict.fromkeys(fails)))
