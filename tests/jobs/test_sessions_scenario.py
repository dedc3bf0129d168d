"""Lab 2 for real: simulator → Kinesis → job → Lambda → DynamoDB; and each kind of sink."""

import json
import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from infra import flink
from infra.stream_reader import StreamReader
from jobs.sessions import demo as demo_sessions
from pipeline.catalog import find
from pipeline.pipeline import Pipeline
from pipeline.requirements import check
from pipeline.settings import settings
from tests.conftest import LocalAws
from tests.functions import deployed
from tests.jobs.clicks import in_time
from tests.jobs.conftest import Flink, MemorySource

pytestmark = [pytest.mark.flink, pytest.mark.aws, pytest.mark.kinesis]

TABLE, HANDLED, FUNCTION = "SinkSessions", "HandlerSessions", "kda-handler"
#: A handler written from KDA's contract alone.
HANDLER = textwrap.dedent(
    """
    import base64, json, os
    import boto3

    table = boto3.resource("dynamodb").Table(os.environ["TABLE_NAME"])

    def handler(event, context):
        output = []
        for record in event["records"]:
            row = json.loads(base64.b64decode(record["data"]).decode("utf8"))
            try:
                table.put_item(Item={key: str(row[key]) for key in ("session_id", "session_time", "user_id", "pages")})
                result = "Ok"
            except Exception:
                result = "DeliveryFailed"
            output.append({"recordId": record["recordId"], "result": result})
        return {"records": output}
    """
)
#: A handler that refuses the sessions of user b.
REFUSING = textwrap.dedent(
    """
    import base64, json

    def handler(event, context):
        def answer(record):
            taken = json.loads(base64.b64decode(record["data"]))["user_id"] != "b"
            return {"recordId": record["recordId"], "result": "Ok" if taken else "DeliveryFailed"}

        return {"records": [answer(record) for record in event["records"]]}
    """
)
CLICKS = in_time(
    ("a", 0), ("b", 1_000), ("a", 2_000, "desktop", "detail"), ("a", 2_000), ("a", 15_000), ("a", 60_000)
)


def test_the_simulators_sessions_are_in_the_table(local_aws: LocalAws, tmp_path: Path) -> None:
    flink.prepare(local_aws.endpoint, tmp_path)
    course = demo_sessions.run(local_aws.aws, tmp_path, count=400)
    assert len(course.made) > 50
    assert course.items == course.made
    assert sorted(e["error_name"] for e in course.errors) == sorted(demo_sessions.BAD_RECORDS.values())
    assert course.expectations == dict.fromkeys(course.expectations, True)


@pytest.fixture
def items(local_aws: LocalAws) -> Iterator[Any]:
    """The items in one of the test's own two tables."""
    dynamodb = local_aws.client("dynamodb")
    for table in (TABLE, HANDLED):
        dynamodb.create_table(
            TableName=table,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "session_id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "session_id", "KeyType": "HASH"}],
        )

    def read(table: str) -> dict[str, dict[str, Any]]:
        found = [dict(item) for item in dynamodb.scan(TableName=table)["Items"]]
        return {item.pop("session_id")["S"]: item for item in found}

    yield read
    for table in (TABLE, HANDLED):
        dynamodb.delete_table(TableName=table)


@pytest.fixture
def run_to_its_end(local_aws: LocalAws, mini_flink: Flink) -> Any:
    """Runs the whole job over clicks from memory."""

    def run(**groups: dict[str, str]) -> None:
        sessions = find("sessions")
        given = settings(sessions, {"aws": {"endpoint": local_aws.endpoint}, **groups})
        check(sessions, given)
        pipeline = Pipeline(
            mini_flink.environment(), sessions, given, {"source_sql_stream": MemorySource(CLICKS)}
        )
        pipeline.deliver()
        pipeline.execute().wait()

    return run


def test_each_sink_takes_its_rows_and_what_is_written_twice_is_one_item(
    local_aws: LocalAws, run_to_its_end: Any, items: Any
) -> None:
    since = datetime.now(UTC)
    with deployed(local_aws.aws, FUNCTION, HANDLER, TABLE_NAME=HANDLED):
        run_to_its_end(
            sink={"type": "dynamodb", "table": TABLE}, closed={"type": "lambda", "function": FUNCTION}
        )
    once = {
        f"{user}_desktop_{time}": {
            "session_time": {"S": time},
            "user_id": {"S": user},
            "latest_time": {"S": time},
        }
        for user, time in (("a", "12:00:00"), ("b", "12:00:01"), ("a", "12:00:15"), ("a", "12:01:00"))
    }
    assert items(TABLE) == once
    handled = {
        session: (item["session_time"]["S"], item["pages"]["S"]) for session, item in items(HANDLED).items()
    }
    assert handled == {
        "a_desktop_12:00:00": ("12:00:00", "['search', 'detail', 'search']"),
        "b_desktop_12:00:01": ("12:00:01", "['search']"),
        "a_desktop_12:00:15": ("12:00:15", "['search']"),
        "a_desktop_12:01:00": ("12:01:00", "['search']"),
    }

    with deployed(local_aws.aws, FUNCTION, REFUSING):
        run_to_its_end(
            sink={"function": FUNCTION, "max_retries": "1"}, closed={"type": "dynamodb", "table": TABLE}
        )
    # The same keys, now with the values at the end of the sessions.
    assert items(TABLE).keys() == once.keys()
    assert items(TABLE)["a_desktop_12:00:00"] == {
        "user_id": {"S": "a"},
        "session_time": {"S": "12:00:00"},
        "session_start": {"S": "2024-01-31 12:00:00.000"},
        "session_end": {"S": "2024-01-31 12:00:02.000"},
        "number_of_events": {"N": "3"},
        "duration_ms": {"N": "2000"},
        "pages": {"L": [{"S": "search"}, {"S": "detail"}, {"S": "search"}]},
    }
    # Rows that the function still refuses after all retries are reported.
    kinesis, stream = local_aws.client("kinesis"), local_aws.outputs["sessions"]["ErrorStreamName"]
    reported = [json.loads(record.data) for record in StreamReader(kinesis, stream, since).read()]
    (error,) = [error for error in reported if error["error_name"] == "DeliveryFailed"]
    assert error["pump_name"] == "sink"
    assert json.loads(bytes.fromhex(error["data_row"])) == {
        "session_id": "b_desktop_12:00:01",
        "session_time": "12:00:01",
        "latest_time": "12:00:01",
        "user_id": "b",
    }
