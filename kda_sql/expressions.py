"""Translates expressions to Flink's SQL: resolves names, infers types; one handler per type of node."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from sqlglot import exp

from kda_sql import functions
from kda_sql.errors import Located, nearest
from kda_sql.nodes import offset
from kda_sql.program import fold
from kda_sql.scope import Scope
from kda_sql.times import interval_ms, stepped
from kda_sql.types import BIGINT, BOOLEAN, DOUBLE, INTEGER, NULL, TIMESTAMP, SqlType
from kda_sql.values import (
    Failure,
    Value,
    literal,
)

AGGREGATES = (
    "COUNT", "SUM", "AVG", "MIN", "MAX", "FIRST_VALUE", "LAST_VALUE",
    "STDDEV_POP", "STDDEV_SAMP", "VAR_POP", "VAR_SAMP", "LAG", "EXP_AVG", "NTH_VALUE",
)  # fmt: skip
_TABLE_FUNCTIONS = (
    "RANDOM_CUT_FOREST", "RANDOM_CUT_FOREST_WITH_EXPLANATION", "HOTSPOTS", "TOP_K_ITEMS_TUMBLING",
    "COUNT_DISTINCT_ITEMS_TUMBLING", "GROUP_RANK",
)  # fmt: skip
#: Arguments of a node that a handler reads, or that mean nothing; any other is an error.
_UNDERSTOOD = {
    "this", "expression", "expressions", "ifs", "default", "to", "_type", "low", "high", "unit", "kind", "by", "start",
    "length", "substr", "negate", "is_string", "quoted", "table", "db", "alias", "partition_by", "order", "spec",
    "over", "true", "safe", "typed", "position", "joins", "from_", "coalesce",
}  # fmt: skip
Handler = Callable[["Expressions", Any], Value]
_HANDLERS: dict[type[Any], Handler] = {}


def handles(*types: type[Any]) -> Callable[[Handler], Handler]:
    """Register a function as the handler of these types of nodes."""

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
        The relations whose columns it may name.
    rowtime : Value
        The time of the output row.
    replaced : callable
        Called first for each node: returns its value if an earlier step computed it, else None.
    notes : list of str
        Differences from KDA are appended to it.
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
        """Translate a node; raises :class:`Located` if it can't be translated."""
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
        raise Located("* is allowed only in a select list and in COUNT(*)", offset(node))
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


@handles(exp.Window)
def _window(x: Expressions, node: exp.Window) -> Value:
    raise Located("a window function is allowed only in the select list of a pump", offset(node))


@handles(exp.Anonymous)
def _function(x: Expressions, node: exp.Anonymous) -> Value:
    name = str(node.this.this if isinstance(node.this, exp.Identifier) else node.this).upper()
    start = offset(node)
    if name in _TABLE_FUNCTIONS:
        raise Located(f"{name} belongs in FROM: FROM TABLE({name}(CURSOR(SELECT STREAM …)))", start)
    if name in AGGREGATES:
        raise Located(
            f"{name} needs GROUP BY, or OVER and a window, and belongs in the select list or HAVING", start
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


def bare(node: Any) -> Any:
    while isinstance(node, exp.Paren):
        node = node.this
    return node


def time_literal(text: str, to: SqlType, start: int) -> Value:
    pattern = r"\d{4}-\d\d-\d\d" + (r" \d\d:\d\d:\d\d(\.\d+)?" if to.kind == "TIMESTAMP" else "")
    if not re.fullmatch(pattern, text):
        form = "yyyy-MM-dd HH:mm:ss" if to.kind == "TIMESTAMP" else "yyyy-MM-dd"
        raise Located(f"required {form} in quotes, got '{text}'", start)
    return Value(f"{to.kind} {literal(text)}", to)


def function_name(node: Any) -> str:
    """The name of a function call in upper case; empty for any other node."""
    if not isinstance(node, exp.Anonymous):
        return ""
    return str(node.this.this if isinstance(node.this, exp.Identifier) else node.this).upper()


def is_clock(x: Expressions, node: Any) -> bool:
    """Whether a node is ROWTIME."""
    inner = bare(node)
    if not isinstance(inner, exp.Column) or isinstance(inner.this, exp.Star):
        return False
    try:
        value = x.scope.column(inner, offset(inner))
    except Located:
        return False
    return value is None or value.clock


def window_ms(x: Expressions, node: Any) -> int | None:
    """Milliseconds of the tumbling window that a key of GROUP BY makes; None for a plain key."""
    found = window_of(x, node)
    if found is not None and found[1]:
        raise Located("a step of ROWTIME plus or minus an interval is allowed only in GROUP BY", offset(node))
    return found[0] if found is not None else None


def window_of(x: Expressions, node: Any) -> tuple[int, int] | None:
    """Length of the tumbling window that a key makes and the shift of ROWTIME before, in ms; None for a plain key."""
    stepped_, milliseconds = stepped(bare(node)) or (node, 1)
    inner = bare(stepped_)
    if isinstance(inner, exp.Add | exp.Sub) and isinstance(bare(inner.expression), exp.Interval):
        if not is_clock(x, inner.this):
            return None
        moved = interval_ms(bare(inner.expression))
        return milliseconds, moved if isinstance(inner, exp.Add) else -moved
    return (milliseconds, 0) if is_clock(x, stepped_) else None


def _named(node: Any) -> str:
    return type(node).__name__.upper()


__all__ = ["TIMESTAMP", "Expressions", "Failure", "fold", "function_name", "handles", "is_clock", "window_ms"]
