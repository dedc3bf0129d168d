"""The engine's property groups: AWS, sources, forests, reference tables, destinations, error stream and tap.

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

from base.aws import Aws
from connectors.lambda_sink.options import LOCAL_APPLICATION_ARN, LambdaSinkOptions
from connectors.option import options_of
from pipeline.parts import DESTINATION_TYPES
from udfs.key_groups import FEW, MOST, USUAL


class Group(BaseModel):
    """One property group: unknown keys are errors, values can't be changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


def _names(value: Any) -> Any:
    return tuple(n.strip() for n in value.split(",") if n.strip()) if isinstance(value, str) else value


#: Column names, comma separated.
Names = Annotated[tuple[str, ...], BeforeValidator(_names)]
#: Seconds, as a number.
Seconds = Annotated[timedelta, BeforeValidator(lambda v: v if isinstance(v, timedelta) else float(v))]


def without_user(url: str) -> str:
    """The address, unless it has a user or password: errors and logs show addresses, and AWS needs neither.

    Raises
    ------
    ValueError
        It has one; the message does not repeat the address.
    """
    if "@" in url:
        raise PydanticCustomError(
            "secret",
            "must be an address without user and password; what came is not shown, as it may hold one",
        )
    return url


def _time_zone(name: str) -> str:
    # Flink silently reads an unknown name as UTC.
    if name not in available_timezones():
        raise PydanticCustomError("rule", "must be the name of a time zone like UTC or Europe/Berlin")
    return name


TimeZone = Annotated[str, AfterValidator(_time_zone)]


def _resource(name: str) -> str:
    if name.startswith("arn:"):
        last = re.split(r"[:/]", name)[-1]
        raise PydanticCustomError("rule", "must be a name, not an ARN: {last}", {"last": last})
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
    """Raise an error if a key that the group's type requires is not set."""
    if not getattr(group, key):
        raise PydanticCustomError(
            "at", "{key} is required with type {kind}, and not set", {"key": key, "kind": kind}
        )


class AwsGroup(Group):
    """Region and address of AWS."""

    region: str = Field("us-east-1", description="AWS region of every service")
    endpoint: Annotated[str, AfterValidator(without_user)] | None = Field(
        None, description="address of all services, if not AWS's own: that of a local AWS"
    )
    application_arn: str = Field(
        LOCAL_APPLICATION_ARN,
        description="applicationArn in the events of functions",
    )

    @property
    def where(self) -> Aws:
        """Region and address, as connectors and clients take them."""
        return Aws(self.region, self.endpoint)


class Source(Group):
    """A source that the job reads."""

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
        description="seconds after which an idle shard no longer holds back the watermark",
    )
    late: Literal["count_now", "report"] = Field(
        "count_now",
        description="a late record goes to the error stream, and counts now or not",
    )
    preprocess: str | None = Field(
        None,
        description="name or ARN of a function that pre-processes records, by KDA's contract",
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
        description="with partition_by: parts of the state and most subtasks (a quarter as many share it evenly); can't"
        " change later; 16 for state saved before 128 was the default",
    )
    idle_expiry: Seconds = Field(
        timedelta(0),
        ge=timedelta(0),
        description="seconds of rowtime without records after which a forest is removed; 0: never",
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
        description="column: equal values stay in order (lambda), share a shard (kinesis), are one item (dynamodb)",
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


#: Options of the Lambda sink that have a property of the same name.
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
    """A stream with copies of the rows of the job's relations, for watching."""

    stream: Resource | None = Field(
        None, description="Kinesis stream for a copy of every relation's rows; none: no copy"
    )
    rate: float = Field(50.0, gt=0, le=1000, description="rows a second above which a relation is sampled")
