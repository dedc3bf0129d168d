"""A reverse proxy between a job and AWS, which records every call and injects faults by a rule."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Call:
    """One request: ``service`` and ``operation`` as AWS's JSON protocol names them, ``body`` as parsed JSON.

    The invocation of a function is Lambda's operation Invoke.
    """

    service: str
    operation: str
    body: dict[str, Any]
    path: str
    method: str


@dataclass(frozen=True)
class Fault:
    """A fault of a call, before or instead of passing it on.

    Parameters
    ----------
    delay : float
        Seconds to wait first.
    status : int
        Answer this instead of passing it on; 0: pass it on.
    error : str
        With ``status``: AWS's error code.
    answer : str
        With ``status``: the whole answer, in JSON, instead of an error.
    function_error : bool
        With ``answer``: mark it as that of a function that failed.
    reset : bool
        Cut the connection instead of answering.
    fail_records : int
        Of a PutRecords or PutRecordBatch call, answer that this many first records failed, and pass on the others.
    """

    delay: float = 0.0
    status: int = 0
    error: str = "InternalFailure"
    answer: str = ""
    function_error: bool = False
    reset: bool = False
    fail_records: int = 0


Rule = Callable[[Call], Fault | None]


@dataclass
class Proxy:
    """A running proxy.

    Attributes
    ----------
    endpoint : str
    upstream : str
        URL that calls are passed on to; may change while the proxy runs. If it does not answer, the call is cut off.
    routes : dict
        Another upstream for some services, by name in lower case.
    rule : callable
        Returns the fault of a call, or None to pass it on. May change while the proxy runs.
    calls : list of Call
        Every call so far.
    faults : int
        Number of calls with a fault.
    """

    endpoint: str
    upstream: str
    routes: dict[str, str] = field(default_factory=dict)
    rule: Rule = lambda call: None
    calls: list[Call] = field(default_factory=list)
    faults: int = 0


@contextlib.contextmanager
def running_proxy(upstream: str) -> Iterator[Proxy]:
    """Run a proxy in front of ``upstream`` until the block ends."""

    class Handler(_Handler):
        pass

    server = _Server(("127.0.0.1", 0), Handler)
    proxy = Handler.proxy = Proxy(f"http://127.0.0.1:{server.server_address[1]}", upstream)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()


class _Away(ConnectionError):
    """The upstream does not answer."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a client that closed its connection, or whose connection was cut."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy: Proxy

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        scope = self.headers.get("Authorization", "")
        call = _call(self.headers.get("X-Amz-Target", ""), scope, raw, self.path, self.command)
        self.proxy.calls.append(call)
        fault = self.proxy.rule(call)
        self.proxy.faults += fault is not None
        try:
            self._handle(call, raw, fault or Fault())
        except _Away:
            self._cut()

    do_GET = do_PUT = do_DELETE = do_HEAD = do_POST

    def _handle(self, call: Call, raw: bytes, fault: Fault) -> None:
        time.sleep(fault.delay)
        if fault.reset:
            self._cut()
        elif fault.answer:
            headers = [("Content-Type", "application/x-amz-json-1.0")]
            headers += [("X-Amz-Function-Error", "Unhandled")] if fault.function_error else []
            self._answer(fault.status, headers, fault.answer.encode())
        elif fault.status:
            body = json.dumps({"__type": fault.error, "message": "injected"}).encode()
            headers = [("Content-Type", "application/x-amz-json-1.1"), ("x-amzn-ErrorType", fault.error)]
            self._answer(fault.status, headers, body)
        elif fault.fail_records:
            self._answer(*self._pass_on_partly(call, fault))
        else:
            self._answer(*self._pass_on(raw, call.service))

    def _cut(self) -> None:
        # With a linger of zero the kernel sends a reset instead of closing the connection properly.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def _pass_on(self, raw: bytes, service: str = "") -> tuple[int, list[tuple[str, str]], bytes]:
        target = urlsplit(self.proxy.routes.get(service.lower(), self.proxy.upstream))
        connection = http.client.HTTPConnection(target.hostname or "", target.port, timeout=60)
        try:
            headers = {
                k: v for k, v in self.headers.items() if k.lower() not in ("connection", "content-length")
            }
            connection.request(self.command, self.path, raw, headers)
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        except (OSError, http.client.HTTPException) as e:
            raise _Away from e
        finally:
            connection.close()

    def _pass_on_partly(self, call: Call, fault: Fault) -> tuple[int, list[tuple[str, str]], bytes]:
        records = call.body["Records"]
        failed = min(fault.fail_records, len(records))
        refused = {"ErrorCode": "ServiceUnavailableException", "ErrorMessage": "injected"}
        taken: dict[str, Any] = {}
        if failed < len(records):
            status, headers, raw = self._pass_on(
                json.dumps(call.body | {"Records": records[failed:]}).encode()
            )
            if status != 200:
                return status, headers, raw
            taken = json.loads(raw)
        if call.operation == "PutRecords":
            body = {"FailedRecordCount": failed, "Records": [refused] * failed + taken.get("Records", [])}
        else:
            body = {
                "FailedPutCount": failed,
                "RequestResponses": [refused] * failed + taken.get("RequestResponses", []),
            }
        return 200, [("Content-Type", "application/x-amz-json-1.1")], json.dumps(body).encode()

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        with contextlib.suppress(OSError):
            self.send_response(status)
            for name, value in headers:
                if name.lower() not in (
                    "connection",
                    "content-length",
                    "transfer-encoding",
                    "date",
                    "server",
                ):
                    self.send_header(name, value)
            # The answer to a HEAD has the length of a body that does not come.
            reported = [value for name, value in headers if name.lower() == "content-length"]
            head = self.command == "HEAD" and reported
            self.send_header("Content-Length", reported[0] if head else str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def _call(target: str, scope: str, raw: bytes, path: str, method: str) -> Call:
    service, _, operation = target.partition(".")
    if not target and (signed := re.search(r"/(\w+)/aws4_request", scope)):
        service = signed[1]
    if path.startswith("/2015-03-31/functions/") and path.endswith("/invocations"):
        service, operation = "Lambda", "Invoke"
    body: dict[str, Any] = {}
    if operation:
        with contextlib.suppress(ValueError):
            body = json.loads(raw)
    return Call(service.partition("_")[0], operation, body, path, method)
