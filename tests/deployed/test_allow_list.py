"""A deployed job sets no Flink option that the managed service refuses."""

from pathlib import Path
from typing import Any

import pytest

from infra import flink
from pipeline.application import Application
from pipeline.catalog import all_applications
from pipeline.environment import table_environment
from pipeline.pipeline import Pipeline
from pipeline.settings import settings

pytestmark = pytest.mark.flink

#: Keys that an application's code may set, from the service's documentation ("Programmatic Flink configuration
#: properties"). The service enforces the list from Flink 2.2 on; a job that keeps to it runs on 1.20 and 2.2.
ALLOWED = set(Path(__file__).with_name("allowed_keys.txt").read_text().split())
#: Set by the planner for each query, and by PyFlink when it runs without a cluster.
NOT_OURS = {
    "__table.query-start.current-database__",
    "__table.query-start.epoch-time__",
    "__table.query-start.local-time__",
    "python.loopback-server.address",
}


@pytest.fixture(scope="module", autouse=True)
def _gateway(tmp_path_factory: pytest.TempPathFactory) -> None:
    flink.prepare("http://127.0.0.1:1", tmp_path_factory.mktemp("flink"))


def configured(table_env: Any) -> dict[str, str]:
    """The options that are set in an environment, by key."""
    stream_env = table_env._j_tenv.execEnv()
    found = dict(table_env.get_config().get_configuration().to_dict())
    found.update(dict(stream_env.getConfiguration().toMap()))
    return found


def pristine() -> dict[str, str]:
    from pyflink.datastream import StreamExecutionEnvironment
    from pyflink.table import StreamTableEnvironment

    return configured(StreamTableEnvironment.create(StreamExecutionEnvironment.get_execution_environment()))


@pytest.mark.parametrize("application", all_applications(), ids=lambda a: a.name)
def test_a_deployed_job_sets_only_what_the_service_allows(application: Application) -> None:
    before = pristine()
    # The service itself adds the jar.
    table_env = table_environment({"pipeline.jars": flink.CONNECTORS.as_uri()})
    Pipeline(table_env, application, settings(application, {})).deliver()
    set_here = {key for key, value in configured(table_env).items() if before.get(key) != value}
    # If there were none, this test would look in the wrong place.
    assert {"table.local-time-zone", "pipeline.object-reuse"} <= set_here
    assert set_here - ALLOWED - NOT_OURS == set()
