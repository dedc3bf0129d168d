"""Binds all servers of a mini-cluster to loopback.

Flink's blob server and Beam's servers in the JVM listen on every address without authentication, and no option changes
that. From the network, others could read files and state through them. PyFlink's worker pool does, too, and would run
code: `infra.worker_pool` replaces it.
"""

from __future__ import annotations

import contextlib
import secrets
import socket

#: Below those that Linux and macOS give to connections.
_PORTS = range(16_000, 32_000)


def listen_on_loopback() -> None:
    """Bind future servers of this process's JVM to loopback. Starts the JVM if it does not run yet."""
    from pyflink.java_gateway import get_gateway

    jvm = get_gateway().jvm
    # A server without an address gets the JVM's wildcard address, which is kept in a field: replace it there.
    kept = jvm.java.lang.Class.forName("java.net.InetAddress").getDeclaredField("impl")
    kept.setAccessible(True)
    addresses = kept.get(None)
    every = addresses.getClass().getDeclaredField("anyLocalAddress")
    every.setAccessible(True)
    every.set(addresses, jvm.java.net.InetAddress.getLoopbackAddress())


def free_port() -> int:
    """A port on loopback that is free at the moment.

    Not one that the system would choose: that is soon one of the connections that every client opens, and it could not
    be listened on again for the minute after such a connection.
    """
    while True:
        port = secrets.choice(_PORTS)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
