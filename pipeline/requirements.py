"""The permissions and resources that an application's job needs in AWS: those of its connectors, and no more."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial

from connectors.kinesis import KinesisSink
from connectors.requirements import Requirements, file_requirements, function_requirements, together
from connectors.s3 import S3Sink
from pipeline import destinations
from pipeline.application import Application
from pipeline.settings import Settings, SettingsError
from pipeline.sources import record_source

# An ARN, in which the account and the end of a bucket's objects are left out.
_ONE_RESOURCE = re.compile(r"[A-Za-z0-9_.:/=+@ -]+")
_GIVEN = re.compile(r"\$\{AWS::\w+\}|(?<=[a-z0-9])/\*$|:\$LATEST$")


def requirements(application: Application, settings: Settings) -> Requirements:
    """The statements of the job's role (least privilege), and the resources that must exist.

    Raises
    ------
    SettingsError
        A property does not name exactly one resource.
    """
    return together(_checked(application, settings))


def _checked(application: Application, settings: Settings) -> Iterator[Requirements]:
    for group, needs in _of_each(application, settings):
        try:
            found = needs()
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


def _of_each(
    application: Application, settings: Settings
) -> Iterator[tuple[str, Callable[[], Requirements]]]:
    """Each property group that names resources, with a function that returns its requirements."""
    aws = settings.aws
    for spec in application.sources.values():
        name = application.group_of(spec)
        source = getattr(settings, name)
        yield name, record_source(source, aws).requires
        if source.preprocess:
            yield name, partial(function_requirements, source.preprocess)
    for name in application.references:
        yield name, partial(file_requirements, getattr(settings, name).path, "s3:GetObject")
    for destination in application.destinations:
        name, group = destination.name, getattr(settings, destination.name)
        if group.type == "lambda":
            yield name, destinations.function(name, group, aws).requires
        elif group.type != "none":
            yield name, destinations.connector(group, aws).requires
    if settings.errors.path:
        yield "errors", S3Sink(settings.errors.path, aws.where).requires
    else:
        yield "errors", KinesisSink(settings.errors.stream, aws.where).requires
    if settings.tap.stream:
        yield "tap", KinesisSink(settings.tap.stream, aws.where).requires
