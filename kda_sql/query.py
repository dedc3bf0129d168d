"""One pump's query as a chain of relations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlglot import exp

# These register the handlers of their nodes.
from kda_sql import arithmetic, conditions, forms, order  # noqa: F401
from kda_sql.errors import Located, Reported
from kda_sql.expressions import Expressions, function_name, window_ms
from kda_sql.groups import Groups
from kda_sql.nodes import offset
from kda_sql.over import Sliding
from kda_sql.program import Pump, fold
from kda_sql.scope import Relation, Scope
from kda_sql.select_list import Output, outputs_of
from kda_sql.sources import From, Source
from kda_sql.steps import Step
from kda_sql.subqueries import selects
from kda_sql.types import NULL, TIMESTAMP, SqlType
from kda_sql.values import Value, aliased, assigned, exactly, failures, identifier, literal
from kda_sql.windows import aggregate_of

if TYPE_CHECKING:
    from kda_sql.plan import Planner

#: The time of the output row, as the previous step provides it.
ROWTIME = Value("CAST(`rowtime` AS TIMESTAMP(3))", TIMESTAMP, clock=True)


class Query:
    """Makes the relations of one pump.

    Parameters
    ----------
    planner : Planner
    pump : Pump
    columns : dict of SqlType
        The columns of the stream that it fills, in order.
    """

    def __init__(self, planner: Planner, pump: Pump, columns: dict[str, SqlType]) -> None:
        self.planner = planner
        self.pump = pump
        self.notes = planner.plan.notes[pump.name]
        self._columns = columns
        self._errors: list[str] = []

    def make(self, name: str) -> None:
        """Add the steps to the plan; the last of them is the relation ``name``."""
        if self.pump.stopped:
            self.notes.append("the pump was created STOPPED; here it runs from the start")
        given = [fold(c) for c in self.pump.columns] or list(self._columns)
        for column, node in zip(given, self.pump.columns, strict=False):
            if column not in self._columns:
                raise Located(
                    f"column {column} does not exist in {fold(self.pump.into)}: {', '.join(self._columns)}",
                    offset(node),
                )
        parts = selects(self.pump.query)
        names = [name] if len(parts) == 1 else [self.planner.names.new(f"{name}_part") for _ in parts]
        for select, part in zip(parts, names, strict=True):
            self.select(select, part, given)
        if len(parts) > 1:
            columns = ", ".join([*map(identifier, self._columns), "`rowtime`"])
            union = "\nUNION ALL\n".join(f"SELECT {columns} FROM {identifier(part)}" for part in names)
            self.add(Step("view", name, sql=union, note="The rows of all parts of the UNION ALL."))
        if self._errors:
            errors = self.planner.names.errors(self.pump.name)
            note = f"One row for the error stream per row that {self.pump.name} could not compute."
            self.add(Step("errors", errors, sql="\nUNION ALL\n".join(self._errors), note=note))

    def add(self, step: Step) -> str:
        """Add a step, and return its name."""
        self.planner.plan.steps.append(step)
        return step.name

    def new(self, wanted: str) -> str:
        return self.planner.names.new(wanted)

    def guarded(
        self,
        source: str,
        where: Sequence[Value],
        outputs: Iterable[Value],
        shown: Mapping[str, str],
    ) -> str:
        """The WHERE clause of a step that computes these; rows that fail go to the error stream.

        Parameters
        ----------
        source : str
            The relation that is read.
        where : sequence of Value
            The program's conditions.
        outputs : iterable of Value
            What is computed of the rows that meet them.
        shown : mapping
            The columns to report of a row that fails: SQL by name.
        """
        kept = [w.inside(2) for w in where if w.sql != "TRUE"]
        first, then = failures(*where), [f for f in failures(*outputs)]
        if first or then:
            met = " AND ".join(kept)
            found = [(f"({f.condition})", f) for f in first]
            found += [
                (f"({met}) AND ({f.condition})" if met else f"({f.condition})", f)
                for f in then
                if f not in first
            ]
            names = " ".join(f"WHEN {c} THEN {literal(f.error_name)}" for c, f in found)
            messages = " ".join(f"WHEN {c} THEN {literal(f.message)}" for c, f in found)
            row = ", ".join(f"KEY {literal(k)} VALUE {v}" for k, v in shown.items())
            self._errors.append(
                f"SELECT\n  CASE {names} END AS error_name,\n  CASE {messages} END AS message,\n"
                f"  CAST(`rowtime` AS TIMESTAMP_LTZ(3)) AS data_rowtime,\n  HEX(JSON_OBJECT({row})) AS data_row\n"
                f"FROM {identifier(source)}\nWHERE {' OR '.join(c for c, _ in found)}"
            )
            kept += [f"({f.condition}) IS NOT TRUE" for f in (*first, *then)]
        return "\nWHERE " + "\n  AND ".join(dict.fromkeys(kept)) if kept else ""

    def select(
        self, node: Any, name: str, given: Sequence[str] | None, renamed: Sequence[str] = ()
    ) -> Relation:
        """Add a SELECT as the relation ``name``: with the stream's columns ``given`` for a pump, else with its own."""
        source = From(self, name).read(node)
        scope = Scope(source.items)
        outputs = outputs_of(node, scope)
        rows = Expressions(scope, source.rowtime, self.notes)
        where = self._each([partial(rows.condition, w) for w in source.where])
        stage = self._stage(node, name, source, rows, where, outputs, inner=given is None)
        x = stage.expressions if stage else rows
        computed = self._each([partial(x.value, o.node) for o in outputs])
        values = {o.name: v for o, v in zip(outputs, computed, strict=True)}
        if given is not None:
            values = self._assigned(outputs, list(values.values()), given)
        elif renamed:
            if len(renamed) != len(values):
                raise Located(f"{len(renamed)} names for {len(values)} columns", offset(node))
            values = dict(zip(renamed, values.values(), strict=True))
        having = [x.condition(node.args["having"].this)] if node.args.get("having") else []
        sort = order.keys(node, x, rows if stage is None else None, outputs)
        if stage is not None:
            read, shown = stage.emit(where, having)
            where = having
        else:
            if having:
                raise Located("HAVING needs GROUP BY", offset(node.args["having"]))
            read, shown = source.relation, source.shown
        clocks = {n for n, v in values.items() if v.clock}
        flat = _flattened(values)
        self._final(name, read, flat, where, shown, sort)
        grows = {n: v.grows for n, v in values.items() if v.grows}
        return Relation(name, {n: v.type for n, v in values.items()}, name, clocks=clocks, grows=grows)

    def _each(self, steps: Iterable[Callable[[], Value]]) -> list[Value]:
        """The results of all steps; every problem is reported, not only the first."""
        found: list[Value] = []
        problems = 0
        for step in steps:
            try:
                found.append(step())
            except Located as e:
                self.planner.problem(e)
                problems += 1
        if problems:
            raise Reported
        return found

    def _stage(
        self,
        node: Any,
        name: str,
        source: Source,
        rows: Expressions,
        where: list[Value],
        outputs: Sequence[Output],
        inner: bool,
    ) -> Groups | Sliding | None:
        group, stagger, distinct = node.args.get("group"), node.args.get("stagger"), node.args.get("distinct")
        calls = [n for o in outputs for n in o.node.walk()]
        windows = any(isinstance(n, exp.Window) for n in calls)
        if windows and (group or stagger or distinct):
            raise Located(
                "a window with OVER beside GROUP BY: fill one stream with the groups, and let a second pump "
                "look back over it",
                offset(node),
            )
        if windows:
            return Sliding(self, name, source, rows, node)
        if group or stagger:
            if distinct and group:
                self.notes.append("DISTINCT has no effect beside GROUP BY and is left out")
            return Groups(self, name, source, rows, node)
        if distinct:
            return self._distinct(node, name, source, rows, outputs, inner)
        bare = next((n for n in calls if aggregate_of(n)), None)
        if bare is not None:
            raise Located(
                f"{function_name(bare) or 'this aggregate'} needs GROUP BY with ROWTIME in it, as STEP(s.ROWTIME BY "
                "INTERVAL '1' MINUTE), or OVER and a window",
                offset(bare),
            )
        return None

    def _distinct(
        self, node: Any, name: str, source: Source, rows: Expressions, outputs: Sequence[Output], inner: bool
    ) -> Groups:
        keys = [o.node for o in outputs]
        steps = [k for k in keys if (window_ms(rows, _unaliased(k)) or 1) > 1]
        # If a step of ROWTIME sets the window, ROWTIME itself is ignored.
        kept = [k for k in keys if k in steps or not steps or window_ms(rows, _unaliased(k)) is None]
        made = exp.Group(expressions=kept)
        made.meta["start"] = offset(node.args["distinct"], offset(node))
        return Groups(self, name, source, rows, node, made, within=inner)

    def _assigned(
        self, outputs: Sequence[Output], computed: Sequence[Value], given: Sequence[str]
    ) -> dict[str, Value]:
        into = fold(self.pump.into)
        if len(computed) != len(given):
            raise Located(
                f"{into} takes {len(given)} columns here ({', '.join(given)}), the SELECT has {len(computed)}",
                offset(self.pump.query),
            )
        by_name = {}
        for column, output, value in zip(given, outputs, computed, strict=True):
            to = self._columns[column]
            made = assigned(value, to)
            if made is None:
                hint = f": write CAST(… AS {to})" if value.fields is None else ": write one of its fields"
                raise Located(
                    f"column {column} of {into} is {to}, and {value.type} can't be assigned to it{hint}",
                    offset(output.node, offset(self.pump.query)),
                )
            by_name[column] = made
        return {
            column: by_name.get(column, assigned(Value("NULL", NULL), type_) or Value("NULL", NULL))
            for column, type_ in self._columns.items()
        }

    def _final(
        self,
        name: str,
        read: str,
        values: dict[str, Value],
        where: list[Value],
        shown: Mapping[str, str],
        sort: order.Sort | None,
    ) -> None:
        last = name if sort is None else self.new(f"{name}_unsorted")
        more = {} if sort is None else sort.columns()
        selected = ",\n  ".join(
            [aliased(n, exactly(v) if v.type != NULL else v) for n, v in {**values, **more}.items()]
            + ["`rowtime`"]
        )
        condition = self.guarded(read, where, values.values(), shown)
        sql = f"SELECT\n  {selected}\nFROM {identifier(read)}{condition}"
        self.add(
            Step("view", last, sql=sql, note=f"{self.pump.name}: one row per row of {read}, as it comes.")
        )
        if sort is not None:
            order.emit(self, name, last, list(values), sort)


def _unaliased(node: Any) -> Any:
    return node.this if isinstance(node, exp.Alias) else node


def _flattened(values: dict[str, Value]) -> dict[str, Value]:
    flat: dict[str, Value] = {}
    for name, value in values.items():
        if value.fields is None:
            flat[name] = value
        else:
            flat |= {f"{name}.{f}": v for f, v in value.fields.items()}
    return flat
