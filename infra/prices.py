"""What a deployed application costs, by AWS's list prices: an estimate that is said before anything is made.

docs/deploy.md has the same sums for lab 3. Prices of us-east-1 as known in 2025, in dollars.
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
    """Dollars an hour.

    Attributes
    ----------
    lines : tuple of (str, float)
        What each part costs while the application runs.
    stopped : float
        What goes on when it is stopped: the shards.
    """

    lines: tuple[tuple[str, float], ...]
    stopped: float

    @property
    def running(self) -> float:
        """All of it."""
        return sum(dollars for _, dollars in self.lines)


def cost(streams: int, parallelism: int = 1, parallelism_per_kpu: int = 1, shards: int = 1) -> Cost:
    """What an application costs.

    Parameters
    ----------
    streams : int
        Kinesis streams that it makes.
    parallelism, parallelism_per_kpu : int
        Of its job, at least 1.
    shards : int
        Of each stream.

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
