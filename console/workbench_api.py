"""HTTP API of applications: list, create, edit, check, plan, preview, save, run."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from console.applications import Unknown
from console.routing import Handler, body, refused, route
from console.workbench import Workbench
from workbench.problems import Refused

_FIRST_LOOK_SECONDS = 3.0


def routes(workbench: Workbench) -> list[BaseRoute]:
    """The routes of a workbench."""

    async def applications(request: Request) -> Response:
        # The page opens a running application: wait until a console that just started knows which ones run.
        deadline = time.monotonic() + _FIRST_LOOK_SECONDS
        while any(c.job.view.health.state == "unknown" for c in list(workbench.controllers.values())):
            if time.monotonic() > deadline:
                break
            await asyncio.sleep(0.05)
        return JSONResponse(await run_in_threadpool(lambda: list(workbench.described())))

    async def create(request: Request) -> Response:
        asked = await body(request)
        made = await run_in_threadpool(
            workbench.create, asked.get("name"), asked.get("title"), asked.get("from")
        )
        return JSONResponse(made, 201)

    async def document(request: Request) -> Response:
        return JSONResponse(await run_in_threadpool(workbench.document, _name(request)))

    async def put_draft(request: Request) -> Response:
        asked = await body(request)
        revision = await run_in_threadpool(
            workbench.put_draft, _name(request), asked.get("files"), asked.get("revision")
        )
        return JSONResponse({"revision": revision})

    async def check(request: Request) -> Response:
        found = await run_in_threadpool(workbench.check, _name(request), (await body(request)).get("files"))
        answer = {
            "problems": [p.as_json() for p in found.problems],
            "relations": found.relations,
            "statements": found.statements,
            "left_out": list(found.left_out),
            "migration": found.migration or None,
            "changes": workbench.changes(_name(request), found),
        }
        return JSONResponse(answer)

    async def plan(request: Request) -> Response:
        name = _name(request)
        try:
            found, more = await run_in_threadpool(workbench.plan, name, (await body(request)).get("files"))
        except Refused as error:
            return JSONResponse({"problems": [p.as_json() for p in error.problems]})
        return JSONResponse({"problems": [p.as_json() for p in found.problems], **more})

    async def save(request: Request) -> Response:
        asked = await body(request)
        given = (asked.get("files"), asked.get("revision"), asked.get("note"), asked.get("leave_out") is True)
        number = await run_in_threadpool(workbench.save, _name(request), *given)
        revision = (await run_in_threadpool(workbench.document, _name(request)))["revision"]
        return JSONResponse({"number": number, "revision": revision, "problems": []})

    async def version(request: Request) -> Response:
        name, number = _name(request), request.path_params["number"]
        if name not in workbench.store:
            raise Unknown(f"{name} has no versions")
        found = await run_in_threadpool(workbench.store.version, name, number)
        return JSONResponse(found.as_json())

    async def ask_job(request: Request) -> Response:
        name, what = _name(request), request.path_params["what"]
        if what not in ("start", "resume", "run", "stop"):
            return refused("there is no such action here", 404)
        job = (await run_in_threadpool(workbench.controller, name)).job
        leave_state = (await body(request)).get("leave_state") is True
        if what == "stop":
            await run_in_threadpool(job.stop)
            return JSONResponse({})
        if what == "run":
            await run_in_threadpool(job.run, leave_state)
        else:
            await run_in_threadpool(job.start, what == "resume", leave_state)
        await run_in_threadpool(workbench.started, name)
        return JSONResponse({})

    async def ask_preview(request: Request) -> Response:
        name, what = _name(request), request.path_params["what"]
        if what not in ("start", "stop"):
            return refused("there is no such action here", 404)
        if what == "stop":
            await run_in_threadpool(workbench.previews.stop, name)
        else:
            asked = await body(request)
            leave_out = asked.get("leave_out") is True
            await run_in_threadpool(workbench.preview, name, asked.get("files"), leave_out)
        return JSONResponse({})

    async def rows(request: Request) -> Response:
        asked = request.query_params
        after = asked.get("after", "0")
        if not after.isdecimal() or len(after) > 15:
            return refused("after must be the number of a row", 400)
        controller = await run_in_threadpool(workbench.shown, _name(request), asked.get("preview") == "1")
        relation = asked.get("relation", "")[:128]
        return JSONResponse(await run_in_threadpool(controller.rows, relation, int(after)))

    at = "/api/applications/{name}"
    return [
        route("/api/applications", applications),
        route("/api/applications", create, "POST"),
        route(at, _done(workbench.delete), "DELETE"),
        route(f"{at}/document", document),
        route(f"{at}/draft", put_draft, "PUT"),
        route(f"{at}/draft", _done(workbench.drop_draft), "DELETE"),
        route(f"{at}/check", check, "POST"),
        route(f"{at}/plan", plan, "POST"),
        route(f"{at}/save", save, "POST"),
        route(f"{at}/versions/{{number:int}}", version),
        route(f"{at}/job/{{what}}", ask_job, "POST"),
        route(f"{at}/preview/{{what}}", ask_preview, "POST"),
        route(f"{at}/rows", rows),
    ]


def _name(request: Request) -> str:
    return str(request.path_params["name"])


def _done(act: Callable[[str], Any]) -> Handler:
    async def handle(request: Request) -> Response:
        await run_in_threadpool(act, _name(request))
        return JSONResponse({})

    return handle
