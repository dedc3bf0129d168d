"""Trade anomalies: trades → random cut forest over price and quantity → Firehose or S3."""

from typing import Literal

from pydantic import Field

from connectors.firehose import FirehoseSink
from connectors.kinesis import KinesisSink
from connectors.s3 import S3Sink
from jobs.pipeline import Pipeline, forest_options, record_source, tap_sink
from jobs.settings import Errors, Forest, Group, JobSettings, Source


class Anomalies(Group):
    """Which scores are anomalies."""

    threshold: float = Field(1.0, ge=0, description="trades that score above it are anomalies")


class Sink(Group):
    """Where anomalous trades go."""

    type: Literal["firehose", "s3"] = Field(
        "firehose", description="a delivery stream, or files written by Flink"
    )
    delivery_stream: str = Field("anomalous_stock_trades_firehose_stream", description="with type firehose")
    path: str | None = Field(None, description="with type s3: the folder, s3://bucket/prefix/")


class Settings(JobSettings):
    """The property groups of this job."""

    source: Source = Source(stream="Demo-samples")
    random_cut_forest: Forest = Forest(columns=("price", "quantity"))
    anomalies: Anomalies = Anomalies()
    sink: Sink = Sink()
    errors: Errors = Errors(stream="Demo-samples-errors")


def build(pipeline: Pipeline, settings: Settings) -> None:
    """Compose the job."""
    aws = settings.aws
    pipeline.source("source_sql_stream", record_source(settings.source, aws))
    pipeline.forest("temp_stream", "source_sql_stream", forest_options(settings.random_cut_forest))
    pipeline.view("anomalous_trades", threshold=settings.anomalies.threshold)
    pipeline.view("on_time_trades")
    pipeline.view("destination_sql_stream")
    if settings.sink.type == "firehose":
        sink = FirehoseSink(settings.sink.delivery_stream, aws.region, aws.endpoint)
        pipeline.insert("anomalous_trades_sink", sink, "destination_sql_stream")
    else:
        pipeline.view("destination_by_hour")
        pipeline.insert(
            "anomalous_trades_files",
            S3Sink(settings.sink.path or "", aws.region, aws.endpoint),
            "destination_by_hour",
        )
    taps = ("source_sql_stream", "temp_stream", "anomalous_trades", "destination_sql_stream")
    pipeline.tap(tap_sink(settings.tap, aws), *taps)
    pipeline.insert_errors(KinesisSink(settings.errors.stream, aws.region, aws.endpoint))
