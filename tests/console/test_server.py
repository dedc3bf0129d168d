"""The page's interface: what it answers to right and wrong questions, and its stream of events."""

import asyncio
import contextlib
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from console import server
from console.controller import Controller
from console.jobs import JobError, JobView
from infra.flink_health import Health
from pipeline.catalog import JOBS, read

ORIGIN = {"origin": "http://127.0.0.1:8900", "content-type": "application/json"}


def unreachable(service: str) -> Any:
    raise ConnectionError("no AWS here")


class Idle:
    """A job that does not run and can't be started."""

    view = JobView(Health("stopped"))

    def start(self, resume: bool) -> None:
        raise JobError("not today")

    def stop(self) -> None:
        raise JobError("the job does not run")

    def close(self) -> None:
        pass


@pytest.fixture
def controllers() -> Iterator[dict[str, Controller]]:
    made = {"ctr": Controller(read(JOBS / "ctr"), unreachable, Idle())}
    yield made
    for controller in made.values():
        controller.close()


def ask(controllers: dict[str, Controller], method: str, path: str, **arguments: Any) -> httpx.Response:
    async def asked() -> httpx.Response:
        transport = httpx.ASGITransport(app=server.page_of(controllers, "127.0.0.1"))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8900") as client:
            return await client.request(method, path, **arguments)

    return asyncio.run(asked())


def test_the_page_and_what_it_needs_come_from_here(controllers: dict[str, Controller]) -> None:
    page = ask(controllers, "GET", "/").text
    for path in ("/static/app.css", "/static/app.js", "/static/plotly.min.js"):
        assert path in page
        assert ask(controllers, "GET", path).status_code == 200
    assert "http://" not in page
    assert "https://" not in page
    assert ask(controllers, "GET", "/static/../server.py").status_code == 404


def test_the_applications(controllers: dict[str, Controller]) -> None:
    (found,) = ask(controllers, "GET", "/api/applications").json()
    assert (found["name"], found["label"], found["running"], found["problem"]) == (
        "ctr", "Click-through rate", False, "",
    )  # fmt: skip
    nodes = [node for stage in found["flow"]["stages"] for node in stage]
    assert {"id": "scores", "label": "scores", "relation": "scores", "note": "random cut forest"} in nodes
    assert ["scores", "anomalies"] in found["flow"]["edges"]


def test_the_page_learns_which_application_runs(controllers: dict[str, Controller]) -> None:
    class Running(Idle):
        """Unknown at the first two looks."""

        looks = 0

        @property
        def view(self) -> JobView:
            self.looks += 1
            return JobView(Health("running", url="http://x") if self.looks > 2 else Health("unknown"))

    controllers["ctr"].job = Running()
    assert [found["running"] for found in ask(controllers, "GET", "/api/applications").json()] == [True]


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
def test_wrong_questions(controllers: dict[str, Controller], path: str, body: bytes, status: int) -> None:
    answer = ask(controllers, "POST", path, content=body, headers=ORIGIN)
    assert answer.status_code == (404 if "none/senders" in path else status)
    assert answer.json()["error"]
    assert not any(sender["running"] for sender in controllers["ctr"].senders.as_json())
    assert ask(controllers, "GET", path).status_code == 405


def test_events_say_what_is_wrong_and_go_on(
    controllers: dict[str, Controller], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "PUSH_SECONDS", 0.05)

    async def first_with_a_problem() -> dict[str, Any]:
        async with contextlib.aclosing(server._pushed(controllers["ctr"], "scores")) as events:
            async for event in events:
                if event.startswith("data: ") and (found := json.loads(event[6:]))["problem"]:
                    return found
        raise AssertionError("the stream ended")

    found = asyncio.run(asyncio.wait_for(first_with_a_problem(), 10))
    assert "no AWS here" in found["problem"]
    assert (found["ready"], found["job"]["state"], found["rows"]) == (False, "stopped", [])
    assert "pid" not in found["job"]
    assert ask(controllers, "GET", "/api/events?application=none").status_code == 404
