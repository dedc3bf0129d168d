"""The DynamoDB sink: its options without a service, its items on the local AWS."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from base.aws import Aws
from connectors.check import ConnectorError
from connectors.dynamodb import DynamoDbSink
from infra import flink
from pipeline.environment import table_environment
from pipeline.sql import with_options
from tests.conftest import LocalAws

SINK = DynamoDbSink("Sessions", "session_id", Aws("us-east-1"))


def test_the_endpoint_is_the_only_difference_between_local_and_aws() -> None:
    local = DynamoDbSink("Sessions", "session_id", Aws.local("http://127.0.0.1:1")).options()
    assert local.pop("aws.endpoint") == "http://127.0.0.1:1"
    assert local == SINK.options()
    assert local["table-name"] == "Sessions"


@pytest.fixture
def table(local_aws: LocalAws) -> Iterator[Any]:
    dynamodb = local_aws.client("dynamodb")
    dynamodb.create_table(
        TableName="Sessions",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "session_id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "session_id", "KeyType": "HASH"}],
    )
    yield dynamodb
    dynamodb.delete_table(TableName="Sessions")


@pytest.mark.aws
@pytest.mark.usefixtures("table")
def test_a_missing_table_and_another_key_are_reported_before_the_start(
    local_aws: LocalAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    endpoint = local_aws.endpoint
    DynamoDbSink("Sessions", "session_id", Aws.local(endpoint)).check()
    with pytest.raises(ConnectorError, match="DynamoDB table Nobody: not found"):
        DynamoDbSink("Nobody", "session_id", Aws.local(endpoint)).check()
    with pytest.raises(ConnectorError, match="its key must be user_id alone, got session_id"):
        DynamoDbSink("Sessions", "user_id", Aws.local(endpoint)).check()


@pytest.mark.aws
@pytest.mark.flink
@pytest.mark.kinesis
def test_rows_become_items_and_a_key_that_comes_twice_is_one(
    local_aws: LocalAws, table: Any, tmp_path: Path
) -> None:
    flink.prepare(local_aws.endpoint, tmp_path)
    table_env = table_environment(
        flink.cluster("dynamodb", folder=tmp_path, short=True, overrides={"restart-strategy.type": "none"})
    )
    options = DynamoDbSink("Sessions", "session_id", local_aws.aws).options()
    table_env.execute_sql(
        "CREATE TEMPORARY TABLE items (session_id STRING, began TIMESTAMP(3), number BIGINT,"
        f" pages ARRAY<STRING>) PARTITIONED BY (session_id) {with_options(options)}"
    )
    for _ in range(2):
        table_env.execute_sql(
            """INSERT INTO items
            SELECT 's' || CAST(n AS STRING), TIMESTAMP '2024-01-31 12:00:00.123', n, ARRAY['b', '', 'a', 'b']
            FROM (VALUES """
            # More than one batch, the first key twice within one of them.
            + ", ".join(f"({n})" for n in [0, *range(60)])
            + ") AS t(n)"
        ).wait()
    items = table.scan(TableName="Sessions")["Items"]
    assert len(items) == 60
    assert next(item for item in items if item["session_id"] == {"S": "s7"}) == {
        "session_id": {"S": "s7"},
        "began": {"S": "2024-01-31T12:00:00.123"},
        "number": {"N": "7"},
        "pages": {"L": [{"S": "b"}, {"S": ""}, {"S": "a"}, {"S": "b"}]},
    }
