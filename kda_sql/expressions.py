"""Expressions, one handler a node: names resolved, types known, Flink's SQL written."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from sqlglot import exp

from kda_sql import functions, values
from kda_sql.dialect import Difference, PatternSubstring, Step, Truncated, offset
from kda_sql.errors import Located, nearest
from kda_sql.program import fold
from kda_sql.scope import Scope
from kda_sql.times import MILLISECONDS, idiom, interval_ms, interval_sql, stepped
from kda_sql.types import BIGINT, BOOLEAN, DOUBLE, INTEGER, NULL, TEXT, TIMESTAMP, SqlType, common, parse_type
from kda_sql.values import (
    AND,
    COMPARED,
    NOT,
    OR,
    PLUS,
    TIMES,
    UNARY,
    Failure,
    Value,
    cast,
    divided,
    failures,
    literal,
    only_if,
)

AGGREGATES = (
    "COUNT", "SUM", "AVG", "MIN", "MAX", "FIRST_VALUE", "LAST_VALUE",
    "STDDEV_POP", "STDDEV_SAMP", "VAR_POP", "VAR_SAMP", "LAG", "EXP_AVG", "NTH_VALUE",
)  # fmt: skip
_TABLE_FUNCTIONS = (
    "RANDOM_CUT_FOREST", "RANDOM_CUT_FOREST_WITH_EXPLANATION", "HOTSPOTS", "TOP_K_ITEMS_TUMBLING",
    "COUNT_DISTINCT_ITEMS_TUMBLING", "GROUP_RANK",
)  # fmt: skip
#: Parts of a node that a handler reads, or that mean nothing; of others no handler knows.
_UNDERSTOOD = {
    "this", "expression", "expressions", "ifs", "default", "to", "_type", "low", "high", "unit", "kind", "by", "start",
    "length", "substr", "negate", "is_string", "quoted", "table", "db", "alias", "partition_by", "order", "spec",
    "over", "true", "safe", "typed", "position", "joins", "from_", "coalesce",
}  # fmt: skip
Handler = Callable[["Expressions", Any], Value]
_HANDLERS: dict[type[Any], Handler] = {}


def handles(*types: type[Any]) -> Callable[[Handler], Handler]:
    """Let a function translate nodes of these types."""

    def register(handler: Handler) -> Handler:
        for type_ in types:
            _HANDLERS[type_] = handler
        return handler

    return register


class Expressions:
    """Translates the expressions of one query.

    Parameters
    ----------
    scope : Scope
        What its names mean.
    rowtime : Value
        The time of the row that comes out.
    replaced : callable
        Asked first for each node: its value where an earlier step has computed it, else None.
    notes : list of str
        Gets what differs from KDA.
    """

    def __init__(
        self,
        scope: Scope,
        rowtime: Value,
        notes: list[str],
        replaced: Callable[[Any], Value | None] = lambda node: None,
    ) -> None:
        self.scope = scope
        self.rowtime = rowtime
        self.notes = notes
        self._replaced = replaced
        self._near = 0

    def value(self, node: Any) -> Value:
        """Translate a node; :class:`Located` where it can't be."""
        outer, self._near = self._near, offset(node, self._near)
        try:
            found = self._replaced(node)
            if found is not None:
                return found
            unknown = {key for key, arg in node.args.items() if arg} - _UNDERSTOOD
            if unknown:
                raise Located(f"{', '.join(sorted(unknown)).upper()} is not translated here", self._near)
            handler = next((_HANDLERS[t] for t in type(node).__mro__ if t in _HANDLERS), None)
            if handler is None:
                raise Located(f"{_named(node)} is not translated", self._near)
            return handler(self, node)
        except ValueError as e:
            raise Located(str(e), self._near) from None
        finally:
            self._near = outer

    def condition(self, node: Any) -> Value:
        """Translate a condition."""
        value = self.value(node)
        if value.type.kind not in ("BOOLEAN", "NULL"):
            raise Located(f"required a condition, got {value.type}", offset(node))
        return value

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)


@handles(exp.Column)
def _column(x: Expressions, node: exp.Column) -> Value:
    if isinstance(node.this, exp.Star):
        raise Located("* stands for columns, and can't be used here", offset(node))
    start = offset(node)
    name = node.name.upper()
    if not node.table and not node.this.args.get("quoted") and name in functions.WITHOUT_PARENTHESES:
        try:
            return x.scope.column(node, start) or x.rowtime
        except Located:
            return _called(x, name, [])
    value = x.scope.column(node, start)
    return x.rowtime if value is None else value


@handles(exp.Identifier)
def _identifier(x: Expressions, node: exp.Identifier) -> Value:
    return _column(x, exp.Column(this=node))


@handles(exp.Paren)
def _paren(x: Expressions, node: exp.Paren) -> Value:
    return x.value(node.this)


