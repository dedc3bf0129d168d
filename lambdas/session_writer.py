"""Lambda function `lab-function`: put each session that a KDA application sends into a DynamoDB table.

``TABLE_NAME`` names the table (`CloudAcademyLabs` by default); its key is ``session_id``. A session that
comes twice leaves one item. The table's items have three attributes, all strings: ``session_id``,
``session_time`` and ``user_id``. While the table throttles or is slow, the function answers in time all the same:
what was not written then comes again.
"""

import base64
import json
import os
from functools import cache
from typing import Any

import boto3
from botocore.config import Config

#: Milliseconds for a write that is tried four times, none with an answer, and for the pauses between.
LONGEST_WRITE = 25_000
_ATTRIBUTES = ("session_id", "session_time", "user_id")


@cache
def _client() -> Any:
    # By its own settings the SDK tries a throttled write for 26 seconds, and waits a minute for an answer.
    retries = {"mode": "legacy", "total_max_attempts": 4}
    return boto3.client("dynamodb", config=Config(connect_timeout=1, read_timeout=5, retries=retries))


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer, record by record, ``Ok`` or ``DeliveryFailed``; a bad record fails alone."""
    # Where the function was given less time, as much as it has.
    reserve = min(LONGEST_WRITE, context.get_remaining_time_in_millis() / 2)
    return {
        "records": [
            {"recordId": record["recordId"], "result": _write(record, context, reserve)}
            for record in event["records"]
        ]
    }


def _write(record: dict[str, Any], context: Any, reserve: float) -> str:
    try:
        if context.get_remaining_time_in_millis() < reserve:
            raise TimeoutError("the records before it took all the time")
        item = to_item(record["data"])
        _client().put_item(TableName=os.environ.get("TABLE_NAME", "CloudAcademyLabs"), Item=item)
    except Exception as error:  # whatever is wrong with this record, the others go on
        print(f"record {record['recordId']!r} not written: {type(error).__name__}: {error}")
        return "DeliveryFailed"
    return "Ok"


def to_item(data: str) -> dict[str, dict[str, str]]:
    """Turn a record's data into a DynamoDB item.

    Parameters
    ----------
    data : str
        Base64 of one JSON object with the item's attributes, their names in any case.

    Raises
    ------
    ValueError
        It is no such object, or an attribute is missing, null, empty, or no text or number.

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
