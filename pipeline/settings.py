"""One typed settings object from property groups, in the format of Managed Service for Apache Flink.

The format is the same locally and deployed: a list of ``{"PropertyGroupId": …, "PropertyMap": {…}}``. Every group is a
model, either the engine's (:mod:`pipeline.groups`) or made from the application's description. Unknown keys are errors.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from copy import copy
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, create_model

from base.errors import KdaError
from pipeline.application import Application
from pipeline.detector_group import Detector
from pipeline.groups import (
    AwsGroup,
    Destination,
    Errors,
    Forest,
    Group,
    Reference,
    Seconds,
    Source,
    Tap,
    TimeZone,
)
from pipeline.parts import Destination as DestinationSpec
from pipeline.parts import ReferenceSpec, SourceSpec
from pipeline.relations import Detector as DetectorSpec
from pipeline.relations import Forest as ForestSpec
from pipeline.spec import Property
from pipeline.sql import Value

#: Groups that the service or the entry point reads, not the application.
SERVICE_GROUPS = ("kinesis.analytics.flink.run.options", "job")


class SettingsError(KdaError, ValueError):
    """Properties are missing, unknown or out of range. The message has one line for each."""


class Settings(Group):
    """The properties of one application. A subclass has a field for each of the application's groups too."""

    aws: AwsGroup = AwsGroup()
    tap: Tap = Tap()
    errors: Errors

    def with_tap(self, stream: str) -> Settings:
        """A copy with the tap on."""
        return self.model_copy(update={"tap": Tap(stream=stream)})


def read_groups(path: Path) -> dict[str, dict[str, str]]:
    """Read ``application_properties.json``.

    Raises
    ------
    SettingsError
        There is no such file, or it has another format.
    """
    try:
        groups = [
            (g["PropertyGroupId"], dict(g["PropertyMap"]))
            for g in json.loads(path.read_text(encoding="utf-8"))
        ]
    except FileNotFoundError:
        raise SettingsError(
            f"{path}: no such file; required: property groups as Managed Flink writes them"
        ) from None
    except (ValueError, KeyError, TypeError) as e:
        raise SettingsError(
            f'{path}: required [{{"PropertyGroupId": …, "PropertyMap": {{…}}}}, …], got something else ({e!r})'
        ) from None
    names = [name for name, _ in groups]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise SettingsError(
            f"{path}: required each property group once, got {', '.join(twice)} more than once"
        )
    return dict(groups)


def override(
    groups: Mapping[str, Mapping[str, str]], assignments: Iterable[str]
) -> dict[str, dict[str, str]]:
    """Groups with the values of ``group.key=value`` assignments.

    Examples
    --------
    >>> override({"aws": {"region": "us-east-1"}}, ["aws.region=eu-west-1"])
    {'aws': {'region': 'eu-west-1'}}
    """
    result = {name: dict(values) for name, values in groups.items()}
    for assignment in assignments:
        match = re.fullmatch(r"(\w+)\.(\w+)=(.*)", assignment, re.DOTALL)
        if not match:
            raise SettingsError(f"property: required group.key=value, got {assignment.partition('=')[0]!r}")
        result.setdefault(match[1], {})[match[2]] = match[3]
    return result


def settings_model(application: Application) -> type[Settings]:
    """The typed properties of an application: its own groups, and the engine's with the application's defaults.

    Raises
    ------
    SettingsError
        A default of the application is out of range, or a group's name is not possible.
    """
    for name in (*application.groups, *application.properties):
        if name.startswith("_"):
            raise SettingsError(f"{name}: a property group must begin with a letter: rename it with `group:`")
    fields: dict[str, Any] = {"errors": _group(Errors, {"stream": application.error_stream})}
    for name, part in application.groups.items():
        given = {k: getattr(part, k) for k in _MODELS[type(part)].model_fields if hasattr(part, k)}
        fields[name] = _group(_MODELS[type(part)], {k: v for k, v in given.items() if v is not None})
    for name, properties in application.properties.items():
        fields[name] = _own_group(name, properties)
    return create_model(f"{application.name}_settings", __base__=Settings, **fields)


