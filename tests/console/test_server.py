"""The page's interface: its answers to valid and invalid requests, and its stream of events."""

import asyncio
import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from console import server
from console.controller import Controller
from console.job_view import JobView
from infra.flink_health import Health
from pipeline.catalog import JOBS, read
from tests.console.bench import Ask, Idle, asked, bench, unreachable

ORIGIN = {"origin": "http://127.0.0.1:8900", "content-type": "application/json"}


@pytest.fixture
def controllers(tmp_path: Path) -> Iterator[dict[str, Controller]]:
    made = {"ctr": Controller(read(JOBS / "ctr"), unreachable, Idle())}
    yield made
    for controller in made.values():
        controller.close()


@pytest.fixture
def ask(controllers: dict[str, Controller], tmp_path: Path) -> Ask:
    return asked(bench(tmp_path, controllers))


def test_the_page_and_what_it_needs_come_from_here(ask: Ask) -> None:
    page = ask("GET", "/").text
    for path in ("/static/app.css", "/static/app.js", "/static/plotly.min.js"):
        assert path in page
        assert ask("GET", path).status_code == 200
    assert "http://" not in page
    assert "https://" not in page
    assert ask("GET", "/static/../server.py").status_code == 404


def test_the_applications(ask: Ask) -> None:
    (found,) = ask("GET", "/api/applications").json()
    assert (found["name"], found["label"], found["running"], found["problem"]) == (
        "ctr", "Click-through rate", False, "",
    )  # fmt: skip
    assert (found["origin"], found["form"]) == ("example", "flink")
    nodes = [node for stage in found["flow"]["stages"] for node in stage]
    assert {
        "id": "scores",
        "label": "scores",
        "relation": "scores",
        "note": "random cut forest and detector",
    } in nodes
    assert ["scores", "anomalies"] in found["flow"]["edges"]


def test_the_page_learns_which_application_runs(ask: Ask, controllers: dict[str, Controller]) -> None:
    class Running(Idle):
        """Unknown at the first two looks."""

        looks = 0

        @property
        def view(self) -> JobView:
            self.looks += 1
            return JobView(Health("running", url="http://x") if self.looks > 2 else Health("unknown"))

    controllers["ctr"].job = Running()
    assert [found["running"] for found in ask("GET", "/api/applications").json()] == [True]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/api/applications/none/senders/clicks-1/start", b"", 400),
        ("/api/applications/ctr/senders/none/start", b"", 400),
        ("/api/applications/ctr/senders/clicks-1/explode", b"", 404),
        ("/api/applications/ctr/senders/clicks-1/start", b"no json", 400),
        ("/api/applications/ctr/senders/clicks-1/start", b'{"rate": "1"}', 400),
        ("/api/applications/ctr/senders/clicks-1/start", b'{"rate": NaN}', 400),
        ("/api/applications/ctr/senders/clicks-1/start", b'{"rate": 1e9}', 400),
        ("/api/applications/ctr/senders/clicks-1/start", b'"' + b"x" * 100_000 + b'"', 400),
        ("/api/applications/ctr/job/start", b"", 409),
        ("/api/applications/ctr/job/resume", b"", 409),
        ("/api/applications/ctr/job/stop", b"", 409),
        ("/api/applications/ctr/job/explode", b"", 404),
    ],
)
def test_invalid_requests(
    ask: Ask, controllers: dict[str, Controller], path: str, body: bytes, status: int
) -> None:
    answer = ask("POST", path, content=body, headers=ORIGIN)
    assert answer.status_code == (404 if "none/senders" in path else status)
    assert answer.json()["error"]
    assert not any(sender["running"] for sender in controllers["ctr"].senders.as_json())
    assert ask("GET", path).status_code == 405


def test_events_say_what_is_wrong_and_go_on(
    ask: Ask, controllers: dict[str, Controller], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "PUSH_SECONDS", 0.05)

    async def first_with_a_problem() -> dict[str, Any]:
        async with contextlib.aclosing(server._pushed(controllers["ctr"], "scores", "ctr")) as events:
            async for event in events:
                if event.startswith("data: ") and (found := json.loads(event[6:]))["problem"]:
                    return found
        raise AssertionError("the stream ended")

    found = asyncio.run(asyncio.wait_for(first_with_a_problem(), 10))
    assert "no AWS here" in found["problem"]
    assert (found["ready"], found["job"]["state"], found["rows"]) == (False, "stopped", [])
    assert "pid" not in found["job"]
    assert ask("GET", "/api/events?application=none").status_code == 404
