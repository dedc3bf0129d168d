"""Resolves the names in a query to columns of relations."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp

from kda_sql.errors import Located, nearest
from kda_sql.program import fold
from kda_sql.types import TIMESTAMP, SqlType
from kda_sql.values import Value, identifier

#: Metadata columns that a source has beside its schema's: type and name in ``application.yaml``.
METADATA = {
    "APPROXIMATE_ARRIVAL_TIME": (TIMESTAMP, "@arrival"),
    "PARTITION_KEY": (SqlType("VARCHAR", 256), "@partition_key"),
    "SEQUENCE_NUMBER": (SqlType("VARCHAR", 128), "@sequence_number"),
    "SHARD_ID": (SqlType("VARCHAR", 64), "@shard_id"),
}


@dataclass
class Relation:
    """A stream, table or query that FROM can name.

    Parameters
    ----------
    name : str
        Its name in the application.
    columns : dict of SqlType
        By name, the same in KDA and in Flink.
    shown : str
        Its name in the program.
    metadata : set of str or None
        The metadata columns that the program uses; None if it is not a source.
    clocks : set of str
        Columns that are ROWTIME under another name.
    hidden : set of str
        Columns that SELECT * leaves out.
    reference : bool
        Whether it is a reference table, which has no ROWTIME.
    grows : dict of int
        Columns that are steps of ROWTIME: the step in milliseconds, by name.
    """

    name: str
    columns: dict[str, SqlType]
    shown: str
    metadata: set[str] | None = None
    clocks: set[str] = field(default_factory=set)
    hidden: set[str] = field(default_factory=set)
    reference: bool = False
    grows: dict[str, int] = field(default_factory=dict)


@dataclass
class Item:
    """A relation under its alias in a query.

    Parameters
    ----------
    relation : Relation
    alias : str
        Folded.
    over : int or None
        Milliseconds of its window in a join; None for its current row.
    names : dict of str
        New names of its columns after a join, by the old ones.
    time : str
        The column with the row's time.
    prefix : str
        Put before its columns while it is being joined.
    """

    relation: Relation
    alias: str
    over: int | None = None
    names: dict[str, str] = field(default_factory=dict)
    time: str = "rowtime"
    prefix: str = ""

    def column(self, name: str) -> Value | None:
        """A column's value; None if there is none of this name."""
        relation = self.relation
        type_ = relation.columns.get(name)
        if type_ is None and relation.metadata is not None and name in METADATA:
            relation.metadata.add(name)
            type_ = METADATA[name][0]
        if type_ is None:
            return None
        if type_.kind == "RECORD":
            fields = {f: Value(self.sql(f"{name}.{f}"), t) for f, t in type_.fields}
            first = next(iter(fields.values()))
            return Value(first.sql, type_, fields=fields)
        return Value(self.sql(name), type_, clock=name in relation.clocks, grows=relation.grows.get(name))

    def sql(self, name: str) -> str:
        """A column's SQL."""
        return f"{self.prefix}{identifier(self.names.get(name, name))}"

    @property
    def rowtime(self) -> Value:
        """The row's time."""
        return Value(f"CAST({self.prefix}{identifier(self.time)} AS TIMESTAMP(3))", TIMESTAMP, clock=True)


@dataclass
class Scope:
    """The relations of one query."""

    items: list[Item]

    def item(self, name: exp.Identifier, start: int) -> Item:
        """The relation that a qualifier means."""
        folded = fold(name)
        for item in self.items:
            if folded == item.alias or folded == item.relation.shown:
                return item
        known = [i.alias for i in self.items]
        like = nearest(folded, known)
        raise Located(
            f"{folded} is not a relation of this query: {', '.join(known)}{_suggested(like, folded)}", start
        )

    def column(self, node: exp.Column, start: int) -> Value | None:
        """The value of a name; None for ROWTIME without a relation, which is the output row's time."""
        parts: list[exp.Identifier] = [p for p in node.parts if isinstance(p, exp.Identifier)]
        *qualifiers, last = parts
        name = fold(last)
        if len(qualifiers) >= 2:
            return self._field(self._of(self.item(qualifiers[-2], start), qualifiers[-1], start), last, start)
        if qualifiers:
            qualifier = fold(qualifiers[0])
            record = self._any(qualifier)
            named = [i for i in self.items if qualifier in (i.alias, i.relation.shown)]
            if not named and record is not None and record.fields is not None:
                return self._field(record, last, start)
            item = self.item(qualifiers[0], start)
            if name == "ROWTIME" and "ROWTIME" not in item.relation.columns:
                if item.relation.reference:
                    raise Located(f"{item.alias} is a reference table and has no ROWTIME", start)
                return item.rowtime
            return self._of(item, last, start)
        value = self._any(name)
        if value is None and name == "ROWTIME":
            return None
        having = [i.alias for i in self.items if i.column(name) is not None]
        if len(having) > 1:
            raise Located(
                f"column {name} is ambiguous: write {' or '.join(f'{a}.{name}' for a in having)}", start
            )
        if value is None:
            raise Located(self._unknown(last, self.items), start)
        return value

    def _any(self, name: str) -> Value | None:
        for item in self.items:
            value = item.column(name)
            if value is not None:
                return value
        return None

    def _of(self, item: Item, name: exp.Identifier, start: int) -> Value:
        value = item.column(fold(name))
        if value is None:
            raise Located(self._unknown(name, [item]), start)
        return value

    def _field(self, record: Value, name: exp.Identifier, start: int) -> Value:
        folded = fold(name)
        if record.fields is None or folded not in record.fields:
            known = ", ".join(record.fields or ())
            raise Located(f"{folded} is not a field of the record: {known or 'it has no fields'}", start)
        return record.fields[folded]

    @staticmethod
    def _unknown(name: exp.Identifier, items: list[Item]) -> str:
        folded = fold(name)
        where = " and ".join(i.relation.shown for i in items)
        known = [c for i in items for c in i.relation.columns]
        same = [c for c in known if c.upper() == folded.upper()]
        if same and not name.args.get("quoted"):
            return (
                f"column {folded} does not exist in {where}: names without quotes are upper case; "
                f'write "{same[0]}"'
            )
        if same:
            return f'column "{folded}" does not exist in {where}: it is written "{same[0]}" there'
        like = nearest(folded, known)
        hint = _suggested(like, folded) or f": {', '.join(known)}"
        return f"column {folded} does not exist in {where}{hint}"


def _suggested(like: str | None, name: str) -> Any:
    if like is None or like == name:
        return ""
    return f"; did you mean {like if like.upper() == like else chr(34) + like + chr(34)}?"