def settings(application: Application, groups: Mapping[str, Mapping[str, str]]) -> Settings:
    """The typed settings of an application's job.

    Raises
    ------
    SettingsError
        Names each property that is missing, unknown or out of range, what was required and what came.
    """
    # An empty value means "not set": the service's console can't remove a key.
    given = {
        g: {k: v for k, v in values.items() if v != ""}
        for g, values in groups.items()
        if g not in SERVICE_GROUPS
    }
    try:
        return settings_model(application).model_validate(given)
    except ValidationError as e:
        raise SettingsError("\n".join(_line(error) for error in e.errors())) from None


def parameters(chosen: Settings) -> dict[str, Value]:
    """The parameters of queries: properties as ``group.key``, durations also as ``group.key_ms`` in milliseconds."""
    found: dict[str, Value] = {}
    for group, values in chosen:
        for key, value in values:
            name = f"{group}.{key}"
            if isinstance(value, timedelta):
                found[f"{name}_ms"] = value // timedelta(milliseconds=1)
            found[name] = ", ".join(map(str, value)) if isinstance(value, tuple) else value
    return found


_MODELS: dict[type, type[Group]] = {
    SourceSpec: Source,
    ForestSpec: Forest,
    DetectorSpec: Detector,
    DestinationSpec: Destination,
    ReferenceSpec: Reference,
}


def _group(model: type[Group], defaults: Mapping[str, Any]) -> tuple[Any, Any]:
    """A group with other defaults. They are checked like given values, even if the whole group is left out."""
    fields: dict[str, Any] = {}
    for key, value in defaults.items():
        info = copy(model.model_fields[key])
        info.default = value
        fields[key] = (info.annotation, info)
    changed = create_model(model.__name__, __base__=model, **fields)
    return changed, Field(default_factory=lambda: {}, validate_default=True)


def _own_group(name: str, properties: Mapping[str, Property]) -> tuple[Any, Any]:
    fields: dict[str, Any] = {}
    for key, p in properties.items():
        annotation: Any = Literal[p.choices] if p.choices else _TYPES[p.kind]
        details: dict[str, Any] = {"description": p.help}
        if p.default is not None or p.optional:
            details["default"] = p.default
        for bound, value in (("ge", p.minimum), ("gt", p.above), ("le", p.maximum)):
            if value is not None:
                details[bound] = timedelta(seconds=value) if p.kind == "seconds" else value
        fields[key] = (annotation | None if p.optional else annotation, Field(**details))
    return create_model(name, __base__=Group, **fields), Field(
        default_factory=lambda: {}, validate_default=True
    )


_TYPES: dict[str, Any] = {
    "text": str,
    "number": float,
    "integer": int,
    "boolean": bool,
    "seconds": Seconds,
    "time_zone": TimeZone,
}


def _line(error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"])
    if error["type"] == "missing":
        return f"{where} is required, and not set"
    if error["type"] == "extra_forbidden":
        return f"{where} is not a property of this application"
    if error["type"] == "at":
        return f"{where}.{error['msg']}"
    message = error["msg"].replace("Input should be", "must be").replace("Value error, ", "")
    if error["type"] == "secret":
        return f"{where} {message}"
    if isinstance(error["input"], timedelta):
        return f"{where} {_bound(error)}, got {error['input'].total_seconds():g}"
    return f"{where} {message}, got {str(error['input'])[:80]!r}"


def _bound(error: Any) -> str:
    words = {
        "ge": "must be at least",
        "gt": "must be more than",
        "le": "must be at most",
        "lt": "must be less than",
    }
    name, bound = next((k, v) for k, v in error["ctx"].items() if k in words)
    units = {"day": 86400.0, "hour": 3600.0, "minute": 60.0, "second": 1.0, "microsecond": 1e-6}
    seconds = sum(int(n) * units[unit] for n, unit in re.findall(r"(\d+) (\w+?)s?\b", str(bound)))
    return f"{words[name]} {seconds:g}"
