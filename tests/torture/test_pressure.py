"""The short form of `python -m tests.torture.pressure`: a function that refuses every call, then takes them again."""

from pathlib import Path

import pytest

from base.aws import Aws
from connectors.lambda_sink.options import LambdaSinkOptions
from pipeline.lambda_sink import lambda_sink
from tests.jobs.conftest import Flink
from tests.jobs.conftest import mini_flink as mini_flink  # a fixture
from tests.torture.failing import Destination
from tests.torture.proxy import running_proxy
from tests.waiting import until

pytestmark = pytest.mark.flink

#: The sink holds more rows than this before the refusals end, so each row waits. A checkpoint waits behind the rows
#: that came while the sink's worker started: so they come slowly.
MAX_BUFFERED = 5


def test_checkpoints_go_on_while_a_function_refuses_all_and_every_row_arrives_after(
    mini_flink: Flink, tmp_path: Path
) -> None:
    function = Destination(failure_kind="refusing")
    with running_proxy("http://127.0.0.1:1") as proxy:
        proxy.rule = function
        table_env = mini_flink.environment(
            execution__checkpointing__interval="200 ms",
            execution__checkpointing__dir=tmp_path.as_uri(),
            # A checkpoint barrier waits for the rows of a bundle, and each row waits for the full sink.
            python__fn_execution__bundle__size="4",
        )
        table_env.execute_sql(
            "CREATE TEMPORARY TABLE numbers (id INT) WITH ('connector' = 'datagen', 'rows-per-second' = '2',"
            " 'fields.id.kind' = 'sequence', 'fields.id.start' = '1', 'fields.id.end' = '100000')"
        )
        rows = table_env.sql_query("SELECT CAST(id AS STRING) AS session_id FROM numbers")
        options = LambdaSinkOptions(
            "refusing",
            Aws.local(proxy.endpoint),
            batch_seconds=0.2,
            max_buffered=MAX_BUFFERED,
        )
        table_env.execute_sql(
            "CREATE TEMPORARY TABLE errors (error_name STRING, message STRING, data_rowtime TIMESTAMP_LTZ(3),"
            " data_row STRING) WITH ('connector' = 'blackhole')"
        )
        job = lambda_sink(table_env, rows, options).execute_insert("errors")
        try:
            until(lambda: len(function.offered) > MAX_BUFFERED, "refusals of more rows than the sink lets in")
            before = checkpoints(tmp_path)
            until(lambda: checkpoints(tmp_path) > before + 1, "checkpoints while all is refused")
            assert not function.taken
            rows_to_come = {str(n) for n in range(1, len(function.offered) + 6)}
            function.failure_kind = ""
            until(lambda: rows_to_come <= set(function.taken), "all rows")
        finally:
            job.get_job_client().cancel().result()
    # A refused call accepted no rows, so none comes twice.
    assert set(function.taken.values()) == {1}


def checkpoints(folder: Path) -> int:
    """Number of the newest complete checkpoint; 0 before the first."""
    found = folder.glob("*/chk-*/_metadata")
    return max((int(path.parent.name.removeprefix("chk-")) for path in found), default=0)
