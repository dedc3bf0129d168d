"""One typed settings object from property groups, the shape that Managed Service for Apache Flink uses.

The same file serves locally and deployed: a list of ``{"PropertyGroupId": …, "PropertyMap": {…}}``. Every group is a
model here or beside its job; a group or key that no model knows is an error.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

#: Groups that the service itself reads; no job knows them.
SERVICE_GROUPS = ("kinesis.analytics.flink.run.options", "job")

SettingsT = TypeVar("SettingsT", bound="JobSettings")


class SettingsError(ValueError):
    """A property that is missing, unknown or out of range. The message has one line for each."""


class Group(BaseModel):
    """One property group: unknown keys are refused, values don't change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _names(value: Any) -> Any:
    return tuple(n.strip() for n in value.split(",") if n.strip()) if isinstance(value, str) else value


#: Column names, comma separated.
Names = Annotated[tuple[str, ...], BeforeValidator(_names)]
#: Seconds, as a number.
Seconds = Annotated[timedelta, BeforeValidator(lambda v: v if isinstance(v, timedelta) else float(v))]

#: Milliseconds, as a number.
Milliseconds = Annotated[
    timedelta, BeforeValidator(lambda v: v if isinstance(v, timedelta) else timedelta(milliseconds=float(v)))
]


def without_user(url: str) -> str:
    """An address as it came, if it names no user or password: errors and logs show it, and AWS asks for neither.

    Raises
    ------
    ValueError
        It does; the message does not repeat it.
    """
    if "@" in url:
        raise PydanticCustomError(
            "secret",
            "must be an address without user and password; what came is not shown, as it may hold one",
        )
    return url


class Aws(Group):
    """Where AWS is."""

    region: str = Field("us-east-1", description="AWS region of every service the job uses")
    endpoint: Annotated[str, AfterValidator(without_user)] | None = Field(
        None, description="another address for all services, as a local AWS has"
    )


class Source(Group):
    """The stream that the job reads."""

    type: Literal["kinesis", "firehose", "recording"] = Field(
        "kinesis", description="a stream, a Firehose's S3 landing, or files of recorded records, read once"
    )
    stream: str | None = Field(None, description="with type kinesis: name of the stream")
    position: str = Field(
        "LATEST",
        description="where the first start reads from: LATEST, TRIM_HORIZON, or a time like 2024-01-31T12:00:00Z",
    )
    path: str | None = Field(
        None,
        description="with type firehose or recording: the folder, s3://bucket/prefix/ or file:///folder/",
    )
    event_time: str = Field(
        "$.event_time",
        description="with type recording: record path of a record's time, ISO 8601; UTC where it has no offset",
    )
    idle_timeout: Seconds = Field(
        timedelta(seconds=15),
        gt=timedelta(seconds=10),
        description="seconds after which a silent shard stops holding others back",
    )


class Forest(Group):
    """RANDOM_CUT_FOREST's parameters, by their documented names."""

    columns: Names = Field(description="numeric columns to score, comma separated, 1-30")
    number_of_trees: int = Field(100, ge=1, le=1000, description="trees in the forest")
    sub_sample_size: int = Field(
        256, ge=10, le=1000, description="records each tree holds; the score is 0 until then"
    )
    time_decay: int = Field(
        100_000, ge=1, le=2_147_483_647, description="how many of the most recent records matter"
    )
    shingle_size: int = Field(1, ge=1, le=30, description="consecutive records that are scored together")
    seed: int = Field(
        0, ge=0, le=2**63 - 1, description="of the random generator: the same seed gives the same scores"
    )
    partition_by: str | None = Field(
        None, description="column with a forest for each of its values; none: one forest"
    )
    idle_expiry: Seconds = Field(
        timedelta(0),
        ge=timedelta(0),
        description="seconds of the stream's time after which an unused forest is forgotten; 0: never",
    )
    micro_batch: Milliseconds = Field(
        timedelta(0),
        ge=timedelta(0),
        le=timedelta(seconds=1),
        description="milliseconds of rows scored in one call, a divisor of 1000; 0: each row as it comes",
    )
    explain: bool = Field(False, description="add ANOMALY_EXPLANATION, as RANDOM_CUT_FOREST_WITH_EXPLANATION")


class Errors(Group):
    """Where the error stream goes."""

    stream: str = Field(description="name of the Kinesis stream that takes the error stream")


class Tap(Group):
    """A copy of the rows of the job's relations, to look at."""

    stream: str | None = Field(
        None, description="Kinesis stream that gets a copy of every relation's rows; none: no copy is made"
    )
    rate: float = Field(
        50.0, gt=0, le=1000, description="rows a second above which a relation is sampled, to this rate"
    )


class JobSettings(Group):
    """What every job has; a job adds its own groups."""

    aws: Aws = Aws()
    tap: Tap = Tap()


def read_groups(path: Path) -> dict[str, dict[str, str]]:
    """Read ``application_properties.json``.

    Raises
    ------
    SettingsError
        When there is no such file, or it has another shape.
    """
    try:
        groups = json.loads(path.read_text(encoding="utf-8"))
        return {g["PropertyGroupId"]: dict(g["PropertyMap"]) for g in groups}
    except FileNotFoundError:
        raise SettingsError(
            f"{path}: no such file; required: property groups as Managed Flink writes them"
        ) from None
    except (ValueError, KeyError, TypeError) as e:
        raise SettingsError(
            f'{path}: required [{{"PropertyGroupId": …, "PropertyMap": {{…}}}}, …], got something else ({e!r})'
        ) from None


def override(
    groups: Mapping[str, Mapping[str, str]], assignments: Iterable[str]
) -> dict[str, dict[str, str]]:
    """Groups with ``group.key=value`` assignments laid over them.

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


def settings(model: type[SettingsT], groups: Mapping[str, Mapping[str, str]]) -> SettingsT:
    """The typed settings of a job.

    Raises
    ------
    SettingsError
        Naming each property that is missing, unknown or out of range, what was required and what came.
    """
    # An empty value means "not set": the service's console can't leave a key out once it is there.
    given = {
        g: {k: v for k, v in values.items() if v != ""}
        for g, values in groups.items()
        if g not in SERVICE_GROUPS
    }
    try:
        return model.model_validate(given)
    except ValidationError as e:
        raise SettingsError("\n".join(_line(error) for error in e.errors())) from None


def _line(error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"])
    if error["type"] == "missing":
        return f"{where} is required, and not set"
    if error["type"] == "extra_forbidden":
        return f"{where} is no property of this job"
    message = error["msg"].replace("Input should be", "must be").replace("Value error, ", "")
    if error["type"] == "secret":
        return f"{where} {message}"
    return f"{where} {message}, got {str(error['input'])[:80]!r}"
