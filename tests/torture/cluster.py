"""A real standalone cluster from the pyflink wheel, whose JobManager, TaskManagers and Python workers can be killed."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil
import pyflink
import yaml

from infra import child, flink
from infra.java import java_home
from infra.loopback import free_port
from tests.jvm import SHORT_LIVED
from tests.readers import python_workers
from tests.rest_cluster import RestCluster

_BIN = Path(pyflink.__file__).parent / "bin"
_START_SECONDS = 240.0


class Cluster(RestCluster):
    """One JobManager and some TaskManagers; state in a folder.

    Parameters
    ----------
    folder : Path
        For configuration, logs, checkpoints and savepoints.
    options : mapping or None
        Flink's own, laid over those of the labs.
    """

    def __init__(self, folder: Path, options: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.rest = f"http://127.0.0.1:{free_port()}"
        self._conf = folder / "conf"
        self._conf.mkdir(parents=True)
        self._write_configuration(options or {})
        # Few variables are inherited: a Python worker that ran inside this process sets some that break other workers.
        self._environment = {
            "HOME": str(Path.home()),
            "LANG": "C.UTF-8",
            "FLINK_CONF_DIR": str(self._conf),
            "FLINK_LOG_DIR": str(folder / "log"),
            "FLINK_PID_DIR": str(folder),
            "FLINK_PLUGINS_DIR": str(flink.PLUGINS),
            "JAVA_HOME": str(java_home()),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "AWS_CBOR_DISABLE": "1",
            "CBOR_ENABLED": "false",
            "JVM_ARGS": SHORT_LIVED,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }
        self.manager: subprocess.Popen[bytes] | None = None
        self.workers: list[subprocess.Popen[bytes]] = []
        # Python workers outlive a killed TaskManager, as nothing ends them.
        self._python: set[int] = set()

    def start_manager(self) -> None:
        """Start the JobManager, without a job."""
        self.manager = self._start("jobmanager.sh")

    def start_worker(self) -> None:
        """Start one more TaskManager of two slots."""
        self.workers.append(self._start("taskmanager.sh"))

    def wait_for_slots(self, slots: int) -> None:
        self.wait(lambda: self.get("/overview")["slots-available"] >= slots, f"{slots} free slots")

    def submit(self, properties: Path, parallelism: int = 1, state: str | None = None) -> str:
        """Submit the job that a properties file names, as a deployed application is; return its id."""
        command: list[str | Path] = [_BIN / "flink", "run", "-d", "-p", str(parallelism)]
        command += ["-s", state] if state else []
        command += ["-pyexec", sys.executable, "-pyclientexec", sys.executable, "-pym", "jobs.main"]
        command += ["--jarfile", flink.CONNECTORS]
        done = subprocess.run(
            command,
            env=self._environment | {"APPLICATION_PROPERTIES": str(properties)},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=_START_SECONDS,
        )
        found = re.search(r"JobID ([0-9a-f]{32})", done.stdout)
        if not found:
            reported = done.stdout + done.stderr
            causes = re.findall(r"^(?:\s*Caused by: |\w[\w.]*Error: ).*", reported, re.MULTILINE)
            raise RuntimeError(f"the job was not taken: {' '.join(causes) or reported[-3000:]}")
        return found[1]

    def wait_until_running(self, job: str, checkpoints: int = 1) -> None:
        """Return when all tasks run, and this many checkpoints completed since the last failure or start."""

        def running() -> bool:
            found = self.get(f"/jobs/{job}")
            before = self.get(f"/jobs/{job}/checkpoints")
            restored = (before["latest"].get("restored") or {}).get("restore_timestamp", 0)
            done = (before["latest"].get("completed") or {}).get("latest_ack_timestamp", 0)
            return (
                all(v["status"] == "RUNNING" for v in found["vertices"])
                and before["counts"]["completed"] >= checkpoints
                and done > restored
            )

        try:
            self.wait(running, f"job {job} to run")
        except AssertionError as e:
            raise AssertionError(f"{e}; {flink.root_cause(self.rest, job)}") from None

    def python_workers(self) -> list[int]:
        """Process ids of all Python workers of the running TaskManagers."""
        alive = [w.pid for w in self.workers if w.poll() is None]
        found = [pid for worker in alive for pid in python_workers(worker)]
        self._python |= set(found)
        return found

    def last_checkpoint(self) -> str:
        """The newest complete checkpoint or savepoint."""
        found = max(self.folder.glob("state/**/_metadata"), key=lambda p: p.stat().st_mtime)
        return str(found.parent)

    def restarts(self, job: str) -> int:
        return int(self.get(f"/jobs/{job}/checkpoints")["counts"]["restored"])

    def completed(self, job: str) -> int:
        return int(self.get(f"/jobs/{job}/checkpoints")["counts"]["completed"])

    def wait_for_restart(self, job: str, before: int) -> None:
        self.wait(lambda: self.restarts(job) > before, f"job {job} to restart")

    def wait_for_checkpoint(self, job: str, before: int) -> None:
        self.wait(lambda: self.completed(job) > before, "a checkpoint")

    def owns(self, parent: int, pids: list[int]) -> bool:
        """Whether one of these processes descends from another."""
        return any(pid in pids for pid in python_workers(parent))

    def end(self) -> None:
        """Kill all remaining processes, Python workers included."""
        self.python_workers()
        for process in [*self.workers, *([self.manager] if self.manager else [])]:
            process.kill()
            process.wait()
        for pid in self._python:
            with contextlib.suppress(psutil.Error):
                if "beam" in " ".join((process := psutil.Process(pid)).cmdline()):
                    process.kill()

    def _start(self, script: str) -> subprocess.Popen[bytes]:
        log, environment = self.folder / f"{script}.log", self._environment
        return child.start(
            [_BIN / script, "start-foreground"], log, env=environment, cwd=self.folder, append=True
        )

    def _write_configuration(self, changed: Mapping[str, str]) -> None:
        base = yaml.safe_load((flink.CONFIGURATION / "config.yaml").read_text())
        options = (
            flink.cluster("torture", folder=self.folder)
            | {
                "env.java.opts.all": base["env"]["java"]["opts"]["all"],
                "jobmanager.rpc.address": "127.0.0.1",
                "jobmanager.bind-host": "127.0.0.1",
                "jobmanager.rpc.port": str(free_port()),
                "jobmanager.memory.process.size": "900m",
                "taskmanager.bind-host": "127.0.0.1",
                "taskmanager.host": "127.0.0.1",
                "taskmanager.memory.process.size": "1500m",
                # Each submission loads the job's classes again; those of the last one go when its threads have ended.
                "taskmanager.memory.jvm-metaspace.size": "512m",
                "taskmanager.memory.managed.size": "128m",
                "taskmanager.numberOfTaskSlots": "2",
                "rest.address": "127.0.0.1",
                "rest.port": self.rest.rpartition(":")[2],
                "rest.bind-port": self.rest.rpartition(":")[2],
                "execution.checkpointing.dir": (self.folder / "state").as_uri(),
                "execution.checkpointing.savepoint-dir": (self.folder / "state").as_uri(),
                "execution.checkpointing.interval": "1 s",
                "restart-strategy.type": "fixed-delay",
                "restart-strategy.fixed-delay.attempts": "1000",
                "restart-strategy.fixed-delay.delay": "500 ms",
                # A TaskManager that starts before the JobManager would try again after ten seconds.
                "cluster.registration.error-delay": "200 ms",
                # A killed process is noticed in seconds.
                "heartbeat.interval": "1000",
                "heartbeat.timeout": "8000",
            }
            | dict(changed)
        )
        del options["pipeline.name"]
        (self._conf / "config.yaml").write_text(yaml.safe_dump(options))
        text = (flink.CONFIGURATION / "log4j-cli.properties").read_text()
        for name in ("log4j-cli", "log4j", "log4j-console", "log4j-session"):
            (self._conf / f"{name}.properties").write_text(text)


@contextlib.contextmanager
def running_cluster(
    folder: Path, workers: int = 2, options: Mapping[str, str] | None = None
) -> Iterator[Cluster]:
    """Run a cluster until the block ends."""
    cluster = Cluster(folder, options)
    try:
        cluster.start_manager()
        for _ in range(workers):
            cluster.start_worker()
        cluster.wait_for_slots(2 * workers)
        yield cluster
    finally:
        cluster.end()
