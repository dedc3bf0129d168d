"""The random cut forest as a Flink function: takes a key's rows in order and adds a score to each.

State: the keys of a stream are spread over buckets. A bucket's forests live in the worker, and the records they learn
are added to keyed state in each call (see :mod:`udfs.forest.bucket`). PyFlink commits state at the end of a bundle,
before the checkpoint's barrier. So after a failure each row is scored by exactly the forest that it would have had
without the failure.
"""

from __future__ import annotations

import gc
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any

import numpy as np
from pyflink.common import Row, Types
from pyflink.datastream import KeyedProcessFunction
from pyflink.datastream.state import ListStateDescriptor, ValueStateDescriptor

from udfs.decoding.refused import Refused, error_row
from udfs.forest.bucket import Entry, ForestBucket, score_together
from udfs.forest.fields import keys_of, taking
from udfs.forest.live import LiveForests
from udfs.key_groups import USUAL
from udfs.row_batches import take_batches
from udfs.row_messages import Switch, take_columns

#: The most memory for a worker's unpacked and for its compact forests, if there is one for each key; the others stay
#: packed.
MOST_BYTES = 500_000_000
MOST_COMPACT_BYTES = 1_600_000_000
#: Columns added to a row for the error, if the score could not be computed.
ERROR_COLUMNS = ("error_name", "message", "data_row")


@dataclass(frozen=True)
class ForestOptions:
    """What to score, and how.

    Parameters
    ----------
    columns : tuple of str
        1-30 numeric columns.
    number_of_trees, sub_sample_size, time_decay, shingle_size, seed : int
        As for :class:`udfs.random_cut_forest.RandomCutForest`.
    partition_by : str or None
        A column; each of its values has its own forest. None: one forest for all rows.
    buckets : int
        Parts that the state is divided into with ``partition_by``, 16 to 2,048. At most this many subtasks share it,
        and saved state can't be divided again.
    idle_expiry : timedelta
        A forest without rows for this long, by rowtime, is dropped; zero: never.
    explain : bool
        Add ``anomaly_explanation``, the JSON of RANDOM_CUT_FOREST_WITH_EXPLANATION with directionality.
    """

    columns: tuple[str, ...]
    number_of_trees: int = 100
    sub_sample_size: int = 256
    time_decay: int = 100_000
    shingle_size: int = 1
    seed: int = 0
    partition_by: str | None = None
    buckets: int = USUAL
    idle_expiry: timedelta = timedelta(0)
    explain: bool = False


