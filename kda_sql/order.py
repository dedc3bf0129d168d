"""ORDER BY: sorts the rows of each step of time, and emits them when the step is over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from kda_sql.errors import Located
from kda_sql.expressions import Expressions, is_clock, window_ms
from kda_sql.nodes import offset
from kda_sql.program import fold
from kda_sql.select_list import Output
from kda_sql.steps import Step
from kda_sql.times import interval_sql
from kda_sql.types import SqlType
from kda_sql.values import Value, identifier

if TYPE_CHECKING:
    from kda_sql.query import Query


@dataclass
class Sort:
    """A step of time in milliseconds, and the sort keys within it, each with True for descending."""

    milliseconds: int
    by: list[tuple[Value, bool]]

    def columns(self) -> dict[str, Value]:
        """The columns that the previous step must provide."""
        found = {f"sort_{i + 1}": value for i, (value, _) in enumerate(self.by)}
        return found | {"own_time": Value("CAST(`rowtime` AS TIMESTAMP_LTZ(3))", SqlType("TIMESTAMP"))}


def keys(node: Any, x: Expressions, rows: Expressions | None, outputs: Sequence[Output]) -> Sort | None:
    """A query's ORDER BY; None if it has none, or orders by time only.

    ``rows`` is None if the output rows are groups, which share one time. Names and numbers of the select list may be
    used.
    """
    ordered = node.args.get("order")
    if ordered is None:
        return None
    first, *others = expressions = [_named(o, outputs) for o in ordered.expressions]
    step = window_ms(x if rows is None else rows, first.this)
    if step is None and rows is not None:
        rows.value(first.this)  # an unknown name is the better error
        raise Located(
            "ORDER BY must begin with the time, as in ORDER BY FLOOR(s.ROWTIME TO SECOND), …: a stream has no end",
            offset(first),
        )
    if first.args.get("desc"):
        raise Located("ORDER BY takes the time in ascending order only", offset(first))
    if rows is None:
        by = [o for o in expressions if not is_clock(x, o.this) and window_ms(x, o.this) is None]
        step = 1
    else:
        by = others
    if not by:
        return None
    return Sort(step or 1, [(x.value(o.this), bool(o.args.get("desc"))) for o in by])


def _named(ordered: Any, outputs: Sequence[Output]) -> Any:
    node = ordered.this
    found = None
    if isinstance(node, exp.Literal) and not node.is_string:
        place = int(node.this) if str(node.this).isdigit() else 0
        if not 1 <= place <= len(outputs):
            raise Located(
                f"ORDER BY {node.this}: required a column's number up to {len(outputs)}", offset(node)
            )
        found = outputs[place - 1].node
    elif isinstance(node, exp.Column) and not node.table and isinstance(node.this, exp.Identifier):
        found = next((o.node for o in outputs if o.aliased and o.name == fold(node.this)), None)
    if found is None:
        return ordered
    made = ordered.copy()
    made.set("this", found.copy())
    return made


def emit(query: Query, name: str, unsorted: str, columns: list[str], sort: Sort) -> None:
    """Add the steps that sort ``unsorted`` into the relation ``name``; each row keeps its own time."""
    outer = ", ".join(map(identifier, columns))
    by = ", ".join(f"`sort_{i + 1}`{' DESC' if desc else ''}" for i, (_, desc) in enumerate(sort.by))
    sorted_ = query.new(f"{name}_sorted")
    window = f"TUMBLE(TABLE {identifier(unsorted)}, DESCRIPTOR(`rowtime`), {interval_sql(sort.milliseconds)})"
    # ROW_NUMBER makes Flink sort a window's rows; the condition keeps all of them.
    sql = (
        f"SELECT {outer}, `own_time`\nFROM (\n  SELECT\n    *,\n"
        f"    ROW_NUMBER() OVER (PARTITION BY window_start, window_end ORDER BY {by}) AS `place`\n"
        f"  FROM TABLE({window})\n"
        ")\nWHERE `place` <= 2147483647"
    )
    query.add(
        Step("view", sorted_, sql=sql, note="The rows of one step of time, sorted, when the step is over.")
    )
    timed = query.new(f"{name}_timed")
    query.add(Step("rowtime", timed, {"of": sorted_, "time": "own_time"}))
    sql = f"SELECT {outer}, `rowtime`\nFROM {identifier(timed)}"
    query.add(Step("view", name, sql=sql, note="The sorted rows, each with its own time."))
