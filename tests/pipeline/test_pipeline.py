"""From a description to relations: names that SQL reserves, formats, several of everything, statements to read."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.application import Application, parse
from pipeline.settings import settings
from pipeline.trial import rows_of
from tests.jobs.conftest import EPOCH, Flink
from tests.jobs.conftest import mini_flink as mini_flink  # a fixture

pytestmark = pytest.mark.flink

START = round(EPOCH.timestamp() * 1000)


def application(tree: dict[str, Any], **queries: str) -> Application:
    return parse({"title": "x", **tree}, name="several", folder=Path("several"), queries=queries)


def test_names_are_the_authors_own_whatever_sql_reserves(mini_flink: Flink) -> None:
    reserved = application(
        {
            "sources": {"order": {"columns": {"select": "INT $.from", "Group By": "VARCHAR(4) $.by"}}},
            "relations": [
                "where",
                {"forest": "table", "of": "where", "columns": ["select"], "sub_sample_size": 10},
            ],
        },
        where="SELECT `select`, `Group By`, rowtime FROM `order`",
    )
    records = [(START, b'{"from": 1, "by": "abc"}')]
    rows = rows_of(
        mini_flink.environment(),
        reserved,
        settings(reserved, {"source": {"stream": "s"}}),
        {"order": records},
        ["table"],
    )
    assert rows["table"][0].values == {"select": 1, "Group By": "abc", "anomaly_score": 0.0}


def test_two_sources_of_other_formats_and_two_forests(mini_flink: Flink) -> None:
    several = application(
        {
            "sources": {
                "rows": {
                    "stream": "a",
                    "row_path": "$.rows[0:]",
                    "columns": {"x": "DOUBLE", "at": "TIMESTAMP(3) @arrival"},
                },
                "lines": {
                    "stream": "b",
                    "format": "csv",
                    "delimiter": ";",
                    "columns": {"name": "VARCHAR(8)", "y": "DOUBLE"},
                },
            },
            "relations": [
                {"forest": "of_x", "of": "rows", "columns": "x", "sub_sample_size": 10},
                {"forest": "of_y", "of": "lines", "columns": "y", "sub_sample_size": 10},
            ],
        }
    )
    records = {
        "rows": [(START, b'{"rows": [{"x": 1}, {"x": 2}]}')],
        "lines": [(START + 5, b"Huber;4.5\nMaier;x\n")],
    }
    names = ["of_x", "of_y", "error_stream"]
    rows = rows_of(mini_flink.environment(), several, settings(several, {}), records, names)
    assert [row.values["x"] for row in rows["of_x"]] == [1.0, 2.0]
    assert rows["of_x"][0].rowtime == "2024-01-31 12:00:00.000"
    assert rows["of_x"][0].values["at"] == "2024-01-31T12:00:00"
    assert [row.values for row in rows["of_y"]] == [{"name": "Huber", "y": 4.5, "anomaly_score": 0.0}]
    assert [row.values["pump_name"] for row in rows["error_stream"]] == ["lines"]


@pytest.mark.kinesis
def test_a_destination_of_each_kind_is_planned(mini_flink: Flink) -> None:
    columns = {"k": "VARCHAR(8)", "x": "DOUBLE", "t": "TIMESTAMP(3)"}
    destinations = [
        {"of": "numbers", "type": "kinesis", "stream": "s", "key": "k", "format": "csv"},
        {"name": "second", "of": "numbers", "type": "firehose", "delivery_stream": "d"},
        {"name": "third", "of": "numbers", "type": "lambda", "function": "f", "key": "k"},
        {"name": "fourth", "of": "numbers", "type": "lambda", "function": "f"},
        {"name": "fifth", "of": "numbers", "type": "s3", "path": "file:///tmp/x/"},
        {"name": "sixth", "of": "numbers", "type": "dynamodb", "table": "t", "key": "k"},
        {"name": "off", "of": "numbers", "type": "none"},
    ]
    each = application(
        {"sources": {"numbers": {"stream": "a", "columns": columns}}, "destinations": destinations}
    )
    pipeline = mini_flink.pipeline(each, mini_flink.environment())
    pipeline.deliver()
    pipeline.explain()
    text = ";\n".join(pipeline.statements)
    assert "PARTITIONED BY (`k`)" in text
    assert "PARTITIONED BY (`yyyy`, `MM`, `dd`, `HH`)" in text
    assert "'format' = 'csv'" in text
    # What DynamoDB can't take is an error row instead of a job that fails.
    assert "sixth_errors" in text
    uids = {operator.uid for operator in pipeline.operators()} - {None}
    assert uids == {"decode numbers", "kinesis numbers", "lambda_sink third", "lambda_sink fourth"}
    for wrong, message in (
        ("nothing", "sink.key must be one of k, x, t"),
        ("rowtime", "sink.key must be one of"),
    ):
        with pytest.raises(ValueError, match=message):
            mini_flink.pipeline(each, mini_flink.environment(), groups={"sink": {"key": wrong}}).deliver()


def test_a_detector_finds_a_step_and_says_what_it_expected(mini_flink: Flink) -> None:
    watched = application(
        {
            "sources": {"rows": {"stream": "a", "columns": {"k": "VARCHAR(1)", "x": "DOUBLE"}}},
            "relations": [
                {
                    "detector": "watched",
                    "of": "rows",
                    "columns": "x",
                    "partition_by": "k",
                    "sub_sample_size": 32,
                    "side": "above",
                },
                "alerts",
            ],
        },
        alerts="SELECT k, x, expected_x, direction, rowtime FROM watched WHERE alert",
    )
    values = [10 + 0.1 * (n % 7) for n in range(90)] + [40.0] * 5
    # The step of one key is upwards, of the other downwards, which its side withholds.
    rows = [
        (START + n, f'{{"k": "{k}", "x": {x if k == "a" else -x}}}')
        for n, x in enumerate(values)
        for k in "ab"
    ]
    records = {"rows": [(time, text.encode()) for time, text in [*rows, (START + 95, '{"k": "a"}')]]}
    found = rows_of(mini_flink.environment(), watched, settings(watched, {}), records, ["watched", "alerts"])
    ((alert),) = found["alerts"]
    assert (alert.values["k"], alert.values["x"], alert.values["direction"]) == ("a", 40.0, "HIGH")
    assert 10 <= alert.values["expected_x"] <= 10.6
    assert len(found["watched"]) == 191
    assert {row.values["reason"] for row in found["watched"] if row.values["k"] == "b"} >= {
        "LEARNING",
        "OTHER_SIDE",
    }
    assert [row.values["reason"] for row in found["watched"] if row.values["x"] is None] == ["MISSING_VALUE"]
