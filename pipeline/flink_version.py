"""Differences between Flink 1.20, which the project runs on, and Flink 2.3, which runs what needs no AWS connector.

The version is the one installed with this Python.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pyflink.version import __version__ as FLINK

from base.errors import InvalidValue

FLINK_2 = not FLINK.startswith("1.")
#: Python version that the managed service runs this Flink version with.
PYTHON = "3.12" if FLINK_2 else "3.11"
#: Java versions that both it and the managed service support.
JAVA = (17,) if FLINK_2 else (11, 17)
#: Packages with their hashes, from the clone's root.
LOCK = "flink-conf/flink-2.lock" if FLINK_2 else "requirements.lock"
#: Folder under ``build/`` for what is built for this version: the package and its wheels, Flink's file systems.
BUILT = "flink-2" if FLINK_2 else "."
#: Whether AWS's connectors (Kinesis, Firehose, DynamoDB) run. Those in the jar need interfaces that Flink 2 removed,
#: and those for Flink 2 don't give SQL a record's arrival time (FLINK-36671).
AWS_CONNECTORS = not FLINK_2


def require_aws_connectors(group: str) -> None:
    """Raise ValueError for a property group that needs one of AWS's connectors, if they don't run."""
    if not AWS_CONNECTORS:
        raise InvalidValue(
            f"{group}: AWS's connectors for Kinesis, Firehose and DynamoDB run on Flink 1.20 only, this is {FLINK}: "
            "read files (type firehose or recording), deliver to files or a function (type s3 or lambda), and name a "
            "folder for errors (errors.path)"
        )


def stop_with_savepoint(client: Any, folder: Path, *, drain: bool = False) -> str:
    """Stop a job of this process's cluster; return the URI of its savepoint.

    PyFlink's own method calls a Java method that Flink 2 has removed.

    Parameters
    ----------
    client : JobClient
    folder : Path
        Folder to create the savepoint's folder in.
    drain : bool
        Close all windows first, as at the end of the input.
    """
    from pyflink.java_gateway import get_gateway

    form = get_gateway().jvm.org.apache.flink.core.execution.SavepointFormatType.DEFAULT
    return str(client._j_job_client.stopWithSavepoint(drain, folder.as_uri(), form).get())
