"""A savepoint of one version restores in the next: the names of state, and the state that a changed job keeps.

The most important state has explicit uids, which survive a change of the job's SQL: positions in the stream, forests,
rows on their way to a function. Windows, joins and sinks have ids that depend on their place in the job: they restore
only while its relations stay the same. If a change here is intended, say so in CHANGELOG.md and write the list again
with ``python -m tests.jobs.test_state_upgrade``.
"""

import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from base.aws import Aws
from connectors.kinesis import KinesisSource
from infra import flink
from pipeline.application import parse
from pipeline.catalog import JOBS, find
from pipeline.flink_version import stop_with_savepoint
from pipeline.pipeline import Pipeline
from pipeline.settings import override, settings
from tests.jobs.conftest import Flink
from tests.readers import finished
from tests.torture.kinesis_local import running_kinesis
from tests.torture.windows import Producer
from tests.waiting import until

pytestmark = [pytest.mark.flink, pytest.mark.kinesis]

COMMITTED = Path(__file__).with_name("operator_ids.json")
LABS = sorted(path.parent.name for path in JOBS.glob("*/application.yaml"))
NAMED = {
    "trades": {"kinesis source_sql_stream", "decode source_sql_stream", "random_cut_forest temp_stream"},
    "ctr": {
        "kinesis source_sql_stream",
        "decode source_sql_stream",
        "random_cut_forest scored_ctr",
        "detector detections",
        "lambda_sink sink",
    },
    "sessions": {"kinesis source_sql_stream", "decode source_sql_stream", "lambda_sink sink"},
}


def operators(name: str, table_env: Any, *properties: str) -> tuple[set[str], list[str]]:
    """A job's explicit uids, and the ids of its operators, sorted; properties are ``group.key=value``."""
    application = find(name)
    groups = override({}, ["aws.endpoint=http://127.0.0.1:1", *properties])
    pipeline = Pipeline(table_env, application, settings(application, groups))
    pipeline.deliver()
    found = pipeline.operators()
    return {o.uid for o in found if o.uid}, sorted(o.id for o in found)


@pytest.mark.parametrize("name", LABS)
def test_names_of_state_are_those_of_the_last_version(mini_flink: Flink, name: str) -> None:
    uids, ids = operators(name, mini_flink.environment())
    assert uids == NAMED[name]
    assert ids == json.loads(COMMITTED.read_text())[name], (
        "savepoints of the last version would not restore whole: see this module's docstring"
    )


@pytest.mark.parametrize(
    ("name", "properties"),
    [
        ("trades", ["sink.type=s3", "sink.path=s3://b/p/"]),
        ("ctr", []),
        ("ctr", ["sink.type=s3", "sink.path=s3://b/p/"]),
        ("ctr", ["sink.type=s3", "sink.path=s3://b/p/", "window.by_site=true"]),
        ("sessions", ["sink.type=dynamodb", "sink.table=t"]),
    ],
)
def test_names_of_state_are_those_of_any_parallelism(
    mini_flink: Flink, name: str, properties: list[str]
) -> None:
    # Operators that are chained at one parallelism only get other ids at another, so their state would not be found.
    one, two = (
        operators(name, mini_flink.environment(parallelism__default=p), *properties) for p in ("1", "2")
    )
    assert one == two


@pytest.mark.aws
def test_a_job_with_other_sql_goes_on_where_the_old_one_stopped(mini_flink: Flink, tmp_path: Path) -> None:
    with running_kinesis(tmp_path) as endpoint:
        client = Aws.local(endpoint).client("kinesis")
        client.create_stream(StreamName="numbers", ShardCount=2)
        client.get_waiter("stream_exists").wait(StreamName="numbers", WaiterConfig={"Delay": 1})
        producer = Producer(client, "numbers")
        source = KinesisSource("numbers", Aws.local(endpoint), "TRIM_HORIZON")
        producer.put(100, 0.5)
        old = _copy(mini_flink.environment(**_OPTIONS), tmp_path, source, "SELECT id, '' FROM numbers")
        _wait_for(tmp_path, 100)
        savepoint = stop_with_savepoint(old, tmp_path / "savepoints")
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
    """Start a job that writes a query's rows, exactly once, to the folder."""
    (folder / "rows").mkdir(exist_ok=True)
    tree = {"title": "Numbers", "sources": {"numbers": {"stream": "numbers", "columns": {"id": "BIGINT"}}}}
    application = parse(tree, name="numbers", folder=folder, queries={})
    Pipeline(table_env, application, settings(application, {}), {"numbers": source})
    table_env.execute_sql(
        "CREATE TEMPORARY TABLE copied (id BIGINT, kind STRING) WITH ('connector' = 'filesystem',"
        f" 'path' = '{(folder / 'rows').as_uri()}', 'format' = 'json',"
        " 'sink.rolling-policy.rollover-interval' = '500 ms', 'sink.rolling-policy.check-interval' = '500 ms')"
    )
    return table_env.execute_sql(f"INSERT INTO copied {query}").get_job_client()


def _wait_for(folder: Path, rows: int) -> Counter[int]:
    def enough() -> Counter[int] | None:
        files = finished(folder / "rows")
        found = Counter(json.loads(line)["id"] for f in files for line in f.read_text().splitlines())
        return found if sum(found.values()) >= rows else None

    found = until(enough, f"{rows} rows")
    assert found is not None
    return found


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        flink.prepare("http://127.0.0.1:1", Path(temporary))
        environment = Flink(Path(temporary)).environment
        found = {name: operators(name, environment())[1] for name in LABS}
    COMMITTED.write_text(json.dumps(found, indent=1) + "\n")
