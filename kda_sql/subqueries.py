"""Queries inside a query: in FROM, in CURSOR, and in UNION ALL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from kda_sql.errors import Located
from kda_sql.nodes import offset
from kda_sql.scope import Relation
from kda_sql.steps import Step
from kda_sql.types import common
from kda_sql.values import identifier

if TYPE_CHECKING:
    from kda_sql.query import Query

_CLAUSES = {
    "distinct", "expressions", "from_", "joins", "where", "group", "having", "windows", "order", "stagger",
}  # fmt: skip


def subquery(query: Query, node: Any, wanted: str, columns: Sequence[str] = ()) -> Relation:
    """Add a query in FROM or CURSOR as a relation with a name like ``wanted``."""
    parts = selects(node)
    if len(parts) > 1:
        return _united(query, parts, wanted, columns)
    plain = _as_it_is(query, parts[0]) if not columns else None
    return plain or query.select(parts[0], query.new(wanted), None, columns)


def selects(node: Any) -> list[Any]:
    """The SELECTs of a query, in order: one, or several joined by UNION ALL."""
    while isinstance(node, exp.Subquery | exp.Paren):
        node = node.this
    if isinstance(node, exp.Union):
        if node.args.get("distinct"):
            raise Located(
                "UNION without ALL is not translated: write UNION ALL, or several pumps", offset(node)
            )
        return [*selects(node.this), *selects(node.expression)]
    if not isinstance(node, exp.Select):
        raise Located("required SELECT STREAM", offset(node))
    unknown = {key for key, arg in node.args.items() if arg} - _CLAUSES
    if unknown - {"with_"}:
        raise Located(f"{', '.join(sorted(unknown)).upper()} is not part of KDA's SQL", offset(node))
    if node.args.get("with_"):
        raise Located("WITH is not part of KDA's SQL: fill a separate stream instead", offset(node))
    return [node]


def _united(query: Query, selects: Sequence[Any], wanted: str, columns: Sequence[str]) -> Relation:
    """The rows of several SELECTs, with the first one's column names."""
    parts = [query.select(s, query.new(f"{wanted}_part"), None, columns) for s in selects]
    first, *others = parts
    types = list(first.columns.values())
    for part, select in zip(others, selects[1:], strict=True):
        if len(part.columns) != len(types):
            raise Located(
                f"this SELECT has {len(part.columns)} columns, the first one {len(types)}", offset(select)
            )
        joined = [common(a, b) for a, b in zip(types, part.columns.values(), strict=True)]
        for name, a, b, both in zip(first.columns, types, part.columns.values(), joined, strict=True):
            if both is None:
                raise Located(f"column {name} is {a} above and {b} here: CAST one of them", offset(select))
        types = [t for t in joined if t is not None]
    name = query.new(wanted)
    selected = [
        "SELECT "
        + ", ".join(
            f"CAST({identifier(c)} AS {t.flink}) AS {identifier(to)}"
            for c, t, to in zip(part.columns, types, first.columns, strict=True)
        )
        + f", `rowtime` FROM {identifier(part.name)}"
        for part in parts
    ]
    sql = "\nUNION ALL\n".join(selected)
    query.add(Step("view", name, sql=sql, note="The rows of all parts of the UNION ALL."))
    return Relation(name, dict(zip(first.columns, types, strict=True)), name)


def _as_it_is(query: Query, select: Any) -> Relation | None:
    """The relation of a plain SELECT * FROM relation; None for any other query."""
    more = ("where", "group", "having", "order", "distinct", "stagger", "joins", "windows")
    table = select.args["from_"].this if select.args.get("from_") else None
    star = len(select.expressions) == 1 and isinstance(select.expressions[0], exp.Star)
    if not star or any(select.args.get(k) for k in more) or not isinstance(table, exp.Table):
        return None
    if not isinstance(table.this, exp.Identifier) or table.args.get("over"):
        return None
    relation = query.planner.relation(table.this)
    return None if relation.reference or relation.metadata else relation
