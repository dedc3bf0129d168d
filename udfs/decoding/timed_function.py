"""The decoder with a clock, as a Flink function: its clock is in keyed state. Flink's key is a bucket of shards.

A subtask has one clock for all its buckets, and reads them all when it starts. Each bucket's state is the part of the
clock that belongs to its shards. It is written when the watermark moves, in the same bundle as the rows that say so.
"""

from __future__ import annotations

import datetime as dt
import gc
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, pairwise, repeat
from typing import Any

import numpy as np
from pyflink.common import Row, Types
from pyflink.datastream import KeyedProcessFunction
from pyflink.datastream.state import ValueStateDescriptor

from udfs.decoding.clocks import Clocks
from udfs.decoding.columns import Column
from udfs.decoding.decoder import RecordDecoder, late_record
from udfs.decoding.record_format import RecordFormat
from udfs.decoding.refused import Decoded
from udfs.decoding.stream_clock import Saved
from udfs.key_groups import bucket_of, own_buckets
from udfs.row_messages import Switch, take_runs

#: Fields of an element; the source's other columns follow, which are text.
DATA, SHARD, ARRIVAL, LAST = range(4)
#: Columns of an answer after those of the record and the source's.
ERROR = ("error_name", "message", "data_row")
BUCKETS = 128


