"""Sends rows to a Lambda function by KDA's destination contract, so that a handler written for KDA runs unchanged.

Delivery: at least once. A row stays in keyed state until the function has answered ``Ok`` for it; a crash between call
and acknowledgement repeats it and never loses it. At the end of a bounded input the job ends when every row is
delivered or given up. Order: within a value of ``key_column`` (all rows with ``concurrency=1``), as long as nothing
fails; a row that is sent again may be overtaken. Batches: sent after ``batch_seconds``, or at ``batch_records`` rows or
6 MB.

A row that the function does not accept is sent again, with growing ``retryHint`` and back-off, without end or until
``max_retries``; then it goes to the error rows. A row that is too large for a call goes there at once. Calls that
Lambda does not accept (throttling, 5xx, no connection) are repeated and don't count. A missing function or permission
fails the job with one line.

Back-pressure: from ``max_buffered`` rows on, a subtask slows its input the more rows it holds. It never stops it, so
checkpoint barriers still pass.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pyflink.common import Row
from pyflink.datastream import TimerService
from pyflink.datastream.functions import KeyedProcessFunction, RuntimeContext

from connectors.check import ConnectorError
from connectors.lambda_sink.calls import LambdaFunction, deliver
from connectors.lambda_sink.contract import Delivery, room_for_records
from connectors.lambda_sink.delivery_queue import DeliveryQueue, Failure
from connectors.lambda_sink.options import LambdaSinkOptions
from connectors.lambda_sink.pending import NO_TIMESTAMP, Pending, chunks
from connectors.lambda_sink.worker import Worker
from connectors.row_csv import csv_line
from connectors.row_json import object_json

#: How long each row waits once ``max_buffered`` is reached; twice as long at twice that many, and so on. Stopping the
#: input would also stop checkpoint barriers, for as long as the function fails.
FULL_WAIT_SECONDS = 0.01
#: How long the end of a bounded input waits for a function that accepts nothing. No checkpoint passes meanwhile, and
#: after this time Flink would give up on one.
END_WAIT_SECONDS = 600
#: Bytes of unacknowledged rows that count as a full buffer, too.
FULL_BYTES = 64 * 1024 * 1024
#: Acknowledged rows leave the state at least this often.
TICK_MILLISECONDS = 1000
#: Event time of the end of a bounded input.
END_OF_INPUT = 2**63 - 1
# error_stream's columns are VARCHAR(4096) and VARCHAR(49152).
MESSAGE_LENGTH = 4096
DATA_ROW_LENGTH = 49152
#: The columns of an error row.
ERROR = ("error_name", "message", "data_rowtime", "data_row")


def _function(options: LambdaSinkOptions) -> LambdaFunction:
    return LambdaFunction(options.function, options.aws, options.concurrency)


class LambdaSink(KeyedProcessFunction):  # type: ignore[misc]
    """The operator, keyed by bucket: keyed state holds the unacknowledged rows, and workers send copies of them.

    Flink calls it from one thread; workers run in threads of their own and never touch Flink. A restored bucket sends
    all its rows again, with a retryHint of 1, as they may have been sent before.

    Parameters
    ----------
    names : sequence of str
        The columns of a row.
    options : LambdaSinkOptions
        Which function, and how to send.
    make_function : callable
        For tests.

    Attributes
    ----------
    timers : TimerService
        Of the current key; must be set before :meth:`process_batch` is called.
    """

    timers: TimerService

    def __init__(
        self,
        names: Sequence[str],
        options: LambdaSinkOptions,
        make_function: Callable[[LambdaSinkOptions], Any] = _function,
    ) -> None:
        self._names = tuple(names)
        self._options = options
        self._make_function = make_function

    def open(self, runtime_context: RuntimeContext) -> None:
        self._pending = Pending(runtime_context)
        self._function = self._make_function(self._options)
        self._room = room_for_records(self._options.application_arn)
        self._workers: dict[int, Worker] = {}  # by bucket
        self._failed: dict[int, list[tuple[Delivery, Failure]]] = {}  # rows given up, by bucket
        self._last_sequence = 0
        self._last_tick: dict[int, int] = {}
        self._retried = 0
        self._filling: Worker | None = None
        self._filled, self._filled_since = 0, 0.0
        metrics = runtime_context.get_metrics_group().add_group("lambda_sink")
        self._delivered_counter = metrics.counter("delivered")
        self._failed_counter = metrics.counter("failed")
        self._retried_counter = metrics.counter("retried")
        metrics.gauge("in_flight", self._held)

    def close(self) -> None:
        for worker in self._workers.values():
            worker.close()

    def process_element(self, value: Row, ctx: KeyedProcessFunction.Context) -> Iterator[Row]:
        """Take one row, if batches are not available."""
        self.timers = ctx.timer_service()
        for error in self.process_batch(ctx.get_current_key(), [value], [ctx.timestamp()]):
            yield Row(*error)

    def process_batch(self, bucket: int, rows: Sequence[Any], times: Sequence[int]) -> list[tuple[Any, ...]]:
        """Take rows of a bucket, which is the current key, with their event times; returns error rows."""
        self._open_bucket(bucket)
        errors = self._collect(bucket)
        deliveries = []
        # Must also grow after a restart, as restored rows keep their numbers.
        sequence = max(self._last_sequence, time.time_ns())
        for row, moment in zip(rows, times, strict=True):
            sequence += 1
            data = csv_line(row) if self._options.format == "csv" else object_json(self._names, row)
            rowtime = None if moment == NO_TIMESTAMP else moment
            delivery = Delivery(sequence, f"{bucket}-{sequence}", data, rowtime)
            if delivery.size <= self._room:
                deliveries.append(delivery)
                continue
            needed = (
                f"a row must have at most {self._room} bytes in base64 to fit a call, got {delivery.size}"
            )
            errors.append(self._given_up(delivery, Failure("RecordTooLarge", needed)))
        self._last_sequence = sequence
        self._pending.keep(bucket, deliveries)
        for chunk in chunks(deliveries):
            self._put(bucket, chunk)
        self._tick(bucket)
        return errors

    def on_timer(self, timestamp: int, ctx: KeyedProcessFunction.OnTimerContext) -> Iterator[Row]:
        """Remove settled rows from the bucket's state, each second and at the end of the input."""
        self.timers = ctx.timer_service()
        bucket = ctx.get_current_key()
        self._open_bucket(bucket)
        if timestamp == END_OF_INPUT:
            self._drain()
        for error in self._collect(bucket):
            yield Row(*error)
        if self._pending.holds(bucket):
            self._tick(bucket)

    def _put(self, bucket: int, chunk: list[Delivery]) -> None:
        """Give rows to workers; all at once as long as there is room, then one after the other."""
        place = 0
        while place < len(chunk):
            self._wait_for_room()
            free = max(1, self._options.max_buffered - self._held())
            part = chunk[place : place + free]
            self._worker_for(bucket).put(part)
            self._filled += len(part)
            place += free

    def _worker_for(self, bucket: int) -> Worker:
        """The bucket's own worker; without a key column any, so that calls are full.

        Rows without a key go to one worker for ``batch_seconds`` or until it has a full batch, then to the one that
        holds the fewest rows: so queues fill one after the other, instead of all of them slowly.
        """
        if self._options.key_column is not None:
            return self._workers[bucket]
        now = time.monotonic()
        if (
            self._filling is None
            or self._filled >= self._options.batch_records
            or now - self._filled_since > self._options.batch_seconds
        ):
            # A savepoint may have had more buckets.
            now_used = (w for b, w in self._workers.items() if b < self._options.concurrency)
            self._filling = min(now_used, key=lambda worker: worker.queue.held)
            self._filled, self._filled_since = 0, now
        return self._filling

    def _drain(self) -> None:
        """Wait until all rows are settled: after the end of the input there are no timers."""
        held, last_progress = self._held(), time.monotonic()
        while not all([worker.drain(seconds=1.0) for worker in self._workers.values()]):
            self._raise_error()
            if self._held() < held:
                held, last_progress = self._held(), time.monotonic()
            elif time.monotonic() - last_progress > END_WAIT_SECONDS:
                raise ConnectorError(
                    f"Lambda function {self._options.function} accepted none of the last {held} rows for "
                    f"{END_WAIT_SECONDS} s; the job sends them again from its last checkpoint"
                )

    def _tick(self, bucket: int) -> None:
        """Set a timer for the next full second. Flink keeps one timer for a time, however often it is set."""
        now = self.timers.current_processing_time()
        tick = (now // TICK_MILLISECONDS + 1) * TICK_MILLISECONDS
        if self._last_tick.get(bucket) != tick:
            self.timers.register_processing_time_timer(tick)
            self.timers.register_event_time_timer(END_OF_INPUT)
            self._last_tick[bucket] = tick

    def _open_bucket(self, bucket: int) -> None:
        """Start the bucket's worker with the rows in its state, the first time."""
        if bucket in self._workers:
            return
        options = self._options
        queue = DeliveryQueue(options.batch_seconds, options.batch_records, self._room, options.max_retries)
        worker = Worker(queue, lambda batch: deliver(self._function, options.application_arn, batch))
        restored = self._pending.restore(bucket)
        if restored:
            self._last_sequence = max(self._last_sequence, restored[-1].sequence)
            worker.put(restored)
        self._workers[bucket] = worker

    def _collect(self, bucket: int) -> list[tuple[Any, ...]]:
        """Remove the bucket's settled rows from its state; returns an error row for each one given up."""
        self._raise_error()
        for worker in self._workers.values():
            while worker.queue.settled:
                delivery, failure = worker.queue.settled.popleft()
                home = self._pending.settled(delivery)
                if failure is None:
                    self._delivered_counter.inc()
                else:
                    self._failed.setdefault(home, []).append((delivery, failure))
        retried = sum(worker.queue.retried for worker in self._workers.values())
        if retried > self._retried:
            self._retried_counter.inc(retried - self._retried)
            self._retried = retried
        self._pending.remove_settled(bucket)
        return [self._given_up(delivery, failure) for delivery, failure in self._failed.pop(bucket, ())]

    def _given_up(self, delivery: Delivery, failure: Failure) -> tuple[Any, ...]:
        self._failed_counter.inc()
        message = f"{self._options.function}: {failure.message}"
        if delivery.retries:
            message = f"{self._options.function}, sent {delivery.retries + 1} times: {failure.message}"
        # Cut before the conversion to hex: a row may have megabytes.
        kept = delivery.data[: DATA_ROW_LENGTH // 2]
        if len(kept) < len(delivery.data):
            cut = f" (row of {len(delivery.data)} bytes, cut to {len(kept)})"
            message = message[: MESSAGE_LENGTH - len(cut)] + cut
        return failure.name, message[:MESSAGE_LENGTH], delivery.rowtime, kept.hex()

    def _wait_for_room(self) -> None:
        start = time.monotonic()
        while (fullness := self._fullness()) >= 1 and time.monotonic() < start + FULL_WAIT_SECONDS * fullness:
            self._raise_error()
            time.sleep(0.002)

    def _held(self) -> int:
        """Rows that are not yet settled."""
        return sum(worker.queue.held for worker in self._workers.values())

    def _fullness(self) -> float:
        """Rows or bytes held, as a share of what may be held before the input slows down."""
        held_bytes = sum(worker.queue.held_bytes for worker in self._workers.values())
        return max(self._held() / self._options.max_buffered, held_bytes / FULL_BYTES)

    def _raise_error(self) -> None:
        for worker in self._workers.values():
            if worker.error is not None:
                raise worker.error
