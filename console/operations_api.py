"""HTTP API of an application's operations: properties, log, bundle, deployment."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from console import deployments, operations
from console.routing import body, route
from console.workbench import Workbench
from workbench import language


def routes(workbench: Workbench) -> list[BaseRoute]:
    """The routes of the operations of a workbench's applications."""
    store = workbench.store

    async def properties(request: Request) -> Response:
        name = request.path_params["name"]
        controller = await run_in_threadpool(workbench.controller, name)
        return JSONResponse(operations.properties(controller, store.properties(name)))

    async def put_properties(request: Request) -> Response:
        name = request.path_params["name"]
        asked = await body(request)
        await run_in_threadpool(workbench.assign, name, asked.get("assignments"))
        controller = workbench.controller(name)
        return JSONResponse(operations.properties(controller, store.properties(name)))

    async def log(request: Request) -> Response:
        controller = await run_in_threadpool(workbench.shown, request.path_params["name"], _preview(request))
        return JSONResponse(await run_in_threadpool(operations.log, controller))

    async def bundle(request: Request) -> Response:
        name = request.path_params["name"]
        controller = await run_in_threadpool(workbench.controller, name)
        files = (await run_in_threadpool(workbench.document, name))["files"]
        made = await run_in_threadpool(operations.bundle, controller, files, store.properties(name))
        headers = {"content-disposition": f'attachment; filename="{controller.application.name}-bundle.zip"'}
        return Response(made, media_type="application/zip", headers=headers)

    async def steps(request: Request) -> Response:
        controller = await run_in_threadpool(workbench.shown, request.path_params["name"], _preview(request))
        return JSONResponse(await run_in_threadpool(controller.steps.shown, controller.application.shown))

    async def deployment(request: Request) -> Response:
        name = request.path_params["name"]
        controller = await run_in_threadpool(workbench.controller, name)
        plan = await run_in_threadpool(deployments.planned, controller.application, workbench.groups(name))
        return JSONResponse(plan | {"state": workbench.deployments.state(name)})

    async def deploy(request: Request) -> Response:
        controller = await run_in_threadpool(workbench.controller, request.path_params["name"])
        await run_in_threadpool(workbench.deployments.start, controller.application)
        return JSONResponse({})

    async def known(request: Request) -> Response:
        return JSONResponse(language.known())

    at = "/api/applications/{name}"
    return [
        route(f"{at}/properties", properties),
        route(f"{at}/properties", put_properties, "PUT"),
        route(f"{at}/log", log),
        route(f"{at}/bundle", bundle),
        route(f"{at}/steps", steps),
        route(f"{at}/deploy", deployment),
        route(f"{at}/deploy", deploy, "POST"),
        route("/api/language", known),
    ]


def _preview(request: Request) -> bool:
    return request.query_params.get("preview") == "1"
