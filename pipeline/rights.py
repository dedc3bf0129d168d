"""What an application's job may do in AWS: what each of its connectors requires, and no more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from connectors.kinesis import KinesisSink
from connectors.rights import Right, added, invoke, on_files
from pipeline import destinations
from pipeline.application import Application
from pipeline.settings import Settings, SettingsError
from pipeline.sources import record_source


def rights(application: Application, settings: Settings) -> tuple[Right, ...]:
    """The statements of the least role that the job runs with.

    Raises
    ------
    SettingsError
        A property names no one resource; one line.
    """
    found: list[Right] = []
    for group, part in _required(application, settings):
        try:
            found += part()
        except SettingsError:
            raise
        except ValueError as e:
            raise SettingsError(f"{group}: {e}") from None
    return added(found)


def _required(
    application: Application, settings: Settings
) -> Iterator[tuple[str, Callable[[], tuple[Right, ...]]]]:
    """Each property group, and what gives the rights that it asks for."""
    aws = settings.aws
    for spec in application.sources.values():
        name = application.group_of(spec)
        source = getattr(settings, name)
        yield name, record_source(source, aws).requires
        if source.preprocess:
            yield name, partial(_of_function, source.preprocess, aws.region)
    for name in application.references:
        yield name, partial(on_files, getattr(settings, name).path, "GetObject")
    for destination in application.destinations:
        group = getattr(settings, application.group_of(destination))
        if group.type == "lambda":
            yield destination.name, destinations.function(group, aws).requires
        elif group.type != "none":
            yield destination.name, destinations.connector(group, aws).requires
    yield "errors", KinesisSink(settings.errors.stream, aws.region).requires
    if settings.tap.stream:
        yield "tap", KinesisSink(settings.tap.stream, aws.region).requires


def _of_function(function: str, region: str) -> tuple[Right, ...]:
    return (invoke(function, region),)
