"""FROM: turns streams, subqueries, table functions and joins into the one relation that the query reads."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from kda_sql import joins, tables
from kda_sql.errors import Located
from kda_sql.nodes import offset
from kda_sql.program import fold
from kda_sql.scope import Item, Relation
from kda_sql.subqueries import subquery
from kda_sql.times import interval_ms
from kda_sql.types import TIMESTAMP
from kda_sql.values import Value, in_json

if TYPE_CHECKING:
    from kda_sql.query import Query

_ROWTIME = Value("CAST(`rowtime` AS TIMESTAMP(3))", TIMESTAMP, clock=True)


@dataclass
class Source:
    """The relation that a query reads.

    Parameters
    ----------
    relation : str
        Its name in the application.
    items : list of Item
        The entries of FROM that it holds.
    where : list
        Conditions that joins have not used.
    """

    relation: str
    items: list[Item]
    where: list[Any] = field(default_factory=list)
    rowtime: Value = _ROWTIME

    @property
    def shown(self) -> dict[str, str]:
        """The columns to report of a row that fails."""
        several = len(self.items) > 1
        return {
            f"{item.alias}.{c}" if several else c: in_json(item.sql(c), type_)
            for item in self.items
            for c, type_ in item.relation.columns.items()
            if type_.kind != "RECORD" and c not in item.relation.hidden
        }


class From:
    """Translates the FROM of one query, and adds the steps that it needs."""

    def __init__(self, query: Query, name: str) -> None:
        self.query = query
        self.name = name

    def read(self, node: Any) -> Source:
        """Translate FROM and WHERE to one relation."""
        self._windows = node.args.get("windows") or ()
        from_ = node.args.get("from_")
        if from_ is None:
            raise Located("required FROM and a stream", offset(node))
        where = conjuncts(node.args["where"].this) if node.args.get("where") else []
        joined = [*(node.args.get("joins") or ()), *(from_.this.args.get("joins") or ())]
        own = self._forest_and_its_source(from_.this, joined)
        if own is not None:
            return replace(own, where=where)
        first = self.item(from_.this)
        source = Source(first.relation.name, [first], where)
        for join in joined:
            source = joins.joined(self, source, join)
        if len({i.alias for i in source.items}) < len(source.items):
            raise Located("two relations have the same name: rename one of them with AS", offset(from_))
        if first.relation.reference and len(source.items) == 1:
            raise Located(f"{first.alias} is a reference table: a stream must be joined to it", offset(from_))
        if len(source.items) == 1 and source.items[0].over is not None:
            source.items[0].over = None  # a window matters in a join only
        return source

    def item(self, node: Any) -> Item:
        """One entry of FROM."""
        alias = node.args.get("alias")
        named = fold(alias.this) if alias is not None and alias.this is not None else None
        columns = [fold(c) for c in (alias.args.get("columns") or ())] if alias is not None else []
        if isinstance(node, exp.Subquery):
            relation = subquery(self.query, node.this, f"{self.name}_{named or 'query'}", columns)
            return Item(relation, named or relation.shown)
        if not isinstance(node, exp.Table):
            raise Located("required a stream, a table, a query in parentheses or TABLE(…)", offset(node))
        if not isinstance(node.this, exp.Identifier):
            item = tables.function_item(self.query, self.name, node.this, offset(node))
            return replace(item, alias=named or item.alias)
        relation = self.query.planner.relation(node.this)
        item = Item(relation, named or relation.shown, self._over(node.args.get("over")))
        if columns:
            item = Item(*_renamed(relation, columns, offset(node)), over=item.over)
            item.alias = named or relation.shown
        return item

    def _over(self, window: Any) -> int | None:
        if window is None:
            return None
        alias = window.args.get("alias")
        if alias is not None and window.args.get("spec") is None:
            declared = {fold(w.this): w for w in self._windows}
            if fold(alias) not in declared:
                raise Located(
                    f"window {fold(alias)} is not declared: WINDOW {fold(alias)} AS (RANGE INTERVAL …)",
                    offset(alias),
                )
            window = declared[fold(alias)]
        spec = window.args.get("spec")
        if window.args.get("partition_by"):
            raise Located("a window in a join takes no PARTITION BY", offset(window))
        if (
            spec is None
            or str(spec.args["kind"]).upper() != "RANGE"
            or not isinstance(spec.args.get("start"), exp.Interval)
        ):
            raise Located("a window in a join is RANGE INTERVAL 'n' MINUTE PRECEDING", offset(window))
        return interval_ms(spec.args["start"])

    def _forest_and_its_source(self, first: Any, joined: list[Any]) -> Source | None:
        """A forest joined without a condition to the stream of its cursor: each row with its own score."""
        if len(joined) != 1 or joined[0].args.get("on") or joined[0].args.get("side"):
            return None
        pair = [first, joined[0].this]
        functions = [t for t in pair if isinstance(t, exp.Table) and not isinstance(t.this, exp.Identifier)]
        streams = [t for t in pair if isinstance(t, exp.Table) and isinstance(t.this, exp.Identifier)]
        if len(functions) != 1 or len(streams) != 1 or not tables.is_forest(functions[0].this):
            return None
        relation = self.query.planner.relation(streams[0].this)
        if relation.reference:
            return None
        names = [
            fold(t.args["alias"].this) if t.args.get("alias") is not None else None
            for t in (functions[0], streams[0])
        ]
        made = tables.forest_over_its_source(self.query, self.name, functions[0].this, relation)
        if made is None:
            raise Located(
                "a forest needs no join condition only with the stream that its cursor reads: write JOIN … ON "
                "for other streams",
                offset(joined[0]),
            )
        forest, stream = made
        self.query.notes.append(
            "the forest and its own source in one FROM: each row with its own score, as KDA most likely gave"
        )
        items = [
            replace(forest, alias=names[0] or forest.alias),
            replace(stream, alias=names[1] or relation.shown),
        ]
        return Source(forest.relation.name, items if functions[0] is first else items[::-1])


def conjuncts(node: Any) -> list[Any]:
    """A condition's parts between ANDs."""
    inner = node
    while isinstance(inner, exp.Paren):
        inner = inner.this
    if isinstance(inner, exp.And):
        return [*conjuncts(inner.this), *conjuncts(inner.expression)]
    return [node]


def _renamed(relation: Relation, columns: list[str], start: int) -> tuple[Relation, str]:
    raise Located(f"columns of stream {relation.shown} can't be renamed by an alias: use a subquery", start)
