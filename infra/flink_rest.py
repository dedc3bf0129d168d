"""Reads a running job's state and metrics from Flink's REST API."""

from __future__ import annotations

import json
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

_TIMEOUT = 5.0
#: Requests to one cluster at a time.
_AT_ONCE = 8


@dataclass(frozen=True)
class JobState:
    """The state of a job.

    Attributes
    ----------
    state : str
        Flink's state: ``RUNNING``, ``RESTARTING``, ``FAILED`` and others.
    operators : dict
        Records read and records written so far, by operator chain.
    checkpoints : int
        Number of completed checkpoints.
    failed_checkpoints : int
        Number of failed ones among the newest ten that started.
    last_checkpoint : int or None
        When the newest one completed, in milliseconds since the epoch.
    restored : int
        Number of restores from saved state.
    """

    state: str
    operators: dict[str, tuple[int, int]]
    checkpoints: int
    failed_checkpoints: int
    last_checkpoint: int | None
    restored: int

    def read(self, part_of_name: str) -> int:
        """Records read by the operator chains whose name contains `part_of_name`."""
        return sum(read for name, (read, _) in self.operators.items() if part_of_name in name)


def get(url: str) -> Any:
    """The JSON answer of a request; raises OSError or ValueError if there is none."""
    with urllib.request.urlopen(url, timeout=_TIMEOUT) as answer:  # noqa: S310  (the address is our own cluster's)
        return json.load(answer)


def job_state(rest: str, job_id: str) -> JobState | None:
    """The job's state, or None if the cluster does not answer."""
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
        # Flink's own count includes checkpoints that were due before all tasks ran and therefore never started.
        failed_checkpoints=sum(c["status"] == "FAILED" for c in checkpoints.get("history", ())),
        last_checkpoint=latest.get("latest_ack_timestamp"),
        restored=counts.get("restored", 0),
    )


@dataclass(frozen=True)
class Step:
    """A chain of operators of a job, with its metrics so far.

    Attributes
    ----------
    id, name : str
    parallelism : int
    read, written : int
        Number of records.
    busy, back_pressured, idle : float
        Milliseconds, summed over its subtasks; a source does not report its busy time.
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
    """The chains of a job in order; empty if the cluster does not answer."""
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


def metrics(rest: str, job_id: str, *endings: str) -> list[dict[str, Any]]:
    """The metrics of a job's chains whose names end so: ``id``, and ``sum`` and ``max`` over the subtasks.

    Empty if the cluster does not answer. The chains are asked side by side: on a busy machine each answer takes long.
    """

    def of(chain: dict[str, Any]) -> list[dict[str, Any]]:
        url = f"{rest}/jobs/{job_id}/vertices/{chain['id']}/subtasks/metrics"
        names = [m["id"] for m in get(url) if m["id"].endswith(endings)]
        found: list[dict[str, Any]] = get(f"{url}?get={quote(','.join(names))}&agg=sum,max") if names else []
        return found

    try:
        chains = get(f"{rest}/jobs/{job_id}")["vertices"]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return [metric for found in pool.map(of, chains) for metric in found]
    except (OSError, ValueError, LookupError):
        return []
