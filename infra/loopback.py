"""Binds all servers of a mini-cluster to loopback.

Flink's blob server, Beam's servers in the JVM and PyFlink's worker pool listen on every address without authentication,
and no option changes that. From the network, others could read files and state through the first two, and run code
through the third.
"""

from __future__ import annotations

import socket
from typing import Any


def listen_on_loopback() -> None:
    """Bind future servers of this process and its JVM to loopback. Starts the JVM if it does not run yet."""
    from pyflink.fn_execution.beam.beam_worker_pool_service import BeamFnLoopbackWorkerPoolServicer
    from pyflink.java_gateway import get_gateway

    BeamFnLoopbackWorkerPoolServicer.start = _start
    jvm = get_gateway().jvm
    # A server without an address gets the JVM's wildcard address, which is kept in a field: replace it there.
    kept = jvm.java.lang.Class.forName("java.net.InetAddress").getDeclaredField("impl")
    kept.setAccessible(True)
    addresses = kept.get(None)
    every = addresses.getClass().getDeclaredField("anyLocalAddress")
    every.setAccessible(True)
    every.set(addresses, jvm.java.net.InetAddress.getLoopbackAddress())


def _start(pool: Any) -> str:
    """Replaces the pool's own method: starts the same server on another address."""
    if not pool._worker_address:
        import grpc  # type: ignore[import-untyped]
        from apache_beam.portability.api import beam_fn_api_pb2_grpc  # type: ignore[import-untyped]
        from apache_beam.utils import thread_pool_executor  # type: ignore[import-untyped]

        server = grpc.server(thread_pool_executor.shared_unbounded_instance())
        pool._worker_address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        beam_fn_api_pb2_grpc.add_BeamFnExternalWorkerPoolServicer_to_server(pool, server)
        server.start()
        # Keep a reference, or the server would end at once.
        pool._server = server
    return str(pool._worker_address)


def free_port() -> int:
    """A port on loopback that is free at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
