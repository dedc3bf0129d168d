"""Estimates what a deployed application costs, by AWS's list prices, to show it before anything is created.

docs/deploy.md has the same figures for lab 3. Prices are in dollars, for us-east-1 in 2025.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

KPU_HOUR = 0.11
STORAGE_GB_MONTH, STORAGE_GB_PER_KPU = 0.10, 50
SHARD_HOUR = 0.015
HOURS_A_MONTH = 730
PAGE = "https://aws.amazon.com/managed-service-apache-flink/pricing/"


@dataclass(frozen=True)
class Cost:
    """Cost in dollars per hour.

    Attributes
    ----------
    lines : tuple of (str, float)
        Each part, and its cost while the application runs.
    stopped : float
        Cost while it is stopped: the shards.
    """

    lines: tuple[tuple[str, float], ...]
    stopped: float

    @property
    def running(self) -> float:
        """Total while the application runs."""
        return sum(dollars for _, dollars in self.lines)


def cost(streams: int, parallelism: int = 1, parallelism_per_kpu: int = 1, shards: int = 1) -> Cost:
    """Estimate the cost of an application.

    Parameters
    ----------
    streams : int
        Number of its Kinesis streams.
    parallelism, parallelism_per_kpu : int
        The job's, at least 1.
    shards : int
        Shards per stream.

    Examples
    --------
    >>> round(cost(3).running, 2), cost(3).stopped
    (0.27, 0.045)
    """
    kpus = math.ceil(parallelism / parallelism_per_kpu)
    shard = streams * shards * SHARD_HOUR
    storage = kpus * STORAGE_GB_PER_KPU * STORAGE_GB_MONTH / HOURS_A_MONTH
    lines = (
        (f"{kpus} KPU{'s' * (kpus != 1)} and 1 for orchestration", (kpus + 1) * KPU_HOUR),
        ("their running storage", storage),
        (f"{streams * shards} shard{'s' * (streams * shards != 1)}", shard),
    )
    return Cost(lines, shard)
