"""The session writer: from a record to an item, and the whole of it on the local AWS."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from lambdas import session_writer
from lambdas.session_writer import to_item
from tests.lambdas.contract import CONTEXT, RUBBISH, event

ROW = {"SESSION_ID": "user1_desktop_10:00:00", "SESSION_TIME": "10:00:00", "USER_ID": "user1"}
ITEM = {
    "session_id": {"S": "user1_desktop_10:00:00"},
    "session_time": {"S": "10:00:00"},
    "user_id": {"S": "user1"},
}


class Table:
    def __init__(self) -> None:
        self.items: list[Any] = []

    def put_item(self, TableName: str, Item: dict[str, Any]) -> None:
        self.items.append((TableName, Item))


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Table:
    made = Table()
    monkeypatch.setattr(session_writer, "_client", lambda: made)
    monkeypatch.delenv("TABLE_NAME", raising=False)
    return made


def item(row: Any) -> dict[str, Any]:
    return to_item(event(row)["records"][0]["data"])


def test_names_are_taken_in_any_case_and_other_columns_left_out() -> None:
    assert item(ROW | {"LATEST_TIME": "10:00:05"}) == ITEM
    assert item({name.lower(): value for name, value in ROW.items()}) == ITEM


def test_numbers_become_strings() -> None:
    assert item(ROW | {"USER_ID": 17})["user_id"] == {"S": "17"}


@pytest.mark.parametrize("name", ["SESSION_ID", "SESSION_TIME", "USER_ID"])
@pytest.mark.parametrize("value", [None, "", True, [], {}])
def test_a_value_that_is_no_text_is_refused(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^{name.lower()} must be a text"):
        item(ROW | {name: value})


def test_bad_records_fail_alone(table: Table) -> None:
    answer = session_writer.handler(event(ROW, *RUBBISH, ROW), CONTEXT)
    assert [record["recordId"] for record in answer["records"]] == [
        str(index) for index in range(len(RUBBISH) + 2)
    ]
    assert [record["result"] for record in answer["records"]] == [
        "Ok",
        *["DeliveryFailed"] * len(RUBBISH),
        "Ok",
    ]
    assert table.items == [("CloudAcademyLabs", ITEM)] * 2


def test_what_there_is_no_time_for_is_left_for_the_next_call(table: Table) -> None:
    left = iter([60_000, 60_000, session_writer.LONGEST_WRITE, session_writer.LONGEST_WRITE - 1, 0])
    slow = SimpleNamespace(get_remaining_time_in_millis=lambda: next(left))
    answer = session_writer.handler(event(ROW, ROW, ROW, ROW), slow)
    assert [r["result"] for r in answer["records"]] == ["Ok", "Ok", "DeliveryFailed", "DeliveryFailed"]
    assert len(table.items) == 2


def test_a_function_of_three_seconds_does_its_work_too(table: Table) -> None:
    """Which is what Lambda gives one that asks for nothing."""
    brief = SimpleNamespace(get_remaining_time_in_millis=lambda: 3_000)
    answer = session_writer.handler(event(ROW, ROW), brief)
    assert [r["result"] for r in answer["records"]] == ["Ok", "Ok"]
    assert len(table.items) == 2


@pytest.mark.aws
def test_deployed_a_session_sent_twice_is_one_item(local_aws: Any) -> None:
    outputs = local_aws.outputs["sessions"]
    row = ROW | {"SESSION_ID": "deployed_desktop_10:00:00"}
    for _ in range(2):
        answer = local_aws.client("lambda").invoke(
            FunctionName=outputs["FunctionName"], Payload=json.dumps(event(row, b"{", row))
        )
        results = [record["result"] for record in json.loads(answer["Payload"].read())["records"]]
        assert results == ["Ok", "DeliveryFailed", "Ok"]
    items = local_aws.client("dynamodb").scan(TableName=outputs["TableName"])["Items"]
    assert [found for found in items if found["session_id"]["S"] == "deployed_desktop_10:00:00"] == [
        ITEM | {"session_id": {"S": "deployed_desktop_10:00:00"}}
    ]
