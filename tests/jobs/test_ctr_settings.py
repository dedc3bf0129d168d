"""Lab 1's properties: what is shipped, what is refused; without Flink's JVM."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from base.aws import Aws
from connectors.check import ConnectorError
from connectors.firehose import FirehoseLanding
from connectors.kinesis import KinesisSource
from connectors.recording import Recording
from pipeline.catalog import find
from pipeline.settings import Settings, SettingsError, override, settings
from pipeline.sources import record_source


def made(*assignments: str) -> Settings:
    return settings(find("ctr"), override({}, assignments))


def source(*assignments: str) -> Any:
    return record_source(made(*assignments).source, made(*assignments).aws)


def test_the_defaults_are_the_labs() -> None:
    shipped = made()
    forest = shipped.random_cut_forest
    assert shipped.window.size == timedelta(seconds=10)
    assert (forest.number_of_trees, forest.sub_sample_size, forest.time_decay, forest.shingle_size) == (
        100,
        12,
        100_000,
        1,
    )
    assert forest.columns == ("ctr",)
    assert (shipped.anomalies.by, shipped.anomalies.threshold) == ("detector", 2)
    watched = shipped.detector
    assert (watched.columns, watched.partition_by, watched.sub_sample_size) == (("ctr",), "forest_key", 12)
    assert watched.ignore_within_percent == (25,)
    assert shipped.sink.function == "CSEBeconAnomalyResponse"


def test_the_source_is_chosen_by_property() -> None:
    assert isinstance(source(), KinesisSource)
    landing = source("source.type=firehose", "source.path=s3://bucket/direct/")
    assert isinstance(landing, FirehoseLanding)
    assert landing.position == "TRIM_HORIZON"
    assert isinstance(source("source.type=recording", "source.path=file:///day/"), Recording)


@pytest.mark.parametrize(
    ("assignments", "message"),
    [
        (["source.type=firehose"], "source.path is required with type firehose"),
        (["source.type=recording", "source.path=day.jsonl"], "source.path must look like"),
        (["window.size=0"], "window.size must be at least 0.1, got 0"),
        (["anomalies.threshold=-1"], "anomalies.threshold must be greater than or equal to 0"),
        (["anomalies.by=luck"], "anomalies.by must be 'detector' or 'score'"),
        (["window.slide=5"], "window.slide is not a property of this application"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_name(assignments: list[str], message: str) -> None:
    with pytest.raises((SettingsError, ValueError)) as refused:
        source(*assignments)
    assert message in str(refused.value)


def test_a_local_recording_must_be_there(tmp_path: Path) -> None:
    Recording(tmp_path.as_uri(), Aws("us-east-1")).check()
    with pytest.raises(ConnectorError, match="no such file or folder"):
        Recording((tmp_path / "none").as_uri(), Aws("us-east-1")).check()
