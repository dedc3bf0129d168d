"""Joins: stream to stream within windows, stream to reference table."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from kda_sql.errors import Located
from kda_sql.expressions import Expressions
from kda_sql.nodes import offset
from kda_sql.program import fold
from kda_sql.scope import Item, Scope
from kda_sql.steps import Step
from kda_sql.times import interval_sql
from kda_sql.types import TIMESTAMP
from kda_sql.values import Value, exactly, identifier

if TYPE_CHECKING:
    from kda_sql.sources import From, Source

_NOW = Value("CAST(`rowtime` AS TIMESTAMP(3))", TIMESTAMP, clock=True)


def joined(from_: From, left: Source, join: Any) -> Source:
    """Join one more relation to those joined so far."""
    right = from_.item(join.this)
    side, kind = str(join.args.get("side") or "").upper(), str(join.args.get("kind") or "").upper()
    if join.args.get("method") or kind not in ("", "INNER", "CROSS", "OUTER"):
        raise Located(f"{join.args.get('method') or kind} JOIN is not translated", offset(join))
    conditions = _on(join, left, right)
    inner = not side
    if inner:
        # Conditions of WHERE that name both sides are join conditions.
        conditions += [w for w in left.where if _refers_to(w, [right]) and _refers_to(w, left.items)]
        left.where = [w for w in left.where if w not in conditions]
    if right.relation.reference:
        return _lookup_join(from_, left, right, conditions, side, join)
    if len(left.items) == 1 and left.items[0].relation.reference:
        if side and side != "RIGHT":
            raise Located(
                "rows of a reference table without a match can't be kept: put the stream on the left",
                offset(join),
            )
        stream = type(left)(right.relation.name, [right], left.where)
        return _lookup_join(from_, stream, left.items[0], conditions, "LEFT" if side else "", join)
    return _stream_join(from_, left, right, conditions, side, join)


def _on(join: Any, left: Source, right: Item) -> list[Any]:
    from kda_sql.sources import conjuncts

    if join.args.get("using"):
        made = []
        for name in join.args["using"]:
            owner = next((i for i in left.items if fold(name) in i.relation.columns), None)
            if owner is None:
                raise Located(f"USING: column {fold(name)} does not exist on the left", offset(name))
            sides = [
                exp.Column(this=name.copy(), table=exp.Identifier(this=i.alias, quoted=True))
                for i in (owner, right)
            ]
            made.append(exp.EQ(this=sides[0], expression=sides[1]))
        return made
    return conjuncts(join.args["on"]) if join.args.get("on") is not None else []


def _refers_to(node: Any, items: list[Item]) -> bool:
    for column in node.find_all(exp.Column):
        qualifier = fold(column.args["table"]) if column.args.get("table") is not None else None
        for item in items:
            if qualifier in (item.alias, item.relation.shown):
                return True
            if qualifier is None and item.relation.columns.get(fold(column.this)) is not None:
                return True
    return False


def _stream_join(
    from_: From, left: Source, right: Item, conditions: list[Any], side: str, join: Any
) -> Source:
    """Join two streams: rows match within the windows of both."""
    query = from_.query
    left_items = [replace(i, prefix="l.") for i in left.items]
    right_item = replace(right, prefix="r.")
    x = Expressions(Scope([*left_items, right_item]), _NOW, query.notes)
    if not conditions:
        raise Located(
            f"{right.alias} joined without a condition: write ON, as in ON a.ROWTIME = b.ROWTIME",
            offset(join),
        )
    windows = [i.over for i in left.items if i.over is not None]
    left_window, right_window = max(windows, default=0), right.over or 0
    if not windows and right.over is None and not _equal_times(conditions):
        query.notes.append(
            "two streams without windows match on equal ROWTIMEs: KDA joined current rows only"
        )
    met = [x.condition(c).inside(3) for c in conditions]
    met.append(
        f"l.`rowtime` BETWEEN r.`rowtime` - {_length(left_window)} AND r.`rowtime` + {_length(right_window)}"
        if left_window or right_window
        else "l.`rowtime` = r.`rowtime`"
    )
    met = [m for m in met if m != "CAST(l.`rowtime` AS TIMESTAMP(3)) = CAST(r.`rowtime` AS TIMESTAMP(3))"
           and m != "CAST(r.`rowtime` AS TIMESTAMP(3)) = CAST(l.`rowtime` AS TIMESTAMP(3))"]  # fmt: skip
    columns, items = [], []
    for item in [*left_items, right_item]:
        names = {}
        for column, type_ in item.relation.columns.items():
            parts = [f"{column}.{f}" for f, _ in type_.fields] if type_.kind == "RECORD" else [column]
            for part in parts:
                names[part] = f"{item.alias}.{part}"
                columns.append(f"{item.sql(part)} AS {identifier(names[part])}")
        time = f"{item.alias}.ROWTIME"
        columns.append(
            f"CAST({item.prefix}{identifier(item.time)} AS TIMESTAMP_LTZ(3)) AS {identifier(time)}"
        )
        items.append(replace(item, names=names, time=time, prefix="", over=None))
    times = [f"CAST({p}.`rowtime` AS TIMESTAMP_LTZ(3))" for p in ("l", "r")]
    met_at = f"CASE WHEN {times[0]} > {times[1]} THEN {times[0]} ELSE {times[1]} END"
    if side:
        alone = {"LEFT": [0], "RIGHT": [1], "FULL": [0, 1]}[side]
        unmatched = [
            f"{times[i]} + {interval_sql(w) if w else _length(0)}"
            for i, w in enumerate((left_window, right_window))
        ]
        cases = " ".join(f"WHEN {times[1 - i]} IS NULL THEN {unmatched[i]}" for i in alone)
        met_at = f"CASE {cases} WHEN {times[0]} > {times[1]} THEN {times[0]} ELSE {times[1]} END"
    columns.append(f"{met_at} AS `met_at`")
    word = f"{side} JOIN" if side else "JOIN"
    sql = (
        "SELECT\n  " + ",\n  ".join(columns) + f"\nFROM {identifier(left.relation)} AS l\n"
        f"{word} {identifier(right.relation.name)} AS r\nON " + "\n  AND ".join(met)
    )
    pairs = query.new(f"{from_.name}_pairs")
    note = f"{query.pump.name}: one row per pair, when its later row comes."
    query.add(Step("view", pairs, sql=sql, note=note))
    timed = query.new(f"{from_.name}_met")
    query.add(Step("rowtime", timed, {"of": pairs, "time": "met_at"}))
    ordered = query.new(f"{from_.name}_joined")
    query.add(Step("ordered", ordered, {"of": timed}))
    return type(left)(ordered, items, left.where)


def _equal_times(conditions: list[Any]) -> bool:
    return any(
        isinstance(c, exp.EQ)
        and all(getattr(s, "name", "").upper() == "ROWTIME" for s in (c.this, c.expression))
        for c in conditions
    )


def _length(milliseconds: int) -> str:
    return interval_sql(milliseconds) if milliseconds else "INTERVAL '0' SECOND"


def _lookup_join(
    from_: From, left: Source, table: Item, conditions: list[Any], side: str, join: Any
) -> Source:
    """Join a stream with a reference table: each row with every table row of the same key."""
    query = from_.query
    if side not in ("", "LEFT"):
        raise Located(
            f"{side} JOIN with a reference table can't tell when a table row has no match: write LEFT JOIN",
            offset(join),
        )
    on: dict[str, Value] = {}
    rest = []
    rows = Expressions(Scope(left.items), _NOW, query.notes)
    for condition in conditions:
        pair = _key(condition, left.items, table)
        if pair is None:
            rest.append(condition)
        else:
            on[pair[1]] = exactly(rows.value(pair[0]))
    if not on:
        raise Located(
            f"a join with a reference table needs equal columns: ON s.key = {table.alias}.key", offset(join)
        )
    if rest and side:
        raise Located(
            "LEFT JOIN with a reference table takes equal columns only, no other condition", offset(rest[0])
        )
    columns, items, keys = [], [], {}
    for item in left.items:
        names = {}
        for column in item.relation.columns:
            names[column] = f"{item.alias}.{column}"
            columns.append(f"{item.sql(column)} AS {identifier(names[column])}")
        time = item.time
        if time != "rowtime":
            columns.append(f"{identifier(time)}")
        items.append(replace(item, names=names, over=None))
    for column, value in on.items():
        keys[f"key.{column}"] = column
        columns.append(f"{value.sql} AS {identifier(f'key.{column}')}")
    sql = f"SELECT {', '.join([*columns, '`rowtime`'])}\nFROM {identifier(left.relation)}"
    rows_name = query.new(f"{from_.name}_keyed")
    query.add(Step("view", rows_name, sql=sql, note="Each row with its key in the reference table."))
    name = query.new(f"{from_.name}_with_{table.relation.shown}")
    body = {
        "of": rows_name,
        "reference": table.relation.name,
        "on": keys,
        "join": "left" if side else "inner",
    }
    query.add(Step("lookup", name, body))
    return type(left)(name, [*items, replace(table, over=None)], [*left.where, *rest])


def _key(condition: Any, streams: list[Item], table: Item) -> tuple[Any, str] | None:
    if not isinstance(condition, exp.EQ):
        return None
    for a, b in ((condition.this, condition.expression), (condition.expression, condition.this)):
        if isinstance(b, exp.Column) and _refers_to(b, [table]) and not _refers_to(a, [table]):
            name = fold(b.this)
            if name in table.relation.columns and (_refers_to(a, streams) or not a.find(exp.Column)):
                return a, name
    return None
