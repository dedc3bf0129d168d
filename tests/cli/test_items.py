"""`kda items`: the newest first, and a stranger's text shown as it is."""

from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from cli import items

app = typer.Typer()
app.command()(items.items)

pytestmark = pytest.mark.aws


def kda_items(*arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments])


@pytest.fixture
def table(local_aws: Any, request: pytest.FixtureRequest) -> str:
    name = f"items-{request.node.name}"
    local_aws.client("dynamodb").create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": "session_id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "session_id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return name


def put(local_aws: Any, table: str, **item: str) -> None:
    local_aws.client("dynamodb").put_item(
        TableName=table, Item={name: {"S": value} for name, value in item.items()}
    )


def test_the_newest_come_first(local_aws: Any, table: str) -> None:
    for second in range(30):
        time = f"10:00:{second:02d}"
        put(local_aws, table, session_id=f"user1_{time}", session_time=time, user_id="user1")
    result = kda_items("--endpoint", local_aws.endpoint, "--table", table, "--limit", "3")
    assert result.exit_code == 0
    lines = [line for line in result.output.splitlines() if "user1_" in line]
    assert ["user1_10:00:29" in lines[0], "user1_10:00:28" in lines[1], "user1_10:00:27" in lines[2]] == [
        True
    ] * 3
    assert result.output.endswith(f"3 of 30 items of {table}\n")


def test_an_item_without_a_time_and_with_others_is_shown_too(local_aws: Any, table: str) -> None:
    put(local_aws, table, session_id="bare")
    local_aws.client("dynamodb").put_item(
        TableName=table, Item={"session_id": {"S": "more"}, "events": {"N": "17"}, "gone": {"NULL": True}}
    )
    result = kda_items("--endpoint", local_aws.endpoint, "--table", table)
    assert "bare" in result.output
    assert "events" in result.output
    assert "17" in result.output


def test_text_cannot_command_the_terminal(local_aws: Any, table: str) -> None:
    put(local_aws, table, session_id="\x1b[2Jgone", session_time="[red]10", user_id="a\nb")
    result = kda_items("--endpoint", local_aws.endpoint, "--table", table)
    assert "\x1b" not in result.output
    assert "\ufffd[2Jgone" in result.output
    assert "[red]10" in result.output
    assert "a\ufffdb" in result.output


def test_an_empty_table_and_a_missing_one(local_aws: Any, table: str) -> None:
    assert kda_items("--endpoint", local_aws.endpoint, "--table", table).output.endswith(
        f"0 of 0 items of {table}\n"
    )
    result = kda_items("--endpoint", local_aws.endpoint, "--table", "absent")
    assert result.exit_code == 1
    assert "kda items: table absent: " in result.output
    assert "ResourceNotFoundException" in result.output


def test_an_application_has_the_table_that_its_function_writes_to(
    local_aws: Any, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        items, "tables_of", lambda target, services: [table] if target.type == "lambda" else []
    )
    put(local_aws, table, session_id="s1", latest_time="10:00:00")
    result = kda_items("sessions", "--endpoint", local_aws.endpoint)
    assert result.output.endswith(f"1 of 1 items of {table}\n")
    result = kda_items("trades", "--endpoint", local_aws.endpoint)
    assert result.exit_code == 1
    assert "trades writes to no table" in result.output
    assert kda_items("--endpoint", local_aws.endpoint).exit_code == 2
