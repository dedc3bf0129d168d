"""A Lambda endpoint that stores every row: it shows what the Lambda sink delivered, and how often."""

from __future__ import annotations

import base64
import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@contextlib.contextmanager
def running_function(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Run the endpoint until the block ends, adding to ``rows``; yield its URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            # Store rows before the answer: a row whose answer is lost comes again.
            rows.extend(json.loads(base64.b64decode(r["data"])) for r in event["records"])
            taken = [{"recordId": r["recordId"], "result": "Ok"} for r in event["records"]]
            self._answer({"records": taken})

        def do_GET(self) -> None:
            self._answer({"FunctionName": "lab-function", "Timeout": 3})

        def _answer(self, body: dict[str, Any]) -> None:
            raw = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
