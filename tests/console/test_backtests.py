"""Backtests over the page's interface: settings are tried on a recording, in a process of its own."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from console.backtest_input import MOST_BYTES
from console.controller import Controller
from console.workbench import Workbench
from pipeline.application import read
from pipeline.catalog import JOBS
from tests.console.bench import Ask, Idle, asked, bench, unreachable
from tests.waiting import until

PATH = "/api/applications/watched/backtest"
START = datetime(2026, 3, 2, tzinfo=UTC)
DESCRIPTION = """
title: Watched
sources:
  rows: {stream: s, columns: {site: STRING, x: DOUBLE}}
relations:
  - {forest: scored, of: rows, columns: x, partition_by: site, sub_sample_size: 32}
"""


@pytest.fixture
def workbench(tmp_path: Path) -> Iterator[Workbench]:
    (tmp_path / "watched").mkdir()
    (tmp_path / "watched" / "application.yaml").write_text(DESCRIPTION)
    folders = {"watched": tmp_path / "watched", "sessions": JOBS / "sessions"}
    controllers = {name: Controller(read(folder), unreachable, Idle()) for name, folder in folders.items()}
    made = bench(tmp_path, controllers)
    yield made
    made.backtests.close()


@pytest.fixture
def ask(workbench: Workbench) -> Ask:
    return asked(workbench)


def ended(ask: Ask) -> dict[str, Any]:
    """Wait for the end of a run, and return its result."""
    until(lambda: not ask("GET", PATH).json()["running"], "the backtest's end")
    state: dict[str, Any] = ask("GET", PATH).json()
    return state


@pytest.mark.flink
def test_settings_are_tried_on_a_recording_and_on_its_rows_again(ask: Ask) -> None:
    rows = [
        (site, 10 + 0.1 * (k % 7) + 30 * (site == "<a>" and k >= 90))
        for k in range(100)
        for site in ("<a>", "b")
    ]
    times = [(START + timedelta(minutes=k // 2)).isoformat() for k in range(200)]
    records = [{"site": site, "x": x, "event_time": t} for (site, x), t in zip(rows, times, strict=True)]
    recording = "\n".join([*map(json.dumps, records), "no json", '{"event_time": "never"}']).encode()
    assert ask("PUT", f"{PATH}/recording", content=recording).json() == {"bytes": len(recording)}
    labels = "2026-03-02T01:29:00,2026-03-02T01:40:00\n"
    question = {"from": "recording", "settings": ["side=below"], "labels": labels, "suggest": True}
    assert ask("POST", PATH, json=question).status_code == 202
    assert ask("POST", PATH, json=question).status_code == 400, "one at a time"
    assert ask("GET", "/api/applications").status_code == 200, "the page stays alive"
    state = ended(ask)
    assert (state["error"], state["assumed"], state["of"]) == ("", True, "scored")
    found = ask("GET", f"{PATH}/result").json()
    assert (found["rows"], found["from"]) == (200, "2026-03-02 00:00:00.000")
    own, below, better = found["settings"]
    assert [s["name"] for s in (own, below)] == ["as it is", "side=below"]
    assert better["name"].startswith("sub_sample_size=32 threshold=")
    assert own["fits"][own["own"]] == {"alerts": 1, "precision": 1, "recall": 1, "delay": 60}
    assert below["fits"][below["own"]]["alerts"] == 0
    line = own["keys"][0]
    (place,) = line["alerts"][own["own"]]
    mark = line["marks"][place]
    assert (line["key"], mark["x"], mark["y"], mark["direction"]) == (
        "<a>",
        "2026-03-02 01:30:00.000",
        40.6,
        "HIGH",
    )
    assert {s["of"] for s in found["suggestions"]} == {"window", "sub_sample_size", "threshold"}

    # The rows are kept, so another setting needs no Flink. A run can be stopped.
    assert ask("POST", PATH, json={"from": "same", "settings": ["quiet_rows=5"]}).status_code == 202
    assert ended(ask)["number"] == 2
    assert [s["name"] for s in ask("GET", f"{PATH}/result").json()["settings"]] == [
        "as it is",
        "quiet_rows=5",
    ]
    assert ask("POST", PATH, json={"from": "recording"}).status_code == 202
    ask("DELETE", PATH)
    assert ended(ask)["error"] == "It was stopped."
    assert ask("GET", f"{PATH}/result").status_code == 400


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        ({}, "from must be one of tap, stream, recording, same"),
        ({"from": "recording"}, "choose a recording first"),
        ({"from": "same"}, "no rows of an earlier run"),
        ({"from": "tap", "hours": -1}, "hours must be more than 0"),
        ({"from": "tap", "hours": True}, "hours must be more than 0"),
        ({"from": "tap", "settings": ["side=up"]}, "detector.side"),
        ({"from": "tap", "settings": ["source.stream=x"]}, "property: required group.key=value"),
        ({"from": "tap", "settings": ["side=above"] * 7}, "at most 6"),
        ({"from": "tap", "settings": [1]}, "settings must be texts"),
        ({"from": "tap", "labels": "yesterday"}, "labels, line 1: required"),
        ({"from": "tap", "labels": "x" * 200_000}, "labels must be text of at most"),
    ],
)
def test_impossible_backtests_are_refused_before_anything_is_read(
    ask: Ask, question: Any, reason: str
) -> None:
    answer = ask("POST", PATH, json=question)
    assert answer.status_code == 400
    assert reason in answer.json()["error"]


def test_a_recording_is_bounded_and_a_backtest_needs_a_forest(ask: Ask) -> None:
    assert "empty" in ask("PUT", f"{PATH}/recording", content=b"").json()["error"]
    assert "at most" in ask("PUT", f"{PATH}/recording", content=b"x" * (MOST_BYTES + 1)).json()["error"]
    assert "choose a recording" in ask("POST", PATH, json={"from": "recording"}).json()["error"]
    assert ask("GET", "/api/applications/sessions/backtest").status_code == 400
    described = {a["name"]: a["backtest"] for a in ask("GET", "/api/applications").json()}
    assert described == {"watched": True, "sessions": False}


def test_a_stream_that_can_not_be_read_is_reported(ask: Ask) -> None:
    assert ask("POST", PATH, json={"from": "tap"}).status_code == 202
    assert ended(ask)["error"] == "no AWS here"
