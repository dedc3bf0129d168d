"""Property groups: typed, complete, and every mistake named, for every application alike."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from pipeline.application import Application, read
from pipeline.catalog import all_applications, find
from pipeline.settings import SettingsError, override, parameters, read_groups, settings

TRADES = find("trades")


@pytest.mark.parametrize("application", all_applications(), ids=lambda a: a.name)
def test_each_application_runs_without_any_property(application: Application) -> None:
    made = settings(application, {})
    assert made.errors.stream == application.error_stream
    assert made.tap.stream is None


def test_text_becomes_typed_values() -> None:
    forest = settings(
        TRADES,
        {
            "random_cut_forest": {
                "columns": "price,  quantity",
                "idle_expiry": "60",
                "explain": "true",
            }
        },
    ).random_cut_forest
    assert forest.columns == ("price", "quantity")
    assert forest.idle_expiry == timedelta(minutes=1)
    assert forest.explain


def test_queries_know_each_property_by_its_group_and_key() -> None:
    found = parameters(settings(find("ctr"), {"window": {"size": "2.5"}}))
    assert found["window.size"] == timedelta(seconds=2.5)
    assert found["window.size_ms"] == 2500
    assert found["random_cut_forest.sub_sample_size"] == 12
    assert found["tap.stream"] is None


def test_an_empty_value_is_as_good_as_none() -> None:
    empty = settings(TRADES, {"random_cut_forest": {"partition_by": ""}})
    assert empty.model_dump() == settings(TRADES, {}).model_dump()


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (
            {"random_cut_forest": {"shingle_size": "0"}},
            "random_cut_forest.shingle_size must be greater than or equal to 1, got '0'",
        ),
        ({"random_cut_forest": {"number_of_trees": "many"}}, "random_cut_forest.number_of_trees must be"),
        (
            {"random_cut_forest": {"trees": "3"}},
            "random_cut_forest.trees is not a property of this application",
        ),
        ({"forest": {}}, "forest is not a property of this application"),
        (
            {"random_cut_forest": {"columns": "price,price"}},
            "random_cut_forest.columns must be 1 to 30 different columns, got price, price",
        ),
        (
            {"random_cut_forest": {"columns": ","}},
            "random_cut_forest.columns must be 1 to 30 different columns",
        ),
        (
            {"random_cut_forest": {"time_decay": "100"}},
            "random_cut_forest.time_decay must be more than sub_sample_size, 256, got 100",
        ),
        ({"sink": {"type": "ftp"}}, "sink.type must be 'firehose'"),
        ({"sink": {"type": "s3"}}, "sink.path is required with type s3, and not set"),
        ({"sink": {"type": "s3", "path": "bucket/x"}}, "sink.path must look like s3://bucket/prefix/"),
        (
            {"sink": {"type": "dynamodb", "table": "t"}},
            "sink.key is required with type dynamodb, and not set",
        ),
        ({"source": {"position": "yesterday"}}, "source.position must be LATEST, TRIM_HORIZON or a time"),
        (
            {"source": {"position": "2024-01-31T12:00:00"}},
            "source.position must be LATEST, TRIM_HORIZON or a time",
        ),
        ({"source": {"type": "recording"}}, "source.path is required with type recording, and not set"),
        ({"source": {"idle_timeout": "5"}}, "source.idle_timeout must be more than 10, got 5"),
        (
            {"source": {"stream": "arn:aws:kinesis:us-east-1:000000000000:stream/s"}},
            "source.stream must be a name, not an ARN: s",
        ),
        ({"aws": {"endpoint": "http://me:secret@host"}}, "aws.endpoint must be an address without user"),
    ],
)
def test_each_mistake_is_named(groups: dict[str, dict[str, str]], message: str) -> None:
    with pytest.raises(SettingsError) as refused:
        settings(TRADES, groups)
    assert str(refused.value).startswith(message)


def test_a_position_in_any_case_is_the_services_word() -> None:
    assert settings(TRADES, {"source": {"position": "latest"}}).source.position == "LATEST"


def test_all_mistakes_at_once() -> None:
    with pytest.raises(SettingsError) as e:
        settings(TRADES, {"forest": {}, "sink": {"type": "ftp"}})
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


def test_a_group_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "application_properties.json"
    group = {"PropertyGroupId": "sink", "PropertyMap": {"type": "s3"}}
    path.write_text(json.dumps([group, {"PropertyGroupId": "job", "PropertyMap": {}}, group]))
    with pytest.raises(SettingsError, match="each property group once, got sink more than once"):
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


def test_a_group_that_begins_with_an_underscore_is_refused_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "application.yaml").write_text(
        "{title: x, relations: [w], sources: {a: {stream: s, columns: {v: DOUBLE}}, "
        "_b: {stream: t, columns: {v: DOUBLE}}}}"
    )
    (tmp_path / "w.sql").write_text("SELECT * FROM a")
    with pytest.raises(SettingsError, match="_b: a property group must begin with a letter"):
        settings(read(tmp_path), {})
