"""HTTP API of what applications read and write: streams, samples, destinations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from console import streams
from console.routing import BodyError, body, route
from console.samples import Samples
from console.streams import Streams
from workbench.names import stream_name
from workbench.safety import is_remote


def routes(client: Callable[[str], Any], samples: Samples, known: Streams) -> list[BaseRoute]:
    """The routes of an account's streams and destinations."""

    async def listed(request: Request) -> Response:
        return JSONResponse(await run_in_threadpool(known.listed))

    async def create(request: Request) -> Response:
        asked = await body(request)
        name = stream_name(asked.get("name") or streams.DEMO_STREAM)
        template = asked.get("template", streams.DEMO_TEMPLATE)
        is_new = await run_in_threadpool(known.create, name)
        if template is not None:
            known.send(name, _text(asked, "template", streams.DEMO_TEMPLATE), _rate(asked, streams.DEMO_RATE))
        return JSONResponse({"name": name, "new": is_new}, 201)

    async def send(request: Request) -> Response:
        asked, name = await body(request), stream_name(request.path_params["stream"])
        known.send(name, _text(asked, "template"), _rate(asked, streams.DEMO_RATE))
        return JSONResponse({})

    async def stop(request: Request) -> Response:
        template = (await body(request)).get("template")
        known.stop(request.path_params["stream"], str(template) if template else None)
        return JSONResponse({})

    async def generators(request: Request) -> Response:
        return JSONResponse(await run_in_threadpool(streams.examples))

    async def discover(request: Request) -> Response:
        asked = await body(request)
        kind = _text(asked, "kind", "kinesis")
        if kind not in ("kinesis", "firehose", "s3"):
            raise BodyError(f"kind must be kinesis, firehose or s3, got {kind[:40]!r}")
        name = _path(asked) if kind == "s3" else stream_name(asked.get("stream"))
        function = asked.get("preprocess")
        found = await run_in_threadpool(samples.discover, name, kind, str(function) if function else None)
        return JSONResponse(found)

    async def decode(request: Request) -> Response:
        asked = await body(request)
        return JSONResponse(await run_in_threadpool(samples.decode, asked.get("sample"), asked.get("schema")))

    async def targets(request: Request) -> Response:
        return JSONResponse(await run_in_threadpool(streams.targets, client))

    async def tried(request: Request) -> Response:
        asked = await body(request)
        options = asked.get("options")
        key = options.get("key") if isinstance(options, dict) else None
        found = await run_in_threadpool(
            streams.tried, client, _text(asked, "type"), _text(asked, "name"), str(key) if key else None
        )
        return JSONResponse(found)

    return [
        route("/api/streams", listed),
        route("/api/streams", create, "POST"),
        route("/api/streams/{stream}/send", send, "POST"),
        route("/api/streams/{stream}/stop", stop, "POST"),
        route("/api/generators", generators),
        route("/api/discover", discover, "POST"),
        route("/api/decode", decode, "POST"),
        route("/api/targets", targets),
        route("/api/destinations/test", tried, "POST"),
    ]


def _text(asked: dict[str, Any], key: str, default: str = "") -> str:
    value = asked.get(key, default)
    if not isinstance(value, str) or not 1 <= len(value) <= 1000:
        raise BodyError(f"{key}: required text, got {str(value)[:40]!r}")
    return value


def _path(asked: dict[str, Any]) -> str:
    path = _text(asked, "path")
    if not is_remote(path):
        raise BodyError(f"path must look like s3://bucket/key, got {path[:60]!r}")
    return path


def _rate(asked: dict[str, Any], default: float) -> float:
    rate = asked.get("rate", default)
    if isinstance(rate, bool) or not isinstance(rate, int | float):
        raise BodyError(f"rate must be a number, got {str(rate)[:40]!r}")
    return float(rate)
