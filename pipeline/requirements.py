"""What an application's job needs in AWS: the permissions of its connectors, no more, and resources that exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from connectors.dynamodb import DynamoDbSink
from connectors.firehose import FirehoseSink
from connectors.kinesis import KinesisSink, KinesisSource
from connectors.reference import ReferenceFile
from connectors.requirements import Requirements, file_requirements, together
from connectors.s3 import S3Sink
from pipeline import destinations
from pipeline.application import Application
from pipeline.flink_version import require_aws_connectors
from pipeline.settings import Settings, SettingsError
from pipeline.sources import check_reference, preprocess_options, record_source, reference_file
from udfs.reference_table import ReferenceTable

# An ARN, in which the account and the end of a bucket's objects are left out.
_ONE_RESOURCE = re.compile(r"[A-Za-z0-9_.:/=+@ -]+")
_GIVEN = re.compile(r"\$\{AWS::\w+\}|(?<=[a-z0-9])/\*$|:\$LATEST$")


class _Connector(Protocol):
    def requires(self) -> Requirements: ...
    def check(self) -> None: ...


def requirements(application: Application, settings: Settings) -> Requirements:
    """The statements of the job's role (least privilege), and the resources that must exist.

    Raises
    ------
    SettingsError
        A property does not name exactly one resource.
    """
    return together(_checked(application, settings))


def check(application: Application, settings: Settings) -> None:
    """Check that the resources of every connector exist, without Flink.

    Raises
    ------
    connectors.check.ConnectorError
        The first connector's error.
    """
    for group, connector in _of_each(application, settings):
        if isinstance(connector, KinesisSource | KinesisSink | FirehoseSink | DynamoDbSink):
            require_aws_connectors(group)
        connector.check()


def _checked(application: Application, settings: Settings) -> Iterator[Requirements]:
    for group, connector in _of_each(application, settings):
        try:
            found = connector.requires()
        except ValueError as e:
            raise SettingsError(f"{group}: {e}") from None
        for statement in found.statements:
            # `*` would match every resource, and CloudFormation would replace `${`.
            if not _ONE_RESOURCE.fullmatch(_GIVEN.sub("", statement["Resource"])):
                name = statement["Resource"].rpartition("}:")[2]
                raise SettingsError(
                    f"{group}: required the name of one AWS resource, without * ? $ and quotes, got {name[:80]!r}"
                )
        yield found


@dataclass(frozen=True)
class _Reference:
    """A reference table's file."""

    file: ReferenceFile
    table: ReferenceTable

    def requires(self) -> Requirements:
        return file_requirements(self.file.path, "s3:GetObject")

    def check(self) -> None:
        check_reference(self.file, self.table)


def _of_each(application: Application, settings: Settings) -> Iterator[tuple[str, _Connector]]:
    """Each property group that names resources, and its connector."""
    aws = settings.aws
    for spec in application.sources.values():
        name = application.group_of(spec)
        source = getattr(settings, name)
        yield name, record_source(source, aws)
        if source.preprocess:
            yield name, preprocess_options(source, aws, name)
    for name, reference in application.references.items():
        yield name, _Reference(reference_file(getattr(settings, name), aws), reference.table)
    for destination in application.destinations:
        name, group = destination.name, getattr(settings, destination.name)
        if group.type == "lambda":
            yield name, destinations.function(name, group, aws)
        elif group.type != "none":
            yield name, destinations.connector(group, aws)
    errors = settings.errors
    yield "errors", S3Sink(errors.path, aws.where) if errors.path else KinesisSink(errors.stream, aws.where)
    if settings.tap.stream:
        yield "tap", KinesisSink(settings.tap.stream, aws.where)
