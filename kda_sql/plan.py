"""Plans a program's relations: streams in order of dependency, each query as a chain of steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlglot import exp

from kda_sql import query
from kda_sql.errors import KdaSqlError, Located, Problem, Reported, nearest, place
from kda_sql.nodes import offset
from kda_sql.program import Program, Pump, fold
from kda_sql.scope import Relation
from kda_sql.steps import Names, Step
from kda_sql.types import SqlType
from kda_sql.values import identifier


@dataclass
class Plan:
    """A program's relations, and what was not translated.

    Attributes
    ----------
    steps : list of Step
    streams : dict of str
        The relation of each stream, by the stream's name.
    notes : dict of list of str
        Differences from KDA, by the pump's name.
    relations : dict of list of str
        The relations that a pump became, by the pump's name.
    empty : list of str
        Streams that no pump fills.
    refused : dict of list of Problem
        Why a pump is not translated, by its name.
    parts : list of str
        The relation that holds a pump's rows, of each pump.
    lost : list of str
        Streams that are left out, as none of their pumps is translated.
    """

    steps: list[Step] = field(default_factory=list)
    streams: dict[str, str] = field(default_factory=dict)
    notes: dict[str, list[str]] = field(default_factory=dict)
    relations: dict[str, list[str]] = field(default_factory=dict)
    empty: list[str] = field(default_factory=list)
    refused: dict[str, list[Problem]] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)

    def inner(self, step: Step) -> bool:
        """Whether a step is intermediate: no stream or pump of the program."""
        named = (*self.streams.values(), *self.parts)
        return step.kind not in ("errors", "forest", "lookup", "hotspots") and step.name not in named


class Planner:
    """Plans a whole program.

    Parameters
    ----------
    program : Program
    sources : mapping of Relation
        By the name that the program uses.
    references : mapping of Relation
        By the name that the program uses.
    prefix : str
        Put before every relation's name.
    """

    def __init__(
        self,
        program: Program,
        sources: Mapping[str, Relation],
        references: Mapping[str, Relation],
        prefix: str = "",
    ) -> None:
        self.program = program
        self.names = Names(prefix)
        self.plan = Plan()
        self.known: dict[str, Relation] = {}
        for name, relation in [*sources.items(), *references.items()]:
            relation.name = self.names.new(relation.name)
            self.known[name] = relation
        self._follows: set[Problem] = set()
        self._pump_now: Pump

    def run(self, file: str = "program.sql") -> Plan:
        """Plan every stream; pumps that can't be translated are left out, and listed in :attr:`Plan.refused`.

        Raises
        ------
        KdaSqlError
            A statement can't be read, or no pump can be translated. The error lists all problems.
        """
        program, refused = self.program, self.plan.refused
        for pump in program.pumps:
            self.plan.notes.setdefault(pump.name, [])
        for name in self._ordered():
            self._stream(name)
        if program.problems or (refused and all(p.name in refused for p in program.pumps)):
            # Leave out problems that only follow from another pump's.
            own = [p for problems in refused.values() for p in problems if p not in self._follows]
            raise KdaSqlError([*program.problems, *own], program.text, file)
        return self.plan

    def problem(self, located: Located) -> None:
        """Record why the pump that is being planned can't be translated."""
        self._refuse(self._pump_now, located)

    def _refuse(self, pump: Pump, located: Located) -> Problem:
        problem = Problem(*place(self.program.text, located.offset), located.message)
        if problem not in self.plan.refused.setdefault(pump.name, []):
            self.plan.refused[pump.name].append(problem)
        return problem

    def relation(self, name: exp.Identifier) -> Relation:
        """The stream, source or table that a name means."""
        folded, start = fold(name), offset(name)
        if folded in self.known:
            return self.known[folded]
        if folded in self.plan.lost:
            why = f"{folded} has no rows: no pump that fills it is translated"
            self._follows.add(self._refuse(self._pump_now, Located(why, start)))
            raise Reported
        known = [*self.known, *self.program.streams]
        if folded == "ERROR_STREAM":
            raise Located("error_stream can't be read by an application; an output can be bound to it", start)
        same = [k for k in known if k.upper() == folded.upper()]
        like = same[0] if same else nearest(folded, known)
        hint = f'; did you mean "{like}"?' if like else "."
        raise Located(f"{folded} is neither a stream nor a table{hint} There are {', '.join(known)}", start)

    def _ordered(self) -> list[str]:
        """The streams in order: each after those it reads."""
        streams = self.program.streams
        reads: dict[str, set[str]] = {name: set() for name in streams}
        for pump in self.program.pumps:
            into = fold(pump.into)
            if into not in streams:
                known = list(streams)
                like = next((k for k in known if k.upper() == into.upper()), None) or nearest(into, known)
                hint = f'; did you mean "{like}"?' if like else ": CREATE STREAM must declare it"
                self._refuse(pump, Located(f"stream {into} is not declared{hint}", offset(pump.into)))
                continue
            tables = [t.this for t in pump.query.find_all(exp.Table) if isinstance(t.this, exp.Identifier)]
            reads[into] |= {fold(t) for t in tables} & set(streams)
        ordered: list[str] = []
        while len(ordered) < len(streams):
            ready = [n for n in streams if n not in ordered and reads[n] <= set(ordered)]
            if not ready:
                circle = [n for n in streams if n not in ordered and self._reads_itself(n, reads)]
                start = streams[circle[0]].statement.start
                for pump in (p for p in self.program.pumps if fold(p.into) in circle):
                    why = f"streams read each other in a circle: {', '.join(circle)}"
                    self._refuse(pump, Located(why, start))
                self.plan.lost += circle
                ready = circle
            ordered += ready
        return ordered

    @staticmethod
    def _reads_itself(name: str, reads: Mapping[str, set[str]]) -> bool:
        seen: set[str] = set()
        left = [*reads[name]]
        while left:
            each = left.pop()
            if each == name:
                return True
            if each not in seen:
                seen.add(each)
                left += reads[each]
        return False

    def _stream(self, name: str) -> None:
        stream = self.program.streams[name]
        pumps = [p for p in self.program.pumps if fold(p.into) == name]
        if name in self.plan.lost:
            return
        if stream.faults:
            for pump in pumps:
                self.plan.refused.setdefault(pump.name, []).extend(stream.faults)
            self.plan.lost.append(name)
            return
        relation = Relation(self.names.new(name), dict(stream.columns), name)
        if not pumps:
            self.plan.empty.append(name)
            self._empty(relation)
        parts = []
        for pump in pumps:
            made = relation.name if len(pumps) == 1 else self.names.new(pump.name)
            if self._planned(pump, made, stream.columns):
                parts.append(made)
                self.plan.parts.append(made)
        if pumps and not parts:
            self.plan.lost.append(name)
            return
        if len(pumps) > 1:
            columns = ", ".join([*map(identifier, stream.columns), "`rowtime`"])
            union = "\nUNION ALL\n".join(f"SELECT {columns} FROM {identifier(part)}" for part in parts)
            note = f"{name}: the rows of {len(parts)} pumps, each as it comes."
            self.plan.steps.append(Step("view", relation.name, sql=union, note=note))
        self.known[name] = relation
        self.plan.streams[name] = relation.name

    def _planned(self, pump: Pump, name: str, columns: dict[str, SqlType]) -> bool:
        """Add a pump's steps, the last one named ``name``; return whether it can be translated."""
        before = len(self.plan.steps)
        self._pump_now = pump
        try:
            query.Query(self, pump, columns).make(name)
        except Reported:
            pass
        except Located as e:
            self.problem(e)
        except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as e:
            # An unforeseen form of tree is reported with its position, like any other problem.
            reason = "nested too deeply" if isinstance(e, RecursionError) else f"{type(e).__name__}: {e}"
            self.problem(Located(f"pump {pump.name} can't be translated: {reason}", pump.statement.start))
        if pump.name in self.plan.refused:
            del self.plan.steps[before:]
            self.plan.notes[pump.name].clear()
            return False
        self.plan.relations[pump.name] = [s.name for s in self.plan.steps[before:]]
        return True

    def _empty(self, relation: Relation) -> None:
        source = next((r.name for r in self.known.values() if not r.reference), None)
        if source is None:
            return
        columns = ", ".join(
            f"CAST(NULL AS {t.flink}) AS {identifier(c)}" for c, t in relation.columns.items()
        )
        sql = f"SELECT {columns}, `rowtime`\nFROM {identifier(source)}\nWHERE FALSE"
        self.plan.steps.append(Step("view", relation.name, sql=sql, note="No pump fills this stream."))
