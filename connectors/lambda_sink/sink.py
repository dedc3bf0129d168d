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
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from pyflink.common import Row, Types
from pyflink.datastream.functions import KeyedProcessFunction, MapFunction, RuntimeContext
from pyflink.datastream.state import MapStateDescriptor
from pyflink.table import DataTypes, Schema, StreamTableEnvironment, Table
from pyflink.table.expressions import col, to_timestamp_ltz
from pyflink.table.types import BinaryType, DayTimeIntervalType, VarBinaryType, YearMonthIntervalType

from base.errors import InvalidValue
from connectors.check import ConnectorError
from connectors.lambda_sink.calls import LambdaFunction, deliver
from connectors.lambda_sink.contract import Delivery, room_for_records
from connectors.lambda_sink.delivery_queue import DeliveryQueue, Failure
from connectors.lambda_sink.options import LambdaSinkOptions
from connectors.lambda_sink.worker import Worker
from connectors.row_csv import csv_line
from connectors.row_json import object_json, value_json

__all__ = ["LambdaSinkOptions", "check_function", "lambda_sink"]

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
#: Flink's event time of a row that has none.
NO_TIMESTAMP = -(2**63)
# error_stream's columns are VARCHAR(4096) and VARCHAR(49152).
MESSAGE_LENGTH = 4096
DATA_ROW_LENGTH = 49152
# PyFlink 1.20 can't convert these types to a DataStream.
UNSUPPORTED = (BinaryType, VarBinaryType, DayTimeIntervalType, YearMonthIntervalType)

ROW_WITH_BUCKET = Types.ROW_NAMED(["bucket", "data"], [Types.INT(), Types.PRIMITIVE_ARRAY(Types.BYTE())])
PENDING_ROW = Types.ROW_NAMED(["rowtime", "data"], [Types.LONG(), Types.PRIMITIVE_ARRAY(Types.BYTE())])
ERROR_ROW = Types.ROW_NAMED(
    ["error_name", "message", "data_rowtime", "data_row"],
    [Types.STRING(), Types.STRING(), Types.LONG(), Types.STRING()],
)


def lambda_sink(table_env: StreamTableEnvironment, table: Table, options: LambdaSinkOptions) -> Table:
    """Send every row of a table to a Lambda function; return the rows that could not be delivered.

    Parameters
    ----------
    table_env : StreamTableEnvironment
        Where the table lives.
    table : Table
        Append-only. Each row becomes one JSON object with the column names as keys
        (:mod:`connectors.row_json`), or one line of CSV (:mod:`connectors.row_csv`).
    options : LambdaSinkOptions
        Which function, and how to send.

    Returns
    -------
    Table
        ``error_name STRING, message STRING, data_rowtime TIMESTAMP_LTZ(3), data_row STRING`` (the row as it was sent,
        in hex), one for each row that was given up. Insert it somewhere: only then does the sink run.

    Raises
    ------
    ValueError
        When ``key_column`` is not a column of the table, or a column has a type that PyFlink can't give to Python.
    """
    schema = table.get_schema()
    names = tuple(schema.get_field_names())
    for name, kind in zip(names, schema.get_field_data_types(), strict=True):
        if isinstance(kind, UNSUPPORTED) and kind != DataTypes.BYTES(kind._nullable):
            raise InvalidValue(f"lambda_sink: column {name} must be cast to BYTES or STRING, got {kind}")
    if options.key_column is not None and options.key_column not in names:
        raise InvalidValue(
            f"{options.group}.key_column must be one of {', '.join(names)}, got {options.key_column!r}"
        )
    undelivered = (
        table_env.to_data_stream(table)
        .map(RowToData(names, options), output_type=ROW_WITH_BUCKET)
        .key_by(_bucket, key_type=Types.INT())
        .process(LambdaSink(options), output_type=ERROR_ROW)
        .name(f"lambda_sink {options.operator_name}")
        .uid(f"lambda_sink {options.operator_name}")
    )
    error_schema = (
        Schema.new_builder()
        .column("error_name", "STRING")
        .column("message", "STRING")
        .column("data_rowtime", "BIGINT")
        .column("data_row", "STRING")
        .build()
    )
    # In thread mode Python can't return a timestamp.
    return table_env.from_data_stream(undelivered, error_schema).select(
        col("error_name"),
        col("message"),
        to_timestamp_ltz(col("data_rowtime"), 3).alias("data_rowtime"),
        col("data_row"),
    )


