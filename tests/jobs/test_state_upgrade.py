"""A savepoint of one version restores in the next: what state is called, and what a changed job takes over.

What matters most has names of its own, which survive a change of the job's SQL: the positions in the stream, the
forests, the rows on their way to a function. Windows, joins and sinks are named by their place in the job: they restore
as long as its relations stay as they are. When a change here is meant, say so in CHANGELOG.md and write the list anew:
``python -m tests.jobs.test_state_upgrade``.
"""

import json
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from connectors.kinesis import KinesisSource
from infra import clients, flink
from jobs.catalog import JOBS, job
from jobs.pipeline import Pipeline
from jobs.settings import override, read_groups
from tests.jobs.conftest import Flink
from tests.torture.kinesis_local import running_kinesis
from tests.torture.windows import Producer

pytestmark = pytest.mark.flink

COMMITTED = Path(__file__).with_name("operator_ids.json")
NAMED = {
    "trade_anomalies": {"kinesis Demo-samples", "random-cut-forest"},
    "ctr_anomaly": {"kinesis ctr-clickstream", "random-cut-forest", "lambda_sink CSEBeconAnomalyResponse"},
    "sessionization": {"kinesis lab-stream", "lambda_sink lab-function"},
}


def operators(name: str, table_env: Any, *properties: str) -> tuple[set[str], list[str]]:
    """The uids that were given in a job, and its operators' ids, sorted; properties are ``group.key=value``."""
    groups = read_groups(flink.ROOT / "flink-conf" / name / "application_properties.json")
    pipeline = job(name).pipeline(
        table_env, override(groups, ["aws.endpoint=http://127.0.0.1:1", *properties])
    )
    return operators_of(table_env, pipeline._inserts)


def operators_of(table_env: Any, inserts: Any) -> tuple[set[str], list[str]]:
    """The same of a statement set."""
    statements = inserts._j_statement_set
    kind = statements.getClass()
    while kind.getSimpleName() != "StatementSetImpl":
        kind = kind.getSuperclass()
    field = kind.getDeclaredField("operations")
    field.setAccessible(True)
    transformations = table_env._j_tenv.getPlanner().translate(field.get(statements))
    graph = table_env._j_tenv.execEnv().generateStreamGraph(transformations)
    uids = {node.getTransformationUID() for node in _each(graph.getStreamNodes())} - {None}
    pairs = [
        pair for vertex in _each(graph.getJobGraph().getVertices()) for pair in _each(vertex.getOperatorIDs())
    ]
    return uids, sorted(str(pair.getGeneratedOperatorID()) for pair in pairs)


def _each(iterable: Any) -> Any:
    iterator = iterable.iterator()
    while iterator.hasNext():
        yield iterator.next()


@pytest.mark.parametrize("name", [j.name for j in JOBS])
def test_names_of_state_are_those_of_the_last_version(mini_flink: Flink, name: str) -> None:
    uids, ids = operators(name, mini_flink.environment())
    assert uids == NAMED[name]
    assert ids == json.loads(COMMITTED.read_text())[name], (
        "savepoints of the last version would not restore whole: see this module's docstring"
    )


@pytest.mark.parametrize(
    ("name", "properties"),
    [
        ("trade_anomalies", ["sink.type=s3", "sink.path=s3://b/p/"]),
        ("ctr_anomaly", []),
        ("ctr_anomaly", ["sink.type=s3", "sink.path=s3://b/p/"]),
        ("ctr_anomaly", ["sink.type=s3", "sink.path=s3://b/p/", "random_cut_forest.partition_by=site"]),
        ("sessionization", ["sink.type=dynamodb"]),
    ],
)
def test_names_of_state_are_those_of_any_parallelism(
    mini_flink: Flink, name: str, properties: list[str]
) -> None:
    # What is chained together at one parallelism and not at another gets another name: its state would not be found.
    one, two = (
        operators(name, mini_flink.environment(parallelism__default=p), *properties) for p in ("1", "2")
    )
    assert one == two


@pytest.mark.aws
def test_a_job_with_other_sql_goes_on_where_the_old_one_stopped(mini_flink: Flink, tmp_path: Path) -> None:
    (tmp_path / "numbers.sql").write_text("CREATE TABLE numbers (id BIGINT)")
    with running_kinesis(tmp_path) as endpoint:
        client = clients.client("kinesis", endpoint)
        client.create_stream(StreamName="numbers", ShardCount=2)
        client.get_waiter("stream_exists").wait(StreamName="numbers", WaiterConfig={"Delay": 1})
        producer = Producer(client, "numbers")
        source = KinesisSource("numbers", "us-east-1", endpoint, "TRIM_HORIZON")
        producer.put(100, 0.5)
        old = _copy(mini_flink.environment(**_OPTIONS), tmp_path, source, "SELECT id, '' FROM numbers")
        _wait_for(tmp_path, 100)
        savepoint = old.stop_with_savepoint(False, (tmp_path / "savepoints").as_uri()).result()
        producer.put(100, 0.5)
        resumed = _OPTIONS | {
            "execution__state-recovery__path": savepoint,
            "execution__state-recovery__ignore-unclaimed-state": "true",
        }
        changed = (
            "SELECT id, kind FROM (SELECT id, CAST(id / 2 AS STRING) AS kind FROM numbers WHERE id IS NOT NULL)"
            " UNION ALL SELECT -1, error_name FROM numbers_errors"
        )
        new = _copy(mini_flink.environment(**resumed), tmp_path, source, changed)
        try:
            assert _wait_for(tmp_path, 200) == Counter(range(200))
        finally:
            new.cancel().result()


_OPTIONS = {"execution__checkpointing__interval": "1 s"}


def _copy(table_env: Any, folder: Path, source: KinesisSource, query: str) -> Any:
    """Start a job that writes a query's rows, exactly once, below the folder."""
    (folder / "rows").mkdir(exist_ok=True)
    Pipeline(table_env, folder).source("numbers", source)
    table_env.execute_sql(
        "CREATE TEMPORARY TABLE copied (id BIGINT, kind STRING) WITH ('connector' = 'filesystem',"
        f" 'path' = '{(folder / 'rows').as_uri()}', 'format' = 'json',"
        " 'sink.rolling-policy.rollover-interval' = '500 ms', 'sink.rolling-policy.check-interval' = '500 ms')"
    )
    return table_env.execute_sql(f"INSERT INTO copied {query}").get_job_client()


def _wait_for(folder: Path, rows: int) -> Counter[int]:
    deadline = time.monotonic() + 90
    while True:
        files = [f for f in (folder / "rows").iterdir() if not f.name.startswith((".", "_"))]
        found = Counter(json.loads(line)["id"] for f in files for line in f.read_text().splitlines())
        if sum(found.values()) >= rows:
            return found
        assert time.monotonic() < deadline, f"{sum(found.values())} of {rows} rows"
        time.sleep(0.2)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        flink.prepare("http://127.0.0.1:1", Path(temporary))
        environment = Flink(Path(temporary)).environment
        found = {j.name: operators(j.name, environment())[1] for j in JOBS}
    COMMITTED.write_text(json.dumps(found, indent=1) + "\n")
