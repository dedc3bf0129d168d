"""An application as data: ``application.yaml`` and one ``.sql`` file a view.

Reading, checking and drawing one needs no Flink and runs nothing of its author's: a page may take one from a stranger.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from pipeline import sql
from pipeline.document import line_of, load
from udfs.columns import Column
from udfs.record_format import RecordFormat
from udfs.reference_table import ReferenceTable

DESCRIPTION = "application.yaml"
#: The relation that every application has: what could not be used.
ERRORS = "error_stream"
#: Names that the engine itself gives.
RESERVED = frozenset({ERRORS, "tap", "all_errors", "tapped_rows"})
#: Property groups that every application has.
ENGINE_GROUPS = ("aws", "errors", "tap", "job")
#: Kinds of a destination; ``none`` is a destination that is off.
DESTINATION_TYPES = ("firehose", "kinesis", "lambda", "s3", "dynamodb", "none")

_NAME = r"[A-Za-z_][A-Za-z0-9_]{0,99}"
_COLUMN = re.compile(
    r"\s*(?P<type>[A-Za-z_]+\s*(?:\(\s*\d+\s*(?:,\s*\d+\s*)?\))?)"
    r"(?P<required>\s+NOT\s+NULL)?(?:\s+(?P<path>[$@].*?))?\s*",
    re.IGNORECASE,
)


class ApplicationError(ValueError):
    """An application that can't be read. The message has one line for each fault, with file and line."""


class Spec(BaseModel):
    """A part of the description: unknown keys are refused, values don't change."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


def _columns(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    return tuple(_column(str(name), text) for name, text in value.items())


def _column(name: str, text: Any) -> Column:
    match = _COLUMN.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f"column {name} must look like VARCHAR(8) NOT NULL $.path, got {str(text)[:80]!r}")
    return Column(name, match["type"].upper(), match["path"] or f"$.{name}", bool(match["required"]))


def _listed(value: Any) -> Any:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return tuple(value) if isinstance(value, list) else value


Name = Annotated[str, Field(pattern=f"^{_NAME}$")]
Columns = Annotated[tuple[Column, ...], BeforeValidator(_columns)]
Names = Annotated[tuple[str, ...], BeforeValidator(_listed)]


class Property(Spec):
    """A property of the application's own; views know it as ``:group.key``."""

    help: str
    default: str | bool | int | float | None = None
    type: Literal["text", "number", "integer", "boolean", "seconds", "time_zone"] | None = None
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    above: float | None = None
    maximum: float | None = None
    optional: bool = False

    @property
    def kind(self) -> str:
        """Its type, by its default where none is said."""
        by_default = {bool: "boolean", int: "integer", float: "number"}
        return self.type or by_default.get(type(self.default), "text")


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
    preprocess: str | None = None
    format: Literal["json", "csv"] = "json"
    row_path: str = "$"
    delimiter: str = ","
    row_delimiter: str = "\n"

    @property
    def record_format(self) -> RecordFormat:
        """How its records are laid out."""
        return RecordFormat(self.format, self.row_path, self.delimiter, self.row_delimiter)

    @property
    def decoded(self) -> tuple[Column, ...]:
        """Its columns as the decoder takes them: separated values by place, from 0, metadata aside."""
        if self.format == "json":
            return self.columns
        places = count()
        return tuple(c if c.metadata else replace(c, path=str(next(places))) for c in self.columns)

    @model_validator(mode="after")
    def _has_columns(self) -> SourceSpec:
        _ = self.record_format  # raises for what is none
        names = [c.name for c in self.columns]
        if not names:
            raise ValueError("columns: required at least one")
        if len(set(names)) < len(names) or "rowtime" in names:
            raise ValueError("columns: each name once, and none is rowtime, which the engine adds")
        return self


