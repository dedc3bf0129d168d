"""HTTP API of backtests: upload a recording; start, show and stop a run."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from console.routing import body, route
from console.workbench import Workbench


def routes(workbench: Workbench) -> list[BaseRoute]:
    """The routes of a workbench's backtests."""
    backtests = workbench.backtests

    async def look(request: Request) -> Response:
        controller = await run_in_threadpool(workbench.controller, request.path_params["name"])
        return JSONResponse(await run_in_threadpool(backtests.state, controller))

    async def start(request: Request) -> Response:
        asked = await body(request)
        controller = await run_in_threadpool(workbench.controller, request.path_params["name"])
        await run_in_threadpool(backtests.start, controller, asked)
        return JSONResponse({}, 202)

    async def stop(request: Request) -> Response:
        controller = await run_in_threadpool(workbench.controller, request.path_params["name"])
        await run_in_threadpool(backtests.stop, controller.application.name)
        return JSONResponse({})

    async def recording(request: Request) -> Response:
        controller = await run_in_threadpool(workbench.controller, request.path_params["name"])
        return JSONResponse({"bytes": await backtests.take(controller.application.name, request.stream())})

    async def result(request: Request) -> Response:
        controller = await run_in_threadpool(workbench.controller, request.path_params["name"])
        return JSONResponse(backtests.result(controller.application.name))

    at = "/api/applications/{name}/backtest"
    return [
        route(at, look),
        route(at, start, "POST"),
        route(at, stop, "DELETE"),
        route(f"{at}/result", result),
        route(f"{at}/recording", recording, "PUT"),
    ]
