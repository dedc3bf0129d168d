"""Table functions over a cursor: forests, hotspots, most frequent items, number of distinct items."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from kda_sql.errors import Located, nearest
from kda_sql.expressions import Expressions, function_name
from kda_sql.nodes import Cursor, offset
from kda_sql.scope import Item, Relation, Scope
from kda_sql.select_list import outputs_of
from kda_sql.steps import Step
from kda_sql.subqueries import subquery
from kda_sql.times import interval_sql
from kda_sql.types import APPROXIMATE, BIGINT, DOUBLE, INTEGERS, TIMESTAMP, SqlType
from kda_sql.values import Value, aliased, exactly, identifier, in_json, literal

if TYPE_CHECKING:
    from kda_sql.query import Query

_FORESTS = ("RANDOM_CUT_FOREST", "RANDOM_CUT_FOREST_WITH_EXPLANATION")
#: Name, least and greatest value of a forest's parameters, in order.
_PARAMETERS = (
    ("number_of_trees", 1, 1000),
    ("sub_sample_size", 10, 1000),
    ("time_decay", 1, 2_147_483_647),
    ("shingle_size", 1, 30),
)
_TOP_K, _DISTINCT, _HOTSPOTS = "TOP_K_ITEMS_TUMBLING", "COUNT_DISTINCT_ITEMS_TUMBLING", "HOTSPOTS"
_ROWTIME = Value("CAST(`rowtime` AS TIMESTAMP(3))", TIMESTAMP, clock=True)


def is_forest(node: Any) -> bool:
    """Whether a table function is one of the forests."""
    return function_name(node) in _FORESTS


def function_item(query: Query, name: str, node: Any, start: int) -> Item:
    """A table function as an entry of FROM."""
    function = function_name(node)
    known = (*_FORESTS, _TOP_K, _DISTINCT, _HOTSPOTS)
    if function == "GROUP_RANK":
        raise Located("GROUP_RANK is not translated: sort with ORDER BY STEP(s.ROWTIME …), …", start)
    if function not in known:
        like = nearest(function, known)
        raise Located(
            f"table function {function} is unknown" + (f"; did you mean {like}?" if like else ""), start
        )
    cursor, *rest = node.expressions or [None]
    if not isinstance(cursor, Cursor):
        raise Located(f"{function} takes CURSOR(SELECT STREAM …) first", offset(node))
    relation = subquery(query, cursor.this, f"{name}_cursor")
    if function in _FORESTS:
        return _forest(query, name, node, relation, list(relation.columns), rest)
    if function == _HOTSPOTS:
        return _hotspots(query, name, node, relation, rest)
    return _items(query, name, node, relation, rest)


def forest_over_its_source(
    query: Query, name: str, node: Any, relation: Relation
) -> tuple[Item, Item] | None:
    """A forest over a cursor of ``relation``: the scored rows with the cursor's columns, and with the stream's.

    None if the cursor reads another relation, or does more than select and filter.
    """
    cursor, *rest = node.expressions or [None]
    select = cursor.this if isinstance(cursor, Cursor) else None
    if not isinstance(select, exp.Select) or any(
        select.args.get(k) for k in ("group", "having", "order", "distinct", "stagger", "joins", "windows")
    ):
        return None
    table = select.args["from_"].this if select.args.get("from_") else None
    if not isinstance(table, exp.Table) or not isinstance(table.this, exp.Identifier):
        return None
    if query.planner.relation(table.this) is not relation:
        return None
    alias = table.args.get("alias")
    item = Item(relation, relation.shown if alias is None else str(alias.this.this).upper())
    x = Expressions(Scope([item]), _ROWTIME, query.notes)
    where = [x.condition(select.args["where"].this)] if select.args.get("where") else []
    outputs = {o.name: x.value(o.node) for o in outputs_of(select, Scope([item]))}
    names: dict[str, str] = {}
    selected = {c: Value(identifier(c), t) for c, t in relation.columns.items()}
    for output, value in outputs.items():
        column = re.fullmatch(r"`([^`]+)`", value.sql)
        names[output] = column[1] if column else f"cursor.{output}"
        selected[names[output]] = exactly(value)
    read = relation.name
    if where or any(n.startswith("cursor.") for n in names.values()):
        shown = {c: in_json(identifier(c), t) for c, t in relation.columns.items()}
        condition = query.guarded(relation.name, where, selected.values(), shown)
        parts = [aliased(n, v) for n, v in selected.items()]
        read = query.new(f"{name}_cursor")
        sql = f"SELECT {', '.join([*parts, '`rowtime`'])}\nFROM {identifier(relation.name)}{condition}"
        query.add(
            Step("view", read, sql=sql, note="The columns that the forest scores and those of its source.")
        )
    columns = {names[o]: v.type for o, v in outputs.items()}
    over = Relation(read, columns, relation.shown)
    scored = _forest(query, name, node, over, list(columns), rest)
    renamed = {o: names[o] for o in outputs} | {
        "ANOMALY_SCORE": "anomaly_score",
        "ANOMALY_EXPLANATION": "anomaly_explanation",
    }
    added = {c: t for c, t in scored.relation.columns.items() if c not in columns}
    shape = {o: v.type for o, v in outputs.items()} | added
    forest = Item(replace(scored.relation, columns=shape), scored.alias, names=renamed)
    stream = Item(
        Relation(scored.relation.name, dict(relation.columns), relation.shown, clocks=set(relation.clocks)),
        relation.shown,
    )
    return forest, stream


def _forest(
    query: Query, name: str, node: Any, relation: Relation, columns: list[str], rest: list[Any]
) -> Item:
    function = function_name(node)
    explained = function != "RANDOM_CUT_FOREST"
    numeric = [c for c in columns if relation.columns[c].kind in (*INTEGERS, *APPROXIMATE)]
    if not numeric:
        raise Located(f"{function} scores numbers; the cursor has none: {', '.join(columns)}", offset(node))
    if len(numeric) > 30:
        raise Located(f"{function} takes at most 30 numeric columns, got {len(numeric)}", offset(node))
    for column in ("ANOMALY_SCORE", "ANOMALY_EXPLANATION"):
        if column in relation.columns:
            raise Located(
                f"the cursor has a column {column} already: leave it out, or give it another name",
                offset(node),
            )
    if len(rest) > (5 if explained else 4):
        raise Located(
            f"{function} takes at most {5 if explained else 4} arguments after the cursor", offset(rest[-1])
        )
    directions = False
    if len(rest) == 5:
        directions = _truth(rest.pop())
    body: dict[str, Any] = {"of": relation.name, "columns": numeric}
    for argument, (parameter, least, most) in zip(rest, _PARAMETERS, strict=False):
        value = _whole(argument, parameter)
        if not least <= value <= most:
            raise Located(f"{parameter} must be between {least} and {most}, got {value}", offset(argument))
        body[parameter] = value
    if body.get("sub_sample_size", 256) >= body.get("time_decay", 100_000):
        raise Located("sub_sample_size must be smaller than time_decay", offset(rest[1]))
    if explained:
        body["explain"] = True
    made = query.new(f"{name}_scores")
    query.add(Step("forest", made, body))
    if explained and not directions:
        made = _without_directions(query, name, made, relation)
    added = {"ANOMALY_SCORE": DOUBLE} | ({"ANOMALY_EXPLANATION": SqlType("VARCHAR")} if explained else {})
    scored = Relation(made, relation.columns | added, relation.shown, clocks=set(relation.clocks))
    names = {"ANOMALY_SCORE": "anomaly_score", "ANOMALY_EXPLANATION": "anomaly_explanation"}
    return Item(scored, function, names=names)


def _without_directions(query: Query, name: str, scores: str, relation: Relation) -> str:
    """The forest's rows, explained as with withDirectionality FALSE: attribution scores only."""
    names = [
        p
        for c, t in relation.columns.items()
        for p in ([f"{c}.{f}" for f, _ in t.fields] if t.fields else [c])
    ]
    pattern = literal('"DIRECTION":"[A-Z]+","STRENGTH":"[^"]*",')
    columns = [*map(identifier, names), "`anomaly_score`"]
    columns.append(f"REGEXP_REPLACE(`anomaly_explanation`, {pattern}, '') AS `anomaly_explanation`")
    sql = f"SELECT {', '.join([*columns, '`rowtime`'])}\nFROM {identifier(scores)}"
    made = query.new(f"{name}_explained")
    return query.add(Step("view", made, sql=sql, note="The scored rows, explained without directions."))


