"""The job of a demo, as a process that ends with the demo."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from base.aws import Aws
from base.errors import KdaError
from infra import child, flink
from infra.flink_rest import JobState, job_state

_START_SECONDS = 240.0
_STOP_SECONDS = 60.0


class DemoError(KdaError):
    """The demo can't go on; the message says why and where to look."""


@dataclass
class DemoJob:
    """A running job.

    Attributes
    ----------
    name : str
        Name of the application.
    folder : Path
        Holds its state and log.
    """

    name: str
    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def log(self) -> Path:
        """File of what ``kda run`` prints."""
        return self.folder / f"{self.name}.log"

    def state(self) -> JobState | None:
        """The job's current state; None while the cluster starts.

        Raises
        ------
        DemoError
            The job has ended.
        """
        if self.process.poll() is not None:
            last = "\n".join(self.log.read_text(errors="replace").strip().splitlines()[-5:])
            raise DemoError(f"the job {self.name} ended with exit code {self.process.returncode}:\n{last}")
        found = flink.running(self.name, self.folder / "flink")
        return job_state(found.rest, found.job_id) if found else None

    def wait_until_running(self) -> None:
        """Wait until the job runs and its first checkpoint is complete."""
        deadline = time.monotonic() + _START_SECONDS
        while (state := self.state()) is None or state.state != "RUNNING" or not state.checkpoints:
            if time.monotonic() > deadline:
                raise DemoError(
                    f"the job {self.name} did not start within {_START_SECONDS:.0f} s: see {self.log}"
                )
            time.sleep(0.2)

    def stop(self) -> None:
        """Stop the job with a savepoint, as Ctrl-C does."""
        self.process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(_STOP_SECONDS)


@contextlib.contextmanager
def running_job(
    name: str,
    aws: Aws,
    folder: Path,
    properties: Mapping[str, str],
    *,
    resume: bool = False,
    where: Path | None = None,
) -> Iterator[DemoJob]:
    """Run a job in a separate process for as long as the block lasts.

    Parameters
    ----------
    name : str
        Name of the application.
    aws : Aws
        The local one.
    folder : Path
        Where to keep its state and log.
    properties : mapping
        Values by ``group.key``; they replace the application's defaults.
    resume : bool
        Resume from the newest savepoint or checkpoint in the folder.
    where : Path or None
        The application's folder; None: find it by its name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "cli.main", "run", str(where or name), "--endpoint", str(aws.endpoint)]
    if resume:
        command.append("--resume")
    for key, value in properties.items():
        command += ["-p", f"{key}={value}"]
    environment = os.environ | {"KDA_STATE": str(folder)}
    process = child.start(command, folder / f"{name}.log", env=environment, end_with=signal.SIGTERM)
    running = DemoJob(name, folder, process)
    try:
        yield running
    finally:
        if process.poll() is None:
            running.stop()
        child.kill(process)
