"""The console's web server: its page, its HTTP API, and a stream of events for each open page."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from console import backtest_api, operations_api, sources_api, workbench_api
from console.charts import PLOTLY
from console.controller import Controller
from console.guard import Guard
from console.routing import BodyError, body, refused, route
from console.samples import Samples
from console.streams import Streams
from console.workbench import Workbench

_STATIC = Path(__file__).parent / "static"
#: Time between two snapshots for an open page.
PUSH_SECONDS = 1.0
_MOST_BODY = 1000


def page_of(workbench: Workbench, host: str, token: str | None = None) -> Guard:
    """The console as an ASGI application.

    Parameters
    ----------
    workbench : Workbench
        Its applications.
    host : str
        Address that it is bound to.
    token : str or None
        Token that every request must have; only on loopback it may be None.
    """

    streams = Streams(workbench.client)

    async def page(request: Request) -> Response:
        return FileResponse(_STATIC / "index.html")

    async def charts(request: Request) -> Response:
        # The largest file, which never changes within a version.
        return FileResponse(PLOTLY, media_type="text/javascript", headers={"cache-control": "max-age=86400"})

    async def events(request: Request) -> Response:
        name = request.query_params.get("application", "")
        preview = request.query_params.get("preview", "") == "1"
        controller = await run_in_threadpool(workbench.shown, name, preview)
        relation = request.query_params.get("relation", "")[:128]
        headers = {"x-accel-buffering": "no"}
        return StreamingResponse(
            _pushed(
                controller, relation, name, lambda: not preview or workbench.previews.of(name) is controller
            ),
            media_type="text/event-stream",
            headers=headers,
        )

    async def ask_sender(request: Request) -> Response:
        what = request.path_params["what"]
        if what not in ("start", "stop"):
            return refused("there is no such action here", 404)
        controller = await run_in_threadpool(workbench.controller, request.path_params["name"])
        if what == "stop":
            controller.senders.stop(request.path_params["sender"])
        else:
            controller.senders.start(request.path_params["sender"], await _rate(request))
        return JSONResponse({})

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        streams.close()
        closing = [workbench.previews.close, workbench.standby.close, workbench.backtests.close]
        closing += [controller.close for controller in list(workbench.controllers.values())]
        await asyncio.gather(*map(run_in_threadpool, closing))

    routes = [
        Route("/", page),
        Route("/static/plotly.min.js", charts),
        Mount("/static", StaticFiles(directory=_STATIC)),
        route("/api/events", events),
        route("/api/applications/{name}/senders/{sender}/{what}", ask_sender, "POST"),
        *workbench_api.routes(workbench),
        *operations_api.routes(workbench),
        *backtest_api.routes(workbench),
        *sources_api.routes(workbench.client, Samples(workbench.client), streams),
    ]
    return Guard(Starlette(routes=routes, lifespan=lifespan), host, token)


async def _pushed(
    controller: Controller, relation: str, name: str, goes_on: Callable[[], bool] = lambda: True
) -> AsyncIterator[str]:
    yield "retry: 1000\n\n"
    before = ""
    while goes_on():
        # Not in the event loop: it waits for a lock that a reading thread may hold.
        snapshot = await run_in_threadpool(controller.snapshot, relation)
        moment = snapshot.pop("time")
        snapshot["application"] = name
        now = json.dumps(snapshot, default=str)
        # Send something even if nothing is new: after some seconds of silence, a page reports a lost connection.
        yield f"event: heartbeat\ndata: {moment}\n\n" if now == before else f"data: {now}\n\n"
        before = now
        await asyncio.sleep(PUSH_SECONDS)


async def _rate(request: Request) -> float | None:
    rate = (await body(request, _MOST_BODY)).get("rate")
    if rate is not None and (isinstance(rate, bool) or not isinstance(rate, int | float)):
        raise BodyError(f"rate must be a number, got {str(rate)[:40]!r}")
    return None if rate is None else float(rate)
