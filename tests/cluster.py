"""A standalone Flink cluster of real processes, from a pyflink wheel; what several tests run their jobs on."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Self

import psutil
import yaml

from infra import child, flink, supervisor
from infra.java import java_home
from infra.loopback import free_port
from tests.jobs_of_cluster import Jobs
from tests.jvm import SHORT_LIVED
from tests.readers import alive, python_workers
from tests.waiting import until

_SUBMIT_SECONDS = 300.0


class Cluster(Jobs):
    """One JobManager and some TaskManagers, which can be killed.

    All processes, Python workers included, end with `running`'s block, and with these tests even when those are killed.

    Parameters
    ----------
    folder : Path
        For everything it writes: configuration, logs, temporary files, checkpoints and savepoints.
    python : Path
        The Python of client and workers.
    home : Path
        FLINK_HOME: the ``pyflink`` of that Python's packages.
    slots : int
        Of each TaskManager.
    options : mapping of str
        Flink's own, beside addresses, ports and folders.
    environment : mapping of str
        Variables of all its processes. None are inherited: a Python worker that ran inside this process sets some that
        break other workers.

    Attributes
    ----------
    rest : str
        URL of its REST interface.
    manager : subprocess.Popen
        What runs the JobManager.
    workers : list of subprocess.Popen
        What runs each TaskManager that was not killed.
    """

    manager: subprocess.Popen[bytes]

    def __init__(
        self,
        folder: Path,
        python: Path,
        home: Path,
        slots: int,
        options: Mapping[str, str],
        environment: Mapping[str, str],
    ) -> None:
        self.folder, self.home, self._slots = folder, home, slots
        port, java = free_port(), java_home()
        self.rest = f"http://127.0.0.1:{port}"
        self.workers: list[subprocess.Popen[bytes]] = []
        # Waited for at the end only: until then the ids of their process groups stay theirs.
        self._started: list[subprocess.Popen[bytes]] = []
        for name in ("conf", "log", "pid", "tmp"):
            (folder / name).mkdir(parents=True)
        self.environment = {
            "PATH": f"{python.parent}:{java / 'bin'}:/usr/bin:/bin",
            "JAVA_HOME": str(java),
            # A killed JVM leaves temporary files of a hundred megabytes.
            "JVM_ARGS": f"{SHORT_LIVED} -Djava.io.tmpdir={folder / 'tmp'}",
            "TMPDIR": str(folder / "tmp"),
            "LANG": "C.UTF-8",
            "FLINK_HOME": str(home),
            "FLINK_CONF_DIR": str(folder / "conf"),
            "FLINK_LOG_DIR": str(folder / "log"),
            "FLINK_PID_DIR": str(folder / "pid"),
            "AWS_CBOR_DISABLE": "1",
            "CBOR_ENABLED": "false",
        } | dict(environment)
        addresses = (
            "jobmanager.rpc.address",
            "jobmanager.bind-host",
            "taskmanager.host",
            "taskmanager.bind-host",
        )
        self._write_configuration(
            {
                # A TaskManager that starts before the JobManager would try again after ten seconds.
                "cluster.registration.error-delay": "200 ms",
            }
            | dict(options)
            | dict.fromkeys((*addresses, "rest.address"), "127.0.0.1")
            | dict.fromkeys(("rest.port", "rest.bind-port"), str(port))
            | {
                "jobmanager.rpc.port": str(free_port()),
                "taskmanager.numberOfTaskSlots": str(slots),
                "io.tmp.dirs": str(folder / "tmp"),
                "execution.checkpointing.dir": (folder / "state").as_uri(),
                "execution.checkpointing.savepoint-dir": (folder / "state").as_uri(),
            }
        )

    @contextlib.contextmanager
    def running(self, workers: int) -> Iterator[Self]:
        """Run a JobManager and so many TaskManagers until the block ends."""
        try:
            self.start_manager()
            for _ in range(workers):
                self.start_worker()
            self.wait_for_slots(workers * self._slots)
            yield self
        finally:
            for process in self._started:
                child.kill(process)

    def start_manager(self) -> None:
        """Start the JobManager, without a job."""
        self.manager = self._start("jobmanager")

    def start_worker(self) -> None:
        """Start one more TaskManager."""
        self.workers.append(self._start("taskmanager"))

    def java(self, process: subprocess.Popen[bytes]) -> int:
        """Process id of the JVM that is run by the manager or a worker."""
        return int(psutil.Process(process.pid).children()[0].pid)

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """Kill the JVM of the manager or a worker. Its Python workers outlive it, as nothing ends them."""
        java = self.java(process)
        # The supervisor: the kernel kills the JVM with it.
        process.kill()
        until(lambda: not alive(java), f"the end of process {java}")
        self.workers = [w for w in self.workers if w is not process]

    def python_workers(self) -> list[int]:
        """Process ids of all Python workers of the running TaskManagers."""
        return [pid for worker in self.workers for pid in python_workers(worker.pid)]

    def flink_run(
        self, properties: Path, *options: str | Path, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Submit a job that reads a file of property groups, as a deployed application does."""
        return subprocess.run(
            [self.home / "bin" / "flink", "run", "--detached", *options],
            cwd=cwd or self.folder,
            env=self.environment | {"APPLICATION_PROPERTIES": str(properties)},
            capture_output=True,
            text=True,
            timeout=_SUBMIT_SECONDS,
        )

    def logs(self) -> str:
        """The ends of the logs."""
        logs = sorted((self.folder / "log").iterdir())
        return "\n".join(f"== {path}\n{path.read_text(errors='replace')[-3000:]}" for path in logs)

    def _start(self, name: str) -> subprocess.Popen[bytes]:
        """Start one of Flink's scripts, which becomes the JVM itself."""
        script = self.home / "bin" / f"{name}.sh"
        with (self.folder / "log" / f"{name}.{len(self._started)}.out").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-P", supervisor.__file__, str(os.getpid()), script, "start-foreground"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.environment,
                # Python workers inherit it and look for modules in it first: it must not be the repository.
                cwd=self.folder / "tmp",
                start_new_session=True,
            )
        self._started.append(process)
        return process

    def _write_configuration(self, options: Mapping[str, str]) -> None:
        conf = self.folder / "conf"
        for path in (self.home / "conf").iterdir():
            (conf / path.name).write_bytes(path.read_bytes())
        opens = yaml.safe_load((conf / "config.yaml").read_text())["env"]["java"]["opts"]["all"]
        (conf / "config.yaml").write_text(yaml.safe_dump({"env.java.opts.all": opens} | dict(options)))
        # Required of a cluster by docs/deploy.md; and without a line for each poll of an idle shard.
        ours = (flink.CONFIGURATION / "log4j-cli.properties").read_text().splitlines()
        loggers = "".join(f"\n{line}" for line in ours if line.startswith("logger."))
        for name in ("log4j-cli.properties", "log4j-console.properties"):
            with (conf / name).open("a") as file:
                file.write(loggers)
