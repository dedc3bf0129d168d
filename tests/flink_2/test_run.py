"""`kda run` of an imported program on Flink 2, files in, files out: resumed from 1.20, stopped, resumed."""

import sys
from pathlib import Path

import pytest

from base.aws import Aws
from cli.demo_job import running_job
from infra.paths import ROOT
from tests.flink_2 import trucks
from tests.waiting import until

pytestmark = pytest.mark.flink

#: Nobody answers there, and nobody is asked.
NO_AWS = Aws.local("http://127.0.0.1:1")
#: Has the project's own Flink.
PYTHON_OF_FLINK_1 = str(ROOT / ".venv" / "bin" / "python")


def test_what_needs_an_aws_connector_is_refused_in_one_line(tmp_path: Path) -> None:
    with running_job("trades", NO_AWS, tmp_path, {}) as job:
        assert job.process.wait(240) == 2
    (line,) = job.log.read_text().splitlines()
    assert line.startswith(
        "kda: source: AWS's connectors for Kinesis, Firehose and DynamoDB run on Flink 1.20 only"
    )


def test_from_1_20_over_a_stop_the_scores_are_those_of_an_unbroken_run(tmp_path: Path) -> None:
    folder = trucks.imported(tmp_path).folder
    groups = trucks.properties(tmp_path)
    groups["source"] |= {"type": "firehose", "idle_timeout": "10.5"}
    given = {f"{name}.{key}": value for name, group in groups.items() for key, value in group.items()}
    celsius = trucks.temperatures(100)
    scored = tmp_path / "scored"

    for first, last, python in (
        (0, 60, PYTHON_OF_FLINK_1),
        (60, 80, sys.executable),
        (80, 100, sys.executable),
    ):
        trucks.put(tmp_path, f"from-{first}", celsius[first:last], first)
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(sys, "executable", python)
            running = running_job("trucks", NO_AWS, tmp_path, given, resume=first > 0, where=folder)
            with running as job:
                until(lambda: job.state() and len(trucks.found(scored)) >= last, f"{last} scored records")  # noqa: B023
                job.stop()
        said = job.log.read_text()
        assert job.process.returncode == 0, said
        assert "stopped; savepoint file:" in said
        assert ("resumed from" in said) == (first > 0)

    rows = trucks.found(scored)
    assert len(rows) == 100
    assert {row["TRUCK"]: row["ANOMALY_SCORE"] for row in rows} == trucks.scores(celsius)
    assert [error["error_name"] for error in trucks.found(tmp_path / "errors")] == ["INVALID_JSON"] * 3