@handles(exp.Literal)
def _literal(x: Expressions, node: exp.Literal) -> Value:
    text = str(node.this)
    if node.is_string:
        return Value(literal(text), SqlType("VARCHAR", max(len(text), 1)))
    if "e" in text.lower():
        return Value(text.upper(), DOUBLE)
    if "." in text:
        text = f"0{text}" if text.startswith(".") else text + ("0" if text.endswith(".") else "")
        digits = text.replace(".", "").lstrip("0")
        return Value(text, SqlType("DECIMAL", max(len(digits), 1), len(text.partition(".")[2])))
    return Value(text, INTEGER if -(2**31) <= int(text) < 2**31 else BIGINT)


@handles(exp.Null)
def _null(x: Expressions, node: exp.Null) -> Value:
    return Value("NULL", NULL)


@handles(exp.Boolean)
def _boolean(x: Expressions, node: exp.Boolean) -> Value:
    return Value("TRUE" if node.this else "FALSE", BOOLEAN)


@handles(exp.Neg)
def _negative(x: Expressions, node: exp.Neg) -> Value:
    value = x.value(node.this)
    return Value(f"-{value.inside(UNARY + 1)}", value.type, UNARY, value.fails)


@handles(exp.Add, exp.Sub)
def _sum(x: Expressions, node: Any) -> Value:
    sign = "+" if isinstance(node, exp.Add) else "-"
    for a, b in ((node.this, node.expression), (node.expression, node.this)):
        if isinstance(_bare(b), exp.Interval) and (sign == "+" or b is node.expression):
            time = x.value(a)
            if time.type.kind not in ("TIMESTAMP", "DATE"):
                raise Located(f"an interval is added to a time, not to {time.type}", offset(a))
            interval = interval_sql(interval_ms(_bare(b)))
            return Value(f"{time.inside(PLUS)} {sign} {interval}", time.type, PLUS, time.fails, clock=False)
    left, right = x.value(node.this), x.value(node.expression)
    if left.type.kind == right.type.kind == "TIMESTAMP":
        raise Located(
            "the difference of two times needs a unit: (a - b) SECOND, or TSDIFF(a, b) for milliseconds",
            offset(node),
        )
    type_ = _arithmetic(left, right, node, sign)
    right_sql = right.inside(PLUS if sign == "+" else TIMES)
    return Value(f"{left.inside(PLUS)} {sign} {right_sql}", type_, PLUS, failures(left, right))


@handles(exp.Mul)
def _product(x: Expressions, node: exp.Mul) -> Value:
    left, right = x.value(node.this), x.value(node.expression)
    type_ = _arithmetic(left, right, node, "*")
    return Value(f"{left.inside(TIMES)} * {right.inside(TIMES)}", type_, TIMES, failures(left, right))


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
        # Wide enough for what Flink makes of it; the column that takes it says what is kept.
        scale = left.type.scale + right.type.scale if sign == "*" else type_.scale
        return SqlType("DECIMAL", 38, max(scale, 6) if sign == "/" else scale)
    return type_


def _bare(node: Any) -> Any:
    while isinstance(node, exp.Paren):
        node = node.this
    return node


_SIGNS = {exp.EQ: "=", exp.NEQ: "<>", exp.GT: ">", exp.GTE: ">=", exp.LT: "<", exp.LTE: "<="}


@handles(exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE)
def _comparison(x: Expressions, node: Any) -> Value:
    left, right = x.value(node.this), x.value(node.expression)
    left, right = _comparable(left, right, node)
    sql = f"{left.inside(PLUS)} {_SIGNS[type(node)]} {right.inside(PLUS)}"
    return Value(sql, BOOLEAN, COMPARED, failures(left, right))


def _comparable(left: Value, right: Value, node: Any) -> tuple[Value, Value]:
    if common(left.type, right.type) is not None:
        return left, right
    times = ("TIMESTAMP", "DATE")
    for a, b, swapped in ((left, right, False), (right, left, True)):
        # A text that is written out stands for a time, as in Calcite.
        if a.type.kind in times and b.type.kind in TEXT and b.text is not None:
            made = _time_literal(b.text, a.type, offset(node))
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
            raise Located(f"CASE gives {type_} here and {result.type} there: CAST one of them", offset(node))
        type_ = joined
    if type_ == NULL:
        raise Located("CASE gives NULL only", offset(node))

    def typed(value: Value) -> str:
        if value.type == NULL:
            return f"CAST(NULL AS {type_.flink})"
        # Of two texts Flink takes the longer; of a CHAR and a VARCHAR it would pad the one.
        return (
            f"CAST({value.sql} AS {type_.flink})"
            if value.type != type_ or value.text is not None
            else value.sql
        )

    head = f"CASE {base.sql}" if base else "CASE"
    body = " ".join(f"WHEN {when.sql} THEN {typed(result)}" for when, result in parts)
    return Value(f"{head} {body} ELSE {typed(default)} END", type_, fails=tuple(dict.fromkeys(fails)))


