"""The console's page and its interface: a few routes, and one stream of events for each open page."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import plotly
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from console.controller import Controller
from console.guard import Guard
from console.jobs import JobError
from console.sending import SenderError

_STATIC = Path(__file__).parent / "static"
PLOTLY = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
#: Between two looks at an application for an open page.
PUSH_SECONDS = 1.0
_MOST_BODY = 1000
_FIRST_LOOK_SECONDS = 3.0


def page_of(controllers: Mapping[str, Controller], host: str, token: str | None = None) -> Guard:
    """The console as an ASGI application.

    Parameters
    ----------
    controllers : mapping
        By name of application.
    host : str
        What it is bound to.
    token : str or None
        Asked of every request; required unless the host is loopback.
    """

    async def page(request: Request) -> Response:
        return FileResponse(_STATIC / "index.html")

    async def charts(request: Request) -> Response:
        # By far the largest file, and it never changes within a version.
        return FileResponse(PLOTLY, media_type="text/javascript", headers={"cache-control": "max-age=86400"})

    async def applications(request: Request) -> Response:
        # The page opens on an application that runs: a console that has just begun has not looked yet.
        deadline = time.monotonic() + _FIRST_LOOK_SECONDS
        while any(c.job.view.health.state == "unknown" for c in controllers.values()):
            if time.monotonic() > deadline:
                break
            await asyncio.sleep(0.05)
        return JSONResponse([controller.described() for controller in controllers.values()])

    async def events(request: Request) -> Response:
        controller = controllers.get(request.query_params.get("application", ""))
        if controller is None:
            return _refused(f"application must be one of {', '.join(controllers)}", 404)
        relation = request.query_params.get("relation", "")[:128]
        headers = {"x-accel-buffering": "no"}
        return StreamingResponse(
            _pushed(controller, relation), media_type="text/event-stream", headers=headers
        )

    async def ask_job(request: Request) -> Response:
        controller, what = controllers.get(request.path_params["name"]), request.path_params["what"]
        if controller is None or what not in ("start", "resume", "stop"):
            return _refused("there is no such job or action here", 404)
        act = controller.job.stop if what == "stop" else controller.job.start
        arguments = () if what == "stop" else (what == "resume",)
        try:
            await run_in_threadpool(act, *arguments)
        except (JobError, OSError) as error:
            return _refused(str(error), 409)
        return JSONResponse({})

    async def ask_sender(request: Request) -> Response:
        controller, what = controllers.get(request.path_params["name"]), request.path_params["what"]
        if controller is None or what not in ("start", "stop"):
            return _refused("there is no such application or action here", 404)
        try:
            if what == "stop":
                controller.senders.stop(request.path_params["sender"])
            else:
                controller.senders.start(request.path_params["sender"], await _rate(request))
        except (SenderError, ValueError) as error:
            return _refused(str(error), 400)
        return JSONResponse({})

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        await asyncio.gather(*(run_in_threadpool(c.close) for c in controllers.values()))

    routes = [
        Route("/", page),
        Route("/static/plotly.min.js", charts),
        Mount("/static", StaticFiles(directory=_STATIC)),
        Route("/api/applications", applications),
        Route("/api/events", events),
        Route("/api/applications/{name}/job/{what}", ask_job, methods=["POST"]),
        Route("/api/applications/{name}/senders/{sender}/{what}", ask_sender, methods=["POST"]),
    ]
    return Guard(Starlette(routes=routes, lifespan=lifespan), host, token)


async def _pushed(controller: Controller, relation: str) -> AsyncIterator[str]:
    yield "retry: 1000\n\n"
    before = ""
    while True:
        # Building it takes a lock that a reading thread may hold: not in the event loop.
        snapshot = await run_in_threadpool(controller.snapshot, relation)
        moment = snapshot.pop("time")
        now = json.dumps(snapshot, default=str)
        # Even when nothing is new: a page that hears nothing for some seconds says that the connection is lost.
        yield f"event: heartbeat\ndata: {moment}\n\n" if now == before else f"data: {now}\n\n"
        before = now
        await asyncio.sleep(PUSH_SECONDS)


async def _rate(request: Request) -> float | None:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MOST_BODY:
            raise ValueError(f"required at most {_MOST_BODY} bytes")
    if not body:
        return None
    given = json.loads(body)
    rate = given.get("rate") if isinstance(given, dict) else None
    if rate is not None and (isinstance(rate, bool) or not isinstance(rate, int | float)):
        raise ValueError(f"rate must be a number, got {str(rate)[:40]!r}")
    return None if rate is None else float(rate)


def _refused(reason: str, status: int) -> Response:
    return JSONResponse({"error": reason}, status)
