"""What differs between Flink 1.20, which the project runs on, and Flink 2.3, where what needs no AWS connector runs.

What counts is the version that is installed with this Python.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pyflink.version import __version__ as FLINK

from base.errors import InvalidValue

FLINK_2 = not FLINK.startswith("1.")
#: The Python that the managed service runs this version with.
PYTHON = "3.12" if FLINK_2 else "3.11"
#: Java versions that it runs on and the managed service has.
JAVA = (17,) if FLINK_2 else (11, 17)
#: Packages with their hashes, from the clone's root.
LOCK = "flink-conf/flink-2.lock" if FLINK_2 else "requirements.lock"
#: What is built for this version, under ``build/``: the package and its wheels, Flink's file systems.
BUILT = "flink-2" if FLINK_2 else "."
#: Whether AWS's connectors (Kinesis, Firehose, DynamoDB) run. Those in the jar use what Flink 2 has no longer, and the
#: ones for Flink 2 don't give SQL a record's arrival time (FLINK-36671).
AWS_CONNECTORS = not FLINK_2


def require_aws_connectors(group: str) -> None:
    """Raise ValueError for a property group that asks for a connector that does not run here."""
    if not AWS_CONNECTORS:
        raise InvalidValue(
            f"{group}: AWS's connectors for Kinesis, Firehose and DynamoDB run on Flink 1.20 only, this is {FLINK}: "
            "read files (type firehose or recording), deliver to files or a function (type s3 or lambda), and name a "
            "folder for errors (errors.path)"
        )


def stop_with_savepoint(client: Any, folder: Path, *, drain: bool = False) -> str:
    """Stop a job of this process's cluster; return where its state is, as a URI.

    PyFlink's own method calls one of Java's that Flink 2 no longer has.

    Parameters
    ----------
    client : JobClient
    folder : Path
        In which the savepoint gets a folder of its own.
    drain : bool
        Close all windows first, as at the end of the input.
    """
    from pyflink.java_gateway import get_gateway

    form = get_gateway().jvm.org.apache.flink.core.execution.SavepointFormatType.DEFAULT
    return str(client._j_job_client.stopWithSavepoint(drain, folder.as_uri(), form).get())
