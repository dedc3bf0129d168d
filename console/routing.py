"""What all routes of the HTTP API share: reading bodies, and turning errors into answers."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from base.errors import KdaError
from console.applications import Unknown
from console.job_view import JobError
from console.standby import StandbyError
from discovery.schema import DiscoveryError
from infra.stream_reader import StreamError
from workbench.problems import Refused
from workbench.store import Conflict, StoreError

MOST_BODY = 2_000_000
Handler = Callable[[Request], Awaitable[Response]]


class BodyError(KdaError, ValueError):
    """A request's body is not valid."""


async def body(request: Request, most: int = MOST_BODY) -> dict[str, Any]:
    """Parse a request's body; an empty body gives an empty object.

    Raises
    ------
    BodyError
        It is longer than `most` bytes, or not a JSON object.
    """
    data = b""
    async for chunk in request.stream():
        data += chunk
        if len(data) > most:
            raise BodyError(f"required at most {most:,} bytes")
    if not data:
        return {}
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        raise BodyError("required a JSON object") from None
    if not isinstance(found, dict):
        raise BodyError(f"required a JSON object, got {type(found).__name__}")
    return found


def refused(reason: str, status: int, **more: Any) -> Response:
    """An error answer, as the page expects it."""
    return JSONResponse({"error": reason[:2000], **more}, status)


def answered(handler: Handler) -> Handler:
    """Wrap a handler so that its errors become error answers."""

    async def handle(request: Request) -> Response:
        try:
            return await handler(request)
        except Unknown as error:
            return refused(error.args[0], 404)
        except Refused as error:
            problems = [p.as_json() for p in error.problems]
            return refused("the files have errors", 422, problems=problems)
        except Conflict as error:
            return refused(str(error), 409, revision=error.revision)
        except (StoreError, JobError, StandbyError, OSError) as error:
            return refused(str(error), 409)
        except (StreamError, DiscoveryError) as error:
            return refused(str(error), 422)
        except ClientError as error:
            said = error.response["Error"]
            return refused(f"{said.get('Message') or error} ({said['Code']})", 422)
        except BotoCoreError as error:
            return refused(str(error), 502)
        except KdaError as error:
            return refused(str(error), 400)

    return handle


def route(path: str, handler: Handler, method: str = "GET") -> Route:
    """A route whose errors become error answers."""
    return Route(path, answered(handler), methods=[method])
