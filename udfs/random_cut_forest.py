"""The random cut forest of Kinesis Data Analytics for SQL, without Flink."""

from collections.abc import Sequence
from dataclasses import astuple
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from udfs.forest import state as forest_state
from udfs.forest.attribution import Attribution
from udfs.forest.call import Addresses, addresses_of, learn_records
from udfs.forest.layout import LEARNED, USED, Arrays, Scratch, empty_arrays, scale, scratch
from udfs.forest.records import as_numbers, as_records, require_finite
from udfs.forest.state import ForestState, Parameters, StateError
from udfs.forest.stream import attribution_of, keep_living_rows, score_of

__all__ = ["Attribution", "RandomCutForest", "StateError"]


class RandomCutForest:
    """Anomaly scores for a stream of numeric records, as RANDOM_CUT_FOREST computed them.

    Each tree holds its own random sample of the stream, weighted towards recent points, and cuts it at random into
    boxes. A point that random cuts separate early from the sample is anomalous. The score is 0 until
    `sub_sample_size` points are learned (with shingles: `sub_sample_size + shingle_size - 1` records). After that
    it is between 0 and log2(sub_sample_size): about 0.7 to 1 for ordinary points, less for frequent values
    (0.03 for 256 equal samples), higher for anomalies.

    Columns are not normalized: a column whose values spread a thousand times wider than another's dominates the score.
    Points are compared as float32. A single forest is not thread-safe.

    Cost per point: O(number_of_trees x depth x dimensions x shingle_size), depth about 2 log2(sub_sample_size).

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
        #: The forest itself (see :mod:`udfs.forest.layout`).
        self.arrays: Arrays = empty_arrays(p.number_of_trees, p.sub_sample_size, size, p.seed)
        self._recent = np.zeros((0, p.dimensions), np.float32)

    @property
    def learned(self) -> int:
        """How many points (with shingles: full shingles) the forest has seen."""
        return int(self.arrays.counts[LEARNED])

    def score(self, point: ArrayLike) -> float:
        """Anomaly score of a record as if it came next. Does not change the forest."""
        row = self._shingle(point)
        if row is None or self.learned < self.parameters.sub_sample_size:
            return 0.0
        return score_of(self.arrays, self._scratch, row) * scale(self.arrays)

    def update(self, point: ArrayLike) -> None:
        """Learn a record."""
        self._learn(as_numbers(point, 1, self.parameters.dimensions), scoring=False)

    def update_many(self, points: ArrayLike) -> None:
        """Learn each record in turn, array (n, dimensions): `score_many` without the scores, for a warm start."""
        self._learn(as_numbers(points, 2, self.parameters.dimensions), scoring=False)

    def score_many(self, points: ArrayLike) -> NDArray[np.float64]:
        """Score, then learn, each record in turn: array (n, dimensions) in, array (n,) out.

        The scores are exactly those of `score` and `update` one record at a time.
        """
        return self._learn(as_numbers(points, 2, self.parameters.dimensions), scoring=True)

    def attribution(self, point: ArrayLike) -> Attribution:
        """Each column's share of a record's score, summed over the column's positions in the shingle."""
        row = self._shingle(point)
        p = self.parameters
        shares = np.zeros((2, p.shingle_size, p.dimensions))
        if row is not None and self.learned >= p.sub_sample_size:
            attribution_of(self.arrays, self._scratch, row, shares.reshape(-1))
        low, high = shares.sum(axis=1) * scale(self.arrays)
        return Attribution(high, low)

    def explain(
        self, point: ArrayLike, with_directionality: bool = True, columns: Sequence[str] | None = None
    ) -> str:
        """The JSON of RANDOM_CUT_FOREST_WITH_EXPLANATION for a record, as if it came next.

        Parameters
        ----------
        with_directionality
            Add DIRECTION (HIGH or LOW, whichever has the larger share) and STRENGTH (the difference of the two shares
            times the score).
        columns
            The columns' names, in order; "0", "1", ... if None.
        """
        return self.attribution(point).to_json(columns, with_directionality)

    def explain_many(
        self, points: ArrayLike, with_directionality: bool = True, columns: Sequence[str] | None = None
    ) -> tuple[NDArray[np.float64], list[str]]:
        """`score_many` with the explanation of each record: (scores, explanations)."""
        records = as_records(points, 2, self.parameters.dimensions).astype(np.float64)
        explanations: list[str] = []
        scores = np.zeros(len(records))
        for k, record in enumerate(records):
            explanations.append(self.explain(record, with_directionality, columns))
            scores[k] = self._learn(record[None], scoring=True)[0]
        return scores, explanations

    def to_bytes(self) -> bytes:
        """All state that later scores depend on, packed."""
        keep_living_rows(self.arrays, self._scratch)
        return forest_state.pack(ForestState(self.parameters, self._recent, self.arrays))

    @classmethod
    def from_bytes(cls, data: bytes) -> "RandomCutForest":
        """The forest that `to_bytes` packed. It continues with bit-identical scores.

        Raises
        ------
        StateError
            (a ValueError) if the bytes are damaged, or of a newer version.
        """
        if young := forest_state.unpack_young(data):
            parameters, records = young
            forest = cls(*astuple(parameters))
            forest.update_many(np.frombuffer(records, np.float32).reshape(-1, parameters.dimensions))
            return forest
        state = forest_state.unpack(data)
        forest = cls.__new__(cls)
        forest.parameters = state.parameters
        forest.arrays = state.arrays
        forest._recent = state.recent
        return forest

    def copied_into(self, arrays: Arrays) -> "RandomCutForest":
        """A copy of this forest in the given arrays, which must have the same shapes."""
        used = self.arrays.counts[USED]
        for name, ours, theirs in zip(Arrays._fields, self.arrays, arrays, strict=True):
            if name in ("points", "point_number"):
                theirs[:used] = ours[:used]
            elif name != "links":  # the memory of `nodes`
                theirs[...] = ours
        forest = RandomCutForest.__new__(RandomCutForest)
        forest.parameters = self.parameters
        forest.arrays = arrays
        forest._recent = self._recent
        return forest

    def __reduce__(self) -> tuple[Any, ...]:
        return (RandomCutForest.from_bytes, (self.to_bytes(),))

    def __repr__(self) -> str:
        return f"RandomCutForest({self.parameters}, learned={self.learned})"

    @property
    def _scratch(self) -> Scratch:
        return self._addresses.scratch

    @cached_property
    def _addresses(self) -> Addresses:
        p = self.parameters
        return addresses_of(
            self.arrays, scratch(p.number_of_trees, p.sub_sample_size, p.dimensions * p.shingle_size)
        )

    def _shingle(self, point: ArrayLike) -> NDArray[np.float32] | None:
        """The shingle that ends with this record, oldest record first; None if there are too few records."""
        record = as_records(point, 1, self.parameters.dimensions)
        stream = np.concatenate([self._recent, record])
        return stream.reshape(-1) if len(stream) == self.parameters.shingle_size else None

    def _learn(self, given: NDArray[np.float64], *, scoring: bool) -> NDArray[np.float64]:
        p = self.parameters
        kept = len(self._recent)
        stream = np.empty((kept + len(given), p.dimensions), np.float32)
        if kept:
            stream[:kept] = self._recent
        scores = np.zeros(len(given) if scoring else 0)
        addresses = self._addresses
        bad = learn_records(addresses.numbers, given, stream, kept, 1.0 / p.time_decay, self._scale, scores)
        require_finite(given, bad)
        if p.shingle_size > 1:
            self._recent = stream[1 - p.shingle_size :]
        return scores

    @cached_property
    def _scale(self) -> float:
        return scale(self.arrays)
