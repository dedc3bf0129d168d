"""What a KDA application sends to its Lambda destination."""

import base64
import json
from typing import Any


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
