"""Starts the Python workers of a mini-cluster as threads of this process, at a fraction of what PyFlink needs.

For each Python operator PyFlink runs a Python that imports all of Beam, two seconds of CPU time, only to send one
message to this process. The programs in `infra/workers/` send it without Beam: `python` stands for Python in the
mini-cluster's configuration, and leads Flink to `pyflink-udf-runner.sh`, which runs `launcher.py`.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import threading
import traceback
from functools import cache
from pathlib import Path
from typing import Any

#: For Flink's option `python.executable`.
PYTHON = Path(__file__).with_name("workers") / "python"


def install() -> None:
    """Let this process serve workers in its own way. Call it before the JVM starts, which inherits the environment."""
    from pyflink.fn_execution.beam.beam_worker_pool_service import BeamFnLoopbackWorkerPoolServicer

    os.environ["KDA_PYTHON"] = sys.executable
    BeamFnLoopbackWorkerPoolServicer.start = _start
    _close_all_when_a_worker_fails()


@cache
def _close_all_when_a_worker_fails() -> None:
    """Close a worker's channels, too, when the JVM ends it with an error, as where a function failed at its start.

    Beam leaves that to the end of the worker's process; a thread has none, and the JVM would wait a minute for them.
    """
    from apache_beam.runners.worker.sdk_worker import SdkHarness  # type: ignore[import-untyped]

    run = SdkHarness.run

    def run_and_close(worker: Any) -> None:
        try:
            run(worker)
        except Exception:
            worker._worker_thread_pool.shutdown()
            worker._data_channel_factory.close()
            worker._state_handler_factory.close()
            worker._bundle_processor_cache.shutdown()
            raise

    SdkHarness.run = run_and_close


def _start(pool: Any) -> str:
    """Replaces the pool's own method, which listens on every address: returns the address, on loopback."""
    if not pool._worker_address:
        server = socket.create_server(("127.0.0.1", 0))
        pool._worker_address = f"127.0.0.1:{server.getsockname()[1]}"
        threading.Thread(target=_serve, args=(pool, server), name="worker-pool", daemon=True).start()
    return str(pool._worker_address)


def _serve(pool: Any, server: socket.socket) -> None:
    while True:
        launcher, _ = server.accept()
        threading.Thread(target=_run, args=(pool, launcher), name="worker", daemon=True).start()


def _run(pool: Any, launcher: socket.socket) -> None:
    """Run one worker until its job ends, and tell its launcher why it failed."""
    from apache_beam.portability.api import beam_fn_api_pb2, endpoints_pb2  # type: ignore[import-untyped]

    with launcher:
        try:
            arguments, environment = json.loads(b"".join(iter(lambda: launcher.recv(65536), b"")))
            options = dict(argument.removeprefix("--").split("=", 1) for argument in arguments)
            endpoint = endpoints_pb2.ApiServiceDescriptor(url=options["provision_endpoint"])
            pool._start_sdk_worker_main(
                beam_fn_api_pb2.StartWorkerRequest(
                    worker_id=options["id"], provision_endpoint=endpoint, params=environment
                )
            )
        except Exception:
            error = traceback.format_exc()
            # A launcher that Flink has killed does not listen any more.
            with contextlib.suppress(OSError):
                launcher.sendall(error.encode())
