"""Lambda function `lab-function`: writes each session that a KDA application sends to a DynamoDB table.

The table is ``TABLE_NAME`` (`CloudAcademyLabs` by default); its key is ``session_id``, so a session that comes twice
leaves one item. Items have three attributes, all strings: ``session_id``, ``session_time`` and ``user_id``. While the
table throttles or is slow, the function still answers in time: the sessions that were not written are sent to it again.
"""

import base64
import json
import os
from functools import cache
from typing import Any

import boto3
from botocore.config import Config

from lambdas.batch import answered

#: Milliseconds for a write that is tried four times without an answer, with the pauses between.
LONGEST_WRITE = 25_000
_ATTRIBUTES = ("session_id", "session_time", "user_id")


@cache
def _client() -> Any:
    # By default the SDK retries a throttled write for 26 seconds, and waits a minute for an answer.
    retries = {"mode": "legacy", "total_max_attempts": 4}
    return boto3.client("dynamodb", config=Config(connect_timeout=1, read_timeout=5, retries=retries))


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer ``Ok`` or ``DeliveryFailed`` for each record; a bad record does not fail the others."""
    return answered(event, context, LONGEST_WRITE, _write)


def _write(data: str) -> None:
    table = os.environ.get("TABLE_NAME", "CloudAcademyLabs")
    _client().put_item(TableName=table, Item=to_item(data))


def to_item(data: str) -> dict[str, dict[str, str]]:
    """Turn a record's data into a DynamoDB item.

    Parameters
    ----------
    data : str
        Base64 of one JSON object with the item's attributes, their names in any case.

    Raises
    ------
    ValueError
        It is not such an object, or an attribute is missing, null, empty, or not a text or number.

    Examples
    --------
    >>> row = b'{"SESSION_ID": "user1_desktop_10:00:00", "session_time": "10:00:00", "user_id": "user1"}'
    >>> to_item(base64.b64encode(row).decode())["session_id"]
    {'S': 'user1_desktop_10:00:00'}
    """
    row = json.loads(base64.b64decode(data, validate=True))
    if not isinstance(row, dict):
        raise ValueError(f"a record must be a JSON object, got {type(row).__name__}")
    values = {name.lower(): value for name, value in row.items()}
    item = {}
    for name in _ATTRIBUTES:
        value = values.get(name)
        if isinstance(value, bool) or not isinstance(value, str | int | float) or value == "":
            raise ValueError(f"{name} must be a text, got {value!r}")
        item[name] = {"S": str(value)}
    return item