def _bucket(row: Row) -> int:
    return int(row[0])


def check_function(options: LambdaSinkOptions) -> None:
    """Check before the job starts that the function exists; ConnectorError if not, or if access is denied."""
    _function(options).check()


def _function(options: LambdaSinkOptions) -> LambdaFunction:
    return LambdaFunction(options.function, options.aws, options.concurrency)


class RowToData(MapFunction):  # type: ignore[misc]
    """A row as JSON or CSV, with the bucket that delivers it.

    Without a key column, the bucket changes after ``batch_seconds`` or ``batch_records`` rows: so buckets fill one
    after the other, instead of all of them slowly.
    """

    def __init__(self, names: tuple[str, ...], options: LambdaSinkOptions) -> None:
        self._names = names
        self._key = names.index(options.key_column) if options.key_column else None
        self._options = options
        self._count = 0
        self._since = 0.0

    def map(self, value: Row) -> Row:
        if self._key is None:
            now = time.monotonic()
            if now - self._since > self._options.batch_seconds:
                self._count += -self._count % self._options.batch_records
                self._since = now
            number = self._count // self._options.batch_records
            self._count += 1
        else:
            number = zlib.crc32(value_json(value[self._key]).encode("utf-8", "replace"))
        data = csv_line(value) if self._options.format == "csv" else object_json(self._names, value)
        return Row(number % self._options.concurrency, data)


