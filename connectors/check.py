"""Checks, before a job starts, that what a connector needs exists: a mistake gives one line, not a restart loop."""

from __future__ import annotations

from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from base.aws import Aws
from base.errors import KdaError

_CONFIG = Config(
    connect_timeout=5, read_timeout=10, retries={"total_max_attempts": 2}, s3={"addressing_style": "path"}
)
_ABSENT = ("ResourceNotFoundException", "NoSuchBucket", "404")


class ConnectorError(KdaError):
    """A service, or a resource that the job needs, can't be reached; the message says which and what to do."""


def require(aws: Aws, service: str, what: str, operation: str, **arguments: Any) -> dict[str, Any]:
    """Call an operation of a service and return its answer.

    Parameters
    ----------
    aws : Aws
        Whose service.
    service : str
        Its boto3 name.
    what : str
        What is looked for, for the error message, such as ``"Kinesis stream Demo-samples"``.
    operation : str
        Name of the client's method.

    Raises
    ------
    ConnectorError
        When it does not exist, access to it is denied, or the service does not answer.
    """
    where = f"in {aws}"
    try:
        answer: dict[str, Any] = getattr(aws.client(service, _CONFIG), operation)(**arguments)
    except ClientError as e:
        code = e.response["Error"]["Code"]
        if code in _ABSENT:
            raise ConnectorError(f"{what}: not found {where}; create it, or correct the property") from None
        raise ConnectorError(
            f"{what}: {service} {where} answered {code}: {e.response['Error']['Message']}"
        ) from None
    except BotoCoreError as e:
        raise ConnectorError(f"{what}: {service} {where} can't be reached: {e}") from None
    return answer
