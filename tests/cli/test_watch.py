"""`kda watch`: what it shows of an application's streams."""

import io
import json
from datetime import UTC, datetime
from typing import Any

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from cli import watch
from console.feed import Feed
from pipeline.application import ERRORS
from pipeline.catalog import JOBS, read
from tests.conftest import LocalAws

CTR, TRADES = read(JOBS / "ctr"), read(JOBS / "trades")


def shown(feed: Feed) -> str:
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(watch.picture(feed, rows=2))
    return console.export_text()


def test_relations_in_the_order_of_the_flow_with_rates_and_errors() -> None:
    feed, now = Feed(TRADES, lambda: None), datetime.now(UTC)
    for number in range(20):
        row = json.dumps({"id": number, "ticker_symbol": "[red]\x1b[2J"})
        record = {"relation": "temp_stream", "rowtime": "2024-01-31 12:00:00.5", "weight": 2.0, "data": row}
        feed.buffers.add_tapped(json.dumps(record).encode(), now)
    error = {"error_name": "INVALID_JSON", "message": "required a JSON object", "data_row": b"bad".hex()}
    feed.buffers.add_error(json.dumps(error).encode(), now, ERRORS)
    text = shown(feed)
    places = [text.index(f"{name}  ") for name in (*TRADES.shown, ERRORS)]
    assert places == sorted(places)
    assert "temp_stream  sampled, about 4.0/s, 40 rows" in text
    assert "[red]�[2J" in text
    assert "12:00:00.500" in text
    assert "INVALID_JSON" in text
    assert "bad" in text


def clicks(numbers: range) -> Feed:
    feed, now = Feed(CTR, lambda: None), datetime.now(UTC)
    columns = {
        "anomaly_score": 2.42805,
        "clickcount": 80.0,
        "ctr": 409.5238095,
        "forest_key": "",
        "site": "yourwebsiteurl.domain.com",
        "window_end": "2026-11-21T14:43:25",
        "expected_ctr": None,
    }
    for name in CTR.shown:
        for _ in numbers:
            record = {"relation": name, "rowtime": "2026-11-21 14:43:24.999", "data": json.dumps(columns)}
            feed.buffers.add_tapped(json.dumps(record).encode(), now)
    error = {"error_name": "INVALID_JSON", "message": "m" * 200, "data_row": b"bad".hex()}
    feed.buffers.add_error(json.dumps(error).encode(), now, ERRORS)
    return feed


@pytest.mark.parametrize(("height", "rows"), [(None, 60), (80, 48), (48, 12), (40, 12), (24, 4), (14, 0)])
def test_all_relations_and_the_errors_fit_into_the_terminal(height: int | None, rows: int) -> None:
    feed = clicks(range(9))
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(watch.picture(feed, rows=5, width=80, height=height))
    lines = console.export_text().splitlines()
    assert height is None or len(lines) < height
    assert [line for line in lines if line.startswith(ERRORS)]
    assert sum("14:43:24.999" in line for line in lines) == rows
    assert all(len(line) <= 80 for line in lines)
    if height == 24:  # what says the most: errors, where the rows end, where they begin, and their scores
        heads = [lines[i - 2].split()[0] for i, line in enumerate(lines) if "14:43:24.999" in line]
        assert {"source_sql_stream", "scored_ctr", "destination_sql_stream"} <= set(heads)


def test_numbers_are_whole_and_empty_columns_left_out() -> None:
    feed = clicks(range(1))
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(watch.picture(feed, rows=1, width=80))
    text = console.export_text()
    assert "14:43:24.999  2.42805        80          409.524  yourwebsiteurl.domain.com" in text
    assert "forest_key" not in text
    assert "expected_ctr" not in text


def test_columns_keep_the_relations_order_and_what_is_wide_comes_last() -> None:
    feed = Feed(TRADES, lambda: None)
    row = {"anomaly_explanation": "e" * 90, "id": 7, "ticker_symbol": "KO"}
    record = {"relation": "temp_stream", "columns": '["ticker_symbol","id","anomaly_explanation"]'}
    feed.buffers.add_tapped(json.dumps(record | {"data": json.dumps(row)}).encode(), datetime.now(UTC))
    head = next(line for line in shown(feed).splitlines() if "ticker_symbol" in line)
    assert head.split() == ["rowtime", "ticker_symbol", "id", "anomaly_explanation"]


def test_says_why_there_is_nothing_to_see() -> None:
    feed = Feed(CTR, lambda: None)
    feed.ready.set()
    assert "kda run ctr --tap" in shown(feed)
    feed.problem = "stream ctr-taps: gone"
    assert "stream ctr-taps: gone Trying again" in shown(feed)


@pytest.mark.aws
def test_reads_the_lab_streams(local_aws: LocalAws) -> None:
    def put(stream: str, record: dict[str, Any]) -> None:
        local_aws.client("kinesis").put_record(StreamName=stream, Data=json.dumps(record), PartitionKey="x")

    put(
        "lab-stream-taps",
        {"relation": "source_sql_stream", "rowtime": None, "weight": 1, "data": '{"user_id": "u7"}'},
    )
    app = typer.Typer()
    app.command()(watch.watch)
    result = CliRunner(env={"COLUMNS": "120"}).invoke(
        app, ["sessions", "--seconds", "3", "--endpoint", local_aws.endpoint]
    )
    assert result.exit_code == 0
    assert "u7" in result.output
    assert CliRunner().invoke(app, ["none", "--endpoint", local_aws.endpoint]).exit_code == 2
