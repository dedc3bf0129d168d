"""Benchmark of lab 2's job over many users who never return: records a second, and the size of checkpoints.

    python -m jobs.sessions.bench_state --events 1000000

200 users click in turn, ten times each, two seconds apart, and never return. The whole job runs on the mini-cluster
(decoding, event time, sessions; from files to blackhole) with a checkpoint every two seconds of wall-clock time. State
expires by event time, so a checkpoint's size depends on the recent users only, not on their total number.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

import psutil

from bench.job.labs import Files
from infra import flink
from infra.loopback import free_port
from jobs.sessions.bench import write_clicks
from pipeline.catalog import find
from pipeline.environment import table_environment
from pipeline.pipeline import Pipeline
from pipeline.settings import settings


def run(path: Path, folder: Path, rows: str, state_backend: str) -> dict[str, Any]:
    """Run the job to its end; return ``seconds``, ``cpu_seconds``, and ``sizes`` of checkpoints as (second, bytes)."""
    port = free_port()
    table_env = table_environment(
        flink.cluster(
            "bench-state",
            folder=folder,
            rest_port=port,
            overrides={
                "restart-strategy.type": "none",
                "execution.checkpointing.interval": "2 s",
                "web.checkpoints.history": "1000",
                "state.backend.type": state_backend,
            },
        )
    )
    application = find("sessions")
    Pipeline(table_env, application, settings(application, {}), {"source_sql_stream": Files.of(path)})
    columns = {
        "starts": "user_id STRING, session_id STRING, session_time STRING, latest_time STRING",
        "events": "user_id STRING, session_id STRING, session_time STRING, latest_time STRING",
        "closed": "user_id STRING, session_id STRING, session_time STRING, session_start TIMESTAMP(3),"
        " session_end TIMESTAMP(3), number_of_events BIGINT, duration_ms BIGINT, pages ARRAY<STRING>",
    }[rows]
    source = "closed_sessions" if rows == "closed" else "destination_sql_stream"
    table_env.execute_sql(f"CREATE TEMPORARY TABLE nowhere ({columns}) WITH ('connector' = 'blackhole')")
    began, used = time.monotonic(), _cpu_seconds()
    result = table_env.execute_sql(f"INSERT INTO nowhere SELECT * FROM {source}")
    sizes: dict[int, tuple[float, int]] = {}
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.5):
            for checkpoint in _checkpoints(port, str(result.get_job_client().get_job_id())):
                sizes.setdefault(
                    checkpoint["id"], (time.monotonic() - began, checkpoint["checkpointed_size"])
                )

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        result.wait()
    finally:
        ended.set()
        watcher.join()
    return {
        "seconds": time.monotonic() - began,
        "cpu_seconds": _cpu_seconds() - used,
        "sizes": [sizes[n] for n in sorted(sizes)],
    }


def _cpu_seconds() -> float:
    """CPU time of this process, whose threads are the Python workers, and of its child, the JVM."""
    this = psutil.Process()
    times = [process.cpu_times() for process in (this, *this.children())]
    return float(sum(time.user + time.system for time in times))


def _checkpoints(port: int, job_id: str) -> list[dict[str, Any]]:
    try:
        with urllib.request.urlopen(
            f"http://127.0.0.1:{port}/jobs/{job_id}/checkpoints", timeout=5
        ) as answer:
            return [c for c in json.load(answer)["history"] if c["status"] == "COMPLETED"]
    except (OSError, ValueError):
        return []


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rows", choices=["starts", "events", "closed"], default="starts")
    parser.add_argument("--state-backend", choices=["hashmap", "rocksdb"], default="hashmap")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp())
    try:
        flink.prepare("http://127.0.0.1:1", folder)
        users = write_clicks(folder / "clicks", options.events)
        measured = run(folder / "clicks", folder, options.rows, options.state_backend)
        sizes = [size for _, size in measured["sizes"]]
        print(
            f"{options.events:,} events of {users:,} users, {options.rows}, {options.state_backend}: "
            f"{measured['seconds']:.0f} s, {options.events / measured['seconds']:,.0f} records/s, "
            f"{measured['cpu_seconds'] / options.events * 1e6:.0f} CPU s a million; "
            f"largest checkpoint {max(sizes, default=0) / 1e6:.1f} MB"
        )
        print("  MB by second:", ", ".join(f"{at:.0f}: {size / 1e6:.1f}" for at, size in measured["sizes"]))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