@handles(exp.Cast)
def _cast(x: Expressions, node: exp.Cast) -> Value:
    to = _type_of(node)
    inner = _bare(node.this)
    if isinstance(inner, Difference):
        return replace(x.value(inner), type=to, sql=f"CAST({x.value(inner).sql} AS {to.flink})")
    value = x.value(node.this)
    if value.text is not None and to.kind in ("TIMESTAMP", "DATE"):
        return _time_literal(value.text, to, offset(node))
    made = cast(value, to)
    if made is None:
        raise Located(f"CAST can't make {to} of {value.type}", offset(node))
    return made


def _time_literal(text: str, to: SqlType, start: int) -> Value:
    pattern = r"\d{4}-\d\d-\d\d" + (r" \d\d:\d\d:\d\d(\.\d+)?" if to.kind == "TIMESTAMP" else "")
    if not re.fullmatch(pattern, text):
        form = "yyyy-MM-dd HH:mm:ss" if to.kind == "TIMESTAMP" else "yyyy-MM-dd"
        raise Located(f"required {form} in quotes, got '{text}'", start)
    return Value(f"{to.kind} {literal(text)}", to)


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
        return functions.stepped_time(value, interval_ms(by))
    step = x.value(by)
    if not value.type.integer or not step.number:
        raise Located("STEP takes a time and an interval, or a whole number and one above 0", offset(node))
    return Value(f"({value.inside(TIMES)} / {step.sql}) * {step.sql}", value.type, TIMES, value.fails)


@handles(Truncated)
def _truncated(x: Expressions, node: Truncated) -> Value:
    kind, unit = node.args["kind"], node.args.get("unit")
    pattern = idiom(node)
    if pattern is not None:
        time = x.value(pattern[0])
        return functions.stepped_time(time, pattern[1])
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
    return Value(f"{kind}({value.sql} TO {unit.name})", value.type, fails=value.fails)


@handles(Difference)
def _difference(x: Expressions, node: Difference) -> Value:
    inner, unit = _bare(node.this), node.args["unit"].name
    if not isinstance(inner, exp.Sub):
        raise Located("a unit stands behind the difference of two times: (a - b) SECOND", offset(node))
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
    return Value(f"EXTRACT({unit} FROM {value.sql})", BIGINT, fails=value.fails)


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


@handles(exp.Window)
def _window(x: Expressions, node: exp.Window) -> Value:
    raise Located("a window function stands only in the select list of a pump", offset(node))


@handles(exp.Anonymous)
def _function(x: Expressions, node: exp.Anonymous) -> Value:
    name = str(node.this.this if isinstance(node.this, exp.Identifier) else node.this).upper()
    start = offset(node)
    if name in _TABLE_FUNCTIONS:
        raise Located(f"{name} stands in FROM: FROM TABLE({name}(CURSOR(SELECT STREAM …)))", start)
    if name in AGGREGATES:
        raise Located(
            f"{name} needs GROUP BY, or OVER and a window, and stands in the select list or HAVING", start
        )
    if name in functions.REFUSED:
        raise Located(f"{name} is not translated: {functions.REFUSED[name]}", start)
    if name not in functions.FUNCTIONS:
        like = nearest(
            name, [*functions.FUNCTIONS, *AGGREGATES, *_TABLE_FUNCTIONS, "POSITION", "EXTRACT", "STEP"]
        )
        raise Located(f"function {name} is unknown" + (f"; did you mean {like}?" if like else ""), start)
    return _called(x, name, [x.value(e) for e in node.expressions])


def _called(x: Expressions, name: str, arguments: Sequence[Value]) -> Value:
    if name in functions.NOTES:
        x.note(functions.NOTES[name])
    return functions.scalar(name, arguments)


def function_name(node: Any) -> str:
    """The name of a function call in upper case; empty for another node."""
    if not isinstance(node, exp.Anonymous):
        return ""
    return str(node.this.this if isinstance(node.this, exp.Identifier) else node.this).upper()


def is_clock(x: Expressions, node: Any) -> bool:
    """Whether a node is ROWTIME, or ROWTIME and a constant."""
    inner = _bare(node)
    if isinstance(inner, exp.Add | exp.Sub) and isinstance(_bare(inner.expression), exp.Interval):
        return is_clock(x, inner.this)
    if not isinstance(inner, exp.Column) or isinstance(inner.this, exp.Star):
        return False
    try:
        value = x.scope.column(inner, offset(inner))
    except Located:
        return False
    return value is None or value.clock


def window_ms(x: Expressions, node: Any) -> int | None:
    """Milliseconds of the tumbling window that a key of GROUP BY makes; None where it is a plain key."""
    found = stepped(_bare(node))
    if found is not None and is_clock(x, found[0]):
        return found[1]
    return 1 if is_clock(x, node) else None


def _named(node: Any) -> str:
    return type(node).__name__.upper()


__all__ = ["TIMESTAMP", "Expressions", "Failure", "fold", "function_name", "handles", "is_clock", "window_ms"]
