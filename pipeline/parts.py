"""Parts of a description beside relations: sources, reference tables, destinations, senders, charts."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import Literal

from pydantic import model_validator

from pipeline.spec import Columns, Name, Names, Spec
from udfs.decoding.columns import Column
from udfs.decoding.record_format import RecordFormat
from udfs.reference_table import ReferenceTable

#: Types of destination; ``none`` turns it off.
DESTINATION_TYPES = ("firehose", "kinesis", "lambda", "s3", "dynamodb", "none")


class SourceSpec(Spec):
    """A stream of records as typed columns and ``rowtime``, the time of arrival."""

    columns: Columns
    group: Name | None = None
    note: str = ""
    type: Literal["kinesis", "firehose", "recording"] = "kinesis"
    stream: str | None = None
    path: str | None = None
    position: str | None = None
    event_time: str | None = None
    idle_timeout: float | None = None
    late: str | None = None
    preprocess: str | None = None
    format: Literal["json", "csv"] = "json"
    row_path: str = "$"
    delimiter: str = ","
    row_delimiter: str = "\n"

    @property
    def record_format(self) -> RecordFormat:
        """The format of its records."""
        return RecordFormat(self.format, self.row_path, self.delimiter, self.row_delimiter)

    @property
    def decoded(self) -> tuple[Column, ...]:
        """Its columns for the decoder: with CSV, a column's path is its position from 0, metadata not counted."""
        if self.format == "json":
            return self.columns
        places = count()
        return tuple(c if c.metadata else replace(c, path=str(next(places))) for c in self.columns)

    @model_validator(mode="after")
    def _has_columns(self) -> SourceSpec:
        _ = self.record_format  # raises ValueError if it is wrong
        names = [c.name for c in self.columns]
        if not names:
            raise ValueError("columns: required at least one")
        if len(set(names)) < len(names) or "rowtime" in names:
            raise ValueError("columns: names must be unique, and not rowtime, which the engine adds")
        return self


class ReferenceSpec(Spec):
    """A table that streams are joined to: a file that is read at the start, and again every ``reload`` seconds."""

    path: str
    columns: Columns
    format: Literal["csv", "json"] = "csv"
    row_path: str = "$"
    delimiter: str = ","
    row_delimiter: str = "\n"
    header: bool = False
    reload: float = 0

    @property
    def table(self) -> ReferenceTable:
        """The table that its file holds."""
        form = RecordFormat(self.format, self.row_path, self.delimiter, self.row_delimiter)
        return ReferenceTable(self.columns, form, self.header)


class Destination(Spec):
    """A destination of a relation's rows: all columns but ``rowtime``."""

    of: Name
    name: Name = "sink"
    type: Literal[DESTINATION_TYPES]  # type: ignore[valid-type]
    stream: str | None = None
    delivery_stream: str | None = None
    function: str | None = None
    path: str | None = None
    table: str | None = None
    key: str | None = None
    time: str | None = None
    format: Literal["json", "csv"] = "json"


class Sender(Spec):
    """Sends records to a source's stream, to try the application.

    The records come from one of three: a template or a scenario (a file in the application's folder, or one of the
    generator's), or a producer, which is a module of ``lambdas/`` with ``make_records(rng, first_id, count)``.
    """

    label: str
    template: str | None = None
    scenario: str | None = None
    producer: str | None = None
    rate: float | None = 1.0
    source: str | None = None

    @model_validator(mode="after")
    def _has_one(self) -> Sender:
        given = [name for name in ("template", "scenario", "producer") if getattr(self, name)]
        if len(given) != 1:
            raise ValueError(
                f"required one of template, scenario, producer, got {', '.join(given) or 'none'}"
            )
        return self


class Chart(Spec):
    """A chart of one relation's rows.

    ``line`` draws ``y`` over ``x`` (rowtime by default), with a line for each value of ``by``. ``scatter`` draws the
    first of ``y`` over ``x``. ``spans`` draws a band for each value of ``by``, and begins a new span where ``y`` has a
    value. ``marks`` is a relation whose rows are highlighted; ``threshold`` is a number, a column, or a property as
    ``group.key``.
    """

    title: str
    of: Name
    kind: Literal["line", "scatter", "spans"] = "line"
    x: str | None = None
    y: Names = ()
    by: str | None = None
    marks: Name | None = None
    threshold: str | float | None = None
    unit: str = ""
    logarithmic: bool = False

    @model_validator(mode="after")
    def _complete(self) -> Chart:
        needed = {"line": ("y",), "scatter": ("x", "y"), "spans": ("by",)}[self.kind]
        if missing := [name for name in needed if not getattr(self, name)]:
            raise ValueError(f"{' and '.join(missing)}: required for a chart of kind {self.kind}")
        return self
