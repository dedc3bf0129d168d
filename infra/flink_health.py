"""The health of a local job, for `kda status` and the console."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

from infra import flink, saved_state
from infra.flink_rest import job_state, metrics
from infra.paths import FLINK

_LATE, _BEHIND = "numLateRecordsDropped", "millisBehindLatest"


@dataclass(frozen=True)
class Health:
    """The health of a job.

    Attributes
    ----------
    state : str
        ``stopped``, ``lost`` (its process was killed), or Flink's state in lower case.
    reason : str
        Why it failed or restarts; else empty.
    url : str or None
        The job's page in Flink's dashboard.
    pid : int or None
        The process that runs it.
    checkpoints, failed_checkpoints, restored : int
        Numbers of completed checkpoints, of failed ones among the newest ten, and of restores.
    checkpoint_age : float or None
        Seconds since the newest completed one.
    late : int
        Records dropped as late.
    behind_seconds : float or None
        How far the source is behind the stream's newest record; None while it has not read.
    resumable : bool
        There is a savepoint or checkpoint to resume from.
    """

    state: str
    reason: str = ""
    url: str | None = None
    pid: int | None = None
    checkpoints: int = 0
    failed_checkpoints: int = 0
    restored: int = 0
    checkpoint_age: float | None = None
    late: int = 0
    behind_seconds: float | None = None
    resumable: bool = False


def health(job: str, folder: Path = FLINK) -> Health:
    """Determine the health of a job on this machine.

    Parameters
    ----------
    job : str
        The application's name.
    folder : Path
        Folder of Flink's state.
    """
    resumable = saved_state.last_state(job, folder) is not None
    found = flink.running(job, folder)
    if found is None:
        return Health("lost" if _was_killed(job, folder) else "stopped", resumable=resumable)
    state = job_state(found.rest, found.job_id)
    if state is None:
        return Health("lost", pid=found.pid, resumable=resumable)
    settled = state.state in ("RUNNING", "FINISHED", "CANCELED")
    completed = state.last_checkpoint
    measured = metrics(found.rest, found.job_id, _LATE, _BEHIND)
    # Negative until a shard is read.
    behind = [float(m["max"]) for m in measured if m["id"].endswith(_BEHIND) and float(m["max"]) >= 0]
    return Health(
        state=state.state.lower(),
        reason="" if settled else _reason(found.rest, found.job_id),
        url=f"{found.rest}/#/job/running/{found.job_id}/overview",
        pid=found.pid,
        checkpoints=state.checkpoints,
        failed_checkpoints=state.failed_checkpoints,
        restored=state.restored,
        checkpoint_age=max(0.0, time.time() - completed / 1000) if completed else None,
        late=int(sum(float(m["sum"]) for m in measured if m["id"].endswith(_LATE))),
        behind_seconds=max(behind) / 1000 if behind else None,
        resumable=resumable,
    )


def _was_killed(job: str, folder: Path) -> bool:
    """Whether the job's process ended without removing its entry."""
    try:
        pid = int(json.loads((folder / "running" / f"{job}.json").read_text())["pid"])
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return False


def _reason(rest: str, job_id: str) -> str:
    reason = flink.root_cause(rest, job_id)
    return "" if reason.startswith("see the log") else reason
