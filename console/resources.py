"""The names of what an application reads and writes, from its settings: streams, functions, tables and folders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.application import Application
from pipeline.settings import SettingsError, parameters, settings
from pipeline.sql import Value

#: Name of each type of destination on the page, and the key of its resource.
_TARGETS = {
    "firehose": ("Firehose → S3", "delivery_stream"),
    "kinesis": ("Kinesis stream", "stream"),
    "lambda": ("Lambda function", "function"),
    "s3": ("S3", "path"),
    "dynamodb": ("DynamoDB table", "table"),
}


@dataclass(frozen=True)
class Source:
    """Where a source's records come from.

    Attributes
    ----------
    relation : str
        The source relation.
    kind : str
        Its type, as the page shows it.
    resource : str
        Name of the stream, or a folder's path.
    is_stream : bool
        It is a Kinesis stream, so records can be sent to it.
    """

    relation: str
    kind: str
    resource: str
    is_stream: bool


@dataclass(frozen=True)
class Target:
    """A destination that is on.

    Attributes
    ----------
    name : str
        Name of the destination.
    of : str
        The relation whose rows it takes.
    type : str
        ``kinesis``, ``firehose``, ``lambda``, ``s3`` or ``dynamodb``.
    resource : str
        Name or ARN of the resource, or a folder's path.
    key : str or None
        Key column.
    """

    name: str
    of: str
    type: str
    resource: str
    key: str | None = None

    @property
    def kind(self) -> str:
        """Its type, as the page shows it."""
        return _TARGETS[self.type][0]

    @property
    def label(self) -> str:
        """Its name, without the rest of an ARN."""
        return self.resource.rpartition(":")[2] if self.resource.startswith("arn:") else self.resource


@dataclass(frozen=True)
class Resources:
    """What an application reads and writes.

    Attributes
    ----------
    sources : tuple of Source
    targets : tuple of Target
    taps, errors : str
        Kinesis streams of the tap and of errors.
    parameters : mapping
        Values of properties by ``group.key``.
    problem : str
        Why the settings can't be read, else empty; then the other values are those of the description.
    """

    sources: tuple[Source, ...]
    targets: tuple[Target, ...]
    taps: str
    errors: str
    parameters: Mapping[str, Value] = field(default_factory=dict)
    problem: str = ""

    def stream_of(self, source: str | None) -> str | None:
        """The Kinesis stream of a source relation, or of the first one if None is given; None: it has none."""
        return next((s.resource for s in self.sources if s.is_stream and source in (None, s.relation)), None)


def resources(application: Application, groups: Mapping[str, Mapping[str, str]] | None = None) -> Resources:
    """What an application reads and writes with some property groups instead of its defaults."""
    chosen: Any = None
    problem = ""
    try:
        chosen = settings(application, groups or {})
    except SettingsError as error:
        problem = str(error)

    def group(part: Any) -> Any:
        return getattr(chosen, application.group_of(part)) if chosen else part

    sources = []
    for relation, spec in application.sources.items():
        found = group(spec)
        is_stream = found.type == "kinesis"
        kind = {"kinesis": "Kinesis stream", "firehose": "Firehose landing", "recording": "recording"}[
            found.type
        ]
        sources.append(
            Source(relation, kind, (found.stream if is_stream else found.path) or "not set", is_stream)
        )
    targets = []
    for destination in application.destinations:
        found = group(destination)
        if found.type != "none":
            resource = getattr(found, _TARGETS[found.type][1]) or "not set"
            targets.append(Target(destination.name, destination.of, found.type, resource, found.key))
    return Resources(
        tuple(sources),
        tuple(targets),
        (chosen and chosen.tap.stream) or application.tap_stream,
        chosen.errors.stream if chosen else application.error_stream,
        parameters(chosen) if chosen else {},
        problem,
    )
