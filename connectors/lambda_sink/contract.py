"""KDA's contract with a Lambda destination: the event that is sent and the answer that is expected.

Pure Python: no AWS, no Flink.
"""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

#: Largest event of a synchronous call that Lambda accepts, in bytes.
PAYLOAD_LIMIT = 6 * 1024 * 1024
_ENVELOPE = '{{"invocationId":"{}","applicationArn":{},"records":[{}]}}'
_RECORD = '{{"recordId":"{}","lambdaDeliveryRecordMetadata":{{"retryHint":{}}},"data":"{}"}}'
# The empty record, and on top a comma and the longest retryHint, 19 digits.
_RECORD_OVERHEAD = len(_RECORD.format("", "", "")) + 1 + 19


@dataclass(slots=True)
class Delivery:
    """A row on its way to the function.

    Parameters
    ----------
    sequence : int
        Orders the rows of a bucket: a later row has a larger one.
    record_id : str
        The same in every call with this row.
    data : bytes
        The row as one JSON object, or one line of CSV.
    rowtime : int or None
        Epoch milliseconds.
    retries : int
        How often the row has been sent before: the contract's ``retryHint``.
    own_failures : int
        Failures that this row itself caused: the function refused it by name and accepted others of the call, or it
        was alone in the call.
    batch_limit : int or None
        How many rows a call with this one may have; falls when a call fails as a whole. None: any number.
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
        """Bytes of the row in an event, rounded up."""
        return _RECORD_OVERHEAD + len(self.record_id) + 4 * ((len(self.data) + 2) // 3)


def room_for_records(application_arn: str) -> int:
    """Bytes that the records of one event may take."""
    return PAYLOAD_LIMIT - len(_ENVELOPE.format(uuid.UUID(int=0), json.dumps(application_arn), ""))


def event(application_arn: str, batch: Sequence[Delivery]) -> bytes:
    """The event of a batch; every call has an invocationId of its own."""
    records = ",".join(
        _RECORD.format(d.record_id, d.retries, base64.b64encode(d.data).decode("ascii")) for d in batch
    )
    return _ENVELOPE.format(uuid.uuid4(), json.dumps(application_arn), records).encode("ascii")


class AnswerError(ValueError):
    """The answer does not have the contract's form, so it says nothing about any record."""


def entries(answer: bytes) -> dict[str, list[dict[str, Any]]]:
    """The entries of an answer by recordId; a record nearly always has one.

    An entry that is not an object, or has no recordId, is left out; the others still count.

    Raises
    ------
    AnswerError
        When the answer is not an object with a list ``records``.
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
    """Why a record was not accepted. ``named``: whether the answer has an entry for the record."""

    reason: str
    named: bool = True


def refusals(answer: bytes, batch: Sequence[Delivery]) -> dict[str, Refusal]:
    """The records that the function did not accept, by recordId, with the reason.

    A record is accepted only when the answer says ``Ok`` for it and nothing else.

    Raises
    ------
    AnswerError
        When the answer does not have the contract's form.

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
        # If a record has several entries, the worst one counts.
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
