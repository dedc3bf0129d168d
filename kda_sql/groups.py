"""GROUP BY, DISTINCT and WINDOWED BY STAGGER: rows of one window and key become one."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from kda_sql.errors import Located
from kda_sql.expressions import Expressions, function_name, window_of
from kda_sql.functions import stepped_time, unix_ms
from kda_sql.nodes import Truncated, offset
from kda_sql.sources import Source
from kda_sql.steps import Step
from kda_sql.times import interval_ms, interval_sql
from kda_sql.types import TIMESTAMP
from kda_sql.values import PLUS, Value, aliased, exactly, identifier, in_json
from kda_sql.windows import Call, Columns, aggregate_of, call_of

if TYPE_CHECKING:
    from kda_sql.query import Query

#: A tumbling window with an offset is picked from at most this many hopping windows.
_MOST_SLIDES = 60
_ROWTIME = Value("CAST(`rowtime` AS TIMESTAMP(3))", TIMESTAMP, clock=True)


class Groups:
    """The GROUP BY windows of one query.

    Attributes
    ----------
    expressions : Expressions
        Translates expressions over a group: keys, aggregates, the window's times.
    """

    def __init__(
        self,
        query: Query,
        name: str,
        source: Source,
        rows: Expressions,
        node: Any,
        group: Any = None,
        within: bool = False,
    ) -> None:
        self._query, self._name, self._source, self._rows = query, name, source, rows
        self._within = within
        self._columns = Columns()
        self._keys: dict[str, tuple[str, Value]] = {}
        self._calls: dict[str, Call] = {}
        self._changes: list[str] = []
        self._milliseconds = 0
        #: Milliseconds added to ROWTIME before it is rounded to the step.
        self._moved = 0
        self._opened = self._closed = False
        stagger = node.args.get("stagger")
        self._opens = "first_row" if stagger else "clock"
        group = group or node.args.get("group")
        if stagger:
            self._milliseconds = interval_ms(stagger.args["range"])
            keys = list(stagger.expressions)
        else:
            keys = list(group.expressions)
        for key in keys:
            self._key(key.this if isinstance(key, exp.Alias) else key)
        if not self._milliseconds and not self._changes:
            raise Located(
                "GROUP BY needs a key that only grows, or no group would ever be complete: add STEP(s.ROWTIME BY "
                "INTERVAL '1' MINUTE), or write MONOTONIC(…) around a key that only grows",
                offset(keys[0], offset(group)) if keys else offset(group),
            )
        if self._changes and not self._milliseconds:
            self._opens = "change"
        self.expressions = Expressions(rows.scope, _ROWTIME, rows.notes, self._computed)

    def _key(self, node: Any) -> None:
        found = None if self._opens == "first_row" else window_of(self._rows, node)
        if found is not None:
            # Steps with different shifts share a finer window: the greatest that divides both.
            apart = found[1] - self._moved if self._milliseconds else 0
            self._milliseconds = math.gcd(self._milliseconds, found[0], apart)
            self._moved = found[1]
            return
        monotonic = function_name(node) == "MONOTONIC"
        value = self._rows.value(node)
        if value.grows and self._opens == "clock":
            # A subquery has rounded ROWTIME already: rows of one value are in one window.
            self._milliseconds = math.gcd(self._milliseconds, value.grows)
        wanted = node.name if isinstance(node, exp.Column) else "key"
        name = self._columns.add(
            exactly(value), value.sql.strip("`") if isinstance(node, exp.Column) else wanted
        )
        self._keys[value.sql] = (name, value)
        if monotonic:
            self._changes.append(name)

    def _computed(self, node: Any) -> Value | None:
        if isinstance(node, exp.Window):
            return None
        if aggregate_of(node) is not None:
            call = call_of(node, self._rows, self._columns)
            return Value(identifier(self._result(call)), call.type, small=call.function == "COUNT")
        if isinstance(node, exp.Literal | exp.Interval | exp.Null | exp.Boolean) or any(
            aggregate_of(n) is not None for n in node.walk()
        ):
            return None
        if self._opens == "clock" and self._milliseconds:
            found = self._time(node)
            if found is not None:
                return found
        if isinstance(node, exp.Column) and self._is_bare_rowtime(node):
            return None
        value = self._rows.value(node)
        if value.sql in self._keys:
            name, key = self._keys[value.sql]
            return Value(identifier(name), key.type, grows=key.grows)
        if isinstance(node, exp.Column):
            raise Located(f"column {node.name} is neither in GROUP BY nor in an aggregate", offset(node))
        return None

    def _is_bare_rowtime(self, node: exp.Column) -> bool:
        return self._rows.scope.column(node, offset(node)) is None

    def _time(self, node: Any) -> Value | None:
        found = window_of(self._rows, node)
        if found is None or (isinstance(node, exp.Column) and self._is_bare_rowtime(node)):
            return None
        milliseconds, moved = found
        if milliseconds == 1:
            if self._milliseconds > 1:
                raise Located(
                    "ROWTIME of a single row is not known for a group: write ROWTIME alone for the group's own time, "
                    "or the step that GROUP BY has",
                    offset(node),
                )
        elif milliseconds % self._milliseconds or (moved - self._moved) % self._milliseconds:
            raise Located("this step of ROWTIME is not in GROUP BY", offset(node))
        up = isinstance(node, Truncated) and node.args["kind"] == "CEIL"
        whole = milliseconds == self._milliseconds
        column = "`closed`" if up and whole else "`opened`"
        self._opened, self._closed = (
            self._opened or column == "`opened`",
            self._closed or column == "`closed`",
        )
        time = Value(column, TIMESTAMP)
        if moved:
            sign = "-" if moved < 0 else "+"
            time = Value(f"{column} {sign} {interval_sql(abs(moved))}", TIMESTAMP, PLUS)
        return replace(time if whole else stepped_time(time, milliseconds, up), grows=milliseconds)

    def _result(self, call: Call) -> str:
        wanted = f"{call.function.lower()}_{call.of or 'all'}"
        name, n = wanted, 1
        while name in self._columns.values or (name in self._calls and self._calls[name] != call):
            n += 1
            name = f"{wanted}_{n}"
        self._calls[name] = call
        return name

    def emit(self, where: list[Value], having: list[Value]) -> tuple[str, dict[str, str]]:
        """Add the windows' steps; return the relation of groups, and the columns to report of one that fails."""
        names = {name: key for name, key in self._keys.values()}
        types = {n: v.type for n, v in names.items()} | {n: c.type for n, c in self._calls.items()}
        shown = {n: in_json(identifier(n), t) for n, t in types.items()}
        in_sql = self._opens == "clock" and all(c.in_sql for c in self._calls.values()) and not self._changes
        read = self._in_sql(where, names) if in_sql else self._by_operator(where, names)
        return read, shown

    def _selected(self, where: list[Value]) -> str:
        columns = [aliased(n, v) for n, v in self._columns.values.items()]
        source = self._source
        condition = self._query.guarded(source.relation, where, self._columns.values.values(), source.shown)
        return f"SELECT {', '.join([*columns, '`rowtime`'])}\nFROM {identifier(source.relation)}{condition}"

    def _in_sql(self, where: list[Value], keys: dict[str, Value]) -> str:
        results = [
            *(identifier(k) for k in keys),
            *(f"{c.sql} AS {identifier(n)}" for n, c in self._calls.items()),
        ]
        grouped = [*(identifier(k) for k in keys), "window_start", "window_end"]
        if self._opened:
            results.append("window_start AS `opened`")
        if self._closed:
            results.append("window_end AS `closed`")
        # A window of one millisecond is complete at its start, a longer one at its end.
        end = "window_start" if self._milliseconds == 1 else "window_end"
        time = "window_time AS `rowtime`" if self._within else f"CAST({end} AS TIMESTAMP_LTZ(3)) AS `until`"
        if self._within:
            grouped.append("window_time")
        window, size, having = "TUMBLE", interval_sql(self._milliseconds), ""
        if self._begin:
            # TUMBLE with an offset closes late in Flink 1.20, and loses a window at a restore. So use hopping windows,
            # and keep those that begin at the offset.
            slide = math.gcd(self._milliseconds, self._begin)
            if self._milliseconds > _MOST_SLIDES * slide:
                raise Located(
                    f"a window of {size} with an offset of {self._begin} ms is not translated: "
                    "write ROWTIME without the interval",
                    offset(self._query.pump.query),
                )
            window, size = "HOP", f"{interval_sql(slide)}, {size}"
            start = unix_ms(Value("window_start", TIMESTAMP)).sql
            having = f"\nHAVING MOD({start}, {self._milliseconds}) = {self._begin}"
        inner = self._selected(where).replace("\n", "\n    ")
        sql = (
            "SELECT\n  "
            + ",\n  ".join([*results, time])
            + f"\nFROM TABLE(\n  {window}(\n    ("
            + inner
            + "),\n"
            f"    DESCRIPTOR(`rowtime`), {size}))\nGROUP BY {', '.join(grouped)}{having}"
        )
        name = self._query.new(f"{self._name}_windows")
        length = interval_sql(self._milliseconds).removeprefix("INTERVAL ").replace("'", "")
        note = f"{self._query.pump.name}: one row per window of {length} and key, when the window is over."
        self._query.add(Step("view", name, sql=sql, note=note))
        if self._within:
            return name
        closed = self._query.new(f"{self._name}_closed")
        # The row's time is the window's end, so that a following window counts it there.
        return self._query.add(Step("rowtime", closed, {"of": name, "time": "until"}))

    @property
    def _begin(self) -> int:
        """The windows' offset: milliseconds after a multiple of their length since 1970."""
        return -self._moved % self._milliseconds if self._moved else 0

    def _by_operator(self, where: list[Value], keys: dict[str, Value]) -> str:
        if self._begin:
            raise Located(
                "a window of ROWTIME plus or minus an interval takes only COUNT, SUM, AVG, MIN and MAX: let a first "
                "pump shift the time, or write ROWTIME alone",
                offset(self._query.pump.query),
            )
        rows = self._query.new(f"{self._name}_rows")
        self._query.add(
            Step(
                "view",
                rows,
                sql=self._selected(where),
                note="The columns that the windows need, one row per input row.",
            )
        )
        if self._opens == "change" and any(not isinstance(n, str) for n in keys):
            raise Located("MONOTONIC beside other keys is not translated", 0)
        body: dict[str, Any] = {"of": rows, "opens": self._opens}
        if self._opens == "change":
            body["changes"] = self._changes
        else:
            body["seconds"] = self._milliseconds / 1000
        body["keys"] = list(keys)  # within a window of time, a MONOTONIC key is a key like others
        if self._opened or self._closed:
            body["times"] = True
        body["columns"] = {n: c.described() for n, c in self._calls.items()}
        name = self._query.new(f"{self._name}_windows")
        return self._query.add(Step("windows", name, body))
