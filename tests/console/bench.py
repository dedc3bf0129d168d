"""A workbench for tests without a browser: requests are made in this process, and its jobs never run."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from console.controller import Controller
from console.job_view import JobError, JobView
from console.server import page_of
from console.workbench import Workbench
from infra.flink_health import Health
from workbench.store import Store

ADDRESS = "http://127.0.0.1:8900"
Ask = Callable[..., httpx.Response]


class Idle:
    """A job that does not run and can't be started."""

    view = JobView(Health("stopped"))

    def start(self, resume: bool, leave_state: bool = False) -> None:
        raise JobError("not today")

    def stop(self) -> None:
        raise JobError("the job does not run")

    def run(self, leave_state: bool = False) -> None:
        raise JobError("not today")

    def close(self) -> None:
        pass


def unreachable(service: str) -> Any:
    raise ConnectionError("no AWS here")


def bench(
    folder: Path,
    controllers: dict[str, Controller] | None = None,
    client: Callable[[str], Any] = unreachable,
    **more: Any,
) -> Workbench:
    """A workbench with its state in a folder."""
    store = Store(folder / "workbench", folder / "applications")
    return Workbench(controllers or {}, store, client, lambda a: Controller(a, client, Idle()), **more)


def asked(workbench: Workbench) -> Ask:
    """Return a function that sends requests to the workbench as its own page does."""
    app = page_of(workbench, "127.0.0.1")

    def ask(method: str, path: str, **arguments: Any) -> httpx.Response:
        async def answer() -> httpx.Response:
            transport = httpx.ASGITransport(app=app)
            async with httpx.AsyncClient(transport=transport, base_url=ADDRESS) as client:
                return await client.request(method, path, **({"headers": {"origin": ADDRESS}} | arguments))

        return asyncio.run(answer())

    return ask
