"""Access control of the console: only its own page may call it, on loopback or with the token.

A browser sends requests to loopback for any web page. Three checks keep those out: the Host must be an address that the
console is bound to (so DNS rebinding fails), the Origin must be the console's own, and a request that changes something
must have an Origin. A console that is bound to any other address also requires a token.
"""

from __future__ import annotations

import ipaddress
import secrets
import socket
from dataclasses import dataclass

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from base.errors import InvalidValue

COOKIE = "kda_console"
#: The hashes allow an empty style element, which Plotly fills by script, and the one style attribute that it sets to
#: test the browser's features.
POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "style-src 'self' 'unsafe-hashes' 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=' "
    "'sha256-ji27qzEtxXZW+7dun6UwjHXJ18e6WAin1VvNtkzIE/o='; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}


def is_loopback(host: str) -> bool:
    """Whether an address to bind to is a loopback address."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


@dataclass(frozen=True)
class Guard:
    """ASGI middleware that refuses requests of other origins, and requests without the token.

    Parameters
    ----------
    app : ASGI application
    host : str
        Address that the console is bound to.
    token : str or None
        Token that every request must have; only on loopback it may be None.
    """

    app: ASGIApp
    host: str
    token: str | None = None

    def __post_init__(self) -> None:
        if self.token is None and not is_loopback(self.host):
            raise InvalidValue(f"a console bound to {self.host} must have a token")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        refusal = self._refusal(Request(scope))
        if refusal is not None:
            await refusal(scope, receive, _with_headers(send))
            return
        await self.app(scope, receive, _with_headers(send))

    def _refusal(self, request: Request) -> Response | None:
        headers = request.headers
        host, origin = headers.get("host", ""), headers.get("origin")
        if not self._is_ours(host):
            return PlainTextResponse(f"Host {host[:80]!r} is not an address of this console.", 421)
        if origin is not None and origin != f"http://{host}":
            return PlainTextResponse("Pages of another origin may not call this console.", 403)
        changes = request.method not in ("GET", "HEAD")
        if changes and origin is None:
            return PlainTextResponse("A request that changes something must have an Origin header.", 403)
        if request.scope["path"].startswith("/api/") and headers.get("sec-fetch-site", "same-origin") not in (
            "same-origin",
            "none",
        ):
            return PlainTextResponse("Pages of another site may not call this console.", 403)
        return None if self.token is None else self._token_refusal(request)

    def _is_ours(self, host_header: str) -> bool:
        name = host_header.rpartition(":")[0] if host_header.rpartition(":")[2].isdigit() else host_header
        name = name.lower()
        if name in ("localhost", self.host.lower(), f"[{self.host.lower()}]"):
            return True
        try:
            address = ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            return self.token is not None and name == socket.gethostname().lower()
        # DNS rebinding needs a name, not an address; beyond loopback the token is checked.
        return address.is_loopback or self.token is not None

    def _token_refusal(self, request: Request) -> Response | None:
        given = request.query_params.get("token", "")
        if request.scope["path"] == "/" and request.method == "GET" and self._is_token(given):
            # Move the token from the URL to a cookie that scripts can't read.
            answer = RedirectResponse("/", 303)
            answer.set_cookie(COOKIE, given, httponly=True, samesite="strict", path="/")
            return answer
        if self._is_token(request.cookies.get(COOKIE, "")):
            return None
        return PlainTextResponse("Open the address with the token that `kda console` printed.", 401)

    def _is_token(self, given: str) -> bool:
        return self.token is not None and secrets.compare_digest(given.encode(), self.token.encode())


def _with_headers(send: Send) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sent
