"""OVER windows: each row with aggregates over the rows up to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlglot import exp

from kda_sql.errors import Located
from kda_sql.expressions import Expressions, is_clock
from kda_sql.nodes import offset
from kda_sql.program import fold
from kda_sql.sources import Source
from kda_sql.steps import Step
from kda_sql.times import interval_ms
from kda_sql.types import TIMESTAMP
from kda_sql.values import Value, aliased, exactly, identifier, in_json
from kda_sql.windows import Call, Columns, aggregate_of, call_of

if TYPE_CHECKING:
    from kda_sql.query import Query

_ROWTIME = Value("CAST(`rowtime` AS TIMESTAMP(3))", TIMESTAMP, clock=True)
_INSTEAD = "write ROWS n PRECEDING or RANGE INTERVAL 'n' MINUTE PRECEDING"


class Sliding:
    """The OVER windows of one query, each by rows or by time.

    Attributes
    ----------
    expressions : Expressions
        Translates expressions over a row and its windows.
    """

    def __init__(self, query: Query, name: str, source: Source, rows: Expressions, node: Any) -> None:
        self._query, self._name, self._source, self._rows = query, name, source, rows
        self._named = {fold(w.this): w for w in node.args.get("windows") or ()}
        self._columns = Columns()
        self._layers: dict[tuple[str, ...], dict[str, Call]] = {}
        #: Columns that the steps so far provide.
        self._done: list[str] = []
        self.expressions = Expressions(rows.scope, _ROWTIME, rows.notes, self._computed)

    def _computed(self, node: Any) -> Value | None:
        if isinstance(node, exp.Window):
            return self._window(node)
        found = aggregate_of(node)
        if found is not None:
            raise Located(f"{found[0]} needs OVER and a window, like the others in this query", offset(node))
        if isinstance(node, exp.Column) and not isinstance(node.this, exp.Star):
            value = self._rows.scope.column(node, offset(node))
            if value is None:
                return None
            if value.clock and value.sql == self._source.rowtime.sql:
                return _ROWTIME
            if value.fields is not None:
                return None
            name = self._columns.add(value, value.sql.strip("`"))
            return Value(identifier(name), value.type, clock=value.clock)
        return None

    def _window(self, node: exp.Window) -> Value:
        spec = self._specified(node)
        partition = []
        for key in spec.args.get("partition_by") or ():
            value = self._rows.value(key)
            partition.append(
                self._columns.add(exactly(value), value.sql.strip("`") if "(" not in value.sql else "key")
            )
        order = spec.args.get("order")
        if order is not None and not (
            len(order.expressions) == 1 and is_clock(self._rows, order.expressions[0].this)
        ):
            raise Located("a window is ordered by ROWTIME: leave out its ORDER BY", offset(order))
        if aggregate_of(node.this) is None:
            raise Located("this function takes no window", offset(node))
        call = call_of(node.this, self._rows, self._columns)
        self._frame(call, spec, node)
        layer = self._layers.setdefault(tuple(sorted(partition)), {})
        return Value(identifier(self._result(call, layer)), call.type, small=call.function == "COUNT")

    def _specified(self, node: exp.Window) -> Any:
        alias = node.args.get("alias")
        if alias is None:
            return node
        name = fold(alias)
        if name not in self._named:
            raise Located(
                f"window {name} is not declared: WINDOW {name} AS (…); there are {', '.join(self._named) or 'none'}",
                offset(alias),
            )
        named = self._named[name]
        if node.args.get("spec") is None and not node.args.get("partition_by"):
            return self._specified(named) if named.args.get("alias") is not None else named
        spec = named.copy()
        for key in ("spec", "partition_by", "order"):
            if node.args.get(key):
                spec.set(key, node.args[key])
        return spec

    def _frame(self, call: Call, spec: Any, node: exp.Window) -> None:
        frame = spec.args.get("spec")
        if frame is None:
            if call.function != "LAG":
                raise Located(f"the window has no length: {_INSTEAD}", offset(node))
            call.rows = call.offset
            return
        start, side = frame.args.get("start"), str(frame.args.get("start_side") or "")
        end = frame.args.get("end")
        if end not in (None, "CURRENT ROW"):
            raise Located("a window ends at the current row: AND CURRENT ROW, or nothing", offset(node))
        if start == "CURRENT ROW":
            call.rows = 0
            return
        if side.upper() != "PRECEDING":
            raise Located(f"a window looks back: {_INSTEAD}", offset(node))
        if start == "UNBOUNDED":
            call.unbounded = True
            if not call.over_in_sql:
                what = f"{call.function}{' DISTINCT' * call.distinct} over all rows before keeps every row forever"
                raise Located(f"{what}: {_INSTEAD}", offset(node))
            self._rows.note(
                "a window over all rows before keeps its sums forever, one for each value of PARTITION BY"
            )
            return
        if str(frame.args["kind"]).upper() == "ROWS":
            count = self._rows.value(start).number
            if count is None or count != int(count):
                raise Located("ROWS takes a whole number", offset(node))
            call.rows = int(count)
        else:
            call.milliseconds = interval_ms(start)

    def _result(self, call: Call, layer: dict[str, Call]) -> str:
        length = (
            "all"
            if call.unbounded
            else f"{call.rows}_rows"
            if call.rows is not None
            else f"{(call.milliseconds or 0) / 1000:g}_s"
        )
        wanted = f"{call.function.lower()}_{call.of or 'all'}_{length}"
        taken = {n for other in self._layers.values() for n in other} | set(self._columns.values)
        for name, other in layer.items():
            if other == call:
                return name
        name, n = wanted, 1
        while name in taken:
            n += 1
            name = f"{wanted}_{n}"
        layer[name] = call
        return name

    def emit(self, where: list[Value], having: list[Value]) -> tuple[str, dict[str, str]]:
        """Add the windows' steps; return the relation to read, and the columns to report of a row that fails."""
        source, columns = self._source, self._columns.values
        condition = self._query.guarded(source.relation, where, columns.values(), source.shown)
        read = source.relation
        if condition or any(v.sql != identifier(n) for n, v in columns.items()):
            selected = [aliased(n, v) for n, v in columns.items()]
            sql = f"SELECT {', '.join([*selected, '`rowtime`'])}\nFROM {identifier(read)}{condition}"
            read = self._query.new(f"{self._name}_rows")
            self._query.add(
                Step("view", read, sql=sql, note="The columns that the windows need, one row per input row.")
            )
        for partition, calls in self._layers.items():
            in_sql: dict[int | None, dict[str, Call]] = {}
            for name, call in calls.items():
                if call.over_in_sql:  # Flink takes one window per SELECT
                    in_sql.setdefault(call.rows, {})[name] = call
            for these in in_sql.values():
                read = self._in_sql(read, partition, these)
            calls = {n: c for n, c in calls.items() if not c.over_in_sql}
            if not calls:
                continue
            body = {
                "of": read,
                "partition_by": list(partition),
                "columns": {n: c.described() for n, c in calls.items()},
            }
            self._done += [n for n in self._columns.values if n not in self._done] + list(calls)
            read = self._query.new(f"{self._name}_windows")
            self._query.add(Step("sliding", read, body))
        return read, {n: in_json(identifier(n), v.type) for n, v in columns.items()}

    def _in_sql(self, read: str, partition: tuple[str, ...], calls: dict[str, Call]) -> str:
        self._done += [n for n in self._columns.values if n not in self._done]
        results = [f"{c.over_sql(partition)} AS {identifier(n)}" for n, c in calls.items()]
        selected = ",\n  ".join([*map(identifier, self._done), *results, "`rowtime`"])
        self._done += calls
        name = self._query.new(f"{self._name}_windows")
        note = f"{self._query.pump.name}: each row with its window's results, when no earlier row can come."
        sql = f"SELECT\n  {selected}\nFROM {identifier(read)}"
        return self._query.add(Step("view", name, sql=sql, note=note))
