"""The table environment a job runs in: the same settings everywhere, no knowledge of where that is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyflink.table import StreamTableEnvironment

#: What the jobs' meaning or speed depends on. All of it is on Managed Flink's list of keys that an application may set.
JOB_CONFIGURATION = {
    # Rows go from one operator to the next in a chain as they are, not as copies: a tenth to a fifth of all CPU time.
    # No operator of ours keeps a row that it was given: SQL's keep what the network brought them, Python's copy first,
    # sinks turn it into bytes at once.
    "pipeline.object-reuse": "true",
    "table.local-time-zone": "UTC",
    # Two-phase aggregation would count pre-aggregated rows, not records, as late.
    "table.optimizer.agg-phase-strategy": "ONE_PHASE",
}


def table_environment(cluster: Mapping[str, str] | None = None) -> StreamTableEnvironment:
    """Make the environment of one job.

    Parameters
    ----------
    cluster : mapping or None
        What a cluster's configuration file would say, when there is no cluster but this process's own. Deployed:
        None, as there checkpoints, state and parallelism belong to the service.
    """
    from pyflink.common import Configuration
    from pyflink.datastream import StreamExecutionEnvironment
    from pyflink.table import StreamTableEnvironment

    configuration = Configuration()
    for key, value in (dict(cluster or {}) | JOB_CONFIGURATION).items():
        configuration.set_string(key, value)
    environment = StreamExecutionEnvironment.get_execution_environment(configuration)
    return StreamTableEnvironment.create(environment)


def parallelism(table_env: StreamTableEnvironment) -> int:
    """How many subtasks an operator of a job has, by default."""
    return int(table_env._j_tenv.execEnv().getParallelism())
