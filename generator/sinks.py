"""Sinks for records: a Kinesis stream, a Firehose delivery stream, a file, or none.

Delivery to AWS is at least once: failed records are sent again, and so is a call without an answer, which may have
arrived. A retry may change the order. A call has at most 500 records and 5 MiB (Firehose 4 MiB). A record that fails
eight times, or is too large, is counted as failed; the others are sent. Records end with a newline, unless they are
compressed with gzip one by one.
"""

import gzip
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import IO, Any, NamedTuple, Protocol

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from base.errors import KdaError

MOST_RECORDS = 500
ATTEMPTS = 8
_FIRST_DELAY_SECONDS = 0.1
_LONGEST_DELAY_SECONDS = 5.0
_KIB = 1024

#: Errors of a whole call that are worth a retry: the service is busy or briefly unavailable.
_PASSING = {
    "InternalFailure",
    "InternalServerError",
    "KMSThrottlingException",
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "ServiceUnavailable",
    "ServiceUnavailableException",
    "ThrottlingException",
}


class SinkError(KdaError):
    """The sink can't take any record; the message names the sink and the reason."""


class Record(NamedTuple):
    """One record to send."""

    text: str
    partition_key: str


@dataclass
class Delivery:
    """The outcome of a call to `send`.

    Attributes
    ----------
    sent : list of Record
        Acknowledged records.
    failed : list of Record
        Records given up; `reasons` counts the errors.
    sent_again : int
        Number of retries of records.
    fatal : SinkError, optional
        Set if no later record can succeed either.
    """

    sent: list[Record] = field(default_factory=list)
    failed: list[Record] = field(default_factory=list)
    sent_again: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    fatal: SinkError | None = None


class Sink(Protocol):
    """Takes records, and reports the outcome of each."""

    def send(self, records: Sequence[Record]) -> Delivery:
        """Send records; return when each is acknowledged or given up."""

    def close(self) -> None:
        """Release resources."""


class NullSink:
    """Drops all records."""

    def send(self, records: Sequence[Record]) -> Delivery:
        """Report all records as sent."""
        return Delivery(sent=list(records))

    def close(self) -> None:
        """Do nothing."""


class FileSink:
    """Appends one record per line to a file; the whole file can be compressed."""

    def __init__(self, path: Path, compressed: bool = False) -> None:
        opening = gzip.open if compressed else open
        try:
            # A lone surrogate, which JSON allows, is written as a question mark.
            self._file: IO[str] = opening(path, "at", encoding="utf-8", errors="replace")
        except OSError as error:
            raise SinkError(f"file:{path}: {error.strerror}") from None

    def send(self, records: Sequence[Record]) -> Delivery:
        """Write records."""
        self._file.write("".join([f"{record.text}\n" for record in records]))
        return Delivery(sent=list(records))

    def close(self) -> None:
        """Write the rest and close the file."""
        self._file.close()


class _Pending(NamedTuple):
    record: Record
    entry: dict[str, Any]
    size: int


