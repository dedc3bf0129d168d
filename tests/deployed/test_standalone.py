"""The package, outside the repository, on a cluster of real processes with only the managed service's packages."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from infra import package, stacks
from jobs.trades import demo as demo_trades
from pipeline.application import Application, read
from tests import waiting
from tests.canaries import leaks
from tests.conftest import LocalAws
from tests.deployed.cluster import Cluster, managed_runtime, unpacked
from tests.functions import deployed
from tests.waiting import until
from udfs.random_cut_forest import RandomCutForest

pytestmark = [pytest.mark.flink, pytest.mark.aws]


#: An application that is not a lab, with nested columns, as telemetry has, and a forest.
TRUCKS = """\
title: Trucks whose cargo is too warm
properties: {cargo: {limit: {default: 8.0, help: degrees Celsius above which it is reported}}}
sources:
  telemetry:
    stream: trucks
    columns: {truck: VARCHAR(8) NOT NULL $.truck.id, temperature: DOUBLE $.cargo.temperature, came: TIMESTAMP @arrival}
relations: [{forest: scored, of: telemetry, columns: temperature, number_of_trees: 20, sub_sample_size: 10}, warm]
destinations: [{of: warm, type: kinesis, stream: trucks-warm, key: truck}]
"""
#: A function that stores each row that it gets.
KEEP = """
import base64, os

def handler(event, context):
    with open(os.environ["KEPT"], "ab") as kept:
        for record in event["records"]:
            kept.write(base64.b64decode(record["data"]) + b"\\n")
    return {"records": [{"recordId": record["recordId"], "result": "Ok"} for record in event["records"]]}
"""


@pytest.fixture(scope="module")
def trucks(tmp_path_factory: pytest.TempPathFactory) -> Application:
    folder = tmp_path_factory.mktemp("own") / "my-trucks"
    folder.mkdir()
    (folder / "application.yaml").write_text(TRUCKS)
    (folder / "warm.sql").write_text("SELECT * FROM scored WHERE temperature > :cargo.limit")
    return read(folder)


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory, trucks: Application) -> Path:
    return unpacked(trucks, tmp_path_factory.mktemp("code"))


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return managed_runtime(tmp_path_factory.mktemp("runtime") / "venv")


@pytest.fixture(scope="module")
def cluster(runtime: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(runtime, tmp_path_factory.mktemp("cluster") / "flink").running(1) as cluster:
        yield cluster


def test_lab_3_finds_its_anomalies(code: Path, cluster: Cluster, local_aws: LocalAws, tmp_path: Path) -> None:
    groups = {
        "kinesis.analytics.flink.run.options": package.RUN_OPTIONS,
        "job": {"name": "trades"},
        "aws": {"endpoint": local_aws.endpoint},
        "source": {"stream": "Demo-samples", "position": "TRIM_HORIZON"},
    }
    compiled = {path.name for path in cluster.machine_code.glob("*.nbc")}
    assert compiled
    submitted = cluster.run(code, groups, tmp_path / "properties.json")
    assert submitted.returncode == 0, submitted.stdout + submitted.stderr
    assert "JobID" in submitted.stdout

    def still_runs(_: demo_trades.Course) -> None:
        (job,) = cluster.get("/jobs/overview")["jobs"]
        if job["state"] not in ("RUNNING", "CREATED", "INITIALIZING"):
            raise AssertionError(cluster.get(f"/jobs/{job['jid']}/exceptions"))

    # Trades from the lab's own Lambda function, anomalies by Firehose in S3.
    course = demo_trades.follow(local_aws.aws, local_aws.outputs["trades"], still_runs, waiting.SECONDS)
    assert course.complete, (course.answer, course.found, course.errors)
    assert course.expectations == dict.fromkeys(course.expectations, True)
    # Another test may have sent the same trades before: then the forest is warm for all of these.
    assert course.found <= set((course.answer or {})["anomaly_ids"])
    assert len(course.injected) > 10
    assert all(row["anomaly_score"] > 1 for row in course.rows)
    # The worker took the package's forest as another had compiled it. `test_package` lets one compile.
    assert {path.name for path in cluster.machine_code.glob("*.nbc")} == compiled

    # No credentials in the package, in logs of JVMs and workers, in state, or in what Flink shows.
    (job,) = cluster.get("/jobs/overview")["jobs"]
    pages = [
        "/jobmanager/config",
        "/jobmanager/environment",
        f"/jobs/{job['jid']}",
        f"/jobs/{job['jid']}/config",
    ]
    shown = [json.dumps(cluster.get(page)) for page in pages]
    savepoint = cluster.stop_job(job["jid"])
    logs = [path for path in (cluster.folder / "log").iterdir() if path.stat().st_size]
    assert {path.name.partition(".")[0] for path in logs} >= {"jobmanager", "taskmanager"}
    assert Path(savepoint.removeprefix("file:")).is_dir()
    assert leaks(cluster.folder, code, submitted.stdout, submitted.stderr, *shown) == []


@pytest.fixture
def kept(local_aws: LocalAws, tmp_path: Path) -> Iterator[Path]:
    """The rows that the function `trucks-warm` got, one a line."""
    rows = tmp_path / "kept"
    rows.touch()
    with deployed(local_aws.aws, "trucks-warm", KEEP, KEPT=str(rows)):
        yield rows


def test_a_users_application_runs_in_thread_mode_from_its_package_on_its_derived_stack(
    code: Path, cluster: Cluster, local_aws: LocalAws, trucks: Application, kept: Path, tmp_path: Path
) -> None:
    outputs = stacks.deploy(local_aws.aws, trucks)
    kinesis = local_aws.client("kinesis")
    # The forest scores the rows after the first ten, in their order on the one shard.
    temperatures = [*(7 + 0.1 * n for n in range(10)), 8.5, 8.0, 31.25]
    for n, temperature in enumerate(temperatures):
        record = {"truck": {"id": f"t{n}"}, "cargo": {"temperature": temperature}}
        kinesis.put_record(
            StreamName=outputs["SourceStreamName"], Data=json.dumps(record).encode(), PartitionKey="one"
        )
    groups = {
        "job": {"name": trucks.name},
        "aws": {"endpoint": local_aws.endpoint},
        "source": {"position": "TRIM_HORIZON"},
        "sink": {"type": "lambda", "function": "trucks-warm"},
    }
    submitted = cluster.run(code, groups, tmp_path / "properties.json", "-Dpython.execution-mode=thread")
    assert submitted.returncode == 0, submitted.stdout + submitted.stderr

    def delivered() -> list[dict[str, object]]:
        rows = [json.loads(line) for line in kept.read_text().splitlines()]
        return rows if len(rows) >= 2 else []

    rows = until(delivered, "the rows")
    forest = RandomCutForest(1, number_of_trees=20, sub_sample_size=10)
    scores = forest.score_many([[temperature] for temperature in temperatures])
    assert sorted((row["truck"], row["temperature"], row["anomaly_score"]) for row in rows) == [
        (f"t{n}", temperatures[n], float(scores[n])) for n in (10, 12)
    ]
    assert 0 < scores[10] < scores[12]
    for row in rows:
        came = datetime.fromisoformat(f"{row['came']}+00:00")
        assert abs(datetime.now(UTC) - came) < timedelta(hours=1)