class LambdaSink(KeyedProcessFunction):  # type: ignore[misc]
    """The operator, keyed by bucket: keyed state holds the unacknowledged rows, and workers send copies of them.

    Flink calls it from one thread; workers run in threads of their own and never touch Flink. A restored bucket sends
    all its rows again, with a retryHint of 1, as they may have been sent before.
    """

    def __init__(
        self, options: LambdaSinkOptions, make_function: Callable[[LambdaSinkOptions], Any] = _function
    ) -> None:
        self._options = options
        self._make_function = make_function

    def open(self, runtime_context: RuntimeContext) -> None:
        self._pending = runtime_context.get_map_state(
            MapStateDescriptor("pending", Types.LONG(), PENDING_ROW)
        )
        self._function = self._make_function(self._options)
        self._room = room_for_records(self._options.application_arn)
        self._workers: dict[int, Worker] = {}
        self._last_sequence = 0
        self._last_tick: dict[int, int] = {}
        self._retried = 0
        metrics = runtime_context.get_metrics_group().add_group("lambda_sink")
        self._delivered_counter = metrics.counter("delivered")
        self._failed_counter = metrics.counter("failed")
        self._retried_counter = metrics.counter("retried")
        metrics.gauge("in_flight", lambda: sum(c.queue.held for c in self._workers.values()))

    def close(self) -> None:
        for worker in self._workers.values():
            worker.close()

    def process_element(self, value: Row, ctx: KeyedProcessFunction.Context) -> Iterator[Row]:
        bucket, data = value[0], bytes(value[1])
        worker = self._worker(bucket)
        yield from self._collect(worker)
        # Must also grow after a restart, as restored rows keep their numbers.
        self._last_sequence = max(self._last_sequence + 1, time.time_ns())
        rowtime = None if ctx.timestamp() == NO_TIMESTAMP else ctx.timestamp()
        delivery = Delivery(self._last_sequence, f"{bucket}-{self._last_sequence}", data, rowtime)
        if delivery.size > self._room:
            failure = Failure(
                "RecordTooLarge",
                f"a row must have at most {self._room} bytes in base64 to fit a call, got {delivery.size}",
            )
            yield self._given_up(delivery, failure)
            return
        self._wait_for_room()
        self._pending.put(delivery.sequence, Row(rowtime, data))
        worker.put(delivery)
        self._tick(bucket, ctx)

    def on_timer(self, timestamp: int, ctx: KeyedProcessFunction.OnTimerContext) -> Iterator[Row]:
        bucket = ctx.get_current_key()
        worker = self._worker(bucket)
        if timestamp == END_OF_INPUT:
            self._drain(worker)
        yield from self._collect(worker)
        if worker.queue.held or worker.queue.settled:
            self._tick(bucket, ctx)

    def _drain(self, worker: Worker) -> None:
        """Wait until all rows are settled: after the end of the input there are no timers."""
        held, last_progress = worker.queue.held, time.monotonic()
        while not worker.drain(seconds=1.0):
            self._raise_error()
            if worker.queue.held < held:
                held, last_progress = worker.queue.held, time.monotonic()
            elif time.monotonic() - last_progress > END_WAIT_SECONDS:
                raise ConnectorError(
                    f"Lambda function {self._options.function} accepted none of the last {held} rows for "
                    f"{END_WAIT_SECONDS} s; the job sends them again from its last checkpoint"
                )

    def _tick(self, bucket: int, ctx: KeyedProcessFunction.Context) -> None:
        """Set a timer for the next full second. Flink keeps one timer for a time, however often it is set."""
        timers = ctx.timer_service()
        tick = (timers.current_processing_time() // TICK_MILLISECONDS + 1) * TICK_MILLISECONDS
        if self._last_tick.get(bucket) != tick:
            timers.register_processing_time_timer(tick)
            timers.register_event_time_timer(END_OF_INPUT)
            self._last_tick[bucket] = tick

    def _worker(self, bucket: int) -> Worker:
        worker = self._workers.get(bucket)
        if worker is None:
            options = self._options
            queue = DeliveryQueue(
                options.batch_seconds, options.batch_records, self._room, options.max_retries
            )
            worker = Worker(queue, lambda batch: deliver(self._function, options.application_arn, batch))
            for sequence, (rowtime, data) in sorted(self._pending.items()):
                self._last_sequence = max(self._last_sequence, sequence)
                worker.put(Delivery(sequence, f"{bucket}-{sequence}", bytes(data), rowtime, retries=1))
            self._workers[bucket] = worker
        return worker

    def _collect(self, worker: Worker) -> Iterator[Row]:
        """Remove settled rows from the current bucket's state; yield an error row for each one given up."""
        self._raise_error()
        settled = worker.queue.settled
        while settled:
            delivery, failure = settled.popleft()
            self._pending.remove(delivery.sequence)
            if failure is None:
                self._delivered_counter.inc()
            else:
                yield self._given_up(delivery, failure)
        retried = sum(c.queue.retried for c in self._workers.values())
        if retried > self._retried:
            self._retried_counter.inc(retried - self._retried)
            self._retried = retried

    def _given_up(self, delivery: Delivery, failure: Failure) -> Row:
        self._failed_counter.inc()
        message = f"{self._options.function}: {failure.message}"
        if delivery.retries:
            message = f"{self._options.function}, sent {delivery.retries + 1} times: {failure.message}"
        # Cut before the conversion to hex: a row may have megabytes.
        kept = delivery.data[: DATA_ROW_LENGTH // 2]
        if len(kept) < len(delivery.data):
            cut = f" (row of {len(delivery.data)} bytes, cut to {len(kept)})"
            message = message[: MESSAGE_LENGTH - len(cut)] + cut
        return Row(failure.name, message[:MESSAGE_LENGTH], delivery.rowtime, kept.hex())

    def _wait_for_room(self) -> None:
        start = time.monotonic()
        while (fullness := self._fullness()) >= 1 and time.monotonic() < start + FULL_WAIT_SECONDS * fullness:
            self._raise_error()
            time.sleep(0.002)

    def _fullness(self) -> float:
        """Rows or bytes held, as a share of what may be held before the input slows down."""
        queues = [worker.queue for worker in self._workers.values()]
        return max(
            sum(queue.held for queue in queues) / self._options.max_buffered,
            sum(queue.held_bytes for queue in queues) / FULL_BYTES,
        )

    def _raise_error(self) -> None:
        for worker in self._workers.values():
            if worker.error is not None:
                raise worker.error
