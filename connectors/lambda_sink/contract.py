"""KDA's contract with a Lambda destination: the event it sends, the answer it expects. Pure: no AWS, no
Flink."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

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
        The row as one JSON object, or one line of CSV.
    rowtime : int or None
        Epoch milliseconds.
    retries : int
        How often it has been sent before: the contract's ``retryHint``.
    own_failures : int
        Failures that are this row's own: the function refused it by name beside others that it took, or when it was
        alone in the call.
    batch_limit : int or None
        How many rows a call may carry when it carries this one; falls when a call fails as a whole. None: any
        number.
    """

    sequence: int
    record_id: str
    data: bytes
    rowtime: int | None = None
    retries: int = 0
    own_failures: int = 0
    batch_limit: int | None = None

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


class AnswerError(ValueError):
    """The answer as a whole has another form than the contract's: it says nothing of any record."""


def entries(answer: bytes) -> dict[str, list[dict[str, Any]]]:
    """What an answer says of each record that it names: recordId -> its entries, nearly always one.

    Entries are read one by one: what is no object, or names no record, is left out and spoils no other.

    Raises
    ------
    AnswerError
        When the answer is no object with a list ``records``.
    """
    try:
        found = json.loads(answer)["records"]
        if not isinstance(found, list):
            raise TypeError
    except (ValueError, KeyError, TypeError, RecursionError):
        start = answer[:100].decode("utf-8", "replace")
        raise AnswerError(
            f'the answer must be {{"records": [{{"recordId", "result"}}]}}, got {start!r}'
        ) from None
    named: dict[str, list[dict[str, Any]]] = {}
    for entry in found:
        if isinstance(entry, dict) and "recordId" in entry:
            named.setdefault(str(entry["recordId"]), []).append(entry)
    return named


class Refusal(NamedTuple):
    """Why a record was not taken. ``named``: the answer says so of this record; else it says nothing of it."""

    reason: str
    named: bool = True


def refusals(answer: bytes, batch: Sequence[Delivery]) -> dict[str, Refusal]:
    """The records that the function did not take: recordId -> why.

    A record is taken only when the answer says ``Ok`` for it and nothing else.

    Raises
    ------
    AnswerError
        For an answer of another form.

    Examples
    --------
    >>> batch = [Delivery(1, "a", b"{}"), Delivery(2, "b", b"{}")]
    >>> refusals(b'{"records":[{"recordId":"a","result":"Ok"}]}', batch)
    {'b': Refusal(reason='the answer has no recordId b', named=False)}
    """
    said = entries(answer)
    refused = {}
    for d in batch:
        results = [entry.get("result") for entry in said.get(d.record_id, ())]
        # Said twice: the worse word counts.
        bad = [result for result in results if result != "Ok"]
        if not results:
            refused[d.record_id] = Refusal(f"the answer has no recordId {d.record_id}", named=False)
        elif "DeliveryFailed" in bad:
            refused[d.record_id] = Refusal("the function answered DeliveryFailed")
        elif bad:
            refused[d.record_id] = Refusal(
                f"the result must be 'Ok' or 'DeliveryFailed', got {repr(bad[0])[:100]}"
            )
    return refused