def _hotspots(query: Query, name: str, node: Any, relation: Relation, rest: list[Any]) -> Item:
    numeric = [c for c, t in relation.columns.items() if t.kind in (*INTEGERS, *APPROXIMATE)]
    if len(rest) != 3:
        raise Located(
            "HOTSPOTS takes CURSOR(…), windowSize, scanRadius and minimumNumberOfPointsInAHotspot",
            offset(node),
        )
    if not numeric:
        raise Located("HOTSPOTS takes numbers; the cursor has none", offset(node))
    window, points = _whole(rest[0], "windowSize"), _whole(rest[2], "minimumNumberOfPointsInAHotspot")
    radius = _number(rest[1], "scanRadius")
    for value, least, most, argument, what in (
        (window, 100, 1000, rest[0], "windowSize"),
        (points, 2, window, rest[2], "minimumNumberOfPointsInAHotspot"),
    ):
        if not least <= value <= most:
            raise Located(f"{what} must be between {least} and {most}, got {value}", offset(argument))
    made = query.new(f"{name}_hotspots")
    body = {
        "of": relation.name,
        "columns": numeric,
        "window_size": window,
        "scan_radius": radius,
        "minimum_points": points,
    }
    query.add(Step("hotspots", made, body))
    query.notes.append(
        "HOTSPOTS: AWS documents its parameters, not its algorithm; here udfs/windows/hotspots.py says how it works"
    )
    found = Relation(made, relation.columns | {"HOTSPOTS_RESULT": SqlType("VARCHAR")}, relation.shown)
    return Item(found, _HOTSPOTS, names={"HOTSPOTS_RESULT": "hotspots_result"})


