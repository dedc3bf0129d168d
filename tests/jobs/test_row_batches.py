"""Rows of a real job reach a function in batches, and come out unchanged and in order."""

import sys
from typing import Any

import pytest
from pyflink.common import Row, Types
from pyflink.datastream import KeyedProcessFunction
from pyflink.table import Schema

from tests.jobs.conftest import Flink, rows_of
from udfs.keyed_stream import process_keyed
from udfs.row_batches import take_batches
from udfs.row_messages import take_columns
from udfs.worker_objects import opening_objects

pytestmark = pytest.mark.flink
COUNT = 3_000
NUMBERS = f"""
    CREATE TEMPORARY TABLE numbers (
      id BIGINT, rowtime AS TO_TIMESTAMP_LTZ(id, 3), WATERMARK FOR rowtime AS rowtime
    ) WITH (
      'connector' = 'datagen', 'rows-per-second' = '1000000',
      'fields.id.kind' = 'sequence', 'fields.id.start' = '1', 'fields.id.end' = '{COUNT}'
    )
"""


class Sized(KeyedProcessFunction):  # type: ignore[misc]
    """A number, its time, and how many rows came with it."""

    def open(self, runtime_context: Any) -> None:
        take_batches(self)

    def process_element(self, value: Any, ctx: KeyedProcessFunction.Context) -> Any:
        yield Row(value[0], ctx.timestamp(), 1)

    def process_batch(self, key: str, rows: list[Any], times: list[int]) -> list[list[Any]]:
        return [[row[0], time, len(rows)] for row, time in zip(rows, times, strict=True)]


class Doubled(Sized):
    """Returns twice the number for rows in columns, and -1 for other rows."""

    numbers, value, nulls = [2], 1, 1

    def open(self, runtime_context: Any) -> None:
        super().open(runtime_context)
        assert take_columns(self)
        operation = next(o for o in opening_objects() if hasattr(o, "keyed_state_backend"))
        # The JVM's state service was found, so that all state is written in one go.
        assert type(operation.keyed_state_backend._state_handler).__name__ == "_Together"

    def process_batch(self, key: str, rows: list[Any], times: list[int]) -> list[list[Any]]:
        return [[*row, -1.0, "missing"] for row in rows]

    def process_columns(self, keys: Any, values: Any, points: Any, times: Any, switch: Any) -> Any:
        assert [f"{time % 3}{key}" for time, key in zip(times, keys, strict=True)] == [k + k for k in keys]
        assert values == [f"n{time}" for time in times]
        return 2 * points[:, 0]


def test_rows_of_a_real_job_come_in_columns(mini_flink: Flink, monkeypatch: pytest.MonkeyPatch) -> None:
    """PyFlink's messages and steps are still as :mod:`udfs.row_bytes` expects them."""
    monkeypatch.setenv("_python_worker_execution_mode", "process")
    table_env = mini_flink.environment(python__executable=sys.executable)
    table_env.execute_sql(NUMBERS)
    keyed = table_env.sql_query("""
        SELECT CAST(MOD(id, 3) AS STRING) AS `key`,
          ROW(id, 'n' || CAST(id AS STRING), CASE WHEN MOD(id, 7) > 0 THEN id * 1e0 END) AS `element`, rowtime
        FROM numbers
    """)
    types = [Types.LONG(), Types.STRING(), Types.DOUBLE()]
    out = process_keyed(
        table_env,
        [keyed],
        Doubled(),
        Types.ROW_NAMED(["id", "name", "x"], types),
        Types.ROW_NAMED(["id", "name", "x", "twice", "error"], [*types, Types.DOUBLE(), Types.STRING()]),
        "doubled",
        "doubled",
    )
    table_env.create_temporary_view("doubled", table_env.from_data_stream(out))
    ids = range(1, COUNT + 1)
    assert rows_of(table_env, "SELECT id, name, x, twice, error FROM doubled") == [
        (k, f"n{k}", k, 2 * k, None) if k % 7 else (k, f"n{k}", None, -1.0, "missing") for k in ids
    ]


def test_a_backlog_comes_in_batches(mini_flink: Flink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_python_worker_execution_mode", "process")
    table_env = mini_flink.environment(python__executable=sys.executable)
    table_env.execute_sql(NUMBERS)
    keyed = table_env.sql_query(
        "SELECT CAST(MOD(id, 3) AS STRING) AS `key`, ROW(id) AS `element`, rowtime FROM numbers"
    )
    names = ["id", "at", "size"]
    out = process_keyed(
        table_env,
        [keyed],
        Sized(),
        Types.ROW_NAMED(["id"], [Types.LONG()]),
        Types.ROW_NAMED(names, [Types.LONG(), Types.LONG(), Types.INT()]),
        "sized",
        "sized",
    )
    schema = Schema.new_builder().column("id", "BIGINT").column("at", "BIGINT").column("size", "INT").build()
    table_env.create_temporary_view("sized", table_env.from_data_stream(out, schema))
    rows = rows_of(table_env, "SELECT * FROM sized")
    assert [(number, time) for number, time, _ in rows] == [(k, k) for k in range(1, COUNT + 1)]
    assert max(size for _, _, size in rows) > 10
