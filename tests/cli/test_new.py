"""`kda new` and `kda check`: a folder that runs at once, and tests in it that hold or say where not."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli import check, new
from cli.main import app
from discovery.schema import discover
from pipeline.application import read
from tests.jobs.conftest import Flink
from tests.jobs.conftest import mini_flink as mini_flink  # a fixture

JSON = [
    json.dumps({"order": {"id": n, "total": n * 1.5}, "on": True, "text: #": "a"}).encode() for n in range(20)
]
CSV = [f"{n},{n / 7:.3f},x{n}\n".encode() for n in range(20)]
CASE = """
- name: one row a record
  properties: {random_cut_forest.sub_sample_size: 10}
  records:
    orders:
      - {at: 2026-03-02T10:00:00Z, value: {order: {id: 1, total: 3.5}}}
      - {at: 2026-03-02T10:00:01Z, data: "{"}
  expect:
    scores: [{order_total: 4.5, anomaly_score: 0.0}]
    error_stream: [{error_name: INVALID_JSON}]
"""


def made(folder: Path, sample: list[bytes], scored: tuple[str, ...] = ()) -> Path:
    folder.mkdir()
    for file, text in new.folder_of(discover(sample), folder.name, "orders", scored).items():
        (folder / file).write_text(text)
    return folder


@pytest.mark.parametrize("sample", [JSON, CSV], ids=["json", "csv"])
def test_what_was_discovered_is_an_application(tmp_path: Path, sample: list[bytes]) -> None:
    application = read(made(tmp_path / "mine", sample))
    schema = discover(sample)
    source = application.sources["orders"]
    assert source.stream == "orders"
    assert [c.name for c in source.columns] == [c.name for c in schema.columns]
    assert source.format == schema.format.lower()
    assert application.shown == ("orders", "by_minute")


def test_alerts_in_place_of_scores_above_a_threshold(tmp_path: Path) -> None:
    files = new.folder_of(discover(JSON), "mine", "orders", ("order_total",), detector=True)
    assert set(files) == {"application.yaml"}
    (tmp_path / "application.yaml").write_text(files["application.yaml"])
    application = read(tmp_path)
    assert application.shown == ("orders", "scores", "detections", "alerts")
    assert [d.of for d in application.destinations] == ["alerts"]


def test_a_folder_that_has_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "application.yaml").write_text("title: mine\n")
    done = CliRunner().invoke(
        app, ["new", str(tmp_path / "mine"), "--stream", "s", "--endpoint", "http://127.0.0.1:1"]
    )
    assert done.exit_code == 1
    assert (tmp_path / "mine" / "application.yaml").read_text() == "title: mine\n"


@pytest.mark.flink
def test_the_tests_of_a_folder_say_where_they_do_not_hold(mini_flink: Flink, tmp_path: Path) -> None:
    folder = made(tmp_path / "mine", JSON, ("order_total",))
    (folder / "tests.yaml").write_text(CASE)
    application = read(folder)
    (case,) = check.read_cases(application)
    assert list(check.differences(mini_flink.environment(), application, case)) == [
        'scores: row 1: required {"order_total": 4.5, "anomaly_score": 0.0}, '
        'got {"order_total": 3.5, "anomaly_score": 0.0}'
    ]
