"""A cluster that runs this checkout's jobs, and that a chaos run kills the processes of."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path

import pyflink
import yaml

from base.aws import LOCAL_CREDENTIALS
from infra import flink
from tests import cluster
from tests.readers import python_workers


class Cluster(cluster.Cluster):
    """TaskManagers of two slots, and a checkpoint each second.

    Parameters
    ----------
    folder : Path
        For everything it writes.
    options : mapping or None
        Flink's own, laid over those of the labs.
    """

    def __init__(self, folder: Path, options: Mapping[str, str] | None = None) -> None:
        key, secret = LOCAL_CREDENTIALS
        environment = {
            "HOME": str(Path.home()),
            "FLINK_PLUGINS_DIR": str(flink.PLUGINS),
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": secret,
        }
        python, home = Path(sys.executable), Path(pyflink.__file__).parent
        super().__init__(folder, python, home, 2, _options(folder) | dict(options or {}), environment)

    def submit(self, properties: Path, parallelism: int = 1, state: str | None = None) -> str:
        """Submit the job that a properties file names, as a deployed application is; return its id."""
        options: list[str | Path] = ["-p", str(parallelism), *(["-s", state] if state else [])]
        options += ["-pyexec", sys.executable, "-pyclientexec", sys.executable, "-pym", "jobs.main"]
        done = self.flink_run(properties, *options, "--jarfile", flink.CONNECTORS)
        found = re.search(r"JobID ([0-9a-f]{32})", done.stdout)
        if not found:
            reported = done.stdout + done.stderr
            causes = re.findall(r"^(?:\s*Caused by: |\w[\w.]*Error: ).*", reported, re.MULTILINE)
            raise RuntimeError(f"the job was not taken: {' '.join(causes) or reported[-3000:]}")
        return found[1]

    def last_checkpoint(self) -> str:
        """The newest complete checkpoint or savepoint."""
        found = max(self.folder.glob("state/**/_metadata"), key=lambda p: p.stat().st_mtime)
        return str(found.parent)

    def owns(self, parent: int, pids: list[int]) -> bool:
        """Whether one of these processes descends from another."""
        return any(pid in pids for pid in python_workers(parent))


#: Of each job: its checkpoints, and that it restarts when something of it was killed.
OF_JOB = {
    "execution.checkpointing.interval": "1 s",
    "execution.checkpointing.incremental": "true",
    "restart-strategy.type": "fixed-delay",
    "restart-strategy.fixed-delay.attempts": "1000",
    "restart-strategy.fixed-delay.delay": "500 ms",
}


def _options(folder: Path) -> dict[str, str]:
    conf = yaml.safe_load((flink.CONFIGURATION / "config.yaml").read_text())
    options = flink.cluster("torture", folder=folder) | {
        "env.java.opts.all": conf["env"]["java"]["opts"]["all"],
        "jobmanager.memory.process.size": "900m",
        "taskmanager.memory.process.size": "1500m",
        # Each submission loads the job's classes again; those of the last one go when its threads have ended.
        "taskmanager.memory.jvm-metaspace.size": "512m",
        "taskmanager.memory.managed.size": "128m",
        # A killed process is noticed in seconds.
        "heartbeat.interval": "1000",
        "heartbeat.timeout": "8000",
        **OF_JOB,
    }
    del options["pipeline.name"]
    return options
