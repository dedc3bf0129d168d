"""A text of 1 MB in every place where a row may leave the job: nothing stops, nothing is lost without a word."""

import json
from pathlib import Path
from typing import Any

import pytest

from base.aws import Aws
from pipeline.application import parse
from pipeline.pipeline import Pipeline
from pipeline.settings import settings
from tests.conftest import LocalAws
from tests.jobs.conftest import Flink, MemorySource
from tests.jobs.conftest import mini_flink as mini_flink  # a fixture
from tests.readers import on_stream

pytestmark = [pytest.mark.flink, pytest.mark.aws, pytest.mark.kinesis]

#: Each of its characters becomes two in JSON, four in JSON within JSON.
LONG = '"' * 1_000_000


def stream(endpoint: str, name: str) -> Any:
    client = Aws.local(endpoint).client("kinesis")
    client.create_stream(StreamName=name, ShardCount=1)
    client.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 1})
    return client


def records(client: Any, name: str) -> list[dict[str, Any]]:
    return [json.loads(record) for record in on_stream(client, name)]


def test_a_text_of_a_megabyte_passes_or_is_reported(
    local_aws: LocalAws, mini_flink: Flink, tmp_path: Path
) -> None:
    endpoint = local_aws.endpoint
    client = stream(endpoint, "large-errors")
    stream(endpoint, "large-taps")
    stream(endpoint, "large-rows")
    tree = {
        "title": "Large rows",
        "sources": {"clicks": {"stream": "s", "columns": {"id": "INT", "x": "DOUBLE", "text": "STRING"}}},
        "relations": [
            {"forest": "scored", "of": "clicks", "columns": "x"},
            {"errors": "own_errors"},
            "chosen",
        ],
        "destinations": [{"of": "chosen", "type": "kinesis", "stream": "large-rows"}],
        "errors": "large-errors",
    }
    queries = {
        "own_errors": "SELECT 'OWN' AS error_name, text AS message, rowtime AS data_rowtime,"
        " HEX(text) AS data_row FROM clicks WHERE id = 3",
        "chosen": "SELECT id, x, text FROM scored",
    }
    large = parse(tree, name="large", folder=tmp_path, queries=queries)
    groups = {"aws": {"endpoint": endpoint}, "tap": {"stream": "large-taps", "rate": "1000"}}
    rows = [
        (0, {"id": 1, "x": 1.0, "text": "short"}),
        (1, {"id": 2, "x": None, "text": LONG}),  # can't be scored
        (2, {"id": 3, "x": 1.0, "text": LONG}),  # can't be delivered
        (3, {"id": 4, "x": "?", "text": LONG}),  # can't be decoded
        (4, {"id": 5, "x": 1.0, "text": "short"}),
    ]
    source = MemorySource([(at, json.dumps(row).encode()) for at, row in rows])
    pipeline = Pipeline(mini_flink.environment(), large, settings(large, groups), {"clicks": source})
    pipeline.deliver()
    pipeline.execute().wait()

    assert sorted(row["id"] for row in records(client, "large-rows")) == [1, 5]
    errors = {error["error_name"]: error for error in records(client, "large-errors")}
    assert set(errors) == {"NOT_SCORED", "COERCION", "OWN", "RECORD_TOO_LARGE"}
    for error in errors.values():
        assert 0 < len(error["data_row"]) <= 49152
        assert len(error["message"]) <= 4096
    assert all(" cut" in error["message"] for name, error in errors.items() if name != "OWN")
    # What a job tells in SQL of its own, with the raw row in it, ends in dots.
    assert errors["OWN"]["message"].endswith('"…')
    assert bytes.fromhex(errors["OWN"]["data_row"]).endswith(b'"...')
    tapped = [(record["relation"], json.loads(record["data"])) for record in records(client, "large-taps")]
    assert sorted(row["id"] for relation, row in tapped if relation == "clicks") == [1, 2, 3, 5]
    (text,) = (row["text"] for relation, row in tapped if relation == "clicks" and row["id"] == 3)
    assert text.startswith('""""')
    assert text.endswith("… (cut, it has 1000000 characters)")
    assert {row["text"] for _, row in tapped if row.get("id") == 5} == {"short"}


def test_a_table_gets_what_it_can_take_and_the_rest_is_reported(
    local_aws: LocalAws, mini_flink: Flink, tmp_path: Path
) -> None:
    errors, dynamodb = stream(local_aws.endpoint, "item-errors"), local_aws.client("dynamodb")
    dynamodb.create_table(
        TableName="items-of-all-sizes",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    tree = {
        "title": "Items",
        "sources": {
            "rows": {"stream": "s", "columns": {"id": "STRING", "text": "STRING", "at": "TIMESTAMP(3)"}}
        },
        "destinations": [{"of": "rows", "type": "dynamodb", "table": "items-of-all-sizes", "key": "id"}],
        "errors": "item-errors",
    }
    at = "2024-01-31T12:00:00.120Z"
    rows = [
        {"id": "good", "text": "x", "at": at},
        {"id": "null", "text": None, "at": at},
        {"id": "", "text": "x", "at": at},
        {"id": "k" * 2049, "text": "x", "at": at},
        {"id": "large", "text": "y" * 500_000, "at": at},
        {"id": "k" * 2048, "text": "x" * 300_000, "at": at},
    ]
    items = parse(tree, name="items", folder=tmp_path, queries={})
    source = MemorySource([(n, json.dumps(row).encode()) for n, row in enumerate(rows)])
    groups = {"aws": {"endpoint": local_aws.endpoint}}
    pipeline = Pipeline(mini_flink.environment(), items, settings(items, groups), {"rows": source})
    pipeline.deliver()
    pipeline.execute().wait()

    found = dynamodb.scan(TableName="items-of-all-sizes")["Items"]
    assert sorted(item["id"]["S"] for item in found) == ["good", "k" * 2048]
    assert {item["at"]["S"] for item in found} == {"2024-01-31 12:00:00.120"}
    reported = sorted(error["error_name"] for error in records(errors, "item-errors"))
    assert reported == ["NOT_DELIVERED"] * 3 + ["RECORD_TOO_LARGE"]
