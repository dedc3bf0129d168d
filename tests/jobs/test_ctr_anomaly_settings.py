"""Lab 1's properties: what is shipped, what is refused; without Flink's JVM."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.firehose import FirehoseLanding
from connectors.kinesis import KinesisSource
from connectors.recording import Recording
from infra.paths import ROOT
from jobs.ctr_anomaly.job import Settings
from jobs.pipeline import record_source
from jobs.settings import SettingsError, override, read_groups, settings

SHIPPED = ROOT / "flink-conf" / "ctr_anomaly" / "application_properties.json"


def shipped(*assignments: str) -> Settings:
    return settings(Settings, override(read_groups(SHIPPED), assignments))


def source(*assignments: str) -> Any:
    made = shipped(*assignments)
    return record_source(made.source, made.aws)


def test_the_shipped_properties_are_the_labs() -> None:
    made = shipped()
    forest = made.random_cut_forest
    assert made.window.size == timedelta(seconds=10)
    assert (forest.number_of_trees, forest.sub_sample_size, forest.time_decay, forest.shingle_size) == (
        100,
        12,
        100_000,
        1,
    )
    assert forest.columns == ("ctr",)
    assert made.anomalies.threshold == 2
    assert made.sink.function == "CSEBeconAnomalyResponse"


def test_without_a_file_kdas_rule_is_the_default() -> None:
    made = settings(Settings, {})
    assert made.random_cut_forest == shipped().random_cut_forest
    assert (made.anomalies.threshold, made.anomalies.least_change) == (2, 0)


def test_the_source_is_chosen_by_property() -> None:
    assert isinstance(source(), KinesisSource)
    landing = source("source.type=firehose", "source.path=s3://bucket/direct/")
    assert isinstance(landing, FirehoseLanding)
    assert landing.position == "TRIM_HORIZON"
    assert isinstance(source("source.type=recording", "source.path=file:///day/"), Recording)


@pytest.mark.parametrize(
    ("assignments", "message"),
    [
        (["source.stream="], "source.stream is required with source.type kinesis"),
        (["source.type=firehose"], "source.path is required with source.type firehose"),
        (
            ["source.type=firehose", "source.path=s3://b/", "source.position=LATEST"],
            "must be TRIM_HORIZON or a time",
        ),
        (["source.type=recording", "source.path=day.jsonl"], "source.path must look like"),
        (["random_cut_forest.partition_by=ctr"], "random_cut_forest.partition_by must be 'site', got 'ctr'"),
        (["random_cut_forest.columns=clickcount"], "random_cut_forest.columns"),
        (["window.size=0"], "window.size must be greater than or equal to"),
        (["anomalies.least_change=-1"], "anomalies.least_change must be greater than or equal to 0"),
        (["window.slide=5"], "window.slide is no property of this job"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_name(assignments: list[str], message: str) -> None:
    with pytest.raises((SettingsError, ValueError)) as refused:
        source(*assignments)
    assert message in str(refused.value)


def test_a_local_recording_must_be_there(tmp_path: Path) -> None:
    Recording(tmp_path.as_uri(), "us-east-1").check()
    with pytest.raises(RuntimeError, match="no such file or folder"):
        Recording((tmp_path / "none").as_uri(), "us-east-1").check()
