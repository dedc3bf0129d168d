"""Kinds of relation that a description can have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from pipeline import sql
from pipeline.spec import Name, Names, Spec


class Relation(Spec):
    """A relation made from those before it."""

    name: Name
    note: str = ""
    #: Intermediate: neither shown nor tapped.
    inner: bool = False

    @property
    def kind(self) -> str:
        """Its key in the description."""
        return type(self).__name__.lower()

    def inputs(self, known: Mapping[str, str]) -> tuple[str, ...]:
        """Names of the relations that it reads; ``known`` has the queries of all views."""
        return (self.of,)  # type: ignore[attr-defined]


class View(Relation):
    """A query in ``name.sql``."""

    def inputs(self, known: Mapping[str, str]) -> tuple[str, ...]:
        return sql.relations_of(known.get(self.name, ""))


class Errors(View):
    """A view whose rows (error_name, message, data_rowtime, data_row) join the error stream."""


class Rowtime(Relation):
    """The same columns with another rowtime."""

    of: Name
    time: str
    watermark: str | None = None


class Forest(Relation):
    """RANDOM_CUT_FOREST over another relation: its columns, and ``anomaly_score``."""

    of: Name
    columns: Names
    group: Name | None = None
    number_of_trees: int | None = None
    sub_sample_size: int | None = None
    time_decay: int | None = None
    shingle_size: int | None = None
    seed: int | None = None
    partition_by: str | None = None
    buckets: int | None = None
    idle_expiry: float | None = None
    explain: bool | None = None


class Detector(Relation):
    """An anomaly detector over another relation: its columns, ``alert``, and the expected values."""

    of: Name
    columns: Names
    group: Name | None = None
    number_of_trees: int | None = None
    sub_sample_size: int | None = None
    seed: int | None = None
    partition_by: str | None = None
    buckets: int | None = None
    idle_expiry: float | None = None
    side: Names | None = None
    ignore_within: float | str | None = None
    ignore_within_percent: float | str | None = None
    threshold: float | None = None
    again: float | None = None
    quiet_rows: int | None = None
    quiet_time: float | None = None
    missing: str | None = None
    interval: float | None = None


class Lookup(Relation):
    """A stream joined to a reference table on equal columns; rowtime is kept."""

    of: Name
    reference: Name
    on: dict[str, str] = Field(min_length=1)
    join: Literal["inner", "left"] = "inner"


class Call(Spec):
    """An aggregate, see :class:`udfs.windows.aggregates.Aggregate`; ``rows`` or ``seconds`` set a sliding window."""

    function: str
    type: str
    of: str | None = None
    distinct: bool = False
    ignore_nulls: bool = False
    offset: int = Field(1, ge=0)
    default: str | None = None
    half_life: float = Field(0.0, ge=0)
    rows: int | None = Field(None, ge=0)
    seconds: float | None = Field(None, ge=0)


class Sliding(Relation):
    """Each row with aggregates over the rows up to it."""

    of: Name
    partition_by: Names = ()
    columns: dict[str, Call] = Field(min_length=1)


class Windows(Relation):
    """One row per window and key. A window follows the clock, begins with a key's first row, or ends with a change."""

    of: Name
    opens: Literal["clock", "first_row", "change"]
    seconds: float = Field(1.0, gt=0)
    keys: Names = ()
    changes: Names = ()
    times: bool = False
    columns: dict[str, Call] = Field(default_factory=dict)


class Hotspots(Relation):
    """Each row with the dense regions among the last rows."""

    of: Name
    columns: Names
    window_size: int = Field(ge=100, le=1000)
    scan_radius: float = Field(gt=0)
    minimum_points: int = Field(ge=2)


class Ordered(Relation):
    """The same rows in order of their rowtime."""

    of: Name


#: Kinds of relation by the key that names them in the description.
KINDS: dict[str, type[Relation]] = {
    kind.__name__.lower(): kind
    for kind in (View, Errors, Rowtime, Forest, Detector, Lookup, Sliding, Windows, Hotspots, Ordered)
}


def relation_of(value: Any) -> Any:
    """Read an entry of ``relations``: the name of a view, or a mapping with the key of one kind."""
    if isinstance(value, Relation):
        return value
    if isinstance(value, str):
        return View(name=value)
    if isinstance(value, Mapping):
        kinds = [key for key in value if key in KINDS]
        if len(kinds) == 1:
            rest = {key: v for key, v in value.items() if key != kinds[0]}
            return KINDS[kinds[0]].model_validate({"name": value[kinds[0]], **rest})
    raise ValueError(f"a relation is the name of a view, or has exactly one of the keys {', '.join(KINDS)}")
