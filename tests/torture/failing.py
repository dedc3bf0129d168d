"""A Lambda function, a table or a delivery stream that fails: answers the proxy's calls, counts accepted rows."""

from __future__ import annotations

import base64
import collections
import contextlib
import json
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from unittest import mock

from base.aws import LOCAL_CREDENTIALS, LOCAL_REGION
from lambdas import session_writer
from tests.torture.proxy import Call, Fault, Proxy

_REFUSALS = {
    "Invoke": Fault(status=429, error="TooManyRequestsException"),
    "BatchWriteItem": Fault(status=400, error="ProvisionedThroughputExceededException"),
    "PutItem": Fault(status=400, error="ProvisionedThroughputExceededException"),
    "PutRecordBatch": Fault(status=503, error="ServiceUnavailableException"),
}
#: The calls of the check before a job starts.
_DESCRIPTIONS: dict[str, dict[str, Any]] = {
    "": {"Timeout": 3},  # of a function: the one call without an operation's name
    "DescribeTable": {"Table": {"KeySchema": [{"AttributeName": "session_id", "KeyType": "HASH"}]}},
    "DescribeDeliveryStream": {},
}
#: How a destination fails: it refuses all rows, accepts half of a call, takes 3 s a call, or fails (functions only).
FAILURES = ("refusing", "half", "slow", "failing")
_SLOW_SECONDS = 3.0
#: The deployed session writer's time-out for a call.
_WRITER_SECONDS = 60.0


@dataclass
class Destination:
    """Answers as a Lambda function, a table or a delivery stream, by the call.

    Attributes
    ----------
    failure_kind : str
        One of ``FAILURES``, or empty: it accepts every row. May change at any time.
    offered : set of str
        Keys of all rows that came, accepted or not.
    taken : Counter
        How often a row was accepted, by key.
    """

    failure_kind: str = ""
    offered: set[str] = field(default_factory=set)
    taken: collections.Counter[str] = field(default_factory=collections.Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, call: Call) -> Fault | None:
        if call.operation in _DESCRIPTIONS:
            return Fault(status=200, answer=json.dumps(_DESCRIPTIONS[call.operation]))
        if call.operation not in _REFUSALS:
            return None
        failure_kind = self.failure_kind
        keys, refused, answer = _read(call, half=failure_kind == "half")
        with self._lock:
            if call.operation == "PutItem" and failure_kind == "half" and keys[0] not in self.offered:
                failure_kind = "refusing"  # half of the calls, as there is one row in each
            self.offered.update(keys)
            if failure_kind not in ("refusing", "failing"):
                self.taken.update(k for n, k in enumerate(keys) if n not in refused)
        if failure_kind == "refusing":
            return _REFUSALS[call.operation]
        if failure_kind == "failing":
            return Fault(status=200, answer='{"errorMessage": "injected"}', function_error=True)
        return Fault(_SLOW_SECONDS if failure_kind == "slow" else 0.0, 200, answer=json.dumps(answer))


@contextlib.contextmanager
def writer(proxy: Proxy, table: Destination) -> Iterator[None]:
    """Let lab 2's function answer the proxy's invocations; ``table``, which it writes to, may fail."""

    def rule(call: Call) -> Fault | None:
        if call.operation != "Invoke":
            return table(call)
        end = time.monotonic() + _WRITER_SECONDS
        context = SimpleNamespace(get_remaining_time_in_millis=lambda: int(1000 * (end - time.monotonic())))
        answer = session_writer.handler(call.body, context)
        if time.monotonic() > end:
            return Fault(status=200, answer='{"errorMessage": "timed out"}', function_error=True)
        return Fault(status=200, answer=json.dumps(answer))

    key, secret = LOCAL_CREDENTIALS
    environment = {
        "AWS_ENDPOINT_URL_DYNAMODB": proxy.endpoint,
        "AWS_DEFAULT_REGION": LOCAL_REGION,
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": secret,
    }
    with mock.patch.dict(os.environ, environment):
        session_writer._client.cache_clear()
        proxy.rule = rule
        yield


def _read(call: Call, half: bool) -> tuple[list[str], range, dict[str, Any]]:
    """The rows of a call by key, which of them are refused, and the service's answer."""
    if call.operation == "Invoke":
        records = call.body["records"]
        keys = [json.loads(base64.b64decode(r["data"]))["session_id"] for r in records]
        refused = range(len(keys) // 2 if half else 0)
        results = ("DeliveryFailed" if n in refused else "Ok" for n in range(len(keys)))
        entries = [{"recordId": r["recordId"], "result": s} for r, s in zip(records, results, strict=True)]
        return keys, refused, {"records": entries}
    if call.operation == "BatchWriteItem":
        [(table, items)] = call.body["RequestItems"].items()
        refused = range((len(items) + 1) // 2 if half else 0)
        left = {table: items[: len(refused)]} if refused else {}
        return (
            [i["PutRequest"]["Item"]["session_id"]["S"] for i in items],
            refused,
            {"UnprocessedItems": left},
        )
    if call.operation == "PutItem":
        return [call.body["Item"]["session_id"]["S"]], range(0), {}
    keys = [str(json.loads(base64.b64decode(r["Data"]))["id"]) for r in call.body["Records"]]
    refused = range((len(keys) + 1) // 2 if half else 0)
    entries = [
        {"ErrorCode": "ServiceUnavailableException"} if n in refused else {"RecordId": "r"}
        for n in range(len(keys))
    ]
    return keys, refused, {"FailedPutCount": len(refused), "RequestResponses": entries}
