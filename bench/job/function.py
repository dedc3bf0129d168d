"""A Lambda endpoint on this machine whose function accepts every record. It runs in this process, so that its CPU time
is not measured: :func:`bench.job.harness.cpu_seconds` counts descendants only."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_RECORD_ID = re.compile(rb'"recordId":"([^"]*)"')


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(b'{"Timeout": 60}')

    def do_POST(self) -> None:
        ids = _RECORD_ID.findall(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:  # type: ignore[attr-defined]
            self.server.accepted += len(ids)  # type: ignore[attr-defined]
        entries = b",".join(b'{"recordId":"%b","result":"Ok"}' % id_ for id_ in ids)
        self._answer(b'{"records":[%b]}' % entries)

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None: ...


class Function:
    """The endpoint's address, and how many records the function has accepted."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self._server = server
        self.endpoint = f"http://127.0.0.1:{server.server_port}"

    @property
    def accepted(self) -> int:
        return self._server.accepted  # type: ignore[attr-defined,no-any-return]


@contextlib.contextmanager
def running() -> Iterator[Function]:
    """Serve until the block ends."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        server.lock, server.accepted = threading.Lock(), 0  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield Function(server)
        finally:
            server.shutdown()
            thread.join()
