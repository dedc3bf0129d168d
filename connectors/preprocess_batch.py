"""KDA's contract with a function that pre-processes records, and how a batch of records is sent to it.

No Flink here. Calls, quarters, back-off and outages are those of the Lambda sink
(:mod:`connectors.lambda_sink.delivery_queue`). The event and the answer differ, and the batch waits until all of its
records are settled: so order is kept.
"""

from __future__ import annotations

import base64
import json
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from connectors.check import ConnectorError
from connectors.lambda_sink.calls import CallFailed, CallRefused
from connectors.lambda_sink.contract import PAYLOAD_LIMIT, AnswerError, Delivery, Refusal, entries
from connectors.lambda_sink.delivery_queue import DeliveryQueue, Failure

#: A function that accepts nothing for this long fails the job, which goes on from its last checkpoint. Checkpoints
#: can't pass meanwhile, and Flink would give up on one after 600 s without saying why.
PATIENCE_SECONDS = 540
_ENVELOPE = '{{"invocationId":"{}","applicationArn":{},"streamArn":{},"records":[{}]}}'
_RECORD = '{{"recordId":"{}",{},"data":"{}"}}'
_FAILED = "ProcessingFailed"


@dataclass(slots=True)
class SourceRecord(Delivery):
    """A record that the function is to process.

    Parameters
    ----------
    metadata : str
        The record's metadata in the event, as a JSON member: a name and an object.
    """

    metadata: str = ""

    @property
    def size(self) -> int:
        """Bytes of the record in an event, rounded up."""
        return len(_RECORD) + len(self.record_id) + len(self.metadata) + 4 * ((len(self.data) + 2) // 3)


def kinesis_metadata(shard: str, sequence_number: str, arrival_ms: int) -> str:
    """The metadata of a stream's record. The partition key is empty, as Flink's connector does not give it.

    Examples
    --------
    >>> kinesis_metadata("shardId-000000000000", "495", 1706702400123)
    '"kinesisStreamRecordMetadata":{"sequenceNumber":"495","partitionKey":"","shardId":"shardId-000000000000","approximateArrivalTimestamp":1706702400123}'
    """
    of = {
        "sequenceNumber": sequence_number,
        "partitionKey": "",
        "shardId": shard,
        "approximateArrivalTimestamp": arrival_ms,
    }
    return f'"kinesisStreamRecordMetadata":{json.dumps(of, separators=(",", ":"))}'


def firehose_metadata(arrival_ms: int) -> str:
    """The metadata of a record that Firehose wrote to S3, or of a recording."""
    return f'"kinesisFirehoseRecordMetadata":{{"approximateArrivalTimestamp":{arrival_ms}}}'


class Outcome(NamedTuple):
    """The result for a record: new data, an error, or neither if the function dropped it."""

    data: bytes | None = None
    error: Failure | None = None


def event(application_arn: str, stream_arn: str, batch: Sequence[SourceRecord]) -> bytes:
    """The event of a batch; every call has an invocationId of its own."""
    records = ",".join(
        _RECORD.format(r.record_id, r.metadata, base64.b64encode(r.data).decode("ascii")) for r in batch
    )
    envelope = (uuid.uuid4(), json.dumps(application_arn), json.dumps(stream_arn), records)
    return _ENVELOPE.format(*envelope).encode("ascii")


def read_answer(
    answer: bytes, batch: Sequence[SourceRecord]
) -> tuple[dict[str, Outcome], dict[str, Refusal]]:
    """The outcome of each record by recordId, and the records without a usable one, with the reason.

    Raises
    ------
    connectors.lambda_sink.contract.AnswerError
        When the answer does not have the contract's form.
    """
    said = entries(answer)
    outcomes, refused = {}, {}
    for record in batch:
        found = said.get(record.record_id, [])
        if not found:
            refused[record.record_id] = Refusal(f"the answer has no recordId {record.record_id}", named=False)
        elif len(found) > 1:
            refused[record.record_id] = Refusal(f"the answer must name a record once, got {len(found)} times")
        else:
            outcome = _outcome(found[0])
            if isinstance(outcome, Refusal):
                refused[record.record_id] = outcome
            else:
                outcomes[record.record_id] = outcome
    return outcomes, refused


def _outcome(entry: dict[str, Any]) -> Outcome | Refusal:
    result = entry.get("result")
    if result == "Dropped":
        return Outcome()
    if result == _FAILED:
        return Outcome(error=Failure(_FAILED, "the function answered ProcessingFailed"))
    if result != "Ok":
        return Refusal(f"the result must be 'Ok', 'Dropped' or 'ProcessingFailed', got {repr(result)[:100]}")
    try:
        return Outcome(base64.b64decode(entry.get("data"), validate=True))  # type: ignore[arg-type]
    except (ValueError, TypeError):
        return Refusal(f"the data of a record that is Ok must be base64, got {repr(entry.get('data'))[:100]}")


class Preprocessor:
    """Processes batches of records by a function.

    Parameters
    ----------
    function
        Has ``name`` and ``invoke(payload) -> answer``: a :class:`connectors.lambda_sink.calls.LambdaFunction`.
    application_arn, stream_arn : str
        What the function gets in the event.
    batch_records : int
        Most records in one call.
    max_retries : int or None
        Failures after the first that a record may have before it is an error; None: it is sent until it is accepted.
    monotonic, sleep : callable
        Those of :mod:`time`, or a test's.
    """

    def __init__(
        self,
        function: Any,
        application_arn: str,
        stream_arn: str,
        batch_records: int,
        max_retries: int | None,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._function = function
        self._arns = (application_arn, stream_arn)
        self._batch_records = batch_records
        self._max_retries = max_retries
        self._monotonic, self._sleep = monotonic, sleep
        self._room = PAYLOAD_LIMIT - len(event(application_arn, stream_arn, []))

    def process(self, records: Sequence[SourceRecord]) -> list[Outcome]:
        """The outcome of each record, in the given order.

        Raises
        ------
        ConnectorError
            When the function can't be used, or accepts nothing for :data:`PATIENCE_SECONDS`.
        """
        # Half of a call's limit: an answer, which has the same limit, may be longer than its event.
        queue = DeliveryQueue(0.0, self._batch_records, self._room // 2, self._max_retries)
        outcomes: dict[str, Outcome] = {}
        start = progress = self._monotonic()
        for record in records:
            if record.size > self._room:
                outcomes[record.record_id] = Outcome(
                    error=Failure(
                        "RecordTooLarge",
                        f"a record must have at most {self._room} bytes in base64 to fit a call, got {record.size}",
                    )
                )
            else:
                queue.put(record, start)
        trouble = ""
        while queue.held:
            now = self._monotonic()
            if now - progress > PATIENCE_SECONDS:
                raise ConnectorError(
                    f"Lambda function {self._function.name} accepted none of {queue.held} records for"
                    f" {now - progress:.0f} s; they are read again from the last checkpoint: {trouble}"
                )
            batch: Any = queue.take(now, flush=True)
            if not batch:
                self._sleep(queue.wait(now, flush=True) or 0.0)
                continue
            held = queue.held
            trouble = self._call(queue, batch, outcomes) or trouble
            for delivery, failure in queue.settled:
                if failure:
                    outcomes[delivery.record_id] = Outcome(error=_reported(delivery, failure))
            queue.settled.clear()
            if queue.held < held:
                progress = self._monotonic()
        return [outcomes[record.record_id] for record in records]

    def _call(self, queue: DeliveryQueue, batch: Sequence[SourceRecord], outcomes: dict[str, Outcome]) -> str:
        """Send a batch and report the result to the queue; return what went wrong, or an empty text."""
        try:
            found, refused = read_answer(self._function.invoke(event(*self._arns, batch)), batch)
        except AnswerError as e:
            queue.failed(batch, Failure(_FAILED, str(e)), self._monotonic())
            return str(e)
        except CallFailed as e:
            queue.failed(batch, e.failure, self._monotonic())
            return e.failure.message
        except CallRefused as e:
            queue.busy(batch, self._monotonic())
            return str(e)
        outcomes |= found
        queue.answered(batch, refused, self._monotonic())
        return next(iter(refused.values())).reason if refused else ""


def _reported(delivery: Delivery, failure: Failure) -> Failure:
    name = _FAILED if failure.name == "DeliveryFailed" else failure.name
    return Failure(name, f"sent {delivery.retries + 1} times: {failure.message}")
