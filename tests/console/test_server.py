"""The page's interface: what it answers to right and wrong questions, and its stream of events."""

import asyncio
import contextlib
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from console.desk import Desk
from console.labs import LABS

from console import server
from console.jobs import JobError, JobView
from infra.flink_health import Health

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
def desks() -> Iterator[dict[str, Desk]]:
    made = {"ctr": Desk(LABS["ctr"], unreachable, Idle())}
    yield made
    for desk in made.values():
        desk.close()


def ask(desks: dict[str, Desk], method: str, path: str, **arguments: Any) -> httpx.Response:
    async def asked() -> httpx.Response:
        transport = httpx.ASGITransport(app=server.application(desks, "127.0.0.1"))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8900") as client:
            return await client.request(method, path, **arguments)

    return asyncio.run(asked())


def test_the_page_and_what_it_needs_come_from_here(desks: dict[str, Desk]) -> None:
    page = ask(desks, "GET", "/").text
    for path in ("/static/console.css", "/static/console.js", "/static/plotly.min.js"):
        assert path in page
        assert ask(desks, "GET", path).status_code == 200
    assert "http://" not in page
    assert "https://" not in page
    assert ask(desks, "GET", "/static/../server.py").status_code == 404


def test_the_labs(desks: dict[str, Desk]) -> None:
    (lab,) = ask(desks, "GET", "/api/labs").json()
    assert lab["name"] == "ctr"
    assert {"label": "scores", "relation": "scores", "note": "random cut forest"} in [
        node for stage in lab["flow"] for node in stage
    ]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/api/labs/none/senders/clicks-1/start", b"", 400),
        ("/api/labs/ctr/senders/none/start", b"", 400),
        ("/api/labs/ctr/senders/clicks-1/explode", b"", 404),
        ("/api/labs/ctr/senders/clicks-1/start", b"no json", 400),
        ("/api/labs/ctr/senders/clicks-1/start", b'{"rate": "1"}', 400),
        ("/api/labs/ctr/senders/clicks-1/start", b'{"rate": NaN}', 400),
        ("/api/labs/ctr/senders/clicks-1/start", b'{"rate": 1e9}', 400),
        ("/api/labs/ctr/senders/clicks-1/start", b'"' + b"x" * 100_000 + b'"', 400),
        ("/api/labs/ctr/job/start", b"", 409),
        ("/api/labs/ctr/job/resume", b"", 409),
        ("/api/labs/ctr/job/stop", b"", 409),
        ("/api/labs/ctr/job/explode", b"", 404),
    ],
)
def test_wrong_questions(desks: dict[str, Desk], path: str, body: bytes, status: int) -> None:
    answer = ask(desks, "POST", path, content=body, headers=ORIGIN)
    assert answer.status_code == (404 if "none/senders" in path else status)
    assert answer.json()["error"]
    assert not any(sender["running"] for sender in desks["ctr"].senders.as_json())
    assert ask(desks, "GET", path).status_code == 405


def test_events_say_what_is_wrong_and_go_on(desks: dict[str, Desk], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "PUSH_SECONDS", 0.05)

    async def first_with_a_problem() -> dict[str, Any]:
        async with contextlib.aclosing(server._pushed(desks["ctr"], "scores")) as events:
            async for event in events:
                if event.startswith("data: ") and (found := json.loads(event[6:]))["problem"]:
                    return found
        raise AssertionError("the stream ended")

    found = asyncio.run(asyncio.wait_for(first_with_a_problem(), 10))
    assert "no AWS here" in found["problem"]
    assert (found["ready"], found["job"]["state"], found["rows"]) == (False, "stopped", [])
    assert "pid" not in found["job"]
    assert ask(desks, "GET", "/api/events?lab=none").status_code == 404