class AwsSink:
    """Sends batches with a call of an AWS service; made by `kinesis` and `firehose`."""

    def __init__(
        self,
        name: str,
        put: Callable[[list[dict[str, Any]]], list[str]],
        *,
        keyed: bool,
        most_record_bytes: int,
        most_call_bytes: int,
        compressed: bool,
        sleep: Callable[[float], None],
    ) -> None:
        self._name = name
        self._put = put
        self._keyed = keyed
        self._most_record_bytes = most_record_bytes
        self._most_call_bytes = most_call_bytes
        self._compressed = compressed
        self._sleep = sleep
        self._jitter = Random()  # noqa: S311

    def send(self, records: Sequence[Record]) -> Delivery:
        """Send records in as few calls as possible; retry failed ones after growing, random delays."""
        delivery = Delivery()
        for batch in self._batches(records, delivery):
            self._send_batch(batch, delivery)
        return delivery

    def close(self) -> None:
        """Do nothing."""

    def _batches(self, records: Sequence[Record], delivery: Delivery) -> Iterator[list[_Pending]]:
        batch: list[_Pending] = []
        size = 0
        for record in records:
            pending = self._pending(record)
            if pending.size > self._most_record_bytes:
                _give_up(delivery, [pending], f"larger than {self._most_record_bytes} bytes")
                continue
            if len(batch) == MOST_RECORDS or size + pending.size > self._most_call_bytes:
                yield batch
                batch, size = [], 0
            batch.append(pending)
            size += pending.size
        if batch:
            yield batch

    def _pending(self, record: Record) -> _Pending:
        if self._compressed:
            data = gzip.compress(record.text.encode(errors="replace"), mtime=0)
        else:
            data = f"{record.text}\n".encode(errors="replace")
        if not self._keyed:
            return _Pending(record, {"Data": data}, len(data))
        size = len(data) + len(record.partition_key.encode())
        return _Pending(record, {"Data": data, "PartitionKey": record.partition_key}, size)

    def _send_batch(self, batch: list[_Pending], delivery: Delivery) -> None:
        for attempt in range(ATTEMPTS):
            if attempt:
                delivery.sent_again += len(batch)
                longest = min(_LONGEST_DELAY_SECONDS, _FIRST_DELAY_SECONDS * 2 ** (attempt - 1))
                self._sleep(self._jitter.uniform(0, longest))
            codes = self._codes(batch, delivery)
            delivery.sent += [p.record for p, code in zip(batch, codes, strict=True) if not code]
            failed = [(p, code) for p, code in zip(batch, codes, strict=True) if code]
            if not failed:
                return
            batch = [p for p, _ in failed]
            if delivery.fatal or attempt == ATTEMPTS - 1:
                for pending, code in failed:
                    _give_up(delivery, [pending], code)
                return

    def _codes(self, batch: list[_Pending], delivery: Delivery) -> list[str]:
        """Send once; return one error code per record, empty if it was taken."""
        if delivery.fatal:
            return [str(delivery.fatal)] * len(batch)
        try:
            codes = self._put([pending.entry for pending in batch])
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "Unknown")
            if code not in _PASSING:
                delivery.fatal = SinkError(f"{self._name}: {error}")
            return [code] * len(batch)
        except HTTPClientError as error:
            return [type(error).__name__] * len(batch)
        except BotoCoreError as error:
            delivery.fatal = SinkError(f"{self._name}: {error}")
            return [type(error).__name__] * len(batch)
        # Records that the answer leaves out were not taken.
        return [*codes, *["NoAnswer"] * len(batch)][: len(batch)]


def _give_up(delivery: Delivery, batch: list[_Pending], reason: str) -> None:
    delivery.failed += [pending.record for pending in batch]
    delivery.reasons[reason] += len(batch)


def kinesis(
    client: Any, stream: str, compressed: bool = False, sleep: Callable[[float], None] = time.sleep
) -> AwsSink:
    """Return a sink to a Kinesis stream; a record and its key hold at most 1 MiB."""

    def put(entries: list[dict[str, Any]]) -> list[str]:
        answer = client.put_records(StreamName=stream, Records=entries)
        return [result.get("ErrorCode") or "" for result in answer["Records"]]

    return AwsSink(
        f"stream:{stream}",
        put,
        keyed=True,
        most_record_bytes=1024 * _KIB,
        most_call_bytes=5 * 1024 * _KIB,
        compressed=compressed,
        sleep=sleep,
    )


def firehose(
    client: Any, name: str, compressed: bool = False, sleep: Callable[[float], None] = time.sleep
) -> AwsSink:
    """Return a sink to a Firehose delivery stream; a record holds at most 1,000 KiB."""

    def put(entries: list[dict[str, Any]]) -> list[str]:
        answer = client.put_record_batch(DeliveryStreamName=name, Records=entries)
        return [result.get("ErrorCode") or "" for result in answer["RequestResponses"]]

    return AwsSink(
        f"firehose:{name}",
        put,
        keyed=False,
        most_record_bytes=1000 * _KIB,
        most_call_bytes=4 * 1024 * _KIB,
        compressed=compressed,
        sleep=sleep,
    )