def _items(query: Query, name: str, node: Any, relation: Relation, rest: list[Any]) -> Item:
    function = function_name(node)
    top = function == _TOP_K
    if len(rest) != (3 if top else 2):
        wanted = "'column', k and seconds" if top else "'column' and seconds"
        raise Located(f"{function} takes CURSOR(…), {wanted}", offset(node))
    column = str(rest[0].this) if isinstance(rest[0], exp.Literal) else rest[0].name
    if column not in relation.columns:
        same = next((c for c in relation.columns if c.upper() == column.upper()), None)
        hint = f"; did you mean '{same}'?" if same else f": {', '.join(relation.columns)}"
        raise Located(f"the cursor has no column {column}{hint}", offset(rest[0]))
    seconds = _whole(rest[-1], "the window")
    if not 1 <= seconds <= 3600:
        raise Located(f"the window must be 1 to 3600 seconds, got {seconds}", offset(rest[-1]))
    window = f"TABLE(TUMBLE(TABLE {identifier(relation.name)}, DESCRIPTOR(`rowtime`), {interval_sql(seconds * 1000)}))"
    until = "CAST(window_end AS TIMESTAMP_LTZ(3)) AS `until`"
    if top:
        k = _whole(rest[1], "k")
        if not 1 <= k <= 100_000:
            raise Located(f"k must be between 1 and 100000, got {k}", offset(rest[1]))
        item = identifier(column)
        sql = (
            f"SELECT {item}, `MOST_FREQUENT_VALUES`, {until}\nFROM (\n  SELECT\n    *,\n"
            "    ROW_NUMBER() OVER (\n"
            f"      PARTITION BY window_start, window_end ORDER BY `MOST_FREQUENT_VALUES` DESC, {item}) AS `place`\n"
            f"  FROM (\n    SELECT {item}, COUNT(*) AS `MOST_FREQUENT_VALUES`, window_start, window_end\n"
            f"    FROM {window}\n    GROUP BY {item}, window_start, window_end\n  )\n)\nWHERE `place` <= {k}"
        )
        columns = {column: relation.columns[column], "MOST_FREQUENT_VALUES": BIGINT}
        query.notes.append("TOP_K_ITEMS_TUMBLING is exact here; KDA's was approximate")
    else:
        sql = (
            f"SELECT COUNT(DISTINCT {identifier(column)}) AS `NUMBER_OF_DISTINCT_ITEMS`, {until}\nFROM {window}\n"
            "GROUP BY window_start, window_end"
        )
        columns = {"NUMBER_OF_DISTINCT_ITEMS": BIGINT}
        query.notes.append(
            "COUNT_DISTINCT_ITEMS_TUMBLING is exact here; KDA's was exact up to 10,000 items in a window"
        )
    counted = query.new(f"{name}_items")
    note = f"{query.pump.name}: when each window of {seconds} seconds is over."
    query.add(Step("view", counted, sql=sql, note=note))
    made = query.new(f"{name}_closed")
    query.add(Step("rowtime", made, {"of": counted, "time": "until"}))
    names = {"ITEM": column, "ITEM_COUNT": "MOST_FREQUENT_VALUES"} if top else {}
    more = {n: columns[c] for n, c in names.items() if n not in columns}
    return Item(Relation(made, columns | more, relation.shown, hidden=set(more)), function, names=names)


def _whole(node: Any, what: str) -> int:
    value = _number(node, what)
    if value != int(value):
        raise Located(f"{what} must be a whole number, got {value}", offset(node))
    return int(value)


def _number(node: Any, what: str) -> float:
    inner = node.this if isinstance(node, exp.Cast | exp.Paren) else node
    if not isinstance(inner, exp.Literal) or inner.is_string:
        raise Located(f"{what} must be a number literal", offset(node))
    return float(inner.this)


def _truth(node: Any) -> bool:
    if not isinstance(node, exp.Boolean):
        raise Located("withDirectionality must be TRUE or FALSE", offset(node))
    return bool(node.this)
