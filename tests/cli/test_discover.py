"""`kda discover` against the local AWS: the table, the saved source, the call's answer, mistakes in one line."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from cli import discover
from pipeline.document import load
from tests.conftest import LocalAws

pytestmark = pytest.mark.aws
app = typer.Typer()
app.command()(discover.discover_stream)


@pytest.fixture(scope="module")
def stream(local_aws: LocalAws) -> str:
    kinesis = local_aws.client("kinesis")
    kinesis.create_stream(StreamName="discovered", ShardCount=2)
    kinesis.get_waiter("stream_exists").wait(StreamName="discovered")
    for number in range(40):
        record = {
            "userId": f"[red]u{number}",
            "price": 1.5,
            "geo": {"lat": number},
            "either": number if number % 2 else "x",
        }
        kinesis.put_record(StreamName="discovered", Data=json.dumps(record), PartitionKey=str(number))
    kinesis.put_record(StreamName="discovered", Data=b"no json", PartitionKey="x")
    return "discovered"


def kda(local_aws: LocalAws, *arguments: str) -> Any:
    return CliRunner(env={"COLUMNS": "160"}).invoke(app, [*arguments, "--endpoint", local_aws.endpoint])


def test_shows_columns_rows_and_what_does_not_fit(local_aws: LocalAws, stream: str) -> None:
    result = kda(local_aws, stream, "--seconds", "1")
    assert result.exit_code == 0
    for shown in ("user_id", "$.geo.lat", "40 of 40", "below 7.2%", "mixed: 20 numbers, 20 texts", "[red]u"):
        assert shown in result.output
    assert "1 record doesn't fit" in result.output
    # A note is whole at any width: it may be an expression to copy.
    narrow = CliRunner(env={"COLUMNS": "80"}).invoke(
        app, [stream, "--seconds", "1", "--endpoint", local_aws.endpoint]
    )
    assert "either: mixed: 20 numbers, 20 texts; as text" in narrow.output.splitlines()


def test_saves_what_a_job_reads(local_aws: LocalAws, stream: str, tmp_path: Path) -> None:
    path = tmp_path / "telemetry.yaml"
    assert kda(local_aws, stream, "--seconds", "1", "--save", str(path)).exit_code == 0
    source = load(path.read_text())["sources"]["telemetry"]
    assert source["stream"] == stream
    assert source["columns"]["geo_lat"] == "BIGINT $.geo.lat"


def test_json_is_the_calls_answer_and_nothing_else(local_aws: LocalAws, stream: str) -> None:
    answer = json.loads(kda(local_aws, stream, "--seconds", "1", "--records", "7", "--json").stdout)
    assert len(answer["RawInputRecords"]) == 7
    assert answer["InputSchema"]["RecordFormat"]["RecordFormatType"] == "JSON"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["absent", "--seconds", "0.1"], "stream absent: ResourceNotFoundException"),
        (["lab-stream-taps", "--seconds", "0.1", "--since", "0"], "no record came within 0.1 s"),
    ],
)
def test_mistakes_are_one_line(local_aws: LocalAws, arguments: list[str], message: str) -> None:
    result = kda(local_aws, *arguments)
    assert result.exit_code == 1
    assert message in result.output
    assert len(result.output.strip().splitlines()) == 1
