"""Rows of a real job reach a function in batches, and come out as they went in."""

import sys
from typing import Any

import pytest
from pyflink.common import Row, Types
from pyflink.datastream import KeyedProcessFunction
from pyflink.table import Schema

from tests.jobs.conftest import Flink, rows_of
from udfs.keyed_stream import process_keyed
from udfs.row_batches import take_batches

pytestmark = pytest.mark.flink
COUNT = 3_000


class Sized(KeyedProcessFunction):  # type: ignore[misc]
    """A number, its time, and how many rows came with it."""

    def open(self, runtime_context: Any) -> None:
        take_batches(self)

    def process_element(self, value: Any, ctx: KeyedProcessFunction.Context) -> Any:
        yield Row(value[0], ctx.timestamp(), 1)

    def process_batch(self, key: str, rows: list[Any], times: list[int]) -> list[list[Any]]:
        return [[row[0], time, len(rows)] for row, time in zip(rows, times, strict=True)]


def test_a_backlog_comes_in_batches(mini_flink: Flink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_python_worker_execution_mode", "process")
    table_env = mini_flink.environment(python__executable=sys.executable)
    table_env.execute_sql(f"""
        CREATE TEMPORARY TABLE numbers (
          id BIGINT, rowtime AS TO_TIMESTAMP_LTZ(id, 3), WATERMARK FOR rowtime AS rowtime
        ) WITH (
          'connector' = 'datagen', 'rows-per-second' = '1000000',
          'fields.id.kind' = 'sequence', 'fields.id.start' = '1', 'fields.id.end' = '{COUNT}'
        )
    """)
    keyed = table_env.sql_query(
        "SELECT CAST(MOD(id, 3) AS STRING) AS `key`, ROW(id) AS `element`, rowtime FROM numbers"
    )
    names = ["id", "at", "size"]
    out = process_keyed(
        table_env.to_data_stream(keyed),
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
