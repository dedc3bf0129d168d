"""What a job on this machine opens: nothing that another machine could reach."""

import os

import pytest

from tests.jobs.conftest import Flink, MemorySource
from tests.jobs.conftest import mini_flink as mini_flink  # a fixture
from tests.readers import LOOPBACK, listening
from udfs.decoding.columns import Column
from udfs.decoding.function import decode_records

pytestmark = pytest.mark.flink


@pytest.mark.parametrize("mode", ["loopback", "process"])
def test_a_running_job_listens_on_loopback_alone(
    mini_flink: Flink, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if mode == "process":
        monkeypatch.setenv("_python_worker_execution_mode", mode)
    table_env = mini_flink.environment()
    records = MemorySource([(n, b'{"id": 1}') for n in range(3)]).records(table_env, "numbers")
    rows, _, _ = decode_records(table_env, records, [Column("id", "INTEGER", "$.id")])
    table_env.create_temporary_view("decoded", rows)
    found = set()
    with table_env.sql_query("SELECT id FROM decoded").execute().collect() as result:
        for _ in result:
            found |= listening(os.getpid())
    assert len(found) > 3, "the JVM, its servers for workers"
    assert sorted(a for a in found if a[0] not in LOOPBACK) == []
