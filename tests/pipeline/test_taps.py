"""The tap: a copy of each relation's rows, sampled above a rate; nothing at all while it is off."""

import json
from typing import Any

import pytest

from pipeline.application import Application
from pipeline.catalog import all_applications
from pipeline.pipeline import Pipeline
from pipeline.settings import override, settings
from pipeline.tap import tap_statements
from tests.jobs.conftest import Flink, rows_of
from tests.jobs.conftest import mini_flink as mini_flink  # a fixture

pytestmark = pytest.mark.flink

RATE = 50
EACH = pytest.mark.parametrize("application", all_applications(), ids=lambda a: a.name)


def delivered(table_env: Any, application: Application, *properties: str) -> Pipeline:
    groups = override({}, ["aws.endpoint=http://127.0.0.1:1", *properties])
    pipeline = Pipeline(table_env, application, settings(application, groups))
    pipeline.deliver()
    return pipeline


@pytest.mark.kinesis
@EACH
def test_the_job_is_the_same_and_the_tap_is_added_to_it(mini_flink: Flink, application: Application) -> None:
    off = delivered(mini_flink.environment(), application).statements
    on = delivered(mini_flink.environment(), application, "tap.stream=taps").statements
    assert on[: len(off)] == off
    assert not [statement for statement in off if "tap" in statement.lower()]
    view, table, insert = on[len(off) :]
    assert "VIEW tapped_rows" in view
    assert all(f"FROM `{relation}`" in view for relation in application.shown)
    assert "'stream' = 'taps'" in table
    assert insert == "INSERT INTO tap\nSELECT * FROM tapped_rows"


def test_rows_are_tagged_and_sampled_above_the_rate_alone(mini_flink: Flink) -> None:
    table_env = mini_flink.environment()
    for name, rows, rate in (("fast", 8000, 2000), ("slow", 20, 5)):
        table_env.execute_sql(
            f"""CREATE TEMPORARY TABLE {name}_ids (id INT) WITH (
                'connector' = 'datagen', 'rows-per-second' = '{rate}',
                'fields.id.kind' = 'sequence', 'fields.id.start' = '1', 'fields.id.end' = '{rows}')"""
        )
        table_env.execute_sql(
            f"""CREATE TEMPORARY VIEW {name} AS
                SELECT '<b>' AS text, id, TIMESTAMP '2024-01-31 12:00:00.5' AS rowtime FROM {name}_ids"""
        )
    errors = "SELECT 'BAD' AS error_name, '?' AS message, NOW() AS data_rowtime, 'ff' AS data_row FROM slow"
    table_env.create_temporary_view("all_errors", table_env.sql_query(errors))
    for statement in tap_statements(table_env, ("fast", "slow"), RATE, {"connector": "blackhole"}):
        table_env.execute_sql(statement)
    query = "SELECT relation, CAST(rowtime AS STRING), weight, `columns`, data FROM tapped_rows"
    found: dict[str, list[tuple[str, float, dict[str, Any]]]] = {"fast": [], "slow": [], "error_stream": []}
    orders = {}
    for relation, rowtime, weight, columns, data in rows_of(table_env, query):
        orders[relation] = json.loads(columns)
        found[relation].append((rowtime, weight, json.loads(data)))
    # Flink drops what came in the last millisecond of an input that ends: the last burst of a second's rows.
    slow = [row for _, _, row in found["slow"]]
    assert slow == [{"id": n, "text": "<b>"} for n in range(1, len(slow) + 1)]
    assert len(slow) >= 15
    assert {(time, weight) for time, weight, _ in found["slow"]} == {("2024-01-31 12:00:00.500", 1.0)}
    assert {row["error_name"] for _, _, row in found["error_stream"]} == {"BAD"}
    # JSON_OBJECT sorts its keys; the relation's order goes along.
    assert orders["fast"] == orders["slow"] == ["text", "id"]
    assert orders["error_stream"] == ["error_name", "message", "data_rowtime", "data_row"]
    # Five standard deviations.
    weights = [weight for _, weight, _ in found["fast"]]
    newest = max(row["id"] for _, _, row in found["fast"])
    assert sum(weights) == pytest.approx(newest, rel=0.3)
    assert len(weights) < newest / 4
    assert max(weights) > 10
