"""`kda run` as its user runs it: a process, Kinesis in, S3 out, stopped and resumed; and its refusals."""

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from cli.demo_job import DemoJob, running_job
from cli.main import app
from jobs.trades.demo import json_documents
from tests.canaries import CREDENTIALS, leaks
from tests.conftest import LocalAws
from tests.waiting import until
from udfs.random_cut_forest import RandomCutForest

FOREST = {"sub_sample_size": 64, "number_of_trees": 30}
PROPERTIES = {
    "source.stream": "run-test",
    "source.position": "TRIM_HORIZON",
    "source.idle_timeout": "10.5",
    "random_cut_forest.sub_sample_size": "64",
    "random_cut_forest.number_of_trees": "30",
    "sink.type": "s3",
    "tap.stream": "Demo-samples-taps",
}


@pytest.fixture
def bucket(local_aws: LocalAws) -> Iterator[str]:
    local_aws.client("kinesis").create_stream(StreamName="run-test", ShardCount=1)
    local_aws.client("s3").create_bucket(Bucket="run-test")
    yield "run-test"
    local_aws.client("kinesis").delete_stream(StreamName="run-test")


def put(aws: LocalAws, trades: list[dict[str, Any]]) -> None:
    for start in range(0, len(trades), 100):
        records = [{"Data": json.dumps(t).encode(), "PartitionKey": "1"} for t in trades[start : start + 100]]
        aws.client("kinesis").put_records(StreamName="run-test", Records=records)


def landed(aws: LocalAws) -> list[dict[str, Any]]:
    s3, rows = aws.client("s3"), []
    for item in s3.list_objects_v2(Bucket="run-test").get("Contents", []):
        # Of a file that is not finished Flink keeps the rest beside it, under such a name.
        if item["Key"].rpartition("/")[2].startswith("_"):
            continue
        body = s3.get_object(Bucket="run-test", Key=item["Key"])["Body"].read().decode()
        rows += list(json_documents(body))
    return rows


def kda(command: str, aws: LocalAws, state: Path, *arguments: str) -> str:
    """What a command says."""
    done = subprocess.run(
        [sys.executable, "-m", "cli.main", command, *arguments, "--endpoint", aws.endpoint],
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | {"KDA_STATE": str(state)},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.flink
@pytest.mark.aws
def test_stopped_and_resumed_the_scores_are_those_of_an_unbroken_run(
    local_aws: LocalAws, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    rng = random.Random(2)
    trades = [
        {
            "tickerSymbol": "IBM",
            "tradeType": "BUY",
            "price": rng.gauss(100, 5) * (6 if i % 20 == 7 else 1),
            "quantity": rng.randint(40, 60) * (5 if i % 20 == 7 else 1),
            "id": i,
        }
        for i in range(400)
    ]
    scores = RandomCutForest(2, **FOREST).score_many(np.array([[t["price"], t["quantity"]] for t in trades]))
    expected = {t["id"]: s for t, s in zip(trades, scores.tolist(), strict=True) if s > 1}
    properties = PROPERTIES | {"sink.path": f"s3://{bucket}/"}

    def scored(job: DemoJob) -> int:
        state = job.state()
        return state.read("RANDOM_CUT_FOREST") if state else 0

    put(local_aws, trades[:250])
    with running_job("trades", local_aws.aws, tmp_path, properties) as job:
        until(lambda: scored(job) == 250, "250 scored trades")
        job.stop()
        assert job.process.returncode == 0, job.log.read_text()
        assert "savepoint" in job.log.read_text()
    put(local_aws, trades[250:])
    with running_job("trades", local_aws.aws, tmp_path, properties, resume=True) as job:
        until(lambda: scored(job) == 150, "150 more scored trades")
        # Meanwhile the sink waits until its file is idle.
        said = kda("status", local_aws, tmp_path)
        said += kda("report", local_aws, tmp_path, "trades", "--to", str(tmp_path / "report.html"))
        rows = until(lambda: len(r := landed(local_aws)) >= len(expected) and r, "anomalies in S3") or []
    assert sorted(row["id"] for row in rows) == sorted(expected)
    assert {row["id"]: row["anomaly_score"] for row in rows} == expected

    # Of a user's own credentials nothing was written, nor of the secrets that a run makes up.
    written = {path.relative_to(tmp_path).parts[:2] for path in tmp_path.rglob("*") if path.is_file()}
    assert written >= {("trades.log",), ("report.html",), ("flink", "log"), ("flink", "savepoints")}
    assert leaks(tmp_path, said) == []


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["tades"], "application must be one of ctr, sessions, trades"),
        (["trades", "-p", "source.colour=red"], "source.colour is not a property of this application"),
        (["trades", "-p", "x"], "property: required group.key=value, got 'x'"),
        (
            ["trades", "-p", "source.position=yesterday"],
            "source.position must be LATEST, TRIM_HORIZON or a time",
        ),
    ],
)
def test_a_mistake_is_one_line(arguments: list[str], line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    done = CliRunner().invoke(app, ["run", *arguments, "--endpoint", "http://127.0.0.1:1"])
    assert (done.exit_code, done.stdout) == (2, "")
    (said,) = [text for text in done.stderr.splitlines() if text.strip()]
    assert line in said


@pytest.mark.flink
def test_what_is_missing_is_one_line_before_the_job_starts(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cli.main", "run", "trades", "--endpoint", "http://127.0.0.1:1"],
        capture_output=True,
        text=True,
        timeout=240,
        env=os.environ | {"KDA_STATE": str(tmp_path), "AWS_MAX_ATTEMPTS": "1"},
    )
    assert (done.returncode, done.stdout) == (2, "")
    (said,) = [text for text in done.stderr.splitlines() if text.strip()]
    assert "stream Demo-samples: kinesis in us-east-1 at http://127.0.0.1:1 can't be reached" in said
    # To start Flink takes ten seconds; nobody should wait for it to hear of a wrong name.
    assert not list(tmp_path.rglob("log"))
