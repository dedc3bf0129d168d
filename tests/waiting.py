"""Waiting for what another process, or a thread, is about to do: the one way in which a test does it."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

Found = TypeVar("Found")

#: Long enough for a machine at a quarter of its speed: who waits for what comes does not wait that long.
SECONDS = 240.0


def until(condition: Callable[[], Found], what: str = "it", seconds: float = SECONDS) -> Found:
    """What a condition returns, as soon as that is true.

    Raises
    ------
    AssertionError
        When it is not within so many seconds.
    """
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited {seconds:g} s for {what}"
        time.sleep(0.05)
    return found


def stop_with_savepoint(client: Any, drain: bool, folder: Path) -> str:
    """Stop a job of this process's cluster; where its state is.

    PyFlink's own method calls one of Java's that Flink 2 no longer has.
    """
    from pyflink.java_gateway import get_gateway

    kind = get_gateway().jvm.org.apache.flink.core.execution.SavepointFormatType.DEFAULT
    return str(client._j_job_client.stopWithSavepoint(drain, folder.as_uri(), kind).get())
