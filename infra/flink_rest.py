"""What a running job tells of itself: Flink's REST interface, as far as the commands show it."""

from __future__ import annotations

import json
import urllib.request
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

_TIMEOUT = 5.0


@dataclass(frozen=True)
class JobState:
    """A job at one moment.

    Attributes
    ----------
    state : str
        ``RUNNING``, ``RESTARTING``, ``FAILED`` and the like.
    operators : dict
        By operator chain: records read and records written so far.
    checkpoints : int
        Completed so far.
    failed_checkpoints : int
        Failed among the newest ten that began.
    last_checkpoint : int or None
        Milliseconds since the epoch at which the newest one completed.
    restored : int
        How often state was restored.
    """

    state: str
    operators: dict[str, tuple[int, int]]
    checkpoints: int
    failed_checkpoints: int
    last_checkpoint: int | None
    restored: int

    def read(self, part_of_name: str) -> int:
        """Records read by the operator chains whose name has this in it."""
        return sum(read for name, (read, _) in self.operators.items() if part_of_name in name)


def get(url: str) -> Any:
    """The JSON answer of one request; OSError or ValueError when there is none."""
    with urllib.request.urlopen(url, timeout=_TIMEOUT) as answer:  # noqa: S310  (the address is our own cluster's)
        return json.load(answer)


def job_state(rest: str, job_id: str) -> JobState | None:
    """The job's state, or None when the cluster does not answer."""
    try:
        job = get(f"{rest}/jobs/{job_id}")
        checkpoints = get(f"{rest}/jobs/{job_id}/checkpoints")
    except (OSError, ValueError):
        return None
    counts, latest = checkpoints.get("counts", {}), (checkpoints.get("latest") or {}).get("completed") or {}
    return JobState(
        state=job["state"],
        operators={
            v["name"]: (int(v["metrics"]["read-records"]), int(v["metrics"]["write-records"]))
            for v in job["vertices"]
        },
        checkpoints=counts.get("completed", 0),
        # Flink's own count has those, too, that were due before every task ran: nothing began, nothing was lost.
        failed_checkpoints=sum(c["status"] == "FAILED" for c in checkpoints.get("history", ())),
        last_checkpoint=latest.get("latest_ack_timestamp"),
        restored=counts.get("restored", 0),
    )


@dataclass(frozen=True)
class Step:
    """One chain of operators of a job, so far.

    Attributes
    ----------
    id, name : str
    parallelism : int
    read, written : int
        Records.
    busy, back_pressured, idle : float
        Milliseconds of all its subtasks; a source does not say how busy it is.
    """

    id: str
    name: str
    parallelism: int
    read: int
    written: int
    busy: float
    back_pressured: float
    idle: float


def steps(rest: str, job_id: str) -> list[Step]:
    """The chains of a job in order, or none when the cluster does not answer."""
    try:
        return [
            Step(
                v["id"],
                v["name"],
                int(v["parallelism"]),
                int(v["metrics"]["read-records"]),
                int(v["metrics"]["write-records"]),
                *(
                    float(v["metrics"].get(f"accumulated-{what}-time") or 0)
                    for what in ("busy", "backpressured", "idle")
                ),
            )
            for v in get(f"{rest}/jobs/{job_id}")["vertices"]
        ]
    except (OSError, ValueError, LookupError):
        return []


def late_records(rest: str, job_id: str) -> int:
    """Records that window and OVER operators dropped as late; 0 unless something upstream is wrong."""
    total = 0
    try:
        for vertex in get(f"{rest}/jobs/{job_id}")["vertices"]:
            url = f"{rest}/jobs/{job_id}/vertices/{vertex['id']}/subtasks/metrics"
            names = [m["id"] for m in get(url) if m["id"].endswith("numLateRecordsDropped")]
            if names:
                found = get(f"{url}?get={quote(','.join(names))}&agg=sum")
                total += sum(int(float(m.get("sum", 0))) for m in found)
    except (OSError, ValueError):
        return total
    return total
