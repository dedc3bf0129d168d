"""`kda produce trades` against the local AWS, and against one that refuses records."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from cli import produce
from generator.sinks import Delivery, Record
from infra import local
from tests.readers import on_stream

app = typer.Typer()
app.command()(produce.produce)


def kda_produce(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["trades", *arguments], env={"COLUMNS": "200"})


@pytest.fixture
def stream(local_aws: Any, request: pytest.FixtureRequest) -> str:
    name = f"produce-{request.node.name}"
    kinesis = local_aws.client("kinesis")
    kinesis.create_stream(StreamName=name, ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 1})
    return name


def arrived(local_aws: Any, stream: str) -> list[dict[str, Any]]:
    return [json.loads(record) for record in on_stream(local_aws.client("kinesis"), stream)]


@pytest.mark.aws
def test_it_sends_the_trades_and_lists_the_anomalies(local_aws: Any, stream: str, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.jsonl"
    result = kda_produce(
        *("--endpoint", local_aws.endpoint, "--stream", stream, "--ledger", str(ledger)),
        *("--rate", "5000", "--count", "1234", "--seed", "1", "--anomaly-share", "0.1"),
    )
    assert result.exit_code == 0, result.output
    trades = arrived(local_aws, stream)
    assert [trade["id"] for trade in trades] == list(range(1, 1235))
    listed = [json.loads(line) for line in ledger.read_text().splitlines()]
    assert 120 <= len(listed) <= 127
    assert [trade for trade in trades if trade in listed] == listed
    assert result.output.startswith("1,234 records sent (")
    assert result.output.endswith(f"/s), {len(listed)} of them anomalous, 0 failed\n")


@pytest.mark.aws
def test_the_rate_is_kept(local_aws: Any, stream: str) -> None:
    start = produce.time.monotonic()
    kda_produce("--endpoint", local_aws.endpoint, "--stream", stream, "--rate", "100", "--count", "60")
    took = produce.time.monotonic() - start
    # The first batch goes at once, the last of six after half a second.
    assert 0.5 <= took < 2


@pytest.mark.aws
def test_it_ends_after_so_many_seconds_trades(local_aws: Any, stream: str) -> None:
    there = ("--endpoint", local_aws.endpoint, "--stream", stream, "--rate", "100")
    assert kda_produce(*there, "--seconds", "0.4").output.startswith("40 records sent")
    assert kda_produce(*there, "--seconds", "60", "--count", "7").output.startswith("7 records sent")
    assert len(arrived(local_aws, stream)) == 47


@pytest.mark.aws
def test_a_missing_stream_is_one_line(local_aws: Any) -> None:
    result = kda_produce("--endpoint", local_aws.endpoint, "--stream", "absent", "--count", "1")
    assert result.exit_code == 1
    assert "kda produce trades: " in result.output
    assert "ResourceNotFoundException" in result.output
    assert "Traceback" not in result.output


def test_without_an_aws_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(local, "DATA", tmp_path / "none")
    result = kda_produce("--count", "1")
    assert result.exit_code == 2
    assert "kda local up" in result.output
    result = kda_produce("--count", "1", "--aws", "--endpoint", "http://127.0.0.1:1")
    assert result.exit_code == 2
    assert "not both" in result.output


class Sink:
    """Takes even ids; a batch may be interrupted."""

    def __init__(self, interrupted_from: int) -> None:
        self.interrupted_from = interrupted_from

    def send(self, records: list[Record]) -> Delivery:
        ids = [json.loads(record.text)["id"] for record in records]
        if ids[0] >= self.interrupted_from:
            raise KeyboardInterrupt
        taken = [record for id_, record in zip(ids, records, strict=True) if id_ % 2 == 0]
        return Delivery(sent=taken, failed=[record for record in records if record not in taken])


def test_what_is_refused_to_the_end_is_counted_and_not_listed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(produce.sinks, "kinesis", lambda client, stream: Sink(10**9))
    ledger = tmp_path / "ledger.jsonl"
    result = kda_produce(
        *("--endpoint", "http://127.0.0.1:1", "--count", "100", "--rate", "100000"),
        *("--anomaly-share", "1", "--ledger", str(ledger)),
    )
    assert result.exit_code == 1
    assert result.output.startswith("50 records sent (")
    assert result.output.endswith("50 of them anomalous, 50 failed\n")
    assert [json.loads(line)["id"] for line in ledger.read_text().splitlines()] == list(range(2, 101, 2))


def test_ctrl_c_ends_it_with_its_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(produce.sinks, "kinesis", lambda client, stream: Sink(21))
    result = kda_produce("--endpoint", "http://127.0.0.1:1", "--rate", "100")
    assert result.exit_code == 1
    assert result.output.startswith("10 records sent (")


@pytest.mark.parametrize(
    ("name", "reason"), [("ctr", "ctr has no producer among its senders"), ("none", "must be one of")]
)
def test_an_application_without_a_producer_is_one_line(name: str, reason: str) -> None:
    result = CliRunner().invoke(app, [name, "--count", "1", "--endpoint", "http://127.0.0.1:1"])
    assert result.exit_code == 2
    assert reason in result.output
