"""One mini-cluster for the jobs of all tests: for a cluster of its own, each job would load 1,500 classes anew."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from infra import flink
from pipeline import flink_version

#: Subtasks that run at a time, of all jobs together.
SLOTS = 16


def session_cluster(folder: Path) -> dict[str, str]:
    """Start the cluster, if it does not run yet; return the options that send a job to it.

    On Flink 2, which has no such context, none: each job has a cluster of its own.

    Parameters
    ----------
    folder : Path
        Folder of its temporary files.
    """
    if flink_version.FLINK_2:
        return {}
    from pyflink.fn_execution.beam.beam_worker_pool_service import BeamFnLoopbackWorkerPoolServicer

    options = {"execution.target": "remote", "rest.address": "127.0.0.1", "rest.port": str(port(folder))}
    if os.environ.get("_python_worker_execution_mode") != "process":  # noqa: SIM112 - PyFlink's own
        # PyFlink sets it only for a job with a mini-cluster of its own.
        options["python.loopback-server.address"] = BeamFnLoopbackWorkerPoolServicer().start()
    return options


@cache
def port(folder: Path) -> int:
    """The port of its REST interface. It is started at the first call."""
    from pyflink.common import Configuration
    from pyflink.java_gateway import get_gateway

    jvm = get_gateway().jvm
    configuration = Configuration()
    options = flink.cluster("session", folder=folder) | {
        "taskmanager.memory.managed.size": "1g",
        "taskmanager.memory.network.min": "256m",
        "taskmanager.memory.network.max": "256m",
    }
    for key, value in options.items():
        configuration.set_string(key, value)
    minicluster = jvm.org.apache.flink.runtime.minicluster
    cluster = minicluster.MiniCluster(
        minicluster.MiniClusterConfiguration.Builder()
        .setConfiguration(configuration._j_configuration)
        .setNumTaskManagers(1)
        .setNumSlotsPerTaskManager(SLOTS)
        .build()
    )
    cluster.start()
    # Otherwise each environment brings its own cluster, whatever its options say.
    jvm.org.apache.flink.client.program.StreamContextEnvironment.setAsContext(
        jvm.org.apache.flink.core.execution.DefaultExecutorServiceLoader(),
        jvm.org.apache.flink.configuration.Configuration.fromMap(
            {"execution.target": "local", "execution.attached": "true"}
        ),
        jvm.Thread.currentThread().getContextClassLoader(),
        False,
        True,
    )
    return int(cluster.getRestAddress().get().getPort())
