"""An application as data: ``application.yaml`` and one ``.sql`` file per view.

Reading, checking and drawing one needs no Flink and runs none of its author's code, so it may come from a stranger.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BeforeValidator, Field, ValidationError, ValidationInfo, field_validator, model_validator

from base.errors import InvalidValue, KdaError
from pipeline import sql
from pipeline.document import line_of, load
from pipeline.parts import Chart, Destination, ReferenceSpec, Sender, SourceSpec
from pipeline.relations import Detector, Errors, Forest, Relation, View, relation_of
from pipeline.spec import Name, Property, Spec
from pipeline.watching import as_options, watched

DESCRIPTION = "application.yaml"
#: The relation that every application has: records and rows that could not be used.
ERRORS = "error_stream"
#: Names that the engine uses itself.
RESERVED = frozenset({ERRORS, "tap", "all_errors", "tapped_rows"})
#: Property groups that every application has.
ENGINE_GROUPS = ("aws", "errors", "tap", "job")


class ApplicationError(KdaError, ValueError):
    """The application can't be read. The message has one line per fault, with file and line."""


#: A part that has a property group.
Part = SourceSpec | ReferenceSpec | Forest | Detector | Destination


class Application(Spec):
    """One application.

    Attributes
    ----------
    name : str
        Its folder's name.
    folder : Path
        The folder of its files.
    queries : dict
        SQL by name of view.
    detector : dict or None
        If given, each forest gets a detector and alerts; see :mod:`pipeline.watching`.
    """

    name: Name
    folder: Path
    queries: dict[str, str] = Field(default_factory=dict)
    title: str
    label: str = ""
    properties: dict[Name, dict[Name, Property]] = Field(default_factory=dict)
    sources: dict[Name, SourceSpec] = Field(min_length=1)
    references: dict[Name, ReferenceSpec] = Field(default_factory=dict)
    detector: Annotated[dict[str, Any] | None, BeforeValidator(as_options)] = None
    relations: tuple[Annotated[Relation, BeforeValidator(relation_of)], ...] = ()
    destinations: tuple[Destination, ...] = ()
    errors: str = ""
    taps: str = ""
    senders: tuple[Sender, ...] = ()
    charts: tuple[Chart, ...] = ()

    @field_validator("relations")
    @classmethod
    def _watched(cls, relations: tuple[Relation, ...], info: ValidationInfo) -> tuple[Relation, ...]:
        return watched(relations, info.data.get("detector"), info.data["queries"])

    @model_validator(mode="after")
    def _fits(self) -> Application:
        known: dict[str, str] = {}
        for name in (*self.sources, *self.references, *(f"{source}_heartbeats" for source in self.sources)):
            _new(name, known)
        for relation in self.relations:
            for name in relation.inputs(self.queries):
                if name not in known and isinstance(relation, View):
                    later = name in (r.name for r in self.relations)
                    what = "comes later" if later else "does not exist"
                    raise InvalidValue(
                        f"{relation.name}.sql: relation {name} {what}; known here: {', '.join(known)}"
                    )
                if name not in known:
                    raise InvalidValue(
                        f"relations: {relation.kind} {relation.name}: {name} must be one of {', '.join(known)}"
                    )
            if isinstance(relation, View) and relation.name not in self.queries:
                raise InvalidValue(f"relations: {relation.name}: required a file {relation.name}.sql")
            _new(relation.name, known)
        for destination in self.destinations:
            if destination.of not in known:
                raise InvalidValue(
                    f"destinations: {destination.name}: of must be one of {', '.join(known)}, got {destination.of}"
                )
        for chart in self.charts:
            if unknown := {chart.of, chart.marks or chart.of} - {*self.shown}:
                raise InvalidValue(
                    f"charts: {chart.title}: {', '.join(unknown)} must be one of {', '.join(self.shown)}"
                )
        for sender in self.senders:
            if sender.source and sender.source not in self.sources:
                raise InvalidValue(
                    f"senders: {sender.label}: source must be one of {', '.join(self.sources)}, got {sender.source}"
                )
        for query in sorted(set(self.queries) - {r.name for r in self.relations}):
            raise InvalidValue(f"{query}.sql: required a relation {query} under relations, got none")
        groups = [*(name for name, _ in self._named_groups()), *self.properties, *ENGINE_GROUPS]
        for group in groups:
            if groups.count(group) > 1:
                raise InvalidValue(f"property group {group} is used twice: rename one of them with `group:`")
        return self

    @property
    def error_stream(self) -> str:
        """Name of the Kinesis stream that takes the error stream."""
        return self.errors or f"{self.name}-errors"

    @property
    def tap_stream(self) -> str:
        """Name of the Kinesis stream that takes copies of rows."""
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
        """The part that each property group sets; the application's own groups are left out.

        The first source's group is ``source``, the first forest's ``random_cut_forest``, the first detector's
        ``detector``; others have their relation's name.
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
        """The relations whose rows are shown, in order, without the error stream and inner ones."""
        return (*self.sources, *(r.name for r in self.relations if not (isinstance(r, Errors) or r.inner)))

    def edges(self) -> Iterator[tuple[str, str]]:
        """The flow between shown relations as (from, to), in order of the description; inner ones are skipped."""
        behind: dict[str, tuple[str, ...]] = {}
        for relation in self.relations:
            read = relation.inputs(self.queries)
            found = tuple(dict.fromkeys(n for name in read for n in behind.get(name, (name,))))
            if relation.inner:
                behind[relation.name] = found
            else:
                yield from ((name, relation.name) for name in found)

    def stages(self) -> tuple[tuple[str, ...], ...]:
        """The shown relations by distance from the sources: one tuple per distance."""
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
        raise InvalidValue(f"relation {name} exists already: names must be unique")
    known[name] = name


def read(folder: Path) -> Application:
    """Read and check an application's folder.

    Raises
    ------
    ApplicationError
        With one line per fault: file, line, what was required, what came.
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
        raise ApplicationError(f"{where}: not valid YAML: {getattr(e, 'problem', None) or e}") from None
    queries = {file.stem: sql.load(file) for file in sorted(folder.glob("*.sql"))}
    return parse(tree, name=folder.resolve().name, folder=folder, queries=queries, text=text)


def parse(tree: Any, *, name: str, folder: Path, queries: Mapping[str, str], text: str = "") -> Application:
    """An application from the tree of its description and its views' queries; raises as :func:`read`."""
    path = folder / DESCRIPTION
    if not isinstance(tree, Mapping):
        raise ApplicationError(f"{path}: required title, sources and relations, got {type(tree).__name__}")
    for key in {"name", "folder", "queries"} & set(tree):
        raise ApplicationError(f"{path}: {key} is not a known key")
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
        return f"{at}: {where} is not a known key"
    if error["type"] == "missing":
        return f"{at}: {where} is required"
    got = "" if error["type"] == "value_error" else f", got {str(error['input'])[:80]!r}"
    return f"{at}: {where + ': ' if where else ''}{message}{got}"
