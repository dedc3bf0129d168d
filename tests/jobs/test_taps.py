"""The tap: a copy of each relation's rows, sampled above a rate; nothing at all while it is off."""

import json
from pathlib import Path
from typing import Any

import pytest
from pyflink.table.types import NumericType

from console.charts import figures
from console.labs import LABS
from infra import flink
from jobs.catalog import JOBS, job
from jobs.pipeline import Pipeline, TapSink
from jobs.settings import override, read_groups
from tests.jobs.conftest import Flink, rows_of

pytestmark = pytest.mark.flink

RATE = 50


class Nowhere:
    """A sink that is never written to: the rows are read before it."""

    def check(self) -> None:
        pass

    def options(self) -> dict[str, str]:
        return {"connector": "blackhole"}


def composed(table_env: Any, name: str, *properties: str) -> Pipeline:
    groups = read_groups(flink.ROOT / "flink-conf" / name / "application_properties.json")
    return job(name).pipeline(table_env, override(groups, ["aws.endpoint=http://127.0.0.1:1", *properties]))


@pytest.mark.parametrize("name", [j.name for j in JOBS])
def test_the_job_is_the_same_and_the_tap_is_added_to_it(mini_flink: Flink, name: str) -> None:
    off = composed(mini_flink.environment(), name).statements
    on = composed(mini_flink.environment(), name, "tap.stream=taps").statements
    assert on[: len(off)] == off
    assert not [statement for statement in off if "tap" in statement.lower()]
    view, table, insert = on[len(off) :]
    assert "VIEW tapped_rows" in view
    assert "'stream' = 'taps'" in table
    assert insert == "INSERT INTO tap\nSELECT * FROM tapped_rows"


@pytest.mark.parametrize("name", [j.name for j in JOBS])
def test_the_charts_find_the_columns_that_they_draw(mini_flink: Flink, name: str) -> None:
    table_env = mini_flink.environment()
    composed(table_env, name)
    lab = LABS[job(name).short]

    def row(relation: str, number: int) -> dict[str, Any]:
        """A row as a tap has it: every column of the relation, and no other."""
        schema = table_env.from_path(relation).get_schema()
        values: dict[str, Any] = {
            column: number if isinstance(type_, NumericType) else f"2024-01-31T12:00:0{number}"
            for column, type_ in zip(schema.get_field_names(), schema.get_field_data_types(), strict=True)
        }
        # The first click of two starts a session.
        return values | ({"session_timestamp": None} if number == 4 and "session_timestamp" in values else {})

    relations = {relation: [row(relation, 3), row(relation, 4)] for relation in lab.relations}
    del relations["destination_sql_stream"][1]
    for figure in figures(lab.name, relations):
        for trace in figure["data"]:
            drawn = [y for x, y in zip(trace["x"], trace["y"], strict=True) if x is not None]
            assert drawn, (figure["id"], trace["name"])
            assert None not in drawn, (figure["id"], trace["name"])
            if trace["name"] == "threshold":
                assert drawn == [4, 4], "the newest row's"


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
                SELECT id, '<b>' AS text, TIMESTAMP '2024-01-31 12:00:00.5' AS rowtime FROM {name}_ids"""
        )
    pipeline = Pipeline(table_env, Path())
    errors = "SELECT 'BAD' AS error_name, '?' AS message, NOW() AS data_rowtime, 'ff' AS data_row FROM slow"
    pipeline.errors("some_errors", table_env.sql_query(errors))
    pipeline.tap(TapSink(Nowhere(), RATE), "fast", "slow")
    pipeline.insert_errors(Nowhere())
    query = "SELECT relation, CAST(rowtime AS STRING), weight, data FROM tapped_rows"
    found: dict[str, list[tuple[str, float, dict[str, Any]]]] = {"fast": [], "slow": [], "error_stream": []}
    for relation, rowtime, weight, data in rows_of(table_env, query):
        found[relation].append((rowtime, weight, json.loads(data)))
    # Flink drops what came in the last millisecond of an input that ends: the last burst of a second's rows.
    slow = [row for _, _, row in found["slow"]]
    assert slow == [{"id": n, "text": "<b>"} for n in range(1, len(slow) + 1)]
    assert len(slow) >= 15
    assert {(time, weight) for time, weight, _ in found["slow"]} == {("2024-01-31 12:00:00.500", 1.0)}
    assert {row["error_name"] for _, _, row in found["error_stream"]} == {"BAD"}
    # Five standard deviations.
    weights = [weight for _, weight, _ in found["fast"]]
    newest = max(row["id"] for _, _, row in found["fast"])
    assert sum(weights) == pytest.approx(newest, rel=0.3)
    assert len(weights) < newest / 4
    assert max(weights) > 10