class ReferenceSpec(Spec):
    """A table that streams are joined to: a file that is read at the start, and again by ``reload``."""

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
        """What its file holds."""
        form = RecordFormat(self.format, self.row_path, self.delimiter, self.row_delimiter)
        return ReferenceTable(self.columns, form, self.header)


class Relation(Spec):
    """A step: a relation made from those before it."""

    name: Name
    note: str = ""

    @property
    def kind(self) -> str:
        """What the description calls it."""
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
    """The same columns with another time."""

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
    idle_expiry: float | None = None
    micro_batch: float | None = None
    explain: bool | None = None


class Detector(Relation):
    """An anomaly detector over another relation: its columns, ``alert``, and what was expected."""

    of: Name
    columns: Names
    group: Name | None = None
    number_of_trees: int | None = None
    sub_sample_size: int | None = None
    seed: int | None = None
    partition_by: str | None = None
    idle_expiry: float | None = None
    side: Names | None = None
    ignore_within: float | str | None = None
    ignore_within_percent: float | str | None = None
    again: float | None = None
    quiet_rows: int | None = None
    quiet_time: float | None = None
    missing: str | None = None
    interval: float | None = None


class Lookup(Relation):
    """A stream joined to a reference table on equal columns; rowtime stays."""

    of: Name
    reference: Name
    on: dict[str, str] = Field(min_length=1)
    join: Literal["inner", "left"] = "inner"


class Call(Spec):
    """An aggregate over a window, as :class:`udfs.aggregates.Aggregate` has it; sliding ones are so long."""

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
    """Each row with what the windows before it give, row by row."""

    of: Name
    partition_by: Names = ()
    columns: dict[str, Call] = Field(min_length=1)


class Windows(Relation):
    """One row for each window and key: by the clock, from a key's first row on, or until a value changes."""

    of: Name
    opens: Literal["clock", "first_row", "change"]
    seconds: float = Field(1.0, gt=0)
    keys: Names = ()
    changes: Names = ()
    times: bool = False
    columns: dict[str, Call] = Field(default_factory=dict)


class Hotspots(Relation):
    """Each row with the dense boxes among the last ones."""

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


def _relation(value: Any) -> Any:
    if isinstance(value, str):
        return View(name=value)
    if isinstance(value, Mapping):
        kinds = [key for key in value if key in KINDS]
        if len(kinds) == 1:
            rest = {key: v for key, v in value.items() if key != kinds[0]}
            return KINDS[kinds[0]].model_validate({"name": value[kinds[0]], **rest})
    raise ValueError(f"a relation is the name of a view, or has exactly one of the keys {', '.join(KINDS)}")


class Destination(Spec):
    """Where a relation's rows go: all its columns but ``rowtime``."""

    of: Name
    name: Name = "sink"
    type: Literal[DESTINATION_TYPES]  # type: ignore[valid-type]
    types: tuple[Literal[DESTINATION_TYPES], ...] = ()  # type: ignore[valid-type]
    stream: str | None = None
    delivery_stream: str | None = None
    function: str | None = None
    path: str | None = None
    table: str | None = None
    key: str | None = None
    time: str | None = None
    format: Literal["json", "csv"] = "json"


#: What has a property group.
Part = SourceSpec | ReferenceSpec | Forest | Detector | Destination