class ForestFunction(KeyedProcessFunction):  # type: ignore[misc]
    """Scores rows with the forest of their key, each before the forest learns it. Flink's own key is the bucket.

    It gets rows in batches (see :mod:`udfs.row_batches`).

    Parameters
    ----------
    fields : sequence of str
        The names of a row's values, in order.
    options : ForestOptions
        What to score, and how.
    """

    def __init__(self, fields: Sequence[str], options: ForestOptions) -> None:
        self._fields = tuple(fields)
        self._options = options
        self._indices = [self._fields.index(c) for c in options.columns]
        self._numbers = taking(self._indices)
        self._key = self._fields.index(options.partition_by) if options.partition_by else None
        self._nothing = (None,) * (2 if options.explain else 1)
        #: Required by :class:`udfs.row_messages.InColumns`.
        self.numbers, self.value, self.nulls = self._indices, self._key, len(ERROR_COLUMNS)

    def open(self, runtime_context: Any) -> None:
        """Declare the state. The forest is imported here, on the worker: compiled code can't be pickled."""
        from udfs.forest.arena import Arena
        from udfs.forest.compact_arena import CompactArena
        from udfs.forest.state import Parameters

        self._base = runtime_context.get_state(ValueStateDescriptor("forests", Types.PICKLED_BYTE_ARRAY()))
        # The log holds bytes: Flink's own pickling of an array takes as long as scoring it.
        self._log = runtime_context.get_list_state(
            ListStateDescriptor("learned_since", Types.PICKLED_BYTE_ARRAY())
        )
        take_batches(self)
        if not self._options.explain:
            take_columns(self)
        # With thousands of rows the garbage collector looks for cycles all the time, though there are none. It took a
        # fifth of the worker's time.
        gc.freeze()
        gc.set_threshold(100_000)
        self._buckets: dict[str, ForestBucket] = {}
        o = self._options
        parameters = Parameters(
            len(o.columns), o.number_of_trees, o.sub_sample_size, o.time_decay, o.shingle_size, o.seed
        ).checked()
        # Only a plain forest can be kept as its records at first, or compact: shingles and explanations need the forest
        # itself.
        plain = o.shingle_size == 1 and not o.explain
        self._live = LiveForests(
            Arena(parameters, MOST_BYTES if o.partition_by else 0),
            o.sub_sample_size if plain else 0,
            CompactArena(parameters, MOST_COMPACT_BYTES) if plain and o.partition_by else None,
        )

    def process_element(self, value: Any, ctx: KeyedProcessFunction.Context) -> Iterator[Row]:
        """Score one row, if batches are not available."""
        for values in self.process_batch(ctx.get_current_key(), [list(value)], [ctx.timestamp()]):
            yield Row(*values)

    def process_batch(self, key: str, rows: list[Any], times: list[int]) -> list[list[Any]]:
        """Score rows of one bucket; a row that can't be scored gets an error instead."""
        # None becomes NaN.
        points = np.array(list(map(self._numbers, rows)), np.float64)
        if np.isfinite(points).all():
            scores = self._results(key, rows, points, times)
            return [[*row, *score, None, None, None] for row, score in zip(rows, scores, strict=True)]
        good = np.isfinite(points).all(axis=1)
        some = np.flatnonzero(good).tolist()
        found = iter(
            self._results(key, [rows[k] for k in some], points[good], [times[k] for k in some])
            if some
            else ()
        )
        return [
            [*row, *next(found), None, None, None] if ok else self._error(row)
            for row, ok in zip(rows, good.tolist(), strict=True)
        ]

    def _error(self, row: Sequence[Any]) -> list[Any]:
        i = next(i for i in self._indices if row[i] is None or not math.isfinite(row[i]))
        message = f"column {self._fields[i]}: required a finite number to score, got {row[i]}"
        data_row = json.dumps(dict(zip(self._fields, row, strict=True)), default=_shown)
        error = error_row(Refused("NOT_SCORED", message), data_row.encode())
        return [*row, *self._nothing, *error[1:]]

    def process_columns(
        self, keys: list[str], values: list[Any] | None, points: Any, times: list[int], switch: Switch
    ) -> Any:
        """Score rows of several buckets, all of whose numbers are finite."""
        # Expiry follows the stream's time, so that no forest expires because the job was stopped. Not needed otherwise.
        moments = times if self._options.idle_expiry else [0] * len(keys)
        of_rows = values or [""] * len(keys)
        if keys.count(keys[0]) == len(keys):
            switch(keys[0])
            return self._score({keys[0]: Entry(moments, of_rows, points)}, switch)
        rows: dict[str, list[int]] = {}
        for row, key in enumerate(keys):
            rows.setdefault(key, []).append(row)
        entries = {
            key: Entry([moments[r] for r in some], [of_rows[r] for r in some], points[some])
            for key, some in rows.items()
        }
        scores = np.empty(len(points))
        scores[list(chain.from_iterable(rows.values()))] = self._score(entries, switch)
        return scores

    def _score(self, entries: dict[str, Entry], switch: Switch) -> Any:
        """The scores of some buckets' rows, bucket by bucket."""
        parts = [(self._bucket(name, switch), entry) for name, entry in entries.items()]
        scores = score_together(self._live, parts)
        for name, (bucket, entry) in zip(entries, parts, strict=True):
            switch(name)
            self._write_down(bucket, entry)
        return scores[0] if len(scores) == 1 else np.concatenate(scores)

    def _results(self, name: str, rows: list[Any], points: Any, times: list[int]) -> list[Any]:
        """The columns to add to each row of one bucket, which is the current key."""
        values = None if self._key is None else keys_of(rows, self._key)
        if not self._options.explain:
            scores = self.process_columns([name] * len(rows), values, points, times, lambda name: None)
            return [(score,) for score in scores.tolist()]
        entry = Entry(
            times if self._options.idle_expiry else [0] * len(rows), values or [""] * len(rows), points
        )
        bucket = self._bucket(name, lambda name: None)
        found = bucket.score(entry, self._explain)
        self._write_down(bucket, entry)
        return found

    def _bucket(self, name: str, switch: Switch) -> ForestBucket:
        bucket = self._buckets.get(name)
        if bucket is None:
            switch(name)
            bucket = self._buckets[name] = ForestBucket(
                self._live,
                self._options.idle_expiry // timedelta(milliseconds=1),
                self._base.value(),
                map(Entry.unpacked, self._log.get() or ()),
            )
        return bucket

    def _write_down(self, bucket: ForestBucket, entry: Entry) -> None:
        if bucket.log_is_long:
            self._base.update(bucket.base(entry.times[-1]))
            self._log.clear()
        else:
            self._log.add(entry.packed())

    def _explain(self, forest: Any, points: Any) -> Any:
        return forest.explain_many(points, columns=self._options.columns)


def _shown(value: Any) -> str:
    """A value that JSON has no type for, as text; times in the same format as the sinks write them."""
    if hasattr(value, "nanos"):
        moment = datetime.fromtimestamp(value.seconds, UTC) + timedelta(microseconds=value.nanos // 1000)
        return moment.replace(tzinfo=None).isoformat(" ", "milliseconds")
    return value.isoformat(" ", "milliseconds") if isinstance(value, datetime) else str(value)
