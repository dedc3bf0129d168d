"""The property groups that the engine knows: where AWS is, sources, forests, destinations, error stream and tap.

An application gives them its own defaults (:mod:`pipeline.settings`).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, Self
from zoneinfo import available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    create_model,
    model_validator,
)
from pydantic_core import PydanticCustomError

from connectors.lambda_sink.options import LOCAL_APPLICATION_ARN, LambdaSinkOptions
from connectors.option import options_of
from pipeline.parts import DESTINATION_TYPES
from udfs.key_groups import FEW, MOST, USUAL


class Group(BaseModel):
    """One property group: unknown keys are refused, values don't change."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


def _names(value: Any) -> Any:
    return tuple(n.strip() for n in value.split(",") if n.strip()) if isinstance(value, str) else value


#: Column names, comma separated.
Names = Annotated[tuple[str, ...], BeforeValidator(_names)]
#: Seconds, as a number.
Seconds = Annotated[timedelta, BeforeValidator(lambda v: v if isinstance(v, timedelta) else float(v))]


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


def _time_zone(name: str) -> str:
    # Flink takes a name that it does not know for UTC, without a word.
    if name not in available_timezones():
        raise PydanticCustomError("rule", "must be the name of a time zone like UTC or Europe/Berlin")
    return name


TimeZone = Annotated[str, AfterValidator(_time_zone)]


def _resource(name: str) -> str:
    if name.startswith("arn:"):
        last = re.split(r"[:/]", name)[-1]
        raise PydanticCustomError("rule", "must be a name and no ARN: {last}", {"last": last})
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,128}", name):
        raise PydanticCustomError("rule", "must be 1-128 letters, digits, _ . -")
    return name


#: Name of a stream, delivery stream or table.
Resource = Annotated[str, AfterValidator(_resource)]


def _folder(path: str) -> str:
    if "://" not in path:
        raise PydanticCustomError("rule", "must look like s3://bucket/prefix/ or file:///folder/")
    return path


#: A folder that Flink's file systems know.
Folder = Annotated[str, AfterValidator(_folder)]


def _position(position: str) -> str:
    if position.upper() in ("LATEST", "TRIM_HORIZON"):
        return position.upper()
    try:
        moment = datetime.fromisoformat(position)
    except ValueError:
        moment = datetime.min
    if moment.tzinfo is None:
        raise PydanticCustomError(
            "rule", "must be LATEST, TRIM_HORIZON or a time with offset like 2024-01-31T12:00:00Z"
        )
    return moment.astimezone(UTC).isoformat()


def required(group: Group, key: str, kind: str) -> None:
    """Refuse a group in which a key is missing that its type asks for."""
    if not getattr(group, key):
        raise PydanticCustomError(
            "at", "{key} is required with type {kind}, and not set", {"key": key, "kind": kind}
        )


class Aws(Group):
    """Where AWS is."""

    region: str = Field("us-east-1", description="AWS region of every service")
    endpoint: Annotated[str, AfterValidator(without_user)] | None = Field(
        None, description="another address for all services, as a local AWS has"
    )
    application_arn: str = Field(
        LOCAL_APPLICATION_ARN,
        description="what functions see as applicationArn",
    )


