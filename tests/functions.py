"""Lambda functions of a few lines, deployed where a test needs them."""

import contextlib
import io
import zipfile
from collections.abc import Iterator
from typing import Any

from base.aws import Aws


def deploy(aws: Aws, name: str, code: str, seconds: int = 60, **variables: str) -> Any:
    """Deploy a function that runs this code's ``handler`` with these variables; return a Lambda client.

    A call may take so many ``seconds``.
    """
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as files:
        files.writestr("code.py", code)
    client = aws.client("lambda")
    client.create_function(
        FunctionName=name,
        Runtime="python3.11",
        Role="arn:aws:iam::000000000000:role/any",
        Handler="code.handler",
        Code={"ZipFile": archive.getvalue()},
        Timeout=seconds,
        Environment={"Variables": variables},
    )
    return client


@contextlib.contextmanager
def deployed(aws: Aws, name: str, code: str, seconds: int = 60, **variables: str) -> Iterator[None]:
    """The same, until the block ends."""
    client = deploy(aws, name, code, seconds, **variables)
    try:
        yield
    finally:
        client.delete_function(FunctionName=name)
