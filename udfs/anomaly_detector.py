"""From a stream of numbers to alerts that one believes, without Flink: one setting for all streams."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from udfs.detector import state as detector_state
from udfs.detector.decisions import ALERT, LAST_HOT, LAST_TIME, LIMIT, ROWS, RUN_GAP, SMOOTHED, WITHHELD
from udfs.detector.detections import REASONS, Detections, joined, judged, reported
from udfs.detector.features import FEATURES, WINDOW, observe
from udfs.detector.rows import checked, filled
from udfs.detector.rules import MISSING, DetectorParameters, Rule
from udfs.detector.scales import due_rows, rescaled
from udfs.detector.state import DetectorState
from udfs.forest.layout import Scratch, scale, scratch
from udfs.forest.state import StateError
from udfs.forest.stream import keep_living_rows, score_and_learn

__all__ = ["REASONS", "AnomalyDetector", "Detections", "Rule", "StateError"]


class AnomalyDetector:
    """Alerts for a stream of rows of numbers: one for each thing that happens, and none for what always happens.

    A random cut forest scores each row with the range and deviation of its last 48 rows; what the score must be for an
    alert follows from the stream itself (see :mod:`udfs.detector.decisions`). No alerts in the first 32 rows, and a
    higher threshold until there are `sub_sample_size`. Columns may be of any size: each is brought to a common scale by
    what it was like so far.

    Not for what only an alarm on a plain limit can say, and blind to what is unusual only for the time of day.

    Parameters
    ----------
    dimensions : int
        Numeric columns of a row, 1 to 30.
    seed : int
        0 to 2**64 - 1. The same seed and the same input give the same results, however they are split into calls.
    number_of_trees : int
        1 to 1000.
    sub_sample_size : int
        Rows that a tree samples, 10 to 1000, of about the last 10 times as many.
    rules : sequence of Rule
        One for each column, or one for all: which alerts are withheld.
    again : float
        Within a run there is another alert where the smoothed score is this many times what it was of late; inf: never.
    quiet_rows : int
        No alert in so many rows after one; what still goes on then is reported then.
    quiet_time : float
        Nor in so many seconds; takes `times`.
    missing : str
        What becomes of a row with a missing value (NaN): "skip" it, or take the "previous" or the "expected" value.
    interval : float
        Seconds from row to row: where `times` have a gap, missing rows are filled in (at most 48 each). 0: never.
    threshold : float
        At least 1. One number serves all streams, as a score is relative to the stream's own rows: lower tells more.

    Raises
    ------
    ValueError
        For a parameter out of range.

    Examples
    --------
    >>> import numpy as np
    >>> values = np.random.default_rng(0).normal(20, 1, 1000)
    >>> values[800:] += 9
    >>> found = AnomalyDetector(dimensions=1, seed=0).detect_many(values[:, None])
    >>> np.flatnonzero(found.alert).tolist()
    [800]
    >>> int(found.direction[800]), bool(19 < found.expected[800, 0] < 21)
    (1, True)
    """

    _state: DetectorState

    def __init__(
        self,
        dimensions: int = 1,
        seed: int = 0,
        *,
        number_of_trees: int = 50,
        sub_sample_size: int = 256,
        rules: Sequence[Rule] = (),
        again: float = 1.5,
        quiet_rows: int = 0,
        quiet_time: float = 0.0,
        missing: str = "skip",
        interval: float = 0.0,
        threshold: float = 1.5,
    ) -> None:
        self._take(
            detector_state.fresh(
                DetectorParameters(
                    dimensions,
                    number_of_trees,
                    sub_sample_size,
                    seed,
                    tuple(rules),
                    again,
                    quiet_rows,
                    quiet_time,
                    missing,
                    interval,
                    threshold,
                )
            )
        )

    def detect_many(self, points: ArrayLike, times: ArrayLike | None = None) -> Detections:
        """Judge, then learn, each row in turn.

        Parameters
        ----------
        points : array, (n, dimensions)
            NaN is a missing value.
        times : array, (n,), or None
            Seconds, for `quiet_time` and `interval`.

        Raises
        ------
        ValueError
            For another shape, and for numbers that are infinite; nothing is learned then.
        """
        return self.sweep(points, times, ())[0]

    def sweep(
        self, points: ArrayLike, times: ArrayLike | None, thresholds: Iterable[float]
    ) -> tuple[Detections, dict[float, NDArray[np.bool_]]]:
        """As :meth:`detect_many`; and which rows would be alerts by other thresholds, all of them from here on.

        Scores don't depend on the threshold: each row is scored once, and decided for each of them.
        """
        p = self.parameters
        rows, seconds = checked(p, points, times)
        given, rows, seconds = filled(p, rows, seconds, float(self._state.state[LAST_TIME]))
        due = due_rows(rows, self.rows, p.sub_sample_size, skipping=p.missing == MISSING[0])
        others = {threshold: self._state.state.copy() for threshold in thresholds}
        alerts: dict[float, NDArray[np.bool_]] = {t: np.zeros(len(rows), np.bool_) for t in others}
        parts = []
        for start, stop in zip([0, *due], [*due, len(rows)], strict=True):
            if start in due:
                self._state = rescaled(self._state, self._scratch, self._young_scratch)
                self._soften()
            inside = {t: (state, alerts[t][start:stop]) for t, state in others.items()}
            parts.append(self._detect(rows[start:stop], seconds[start:stop], inside))
        if len(seconds):
            self._state.state[LAST_TIME] = seconds[-1]
        found = joined(parts)
        return (found, alerts) if given is None else (found[given], {t: a[given] for t, a in alerts.items()})

    def update_many(self, points: ArrayLike, times: ArrayLike | None = None) -> None:
        """A warm start: learn from history, of which nothing is reported."""
        self.detect_many(points, times)

    @property
    def parameters(self) -> DetectorParameters:
        """What it was made with."""
        return self._state.parameters

    @property
    def rows(self) -> int:
        """How many rows it has seen, without those that were skipped."""
        return int(self._state.state[ROWS])

    @property
    def bytes_in_memory(self) -> int:
        """Of its forests, unpacked."""
        forests = [arrays for arrays in (self._state.arrays, self._state.young) if arrays]
        # `links` is the memory of `nodes`.
        return sum(a.nbytes for arrays in forests for name, a in arrays._asdict().items() if name != "links")

    def to_bytes(self) -> bytes:
        """Everything that later results depend on, packed."""
        keep_living_rows(self._state.arrays, self._scratch)
        if self._state.young:
            keep_living_rows(self._state.young, self._young_scratch)
        return detector_state.pack(self._state)

    @classmethod
    def from_bytes(cls, data: bytes) -> "AnomalyDetector":
        """The detector that `to_bytes` packed; its results go on bit for bit.

        Raises
        ------
        StateError
            (a ValueError) if the bytes are damaged, or of a newer version.
        """
        detector = cls.__new__(cls)
        detector._take(detector_state.unpack(data))
        return detector

    def __reduce__(self) -> tuple[Any, ...]:
        return (AnomalyDetector.from_bytes, (self.to_bytes(),))

    def __repr__(self) -> str:
        return f"AnomalyDetector({self.parameters}, rows={self.rows})"

    @cached_property
    def _scratch(self) -> Scratch:
        f = self.parameters.forest
        return scratch(f.number_of_trees, f.sub_sample_size, f.dimensions * f.shingle_size)

    @cached_property
    def _young_scratch(self) -> Scratch:
        f = self.parameters.young or self.parameters.forest
        return scratch(f.number_of_trees, f.sub_sample_size, f.dimensions * f.shingle_size)

    def _take(self, state: DetectorState) -> None:
        self._state = state
        # The numbers of a full window ascending; of others the first ones.
        held = min(self.rows, WINDOW)
        self._ordered = np.zeros_like(state.window)
        self._ordered[:, :held] = np.sort(state.window[:, :held], axis=1)
        self._soften()

    def _soften(self) -> None:
        # With log2(mass + 1) a value that came once before never scores more than one that never came. KDA's log2(mass)
        # has it the other way round, which costs false alarms where values are few: counts.
        for arrays in (self._state.arrays, self._state.young):
            if arrays:
                masses = np.arange(len(arrays.logarithms))
                arrays.logarithms[:] = np.round(np.log2(masses + 1.0), 12)

    def _scores(self, features: Any, before: int) -> NDArray[np.float64]:
        """Of the rows' features, after so many rows; until the forest has its samples, by the one that stands in."""
        p, s = self.parameters, self._state
        scores = np.zeros(len(features))
        width = features.shape[1]
        score_and_learn(
            s.arrays, self._scratch, features.reshape(-1), width, 1.0 / p.forest.time_decay, True, scores
        )
        scores *= scale(s.arrays) * max(1.0, (p.sub_sample_size / 256) ** 0.055)
        if s.young and p.young:
            early = features[: max(p.sub_sample_size - before, 0)]
            found = scores[: len(early)]
            score_and_learn(
                s.young, self._young_scratch, early.reshape(-1), width, 1.0 / p.young.time_decay, True, found
            )
            found *= scale(s.young)
            if before + len(features) >= p.sub_sample_size:
                self._state = s._replace(young=None)
        return scores

    def _detect(self, rows: Any, seconds: Any, others: Mapping[float, tuple[Any, Any]]) -> Detections:
        """Of rows between two looks at the scales; `others`: by threshold its state, and where its alerts go."""
        p, before = self.parameters, self.rows
        s, f = self._state, p.forest
        n, d = rows.shape
        features = np.zeros((n, FEATURES * d), np.float32)
        taken = np.zeros(n, np.int64)
        band, far = np.zeros((n, 3, d)), np.zeros((n, d))
        count = observe(
            rows,
            MISSING.index(p.missing),
            s.window,
            self._ordered,
            s.columns,
            s.scales,
            before,
            float(f.time_decay),
            np.zeros(4),
            features,
            taken,
            band,
            far,
        )
        taken = taken[:count]
        scores = self._scores(features[:count], before)
        in_run_before = bool(before - s.state[LAST_HOT] <= RUN_GAP and not s.state[WITHHELD])
        last = (float(s.state[SMOOTHED]), float(s.state[LIMIT]), in_run_before)
        seen = (taken, scores, seconds[taken] if len(seconds) else seconds, band[taken], far[taken])
        for threshold, (state, alerts) in others.items():
            alerts[taken] = judged(p, threshold, state, *seen).reason == ALERT
        found = judged(p, p.threshold, s.state, *seen)
        learned = before + np.arange(count + 1) - p.learning
        confidence = 1.0 - np.exp(-np.maximum(learned, 0) / f.time_decay)
        return reported(found, last, confidence, band, far)
