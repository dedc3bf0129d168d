"""`kda run` beside a job of the same name that runs already."""

import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from infra import flink


def test_a_job_that_runs_is_not_started_twice(tmp_path: Path) -> None:
    class Rest(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Rest) as rest:
        threading.Thread(target=rest.serve_forever, daemon=True).start()
        with flink.registered("ctr_anomaly", rest.server_port, "1", tmp_path / "flink"):
            done = subprocess.run(
                [sys.executable, "-m", "cli.main", "run", "ctr", "--endpoint", "http://127.0.0.1:1"],
                capture_output=True,
                text=True,
                timeout=60,
                env=os.environ | {"KDA_STATE": str(tmp_path)},
            )
            assert flink.running("ctr_anomaly", tmp_path / "flink"), "its entry is left alone"
        rest.shutdown()
    assert done.returncode == 2
    assert done.stderr == f"kda: ctr runs already, as process {os.getpid()}: see `kda status`\n"
