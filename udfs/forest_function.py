"""The random cut forest as a Flink function: rows of a key in order in, the same rows with a score out.

State. The live forest lies in keyed state and is written back after every call; Flink pickles it when a bundle commits,
before the checkpoint's barrier. So after a failure each row is scored by exactly the forest that an unbroken run would
have had.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pyflink.common import Row, Types
from pyflink.common.time import Time
from pyflink.datastream import KeyedProcessFunction
from pyflink.datastream.state import StateTtlConfig, ValueStateDescriptor

#: What a scored row has behind its own values where the score could not be computed.
ERROR_COLUMNS = ("error_name", "message", "data_row")
_NO_ERROR = (None,) * len(ERROR_COLUMNS)


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
        A column: each of its values has a forest of its own. None: one forest for all rows.
    idle_expiry : timedelta
        A forest that has scored nothing for this long is forgotten; zero: never.
    explain : bool
        Add ``anomaly_explanation``, the JSON of RANDOM_CUT_FOREST_WITH_EXPLANATION with directionality.
    micro_batch : timedelta
        Rows of this much event time are scored in one call; zero: each row by itself, as soon as it comes. Throughput
        for latency; the scores are the same. A divisor of one second.
    """

    columns: tuple[str, ...]
    number_of_trees: int = 100
    sub_sample_size: int = 256
    time_decay: int = 100_000
    shingle_size: int = 1
    seed: int = 0
    partition_by: str | None = None
    idle_expiry: timedelta = timedelta(0)
    explain: bool = False
    micro_batch: timedelta = timedelta(0)

    def __post_init__(self) -> None:
        if self.micro_batch and timedelta(seconds=1) % self.micro_batch:
            milliseconds = self.micro_batch / timedelta(milliseconds=1)
            raise ValueError(f"random_cut_forest.micro_batch must divide one second, got {milliseconds:g} ms")


class ForestFunction(KeyedProcessFunction):  # type: ignore[misc]
    """Scores the rows of a key by that key's forest, each before the forest learns it.

    An element is a row, or with micro-batches a list of rows; the same shape comes out.

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

    def open(self, runtime_context: Any) -> None:
        """Declare the state. The forest is imported here, on the worker: compiled code does not travel."""
        from udfs.random_cut_forest import RandomCutForest

        descriptor = ValueStateDescriptor("forest", Types.PICKLED_BYTE_ARRAY())
        if expiry := self._options.idle_expiry // timedelta(milliseconds=1):
            descriptor.enable_time_to_live(StateTtlConfig.new_builder(Time.milliseconds(expiry)).build())
        self._state = runtime_context.get_state(descriptor)
        self._new_forest = RandomCutForest

    def process_element(self, value: Any, ctx: KeyedProcessFunction.Context) -> Iterator[Any]:
        """Score one row, or the rows of one micro-batch; a row without a score says why instead."""
        if isinstance(value, list):
            # One field around the list: a stream's element is a row.
            yield Row(self._scored(value))
        else:
            yield from self._scored([value])

    def _scored(self, rows: Sequence[Row]) -> list[Row]:
        results: list[Row | None] = []
        points: list[list[float]] = []
        for row in rows:
            values = tuple(row)
            try:
                points.append([_finite(self._fields[i], values[i]) for i in self._indices])
                results.append(None)
            except ValueError as e:
                nothing = (None, None) if self._options.explain else (None,)
                data_row = json.dumps(dict(zip(self._fields, values, strict=True)), default=str)
                results.append(Row(*values, *nothing, "NOT_SCORED", str(e), data_row.encode().hex()))
        scores = iter(self._scores(points)) if points else iter(())
        return [
            result or Row(*row, *next(scores), *_NO_ERROR) for row, result in zip(rows, results, strict=True)
        ]

    def _scores(self, points: list[list[float]]) -> list[tuple[Any, ...]]:
        forest = self._state.value()
        if forest is None:
            forest = self._forest()
        if self._options.explain:
            scores, explanations = forest.explain_many(points, columns=self._options.columns)
            result: list[tuple[Any, ...]] = list(zip(scores.tolist(), explanations, strict=True))
        else:
            result = [(score,) for score in forest.score_many(points).tolist()]
        # update() is what marks the state as changed: without it the checkpoint would keep the older forest.
        self._state.update(forest)
        return result

    def _forest(self) -> Any:
        o = self._options
        return self._new_forest(
            len(o.columns),
            number_of_trees=o.number_of_trees,
            sub_sample_size=o.sub_sample_size,
            time_decay=o.time_decay,
            shingle_size=o.shingle_size,
            seed=o.seed,
        )


def _finite(column: str, value: Any) -> float:
    number = math.nan if value is None else float(value)
    if not math.isfinite(number):
        raise ValueError(f"column {column}: required a finite number to score, got {value}")
    return number
