"""Sessionization: clicks → sessions by each user's pauses, in event time → Lambda or DynamoDB."""

from datetime import timedelta
from typing import Annotated, Literal, Self
from zoneinfo import available_timezones

from pydantic import AfterValidator, Field, model_validator

from connectors.dynamodb import DynamoDbSink
from connectors.kinesis import KinesisSink
from connectors.lambda_options import LambdaSinkOptions
from jobs.pipeline import Pipeline, record_source, tap_sink
from jobs.settings import Errors, Group, JobSettings, Seconds, Source

_MILLISECOND = timedelta(milliseconds=1)


def _time_zone(name: str) -> str:
    # Flink takes a name that it does not know for UTC, without a word.
    if name not in available_timezones():
        raise ValueError("must be the name of a time zone like UTC or Europe/Berlin")
    return name


class EventTime(Group):
    """Which of the clicks' own times are believed."""

    disorder: Seconds = Field(
        timedelta(seconds=5),
        ge=timedelta(0),
        le=timedelta(days=1),
        description="seconds that a click may be behind the newest one; an older one goes to the error stream",
    )
    ahead: Seconds = Field(
        timedelta(seconds=60),
        ge=timedelta(0),
        le=timedelta(days=99),
        description="seconds that a click may be ahead of its arrival; a later one goes to the error stream",
    )


class Sessions(Group):
    """What a session is, and how it is written."""

    gap: Seconds = Field(
        timedelta(seconds=10),
        ge=_MILLISECOND,
        le=timedelta(days=30),
        description="seconds without a click, beyond which a user's next one starts a session",
    )
    look_back: Seconds = Field(
        timedelta(hours=24),
        ge=_MILLISECOND,
        le=timedelta(days=99),
        description="seconds after its start in which a session gives its clicks their session_id",
    )
    time_zone: Annotated[str, AfterValidator(_time_zone)] = Field(
        "UTC", description="of session_time, latest_time and the time in the session_id"
    )
    session_id: Literal["time", "date_and_time"] = Field(
        "time",
        description="ends in the start's HH:mm:ss as the lab's, or in its UTC date and time, which never repeats",
    )
    user: str | None = Field(None, description="only this user's sessions; none: all")
    rows: Literal["starts", "events", "closed"] = Field(
        "starts", description="what is delivered: session starts, every click, or sessions that are over"
    )


class Sink(Group):
    """Where sessions go."""

    type: Literal["lambda", "dynamodb"] = Field(
        "lambda", description="a function, or a table written by Flink"
    )
    function: str = Field("lab-function", description="with type lambda: its name or ARN")
    max_retries: int | None = Field(
        None,
        ge=0,
        description="failures after the first until a session goes to the error stream; none: it is sent until taken",
    )
    table: str = Field("CloudAcademyLabs", description="with type dynamodb: its name; its key is session_id")


class Settings(JobSettings):
    """The property groups of this job."""

    source: Source = Source(stream="lab-stream")
    event_time: EventTime = EventTime()
    sessions: Sessions = Sessions()
    sink: Sink = Sink()
    errors: Errors = Errors(stream="lab-stream-errors")

    @model_validator(mode="after")
    def _items_are_sessions(self) -> Self:
        if self.sink.type == "dynamodb" and self.sessions.rows == "events":
            raise ValueError(
                "sessions.rows must be starts or closed with sink.type dynamodb: an item is a session"
            )
        return self


def build(pipeline: Pipeline, settings: Settings) -> None:
    """Compose the job."""
    aws, rows = settings.aws, settings.sessions.rows
    pipeline.source("source_sql_stream", record_source(settings.source, aws))
    relations(pipeline, settings)
    taps = ("source_sql_stream", "intermediate_sql_stream", "destination_sql_stream")
    pipeline.tap(tap_sink(settings.tap, aws), *taps)
    if settings.sink.type == "lambda":
        pipeline.invoke(
            "closed_sessions" if rows == "closed" else "destination_sql_stream",
            LambdaSinkOptions(
                settings.sink.function,
                aws.region,
                aws.endpoint,
                key_column="session_id",
                max_retries=settings.sink.max_retries,
            ),
        )
    else:
        sink = DynamoDbSink(settings.sink.table, "session_id", aws.region, aws.endpoint)
        if rows == "closed":
            pipeline.insert("closed_session_items", sink, "session_ends")
        else:
            pipeline.insert("session_items", sink, "session_starts")
    pipeline.insert_errors(KinesisSink(settings.errors.stream, aws.region, aws.endpoint))


def relations(pipeline: Pipeline, settings: Settings) -> None:
    """Everything between the source and the sinks."""
    event_time(pipeline, settings)
    sessions = settings.sessions
    starts_only = sessions.rows == "starts"
    pipeline.view(
        "session_events",
        gap=sessions.gap,
        look_back=sessions.look_back,
        starts_only=starts_only,
    )
    pipeline.view("intermediate_sql_stream")
    form: dict[str, str | bool] = {
        "unambiguous": sessions.session_id == "date_and_time",
        "time_zone": sessions.time_zone,
        "user": sessions.user or "",
        "all_users": sessions.user is None,
    }
    pipeline.view("destination_sql_stream", starts_only=starts_only, **form)
    pipeline.view("session_starts")
    pipeline.view("closed_sessions", gap=sessions.gap, **form)
    pipeline.view("session_ends")


def event_time(pipeline: Pipeline, settings: Settings) -> None:
    """From clicks as they arrive to ``ordered_clicks``, which come in order of their own time, their rowtime."""
    disorder, gap = settings.event_time.disorder, settings.sessions.gap
    ahead = settings.event_time.ahead
    pipeline.view("checked_clicks", ahead=ahead, ahead_ms=ahead // _MILLISECOND)
    pipeline.view("impossible_clicks")
    pipeline.errors("impossible_clicks_errors", pipeline.table_env.from_path("impossible_clicks"))
    pipeline.view("clicks_and_silences")
    pipeline.rowtime("arrivals", "clicks_and_silences", "arrival")
    pipeline.view(
        "event_clock",
        disorder_ms=disorder // _MILLISECOND,
        silence_limit_ms=(gap + disorder) // _MILLISECOND + 1,
    )
    pipeline.rowtime("events", "event_clock", "event_time", "watermark_time")
    pipeline.view("late_clicks", disorder_ms=disorder // _MILLISECOND)
    pipeline.errors("late_clicks_errors", pipeline.table_env.from_path("late_clicks"))
    pipeline.view("on_time_clicks", disorder_ms=disorder // _MILLISECOND)
    pipeline.rowtime("ordered_clicks", "on_time_clicks", "event_time")