class Sender(Spec):
    """Something that sends records to a source's stream, for trying the application.

    One of three makes them: a template or a scenario (a file of the application's folder, or the generator's of that
    name), or a producer: a module of ``lambdas/`` with ``make_records(rng, first_id, count)``.
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

    ``line`` draws ``y`` over ``x`` (rowtime by default), a line for each value of ``by``; ``scatter`` the first of
    ``y`` over ``x``; ``spans`` a lane for each value of ``by``, a new span where ``y`` has a value. ``marks`` is a
    relation whose rows stand out; ``threshold`` a number, a column, or a property as ``group.key``.
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


class Application(Spec):
    """One application: what every command and the page take.

    Attributes
    ----------
    name : str
        Its folder's name.
    folder : Path
        Where its files are.
    queries : dict
        SQL by name of view.
    """

    name: Name
    folder: Path
    queries: dict[str, str] = Field(default_factory=dict)
    title: str
    label: str = ""
    properties: dict[Name, dict[Name, Property]] = Field(default_factory=dict)
    sources: dict[Name, SourceSpec] = Field(min_length=1)
    references: dict[Name, ReferenceSpec] = Field(default_factory=dict)
    relations: tuple[Annotated[Relation, BeforeValidator(_relation)], ...] = ()
    destinations: tuple[Destination, ...] = ()
    errors: str = ""
    taps: str = ""
    senders: tuple[Sender, ...] = ()
    charts: tuple[Chart, ...] = ()
    demo: dict[str, Any] = Field(default_factory=dict)
    stack: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _fits(self) -> Application:
        known: dict[str, str] = {}
        for name in (*self.sources, *self.references, *(f"{source}_quiet" for source in self.sources)):
            _new(name, known)
        for relation in self.relations:
            for name in relation.inputs(self.queries):
                if name not in known and isinstance(relation, View):
                    later = name in (r.name for r in self.relations)
                    what = "comes later" if later else "is none of this application"
                    raise ValueError(
                        f"{relation.name}.sql: relation {name} {what}; known here: {', '.join(known)}"
                    )
                if name not in known:
                    raise ValueError(
                        f"relations: {relation.kind} {relation.name}: {name} must be one of {', '.join(known)}"
                    )
            if isinstance(relation, View) and relation.name not in self.queries:
                raise ValueError(f"relations: {relation.name}: required a file {relation.name}.sql")
            _new(relation.name, known)
        for destination in self.destinations:
            if destination.of not in known:
                raise ValueError(
                    f"destinations: {destination.name}: of must be one of {', '.join(known)}, got {destination.of}"
                )
        for chart in self.charts:
            if unknown := {chart.of, chart.marks or chart.of} - {*self.shown}:
                raise ValueError(
                    f"charts: {chart.title}: {', '.join(unknown)} is none of {', '.join(self.shown)}"
                )
        for sender in self.senders:
            if sender.source and sender.source not in self.sources:
                raise ValueError(
                    f"senders: {sender.label}: source must be one of {', '.join(self.sources)}, got {sender.source}"
                )
        for query in sorted(set(self.queries) - {r.name for r in self.relations}):
            raise ValueError(f"{query}.sql: no relation of that name is listed under relations")
        groups = [*(name for name, _ in self._named_groups()), *self.properties, *ENGINE_GROUPS]
        for group in groups:
            if groups.count(group) > 1:
                raise ValueError(
                    f"property group {group} is named twice: give one of them another name by `group:`"
                )
        return self

    @property
    def error_stream(self) -> str:
        """Name of the Kinesis stream that takes the error stream."""
        return self.errors or f"{self.name}-errors"

    @property
    def tap_stream(self) -> str:
        """Name of the Kinesis stream that takes copies of rows, to look at."""
        return self.taps or f"{self.name}-taps"

    @property
    def forests(self) -> tuple[Forest, ...]:
        """Its forests, in order."""
        return tuple(r for r in self.relations if isinstance(r, Forest))

    @property
    def detectors(self) -> tuple[Detector, ...]:
        """Its detectors, in order."""
        return tuple(r for r in self.relations if isinstance(r, Detector))

    @cached_property
    def groups(self) -> dict[str, Part]:
        """What each property group is about, the application's own aside.

        The first source's is ``source``, the first forest's ``random_cut_forest``, the first detector's ``detector``;
        others have their relation's name.
        """
        return dict(self._named_groups())

    def _named_groups(self) -> Iterator[tuple[str, Part]]:
        for i, (name, source) in enumerate(self.sources.items()):
            yield source.group or (name if i else "source"), source
        for i, forest in enumerate(self.forests):
            yield forest.group or (forest.name if i else "random_cut_forest"), forest
        for i, detector in enumerate(self.detectors):
            yield detector.group or (detector.name if i else "detector"), detector
        yield from self.references.items()
        for destination in self.destinations:
            yield destination.name, destination

    def group_of(self, part: Part) -> str:
        """The property group of a source, forest, detector, reference table or destination."""
        return next(group for group, other in self.groups.items() if other is part)

    @property
    def shown(self) -> tuple[str, ...]:
        """The relations whose rows can be looked at, in order; the error stream aside."""
        return (*self.sources, *(r.name for r in self.relations if not isinstance(r, Errors)))

    def edges(self) -> Iterator[tuple[str, str]]:
        """Which relation is made from which: (from, to), in order of the description."""
        for relation in self.relations:
            for name in dict.fromkeys(relation.inputs(self.queries)):
                yield name, relation.name

    def stages(self) -> tuple[tuple[str, ...], ...]:
        """Relations by their distance from the sources, errors aside; those of one stage stand side by side."""
        depth = dict.fromkeys((*self.sources, *self.references), 0)
        for relation in self.relations:
            depth[relation.name] = 1 + max(
                (depth[name] for name in relation.inputs(self.queries) if name in depth), default=0
            )
        stages: dict[int, list[str]] = {}
        for name in self.shown:
            stages.setdefault(depth[name], []).append(name)
        return tuple(tuple(stages[d]) for d in sorted(stages))


def _new(name: str, known: dict[str, str]) -> None:
    if name in known or name.lower() in RESERVED:
        raise ValueError(f"relation {name} is there already: each needs a name of its own")
    known[name] = name


def read(folder: Path) -> Application:
    """Read and check an application's folder.

    Raises
    ------
    ApplicationError
        One line for each fault: file, line, what was required, what came.
    """
    path = folder / DESCRIPTION
    try:
        text = path.read_text(encoding="utf-8")
        tree = load(text)
    except FileNotFoundError:
        raise ApplicationError(f"{path}: no such file; an application is a folder with one") from None
    except (yaml.YAMLError, UnicodeDecodeError) as e:
        mark = getattr(e, "problem_mark", None)
        where = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        raise ApplicationError(f"{where}: no YAML: {getattr(e, 'problem', None) or e}") from None
    queries = {file.stem: sql.load(file) for file in sorted(folder.glob("*.sql"))}
    return parse(tree, name=folder.resolve().name, folder=folder, queries=queries, text=text)


def parse(tree: Any, *, name: str, folder: Path, queries: Mapping[str, str], text: str = "") -> Application:
    """An application from the tree of its description and its views' queries; raises as :func:`read`."""
    path = folder / DESCRIPTION
    if not isinstance(tree, Mapping):
        raise ApplicationError(f"{path}: required title, sources and relations, got {type(tree).__name__}")
    for key in {"name", "folder", "queries"} & set(tree):
        raise ApplicationError(f"{path}: {key} is no key of a description")
    try:
        return Application.model_validate(
            {**tree, "name": name.replace("-", "_"), "folder": folder, "queries": dict(queries)}
        )
    except ValidationError as e:
        raise ApplicationError("\n".join(_fault(error, path, text) for error in e.errors())) from None


def _fault(error: Any, path: Path, text: str) -> str:
    loc = tuple(part for part in error["loc"] if isinstance(part, str | int))
    where = ".".join(map(str, loc))
    message = error["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    view = re.match(r"(\w+\.sql): ", message)
    if view and not loc:
        return f"{path.parent / message}"
    at = f"{path}:{line_of(text, loc)}" if text else str(path)
    if error["type"] == "extra_forbidden":
        return f"{at}: {where} is no key that is known here"
    if error["type"] == "missing":
        return f"{at}: {where} is required"
    got = "" if error["type"] == "value_error" else f", got {str(error['input'])[:80]!r}"
    return f"{at}: {where + ': ' if where else ''}{message}{got}"
