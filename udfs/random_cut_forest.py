"""The random cut forest of Kinesis Data Analytics for SQL, without Flink."""

from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from udfs import forest_state
from udfs.forest_attribution import Attribution
from udfs.forest_layout import LARGEST, STRETCH, Arrays, Scratch, empty_arrays, scratch
from udfs.forest_state import ForestState, Parameters, StateError
from udfs.forest_stream import attribution_of, keep_living_rows, score_one, stretch, take_in

__all__ = ["Attribution", "RandomCutForest", "StateError", "warm_up"]


class RandomCutForest:
    """Anomaly scores for a stream of numeric records, as RANDOM_CUT_FOREST computed them.

    Each tree holds its own random sample of the stream, in which recent points weigh more, cut at random into
    boxes. A point that random cuts separate early from the sample is anomalous. The score is 0 until
    `sub_sample_size` points were learned (with shingles: after `sub_sample_size + shingle_size - 1` records),
    then lies between 0 and log2(sub_sample_size + 1): about 0.7 to 1 for ordinary points, higher for anomalies.

    Columns are not normalized: one whose values spread a thousand times wider than another's decides alone.
    Points are compared as float32. A single forest is not thread-safe.

    Cost of a point: O(number_of_trees x depth x dimensions x shingle_size), depth about 2 log2(sub_sample_size).

    Parameters
    ----------
    dimensions : int
        Numeric columns of a record, 1 to 30.
    number_of_trees : int
        1 to 1000.
    sub_sample_size : int
        Points each tree samples, 10 to 1000 and less than `time_decay`.
    time_decay : int
        How many of the most recent points matter: their weight falls by the factor e every `time_decay`
        points. 1 to 2147483647.
    shingle_size : int
        How many consecutive records make one point, 1 to 30.
    seed : int
        0 to 2**64 - 1. The same seed and the same input give the same scores.

    Raises
    ------
    ValueError
        For a parameter out of range or not an integer, and for a record that is not `dimensions` finite
        numbers; the forest is then unchanged.

    Examples
    --------
    >>> forest = RandomCutForest(dimensions=1, number_of_trees=50, sub_sample_size=64, seed=7)
    >>> wave = [[10 + (k * 37 % 100) / 50] for k in range(200)]
    >>> scores = forest.score_many(wave)
    >>> bool(scores[:64].any())  # still learning
    False
    >>> forest.score([11.0]) < 1.5 < forest.score([25.0])
    True
    >>> forest.explain([25.0], columns=["CTR"])[:28]
    '{"CTR":{"DIRECTION":"HIGH","'

    References
    ----------
    Guha, Mishra, Roy, Schrijvers: Robust random cut forest based anomaly detection on streams. ICML 2016.
    """

    def __init__(
        self,
        dimensions: int,
        number_of_trees: int = 100,
        sub_sample_size: int = 256,
        time_decay: int = 100_000,
        shingle_size: int = 1,
        seed: int = 0,
    ) -> None:
        self.parameters = Parameters(
            dimensions, number_of_trees, sub_sample_size, time_decay, shingle_size, seed
        ).checked()
        p = self.parameters
        size = p.dimensions * p.shingle_size
        self._arrays: Arrays = empty_arrays(
            p.number_of_trees, p.sub_sample_size, size, p.sub_sample_size, p.seed
        )
        self._used = 0
        self._learned = 0
        self._recent = np.zeros((0, p.dimensions), np.float32)

    @property
    def learned(self) -> int:
        """How many points (with shingles: full shingles) the forest has seen."""
        return self._learned

    def score(self, point: ArrayLike) -> float:
        """Anomaly score of a record, as if it came next; changes nothing."""
        row = self._shingles(self._records(point, 1))
        if not len(row) or self._learned < self.parameters.sub_sample_size:
            return 0.0
        self._store(row)
        return score_one(self._arrays, self._scratch, self._used) * self._scale

    def update(self, point: ArrayLike) -> None:
        """Learn a record."""
        self._learn(self._records(point, 1), scoring=False)

    def update_many(self, points: ArrayLike) -> None:
        """Learn each record in turn, array (n, dimensions): `score_many` without the scores, to train ahead."""
        self._learn(self._records(points, 2), scoring=False)

    def score_many(self, points: ArrayLike) -> NDArray[np.float64]:
        """Score, then learn, each record in turn: array (n, dimensions) in, array (n,) out.

        The scores are exactly those of `score` and `update` one record at a time.
        """
        return self._learn(self._records(points, 2), scoring=True)

    def attribution(self, point: ArrayLike) -> Attribution:
        """Which columns a record's score comes from; the positions of a column in a shingle are added up."""
        row = self._shingles(self._records(point, 1))
        p = self.parameters
        shares = np.zeros((2, p.shingle_size, p.dimensions))
        if len(row) and self._learned >= p.sub_sample_size:
            self._store(row)
            attribution_of(self._arrays, self._scratch, self._used, shares.reshape(-1))
        low, high = shares.sum(axis=1) * self._scale
        return Attribution(high, low)

    def explain(
        self, point: ArrayLike, with_directionality: bool = True, columns: Sequence[str] | None = None
    ) -> str:
        """The JSON of RANDOM_CUT_FOREST_WITH_EXPLANATION for a record, as if it came next.

        Parameters
        ----------
        with_directionality
            Add DIRECTION (HIGH or LOW, whichever has the larger share) and STRENGTH: how one-sided that is,
            |high - low| / (high + low), 0 to 1.
        columns
            The columns' names, in order; "0", "1", ... if None.
        """
        return self.attribution(point).to_json(columns, with_directionality)

    def explain_many(
        self, points: ArrayLike, with_directionality: bool = True, columns: Sequence[str] | None = None
    ) -> tuple[NDArray[np.float64], list[str]]:
        """`score_many` with the explanation of each record: (scores, explanations)."""
        records = self._records(points, 2)
        explanations: list[str] = []
        scores = np.zeros(len(records))
        for k, record in enumerate(records):
            explanations.append(self.explain(record, with_directionality, columns))
            scores[k] = self._learn(record[None], scoring=True)[0]
        return scores, explanations

    def to_bytes(self) -> bytes:
        """Everything that later scores depend on, packed."""
        self._drop_dead_rows()
        return forest_state.pack(
            ForestState(self.parameters, self._learned, self._recent, self._arrays, self._used)
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> "RandomCutForest":
        """The forest that `to_bytes` packed; its scores go on bit for bit.

        Raises
        ------
        StateError
            (a ValueError) if the bytes are damaged, or of a newer version.
        """
        state = forest_state.unpack(data)
        forest = cls.__new__(cls)
        forest.parameters = state.parameters
        forest._arrays = state.arrays
        forest._used = state.used
        forest._learned = state.learned
        forest._recent = state.recent
        return forest

    def __reduce__(self) -> tuple[Any, ...]:
        return (RandomCutForest.from_bytes, (self.to_bytes(),))

    def __repr__(self) -> str:
        return f"RandomCutForest({self.parameters}, learned={self._learned})"

    @property
    def _scratch(self) -> Scratch:
        return scratch(self.parameters.sub_sample_size, self._arrays.points.shape[1])

    @property
    def _scale(self) -> float:
        """From a sum over trees to a score."""
        return float(self._arrays.logarithms[-1]) / self.parameters.number_of_trees

    def _records(self, points: ArrayLike, axes: int) -> NDArray[np.float32]:
        """Checked input as float32 (n, dimensions)."""
        try:
            array = np.asarray(points)
        except ValueError as error:
            raise ValueError(f"points must be rows of equal length, got {points!r:.200}") from error
        dimensions = self.parameters.dimensions
        if axes == 2 and array.size == 0:
            return np.zeros((0, dimensions), np.float32)
        shape = "(dimensions,)" if axes == 1 else "(n, dimensions)"
        if array.ndim != axes or array.shape[-1] != dimensions:
            raise ValueError(
                f"points must have shape {shape} with dimensions {dimensions}, got shape {array.shape}"
            )
        if array.dtype.kind not in "biuf":
            # Python integers beyond 64 bits are numbers too.
            if array.dtype.kind != "O" or not all(isinstance(x, Real) for x in array.flat):
                raise ValueError(f"points must be numbers, got {points!r:.200}")
            array = np.array([min(max(x, -LARGEST), LARGEST) if x == x else x for x in array.flat]).reshape(
                array.shape
            )
        array = np.ascontiguousarray(array, np.float64).reshape(-1, dimensions)
        records = np.empty(array.shape, np.float32)
        bad = take_in(array, records)
        if bad >= 0:
            raise ValueError(f"points must be finite numbers, got {array[bad].tolist()} in row {bad}")
        return records

    def _shingles(self, records: NDArray[np.float32]) -> NDArray[np.float32]:
        """The full shingles that end in these records (oldest first), one row each."""
        size = self.parameters.shingle_size
        if size == 1:
            return records
        stream = np.concatenate([self._recent, records])
        if len(stream) < size:
            return np.zeros((0, size * self.parameters.dimensions), np.float32)
        windows = np.lib.stride_tricks.sliding_window_view(stream, size, axis=0)
        return np.ascontiguousarray(windows.transpose(0, 2, 1)).reshape(len(windows), -1)

    def _learn(self, records: NDArray[np.float32], *, scoring: bool) -> NDArray[np.float64]:
        rows = self._shingles(records)
        scores = np.zeros(len(records))
        late = len(records) - len(rows)
        for first in range(0, len(rows), STRETCH):
            part = rows[first : first + STRETCH]
            scores[late + first : late + first + len(part)] = self._through(part, scoring=scoring)
        if self.parameters.shingle_size > 1:
            self._recent = np.concatenate([self._recent, records])[1 - self.parameters.shingle_size :]
        return scores

    def _through(self, rows: NDArray[np.float32], *, scoring: bool) -> NDArray[np.float64]:
        """A stretch of points through all trees."""
        scores = np.zeros(len(rows))
        self._store(rows)
        rate = 1.0 / self.parameters.time_decay
        start = self._used, self._learned
        self._used = stretch(self._arrays, self._scratch, *start, len(rows), rate, scoring, scores)
        self._learned += len(rows)
        return scores * self._scale

    def _store(self, rows: NDArray[np.float32]) -> None:
        """Write points behind the rows in use; they stay only if a tree takes them."""
        if self._used + len(rows) > len(self._arrays.points):
            self._make_room(len(rows))
        self._arrays.points[self._used : self._used + len(rows)] = rows

    def _drop_dead_rows(self) -> None:
        self._used = keep_living_rows(self._arrays, self._used, np.full(self._used, -1, np.int32))

    def _make_room(self, count: int) -> None:
        self._drop_dead_rows()
        arrays = self._arrays
        # At least half as much again, so that rows are seldom moved.
        wanted = (self._used + count) * 3 // 2
        if wanted > len(arrays.points):
            more = wanted - len(arrays.points)
            self._arrays = arrays._replace(
                points=np.concatenate([arrays.points, np.zeros((more, arrays.points.shape[1]), np.float32)]),
                point_number=np.concatenate([arrays.point_number, np.zeros(more, np.int64)]),
            )


def warm_up() -> None:
    """Load the compiled forest, compiling it first if this machine has not: up to 20 s, once.

    Any first score does so too; a command that a person waits for calls this, and says so.
    """
    forest = RandomCutForest(1, number_of_trees=1, sub_sample_size=10)
    forest.score_many(np.arange(12.0)[:, None])
    forest.attribution([3.0])
    RandomCutForest.from_bytes(forest.to_bytes())