class DecodeAndTime(KeyedProcessFunction):  # type: ignore[misc]
    """Rows for each record, each with its rowtime and the watermark; late records are reported.

    An answer is: the record's columns, the source's columns, the error's columns, rowtime and watermark in milliseconds
    since the epoch. A row's rowtime is later than the watermark and a heartbeat's is equal to it, which tells the two
    apart.

    Parameters
    ----------
    columns : sequence of Column
        What to take from each row of a record.
    record_format : RecordFormat
        How records are laid out.
    clocks : Clocks
        How event time is tracked.
    copied : sequence of int
        The element's fields that each row gets.
    """

    def __init__(
        self,
        columns: Sequence[Column],
        record_format: RecordFormat,
        clocks: Clocks,
        copied: Sequence[int] = (),
    ) -> None:
        self._columns = tuple(columns)
        self._format = record_format
        self._clocks = clocks
        self._copied = tuple(copied)
        #: Required by :class:`udfs.row_messages.InRuns`.
        self.numbers, self.value = [ARRIVAL], SHARD

    def open(self, runtime_context: Any) -> None:
        """Declare the state, and start the clock. The decoder is made on the worker: closures can't be pickled."""
        self._state = runtime_context.get_state(ValueStateDescriptor("clock", Types.PICKLED_BYTE_ARRAY()))
        self._own = own_buckets(
            BUCKETS,
            runtime_context.get_index_of_this_subtask(),
            runtime_context.get_number_of_parallel_subtasks(),
        )
        self._parts: dict[str, Saved | None] = {}
        self._shards: dict[str, set[str]] = {}
        self._clock = self._clocks.start(lambda shard: bucket_of(shard, BUCKETS) in self._own)
        self._said = 0
        #: Row by row: the watermark in each bucket's state.
        self._written: dict[str, int] = {}
        self._switch: Switch | None = None
        self._decoder = RecordDecoder(self._columns, self._format)
        sent_as_text = any(wire_type(c.type) != c.type for c in self._columns)
        self._plain = self._plain_as_sent if sent_as_text else self._decoder.plain
        self._nothing = (None,) * len(self._columns)
        self._no_source = (None,) * len(self._copied)
        self._no_error = (None,) * len(ERROR)
        # The garbage collector would look for cycles in each batch, though there are none.
        gc.freeze()
        gc.set_threshold(100_000)
        self._json: Any = None
        if all(k <= LAST for k in self._copied) and take_runs(self):
            self.compile()

    def close(self) -> None:
        """End the lists of shards."""
        self._clock.close()

    def compile(self) -> None:
        """Take the compiled reader, if it can read these columns. Imported on the worker: it can't be pickled."""
        from udfs.decoding.json_rows import JsonRows

        if JsonRows.readable(self._columns, self._format):
            self._json = JsonRows(self._columns)

    def start(self, switch: Switch) -> None:
        """Before the first rows, read the state of all buckets."""
        self._switch = switch
        if len(self._parts) < len(self._own):
            for bucket in self._own:
                if bucket not in self._parts:
                    switch(bucket)
                    self._read(bucket)

    def process_run(self, rows: Any, first: int, end: int) -> Iterator[bytes | list[list[Any]]]:
        """The answers to records that came together."""
        arrivals = rows.points[first:end, 0].astype("int64")
        shards = rows.values(first, end)
        runs, begin = [], 0
        for shard, same in groupby(shards):
            runs.append((shard, begin, begin + sum(1 for _ in same)))
            begin = runs[-1][2]
        happened, reached = self._clock.hear_all(runs, arrivals)
        self._write()
        yield from self._answers(rows, first, end, shards, np.stack([arrivals, happened, reached]))

    def _answers(
        self, rows: Any, first: int, end: int, shards: Sequence[Any], times: Any
    ) -> Iterator[bytes | list[list[Any]]]:
        """The answers to records; ``times`` (3, n) are arrival, rowtime and watermark."""
        if self._json is None:
            yield self._decoded(rows, first, end, shards, times)
            return
        heads, *fields = rows.parts(first, end)
        data = np.frombuffer(rows.data, np.uint8)
        found = self._json.read(data, fields[DATA][:, 0] + 4, fields[DATA][:, 1])
        plain = found.plain & (times[0] == times[1])
        none = np.empty((len(plain), 0, 2), np.int64)
        copied = np.stack([fields[k] for k in self._copied], axis=1) if self._copied else none
        edges = [0, *(np.flatnonzero(plain[1:] != plain[:-1]) + 1).tolist(), len(plain)]
        for begin, stop in pairwise(edges):
            here = slice(begin, stop)
            if not plain[begin]:
                yield self._decoded(rows, first + begin, first + stop, shards[here], times[:, here])
                continue
            numbers = np.ascontiguousarray(times[1:, here].T).view(np.uint64)
            yield self._json.written(data, found, begin, stop, heads[here], copied[here], numbers, len(ERROR))

    def _decoded(self, rows: Any, first: int, end: int, shards: Sequence[Any], times: Any) -> list[list[Any]]:
        _, data, _, _, last = rows.parts(first, end)
        records, came = rows.texts(data), times[0].tolist()
        lasts = [text.decode() or None for text in rows.texts(last)] if LAST in self._copied else []
        fields = (records, shards, came, lasts)
        sources: Iterable[tuple[Any, ...]] = (
            zip(*(fields[k] for k in self._copied), strict=True) if self._copied else repeat(())
        )
        answers = []
        plain, no_error = self._plain, self._no_error
        for record, arrival, source, *time in zip(records, came, sources, *times[1:].tolist(), strict=False):
            values = plain(record) if time[0] == arrival else None
            if values:
                answers.append([*values, *source, *no_error, *time])
            else:
                answers += self._any_or_late(record, arrival, source, tuple(time))
        return answers

    def process_element(self, value: Row, ctx: KeyedProcessFunction.Context) -> Iterator[Row]:
        """The answers to one row: a heartbeat, or a record if rows are not taken in runs."""
        bucket, clock = ctx.get_current_key(), self._clock
        if bucket not in self._parts:
            self._read(bucket)
        data, shard, arrival = value[DATA], value[SHARD], value[ARRIVAL]
        if data is None:
            clock.heartbeat()
            self._write(bucket)
            # Each bucket has heartbeats, so that all are saved; one row says the time.
            if bucket == self._own[0]:
                yield Row(*self._nothing, *self._no_source, *self._no_error, clock.watermark, clock.watermark)
            return
        happened = clock.hear(shard, arrival)
        if len(self._parts) < len(self._own) and (part := self._parts[bucket]) is not None:
            # The clock has not been restored yet.
            happened = max(happened, part[1] + 1)
        if self._written.get(bucket) != clock.watermark:
            self._write(bucket)
        for row in self._any_or_late(
            bytes(data), arrival, tuple(value[k] for k in self._copied), (happened, clock.watermark)
        ):
            yield Row(*row)

    def _read(self, bucket: str) -> None:
        """Read the state of the current key; restore the clock with the last bucket."""
        self._parts[bucket] = self._state.value()
        if len(self._parts) == len(self._own):
            self._clock.restore([part for part in self._parts.values() if part is not None])
            self._said = self._clock.watermark

    def _write(self, current: str | None = None) -> None:
        """Write the parts of the clock: all if its watermark has moved and any can be set, and the current key's."""
        if len(self._parts) < len(self._own):
            # What is saved has not been read yet.
            return
        moved = self._switch is not None and self._clock.watermark != self._said
        if not moved and current is None:
            return
        for shard in self._clock.new_shards():
            self._shards.setdefault(bucket_of(shard, BUCKETS), set()).add(shard)
        if current is not None:
            self._written[current] = self._clock.watermark
            self._state.update(self._clock.saved(self._shards.get(current, ())))
        if self._switch is not None and moved:
            self._said = self._clock.watermark
            for bucket in self._own if self._clocks.lister is None else self._shards:
                self._switch(bucket)
                self._state.update(self._clock.saved(self._shards.get(bucket, ())))

    def _any_or_late(
        self, data: bytes, arrival: int, source: tuple[Any, ...], time: tuple[int, ...]
    ) -> Iterator[list[Any]]:
        late, counts = time[0] != arrival, self._clocks.count_late
        if counts or not late:
            for row in self._decoder.decode(data):
                yield self._answer(row, source, time)
        if late:
            yield self._answer(late_record(data, arrival, time[0], counts), source, time)

    def _plain_as_sent(self, data: bytes) -> tuple[Any, ...] | None:
        values = self._decoder.plain(data)
        return values and tuple(map(_sent, values))

    def _answer(self, row: Decoded, source: tuple[Any, ...], time: tuple[int, ...]) -> list[Any]:
        if row.values is None:
            return [*self._nothing, *source, row.error_name, row.message, row.data_row, *time]
        return [*map(_sent, row.values), *source, *self._no_error, *time]


def wire_type(type_: str) -> str:
    """The type of a column on its way to SQL: PyFlink's data streams have none for dates and times."""
    return "STRING" if type_.upper().lstrip().startswith(("DATE", "TIME")) else type_


def _sent(value: Any) -> Any:
    """A value of its `wire_type`."""
    return str(value) if isinstance(value, (dt.date, dt.time)) else value
