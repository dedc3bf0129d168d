"""`kda run` of an imported program on Flink 2, files in and files out: stopped with Ctrl-C, and resumed."""

from pathlib import Path

import pytest

from cli.demo_job import running_job
from tests.flink_2 import trucks
from tests.waiting import until

pytestmark = pytest.mark.flink

#: Nobody answers there, and nobody is asked.
NO_AWS = "http://127.0.0.1:1"


def test_what_needs_an_aws_connector_is_refused_in_one_line(tmp_path: Path) -> None:
    with running_job("trades", NO_AWS, tmp_path, {}) as job:
        assert job.process.wait(120) == 2
    (line,) = job.log.read_text().splitlines()
    assert line.startswith(
        "kda: source: AWS's connectors for Kinesis, Firehose and DynamoDB run on Flink 1.20 only"
    )


def test_stopped_and_resumed_the_scores_are_those_of_an_unbroken_run(tmp_path: Path) -> None:
    folder = trucks.imported(tmp_path).folder
    groups = trucks.properties(tmp_path)
    groups["source"] |= {"type": "firehose", "idle_timeout": "10.5"}
    given = {f"{name}.{key}": value for name, group in groups.items() for key, value in group.items()}
    celsius = trucks.temperatures(100)
    scored = tmp_path / "scored"

    trucks.put(tmp_path, "first", celsius[:60], 0)
    with running_job("trucks", NO_AWS, tmp_path, given, where=folder) as job:
        until(lambda: job.state() and len(trucks.found(scored)) == 60, "60 scored records")
        job.stop()
        assert job.process.returncode == 0, job.log.read_text()
        assert "stopped; savepoint file:" in job.log.read_text()
    trucks.put(tmp_path, "second", celsius[60:], 60)
    with running_job("trucks", NO_AWS, tmp_path, given, resume=True, where=folder) as job:
        until(lambda: job.state() and len(trucks.found(scored)) >= 100, "40 more scored records")
        assert "resumed from" in job.log.read_text()

    rows = trucks.found(scored)
    assert len(rows) == 100
    assert {row["TRUCK"]: row["ANOMALY_SCORE"] for row in rows} == trucks.scores(celsius)
    assert [error["error_name"] for error in trucks.found(tmp_path / "errors")] == ["INVALID_JSON"] * 2
