"""Results: what is shown for each type of destination, with a local AWS's answers and with refusals."""

import json
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from console.arrivals import MOST_ARRIVALS, Arrivals
from console.pollers import Items, Messages, Objects, Records, pollers_of, tables_of
from console.resources import Target
from console.results import Results
from tests.conftest import LocalAws
from tests.functions import deploy
from tests.waiting import until


def target(type_: str, resource: str, key: str | None = None) -> Target:
    return Target("sink", "r", type_, resource, key)


def refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "none of that name"}}, "Describe")


class Lambda:
    """A Lambda client that returns a function's configuration."""

    def __init__(self, **variables: str) -> None:
        self.variables = variables

    def get_function_configuration(self, FunctionName: str) -> dict[str, Any]:
        return {"Environment": {"Variables": self.variables}} if self.variables else {}


def test_a_functions_topic_and_table_are_found_by_its_environment() -> None:
    services: dict[str, Any] = {
        "lambda": Lambda(TOPIC_ARN="arn:aws:sns:us-east-1:1:t", TABLE_NAME="sessions", PASSWORD="secret"),
        "logs": None,
    }
    made = pollers_of(target("lambda", "f"), services.__getitem__)
    assert [(poller.arrivals.kind, poller.arrivals.title) for poller in made] == [
        ("messages", "Messages sent"),
        ("items", "Items in sessions"),
    ]
    assert tables_of(target("lambda", "f"), services.__getitem__) == ["sessions"]
    services["lambda"] = Lambda()
    (log,) = pollers_of(target("lambda", "arn:aws:lambda:us-east-1:1:function:f"), services.__getitem__)
    assert log.arrivals.title == "Log of f"


def test_one_destinations_refusal_is_shown_and_the_others_go_on() -> None:
    def client(name: str) -> Any:
        raise refused("ResourceNotFoundException") if name == "firehose" else RuntimeError("no credentials")

    results = Results("a", [target("firehose", "d"), Target("two", "r", "lambda", "f")], client)
    assert [p["kind"] for p in results.as_json()] == ["waiting", "waiting"]
    results._look()
    first, second = results.as_json()
    assert first["problem"] == "none of that name (ResourceNotFoundException)"
    assert second["problem"] == "RuntimeError: no credentials"


def test_arrivals_are_bounded_and_the_newest_come_first() -> None:
    arrivals = Arrivals("records", "t")
    for number in range(MOST_ARRIVALS + 5):
        arrivals.keep(str(number), "", "t" * 999, "x" * 9999)
    arrivals.keep("7", "", "again", "")
    newest = arrivals.as_json()["newest"]
    assert len(newest) == MOST_ARRIVALS
    assert newest[0]["title"] == "again"
    assert len(json.dumps(newest)) < 200_000


def test_a_topic_without_a_queue_says_where_its_messages_go() -> None:
    class Topic:
        def list_subscriptions_by_topic(self, TopicArn: str) -> Any:
            return {
                "Subscriptions": [
                    {"Protocol": "sms", "Endpoint": "+1"},
                    {"Protocol": "email", "Endpoint": "a"},
                ]
            }

    poller = Messages("arn:aws:sns:us-east-1:1:t", {"sns": Topic(), "sqs": None}.__getitem__)
    assert (
        poller.poll() == "messages go to email and sms only: subscribe a queue to the topic to see them here"
    )


@pytest.mark.aws
def test_records_objects_and_items_of_a_local_aws(local_aws: LocalAws) -> None:
    kinesis, s3, dynamodb = (local_aws.client(name) for name in ("kinesis", "s3", "dynamodb"))
    kinesis.create_stream(StreamName="results-out", ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName="results-out", WaiterConfig={"Delay": 1})
    records = Records("results-out", local_aws.client)
    kinesis.put_record(StreamName="results-out", Data=b'{"a": 1}\n', PartitionKey="k")
    until(lambda: records.poll() or records.arrivals.total, "the record")
    assert records.arrivals.as_json()["newest"][0]["text"] == '{"a": 1}'

    s3.create_bucket(Bucket="results-out")
    s3.put_object(Bucket="results-out", Key="x/part-0", Body=b"row")
    (objects,) = pollers_of(target("s3", "s3://results-out/x"), local_aws.client)
    assert isinstance(objects, Objects)
    for _ in range(2):
        assert objects.poll() is None
    assert [(n["title"], n["text"]) for n in objects.arrivals.as_json()["newest"]] == [("x/part-0", "row")]
    assert objects.arrivals.total == 1

    dynamodb.create_table(
        TableName="results-out",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    for id_, at in (("new", "12:00:09"), ("old", "12:00:01")):
        dynamodb.put_item(TableName="results-out", Item={"id": {"S": id_}, "at": {"S": at}, "n": {"N": "7"}})
    items = Items("results-out", local_aws.client)
    assert items.poll() is None
    assert [(n["title"], n["time"], n["text"]) for n in items.arrivals.as_json()["newest"]] == [
        ("new", "12:00:09", "at 12:00:09, n 7"),
        ("old", "12:00:01", "at 12:00:01, n 7"),
    ]


@pytest.mark.aws
def test_a_functions_log_where_nothing_else_is_known_of_it(local_aws: LocalAws) -> None:
    code = "def handler(event, context):\n    print('seen', event['n'])\n"
    functions = deploy(local_aws.aws, "results-log", code)
    (log,) = pollers_of(target("lambda", "results-log"), local_aws.client)
    assert log.poll() is None
    assert log.arrivals.total == 0
    functions.invoke(FunctionName="results-log", Payload=b'{"n": 7}')
    until(lambda: log.poll() or "seen 7" in json.dumps(log.arrivals.as_json()), "the log's line")
    # A line of another worker comes later, and is older.
    logs, total = local_aws.client("logs"), log.arrivals.total
    other = {"logGroupName": "/aws/lambda/results-log", "logStreamName": "other"}
    logs.create_log_stream(**other)
    earlier = round(time.time() * 1000) - 20_000
    logs.put_log_events(**other, logEvents=[{"timestamp": earlier, "message": "from another worker"}])
    for _ in range(2):
        assert log.poll() is None
        assert log.arrivals.total == total + 1
    assert "from another worker" in json.dumps(log.arrivals.as_json())
