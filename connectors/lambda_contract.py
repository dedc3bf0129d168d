"""KDA's contract with a Lambda destination: the event it sends, the answer it expects. Pure: no AWS, no
Flink."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

#: What Lambda takes in one synchronous call, in bytes.
PAYLOAD_LIMIT = 6 * 1024 * 1024
_ENVELOPE = '{{"invocationId":"{}","applicationArn":{},"records":[{}]}}'
_RECORD = '{{"recordId":"{}","lambdaDeliveryRecordMetadata":{{"retryHint":{}}},"data":"{}"}}'
# A comma and the longest retryHint that will ever be written come on top of the empty form.
_RECORD_OVERHEAD = len(_RECORD.format("", "", "")) + 1 + 19


@dataclass(slots=True)
class Delivery:
    """A row on its way to the function.

    Parameters
    ----------
    sequence : int
        Its place among the rows of its bucket; grows.
    record_id : str
        The same in every call that carries this row.
    data : bytes
        The row as one JSON object.
    rowtime : int or None
        Epoch milliseconds.
    retries : int
        How often it has been sent before: the contract's ``retryHint``.
    strikes : int
        Failures that are this row's own: the function refused it by name, or failed on it alone.
    company : int or None
        How many rows a call may carry when it carries this one; falls when a call fails as a whole. None: any
        number.
    """

    sequence: int
    record_id: str
    data: bytes
    rowtime: int | None = None
    retries: int = 0
    strikes: int = 0
    company: int | None = None

    @property
    def size(self) -> int:
        """Bytes it takes in an event, rounded up."""
        return _RECORD_OVERHEAD + len(self.record_id) + 4 * ((len(self.data) + 2) // 3)


def room_for_records(application_arn: str) -> int:
    """Bytes that the records of one event may take."""
    return PAYLOAD_LIMIT - len(_ENVELOPE.format(uuid.UUID(int=0), json.dumps(application_arn), ""))


def event(application_arn: str, batch: Sequence[Delivery]) -> bytes:
    """The event that carries a batch; every call has an invocationId of its own."""
    records = ",".join(
        _RECORD.format(d.record_id, d.retries, base64.b64encode(d.data).decode("ascii")) for d in batch
    )
    return _ENVELOPE.format(uuid.uuid4(), json.dumps(application_arn), records).encode("ascii")


def refusals(answer: bytes, batch: Sequence[Delivery]) -> dict[str, str]:
    """The records that the function did not take, with the reason: recordId -> reason.

    A record is taken only when the answer says ``Ok`` for it and nothing else. An answer of another form
    takes none.

    Examples
    --------
    >>> batch = [Delivery(1, "a", b"{}"), Delivery(2, "b", b"{}")]
    >>> refusals(b'{"records":[{"recordId":"a","result":"Ok"}]}', batch)
    {'b': 'the answer has no recordId b'}
    """
    results: dict[str, str] = {}
    try:
        for entry in json.loads(answer)["records"]:
            record_id, result = str(entry["recordId"]), str(entry["result"])
            if results.get(record_id, "Ok") == "Ok":  # said twice: the worse word counts
                results[record_id] = result
    except (ValueError, KeyError, TypeError, RecursionError):
        start = answer[:100].decode("utf-8", "replace")
        reason = f'the answer must be {{"records": [{{"recordId", "result"}}]}}, got {start!r}'
        return {d.record_id: reason for d in batch}
    refused = {}
    for d in batch:
        said = results.get(d.record_id)
        if said is None:
            refused[d.record_id] = f"the answer has no recordId {d.record_id}"
        elif said == "DeliveryFailed":
            refused[d.record_id] = "the function answered DeliveryFailed"
        elif said != "Ok":
            refused[d.record_id] = f"the result must be Ok or DeliveryFailed, got {said[:100]!r}"
    return refused