class Source(Group):
    """The stream that the job reads."""

    type: Literal["kinesis", "firehose", "recording"] = Field(
        "kinesis", description="a stream, a Firehose landing in S3, or recorded files, read once"
    )
    stream: Resource | None = Field(None, description="with type kinesis: name of the stream")
    position: Annotated[str, AfterValidator(_position)] = Field(
        "LATEST",
        description="where the first start reads from: LATEST, TRIM_HORIZON, or a time like 2024-01-31T12:00:00Z",
    )
    path: Folder | None = Field(
        None,
        description="with type firehose or recording: s3://bucket/prefix/ or file:///folder/",
    )
    event_time: str = Field(
        "$.event_time",
        description="with type recording: record path of the time, ISO 8601, UTC unless it has an offset",
    )
    idle_timeout: Seconds = Field(
        timedelta(seconds=15),
        gt=timedelta(seconds=10),
        description="seconds after which an idle shard stops holding others back",
    )
    late: Literal["count_now", "report"] = Field(
        "count_now",
        description="a late record goes to the error stream, and counts now or not",
    )
    preprocess: str | None = Field(
        None,
        description="name or ARN of a function that records pass first, by KDA's contract",
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        required(self, "stream" if self.type == "kinesis" else "path", self.type)
        return self


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
    shingle_size: int = Field(1, ge=1, le=30, description="consecutive records scored together")
    seed: int = Field(0, ge=0, le=2**63 - 1, description="the same seed gives the same scores")
    partition_by: str | None = Field(
        None, description="column: a forest for each of its values; none: one forest"
    )
    buckets: int = Field(
        USUAL,
        ge=FEW,
        le=MOST,
        description="parts of the state with partition_by, for good: at most so many subtasks share it, a quarter as"
        " many evenly; 16 to restore what was saved before 128 was usual",
    )
    idle_expiry: Seconds = Field(
        timedelta(0),
        ge=timedelta(0),
        description="seconds of the stream's time without records until a forest is forgotten; 0: never",
    )
    explain: bool = Field(False, description="add anomaly_explanation, as RANDOM_CUT_FOREST_WITH_EXPLANATION")

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if not 1 <= len(self.columns) <= 30 or len(set(self.columns)) < len(self.columns):
            raise PydanticCustomError(
                "at", "columns must be 1 to 30 different columns, got {got}", {"got": ", ".join(self.columns)}
            )
        if self.time_decay <= self.sub_sample_size:
            raise PydanticCustomError(
                "at",
                "time_decay must be more than sub_sample_size, {size}, got {got}",
                {"size": self.sub_sample_size, "got": self.time_decay},
            )
        return self


class Reference(Group):
    """A reference table."""

    path: Folder = Field(description="its file, s3://bucket/key or file:///path")
    reload: Seconds = Field(
        timedelta(0),
        ge=timedelta(0),
        description="seconds after which it is read again; 0: once, at the start",
    )


class _Destination(Group):
    """Where a relation's rows go."""

    type: Literal[DESTINATION_TYPES] = Field(  # type: ignore[valid-type]
        description="where the rows go"
    )
    delivery_stream: Resource | None = Field(None, description="with type firehose: its name")
    stream: Resource | None = Field(None, description="with type kinesis: its name")
    function: str | None = Field(None, description="with type lambda: its name or ARN")
    path: Folder | None = Field(None, description="with type s3: s3://bucket/prefix/")
    table: Resource | None = Field(None, description="with type dynamodb: its name")
    key: str | None = Field(
        None,
        description="column whose equal values stay in order (lambda), share a shard (kinesis), are the key (dynamodb)",
    )
    format: Literal["json", "csv"] = Field("json", description="how a row is written; not with type dynamodb")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        key = {
            "firehose": "delivery_stream",
            "kinesis": "stream",
            "lambda": "function",
            "s3": "path",
            "dynamodb": "table",
        }.get(self.type)
        if key:
            required(self, key, self.type)
        if self.type == "dynamodb":
            required(self, "key", self.type)
        return self


#: What of the Lambda sink's is set by properties of its own, beside the function, the key and the format.
LAMBDA_OPTIONS = {
    o.name: o for o in options_of(LambdaSinkOptions) if o.name not in ("function", "key_column")
}

Destination = create_model(
    "Destination",
    __base__=_Destination,
    **{  # type: ignore[call-overload]
        o.name: (o.type, Field(o.default, ge=o.minimum, le=o.maximum, description=o.help))
        for o in LAMBDA_OPTIONS.values()
        if o.name != "format"
    },
)


class Errors(Group):
    """Where the error stream goes."""

    stream: Resource = Field(description="Kinesis stream that takes the error stream")
    path: Folder | None = Field(
        None,
        description="folder for the error stream in files instead, s3://bucket/prefix/ or file:///folder/",
    )


class Tap(Group):
    """A copy of the rows of the job's relations, to look at."""

    stream: Resource | None = Field(
        None, description="Kinesis stream for a copy of every relation's rows; none: no copy"
    )
    rate: float = Field(50.0, gt=0, le=1000, description="rows a second above which a relation is sampled")
