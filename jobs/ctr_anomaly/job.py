"""CTR anomaly: clicks and impressions → click-through rate by window → random cut forest → Lambda → e-mail and SMS."""

from dataclasses import replace
from datetime import timedelta
from typing import Literal

from pydantic import Field

from connectors.kinesis import KinesisSink
from connectors.lambda_options import LOCAL_APPLICATION_ARN, LambdaSinkOptions
from connectors.s3 import S3Sink
from jobs.pipeline import Pipeline, forest_options, record_source, tap_sink
from jobs.settings import Errors, Forest, Group, JobSettings, Seconds, Source


class Window(Group):
    """Over what time clicks and impressions are counted."""

    size: Seconds = Field(
        timedelta(seconds=10),
        ge=timedelta(milliseconds=100),
        le=timedelta(days=1),
        description="seconds of a tumbling window",
    )


class CtrForest(Forest):
    """The lab's forest: one over all sites, or with ``partition_by`` one for each site."""

    columns: tuple[Literal["ctr"]] = Field(("ctr",), description="always ctr")
    sub_sample_size: int = Field(
        12, ge=10, le=1000, description="windows each tree holds; the score is 0 until then"
    )
    partition_by: Literal["site"] | None = Field(
        None, description="site: counts, rates and a forest for each site; none: one of all sites"
    )
    explain: Literal[False] = False


class Anomalies(Group):
    """Which scores are anomalies."""

    threshold: float = Field(2.0, ge=0, description="windows that score above it are anomalies")
    least_change: float = Field(
        0.0,
        ge=0,
        description="percent of the usual rate by which an anomaly is off it; 0: the score alone decides, as in KDA",
    )


class Sink(Group):
    """Where anomalies go."""

    type: Literal["lambda", "s3"] = Field("lambda", description="a function, or files written by Flink")
    function: str = Field("CSEBeconAnomalyResponse", description="with type lambda: its name or ARN")
    max_retries: int | None = Field(
        None,
        ge=0,
        description="failures after the first until an anomaly goes to the error stream; none: it is sent until taken",
    )
    path: str | None = Field(None, description="with type s3: the folder, s3://bucket/prefix/")


class Settings(JobSettings):
    """The property groups of this job."""

    source: Source = Source(stream="ctr-clickstream")
    window: Window = Window()
    random_cut_forest: CtrForest = CtrForest()
    anomalies: Anomalies = Anomalies()
    sink: Sink = Sink()
    errors: Errors = Errors(stream="ctr-errors")


def build(pipeline: Pipeline, settings: Settings) -> None:
    """Compose the job."""
    aws = settings.aws
    pipeline.source("source_sql_stream", record_source(settings.source, aws))
    relations(pipeline, settings)
    if settings.sink.type == "lambda":
        pipeline.invoke(
            "destination_sql_stream",
            LambdaSinkOptions(
                settings.sink.function,
                aws.region,
                aws.endpoint,
                key_column="SITE",
                max_retries=settings.sink.max_retries,
                application_arn=aws.application_arn or LOCAL_APPLICATION_ARN,
            ),
        )
    else:
        sink = S3Sink(settings.sink.path or "", aws.region, aws.endpoint)
        pipeline.view("ordered_anomalies")
        pipeline.insert("anomalies_files", sink, "ordered_anomalies")
    taps = (
        "source_sql_stream",
        "clickstream",
        "impressionstream",
        "ctrstream",
        "scores",
        "destination_sql_stream",
    )
    pipeline.tap(tap_sink(settings.tap, aws), *taps)
    pipeline.insert_errors(KinesisSink(settings.errors.stream, aws.region, aws.endpoint))


def relations(pipeline: Pipeline, settings: Settings) -> None:
    """Everything between the source and the sinks."""
    forest, size, threshold = settings.random_cut_forest, settings.window.size, settings.anomalies.threshold
    pipeline.view("windowed_actions", per_site=forest.partition_by == "site", window_size=size)
    pipeline.view("late_actions")
    pipeline.errors("late_actions_errors", pipeline.table_env.from_path("late_actions"))
    pipeline.view("on_time_actions")
    pipeline.view("clickstream", window_size=size)
    pipeline.view("impressionstream", window_size=size)
    pipeline.view("ctrstream")
    pipeline.forest("scored_ctr", "ctrstream", replace(forest_options(forest), partition_by="forest_key"))
    pipeline.view("scores", threshold=threshold, windows=forest.sub_sample_size)
    pipeline.view("anomalies", threshold=threshold, least_change=settings.anomalies.least_change)
    pipeline.view("destination_sql_stream")
