"""Property groups: typed, complete, and every mistake named."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from infra.paths import ROOT
from jobs.catalog import JOBS, job
from jobs.settings import SettingsError, override, read_groups, settings
from jobs.trade_anomalies.job import Settings


@pytest.mark.parametrize("name", [j.name for j in JOBS])
def test_each_jobs_file_is_valid_and_names_its_job(name: str) -> None:
    groups = read_groups(ROOT / "flink-conf" / name / "application_properties.json")
    assert groups["job"] == {"name": name}
    settings(job(name).settings_model, groups)


def test_text_becomes_typed_values() -> None:
    forest = settings(
        Settings,
        {
            "random_cut_forest": {
                "columns": "price,  quantity",
                "micro_batch": "100",
                "idle_expiry": "60",
                "explain": "true",
            }
        },
    ).random_cut_forest
    assert forest.columns == ("price", "quantity")
    assert forest.micro_batch == timedelta(milliseconds=100)
    assert forest.idle_expiry == timedelta(minutes=1)
    assert forest.explain


def test_an_empty_value_is_as_good_as_none() -> None:
    assert settings(Settings, {"random_cut_forest": {"columns": "price", "partition_by": ""}}) == settings(
        Settings, {"random_cut_forest": {"columns": "price"}}
    )


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (
            {"random_cut_forest": {"columns": "a", "shingle_size": "0"}},
            "random_cut_forest.shingle_size must be .* 1, got '0'",
        ),
        (
            {"random_cut_forest": {"columns": "a", "number_of_trees": "many"}},
            "random_cut_forest.number_of_trees must be",
        ),
        (
            {"random_cut_forest": {"columns": "a", "trees": "3"}},
            "random_cut_forest.trees is no property of this job",
        ),
        ({"forest": {}}, "forest is no property of this job"),
        ({"random_cut_forest": {}}, "random_cut_forest.columns is required, and not set"),
        ({"sink": {"type": "ftp"}}, "sink.type must be 'firehose' or 's3', got 'ftp'"),
    ],
)
def test_each_mistake_is_named(groups: dict[str, dict[str, str]], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        settings(Settings, groups)


def test_all_mistakes_at_once() -> None:
    with pytest.raises(SettingsError) as e:
        settings(Settings, {"forest": {}, "sink": {"type": "ftp"}})
    assert len(str(e.value).splitlines()) == 2


@pytest.mark.parametrize("text", ["", "{}", "[1]", '[{"PropertyGroupId": "a"}]', "no json"])
def test_a_file_of_another_shape(tmp_path: Path, text: str) -> None:
    path = tmp_path / "application_properties.json"
    path.write_text(text)
    if text == "{}":
        assert read_groups(path) == {}
        return
    with pytest.raises(SettingsError, match="required"):
        read_groups(path)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no such file"):
        read_groups(tmp_path / "x.json")


def test_overrides() -> None:
    assert override({"a": {"x": "1"}}, ["a.x=2", "b.y=k=v"]) == {"a": {"x": "2"}, "b": {"y": "k=v"}}
    with pytest.raises(SettingsError, match=r"required group\.key=value, got 'x'"):
        override({}, ["x"])


def test_the_shape_is_the_services_own(tmp_path: Path) -> None:
    path = tmp_path / "application_properties.json"
    path.write_text(json.dumps([{"PropertyGroupId": "job", "PropertyMap": {"name": "x"}}]))
    assert read_groups(path) == {"job": {"name": "x"}}
