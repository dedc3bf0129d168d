"""Who may call the console: its own pages only; with a token if it is bound to another address than loopback."""

import asyncio
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from console.guard import COOKIE, POLICY, Guard

TOKEN = "t" * 32


async def answer(request: Any) -> PlainTextResponse:
    return PlainTextResponse("secret")


APP = Starlette(
    routes=[Route("/", answer), Route("/api/labs", answer), Route("/api/do", answer, methods=["POST"])]
)


class Browser:
    """Sends requests to a console bound to `host`."""

    def __init__(
        self, host: str = "127.0.0.1", token: str | None = None, base: str = "http://127.0.0.1:8900"
    ):
        self.transport, self.base = httpx.ASGITransport(app=Guard(APP, host, token)), base

    def ask(self, method: str, path: str, **headers: str) -> httpx.Response:
        async def asked() -> httpx.Response:
            async with httpx.AsyncClient(transport=self.transport, base_url=self.base) as client:
                return await client.request(
                    method, path, headers={k.replace("_", "-"): v for k, v in headers.items()}
                )

        return asyncio.run(asked())


@pytest.mark.parametrize("host", ["127.0.0.1:8900", "localhost:8900", "[::1]:8900", "LOCALHOST"])
def test_the_consoles_own_page_is_allowed(host: str) -> None:
    headers = {"host": host, "origin": f"http://{host}", "sec-fetch-site": "same-origin"}
    assert Browser().ask("GET", "/api/labs", **headers).text == "secret"
    assert Browser().ask("POST", "/api/do", **headers).text == "secret"


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/", {"host": "evil.example:8900"}, 421),  # a name that was re-bound to 127.0.0.1
        ("GET", "/", {"host": "127.0.0.1.evil.example"}, 421),
        ("GET", "/", {"host": "192.0.2.1:8900"}, 421),
        ("GET", "/", {"host": ""}, 421),
        ("GET", "/api/labs", {"origin": "http://evil.example"}, 403),
        ("GET", "/api/labs", {"origin": "null"}, 403),
        ("GET", "/api/labs", {"origin": "http://127.0.0.1:8901"}, 403),  # another program's page
        ("GET", "/api/labs", {"sec-fetch-site": "cross-site"}, 403),
        ("GET", "/api/labs", {"sec-fetch-site": "same-site"}, 403),
        ("POST", "/api/do", {}, 403),
        ("POST", "/api/do", {"origin": "https://127.0.0.1:8900"}, 403),
    ],
)
def test_other_pages_are_refused(method: str, path: str, headers: dict[str, str], status: int) -> None:
    refused = Browser().ask(method, path, **headers)
    assert refused.status_code == status
    assert "secret" not in refused.text


def test_a_console_bound_elsewhere_needs_a_token() -> None:
    with pytest.raises(ValueError, match="must have a token"):
        Browser("0.0.0.0")
    elsewhere = Browser("0.0.0.0", TOKEN, "http://192.0.2.1:8900")
    # In a URL the token counts only for the page itself.
    for path in ("/", "/api/labs", "/?token=wrong", "/?token=", f"/api/labs?token={TOKEN}"):
        assert elsewhere.ask("GET", path).status_code == 401
    assert elsewhere.ask("GET", "/", cookie=f"{COOKIE}=wrong").status_code == 401
    entered = elsewhere.ask("GET", f"/?token={TOKEN}")
    assert (entered.status_code, entered.headers["location"]) == (303, "/")
    assert "HttpOnly" in entered.headers["set-cookie"]
    assert "SameSite=strict" in entered.headers["set-cookie"]
    cookie = f"other=1; {COOKIE}={TOKEN}"
    assert elsewhere.ask("GET", "/api/labs", cookie=cookie).text == "secret"
    assert elsewhere.ask("GET", "/", host="evil.example", cookie=cookie).status_code == 421
    assert elsewhere.ask("POST", "/api/do", origin="http://evil.example", cookie=cookie).status_code == 403


def test_every_answer_has_the_policy() -> None:
    for given in (Browser().ask("GET", "/"), Browser().ask("GET", "/", host="evil.example")):
        assert given.headers["content-security-policy"] == POLICY
        assert given.headers["x-content-type-options"] == "nosniff"
    script = next(part for part in POLICY.split(";") if "script-src" in part)
    assert script.strip() == "script-src 'self'"
    assert "unsafe-inline" not in POLICY
    assert "unsafe-eval" not in POLICY
