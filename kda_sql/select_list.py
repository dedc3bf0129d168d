"""Columns and names of a select list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from kda_sql.nodes import offset
from kda_sql.program import fold
from kda_sql.scope import Item, Scope


@dataclass
class Output:
    """One column of a select list."""

    name: str
    node: Any
    aliased: bool = False


def outputs_of(node: Any, scope: Scope) -> list[Output]:
    """The columns of a select list, with * expanded; names are unique."""
    outputs: list[Output] = []

    def add(wanted: str, projection: Any, aliased: bool = False) -> None:
        taken, name, n = {o.name for o in outputs}, wanted, 0
        while name in taken or name == "rowtime":
            name, n = f"{wanted}{n}", n + 1
        outputs.append(Output(name, projection, aliased))

    for i, projection in enumerate(node.expressions):
        star: Any = projection if isinstance(projection, exp.Star) else None
        if isinstance(projection, exp.Column) and isinstance(projection.this, exp.Star):
            star, items = projection, [scope.item(projection.args["table"], offset(projection))]
        elif star is not None:
            items = scope.items
        if star is None:
            alias = projection.args.get("alias") if isinstance(projection, exp.Alias) else None
            inner = projection.this if isinstance(projection, exp.Alias) else projection
            if isinstance(alias, exp.Identifier):
                add(fold(alias), inner, aliased=True)
            elif isinstance(inner, exp.Column):
                add(fold(inner.this), inner)
            else:
                add(f"EXPR${i}", inner)
            continue
        for item in items:
            for column in item.relation.columns:
                if column not in item.relation.hidden:
                    add(column, _star_column(item, column, offset(node)))
    return outputs


def _star_column(item: Item, column: str, start: int) -> exp.Column:
    node = exp.Column(
        this=exp.Identifier(this=column, quoted=True), table=exp.Identifier(this=item.alias, quoted=True)
    )
    node.this.meta["start"] = start
    return node
