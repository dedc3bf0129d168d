"""Who may call the console: this machine's own pages, or who has the token; no page of another origin.

A browser sends requests to loopback for any page that asks it to. Three things keep those out: the Host must be one
that the console was bound to (a name that was re-bound to 127.0.0.1 is not), the Origin must be the console's own, and
a request that changes something must have one. What is bound elsewhere than loopback asks for a token as well.
"""

from __future__ import annotations

import ipaddress
import secrets
import socket
from dataclasses import dataclass
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from base.errors import InvalidValue

COOKIE = "kda_console"
#: The hashes are those of an empty style element, which Plotly makes and fills by script, and of the one style
#: attribute it sets, to find out what the browser can do.
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
    """Whether an address to bind to is this machine's alone."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


@dataclass(frozen=True)
class Guard:
    """ASGI middleware that lets the right requests through.

    Parameters
    ----------
    app : ASGI application
    host : str
        What the console is bound to.
    token : str or None
        Asked of every request; required unless the host is loopback.
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
        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            await refusal(scope, receive, _with_headers(send))
            return
        await self.app(scope, receive, _with_headers(send))

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        host, origin = headers.get("host", ""), headers.get("origin")
        if not self._is_ours(host):
            return PlainTextResponse(f"Host {host[:80]!r} is none of this console's.", 421)
        if origin is not None and origin != f"http://{host}":
            return PlainTextResponse("Pages of another origin may not call this console.", 403)
        changes = scope["method"] not in ("GET", "HEAD")
        if changes and origin is None:
            return PlainTextResponse("A request that changes something must name its Origin.", 403)
        if scope["path"].startswith("/api/") and headers.get("sec-fetch-site", "same-origin") not in (
            "same-origin",
            "none",
        ):
            return PlainTextResponse("Pages of another site may not call this console.", 403)
        return None if self.token is None else self._token_refusal(scope, headers)

    def _is_ours(self, host_header: str) -> bool:
        name = host_header.rpartition(":")[0] if host_header.rpartition(":")[2].isdigit() else host_header
        name = name.lower()
        if name in ("localhost", self.host.lower(), f"[{self.host.lower()}]"):
            return True
        try:
            address = ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            return self.token is not None and name == socket.gethostname().lower()
        # An address can't be re-bound as a name can; elsewhere than on loopback the token decides.
        return address.is_loopback or self.token is not None

    def _token_refusal(self, scope: Scope, headers: Headers) -> Response | None:
        query = parse_qs(scope["query_string"].decode("latin-1"))
        given = query.get("token", [""])[0]
        if scope["path"] == "/" and scope["method"] == "GET" and self._is_token(given):
            # Out of the address bar, and where no script can read it.
            answer = RedirectResponse("/", 303)
            answer.set_cookie(COOKIE, given, httponly=True, samesite="strict", path="/")
            return answer
        cookies = dict(
            part.strip().partition("=")[::2] for part in headers.get("cookie", "").split(";") if "=" in part
        )
        if self._is_token(cookies.get(COOKIE, "")):
            return None
        return PlainTextResponse("Open the address with the token that `kda console` printed.", 401)

    def _is_token(self, given: str) -> bool:
        return self.token is not None and secrets.compare_digest(given.encode(), self.token.encode())


def _with_headers(send: Send) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            present = {name.lower() for name, _ in message["headers"]}
            message["headers"] = [
                *message["headers"],
                *((k.encode(), v.encode()) for k, v in _HEADERS.items() if k.encode() not in present),
            ]
        await send(message)

    return sent
