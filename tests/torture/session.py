"""The mini-cluster of a test session, as a chaos run uses it."""

from __future__ import annotations

import sys
from pathlib import Path

from jobs.main import start
from pipeline.settings import read_groups
from tests import session_cluster
from tests.jobs.conftest import Flink
from tests.jobs_of_cluster import Jobs
from tests.readers import python_workers
from tests.torture.cluster import OF_JOB


class Session(Jobs):
    """Jobs in the JVM of this process, with Python workers in processes of their own.

    ``_python_worker_execution_mode`` must be ``process`` in the environment; otherwise PyFlink runs them in threads.
    """

    def __init__(self, flink: Flink, folder: Path) -> None:
        self.folder, self._flink = folder, flink
        self.rest = f"http://127.0.0.1:{session_cluster.port(flink.folder)}"

    def submit(self, properties: Path, parallelism: int = 1, state: str | None = None) -> str:
        """Submit the job that a properties file names; return its id."""
        options = OF_JOB | {
            "python.executable": sys.executable,
            "parallelism.default": str(parallelism),
            "state.backend.type": "rocksdb",
            "execution.checkpointing.dir": (self.folder / "state").as_uri(),
        }
        if state:
            options["execution.state-recovery.path"] = state
        started = start(read_groups(properties), lambda: self._flink.environment(**options))
        client = started.get_job_client()
        assert client is not None
        return str(client.get_job_id())

    def python_workers(self) -> list[int]:
        return python_workers()
