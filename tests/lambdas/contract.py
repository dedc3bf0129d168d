"""What a KDA application sends to its Lambda destination."""

import base64
import json
from types import SimpleNamespace
from typing import Any

#: What a function is called with beside the event: it has all of its time.
CONTEXT = SimpleNamespace(get_remaining_time_in_millis=lambda: 60_000)


def event(*rows: Any) -> dict[str, Any]:
    """An invocation with one record per row, ids "0", "1", ...; bytes are sent as they are."""
    return {
        "invocationId": "00000000-0000-0000-0000-000000000000",
        "applicationArn": "arn:aws:kinesisanalytics:us-east-1:000000000000:application/test",
        "records": [
            {
                "recordId": str(index),
                "lambdaDeliveryRecordMetadata": {"retryHint": 0},
                "data": base64.b64encode(
                    row if isinstance(row, bytes) else json.dumps(row).encode()
                ).decode(),
            }
            for index, row in enumerate(rows)
        ],
    }


#: Rows that no handler can use.
RUBBISH = (b"", b"\xff\xfe", b"{", b"[]", b"null", b"1", b'"text"', b"{}", b"NaN", b"[" * 100_000)
