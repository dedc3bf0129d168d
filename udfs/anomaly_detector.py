"""An anomaly detector for streams of numbers, without Flink. One setting serves all streams."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from udfs.detector import state as detector_state
from udfs.detector.call import FLAGS, REALS, WHOLES, judge
from udfs.detector.decisions import ALERT, LAST_TIME, ROWS, decide
from udfs.detector.detections import REASONS, Detections, joined
from udfs.detector.features import FEATURES, WINDOW
from udfs.detector.rows import checked, filled
from udfs.detector.rules import MISSING, DetectorParameters, Rule
from udfs.detector.scales import due_rows, rescaled
from udfs.detector.state import DetectorState
from udfs.forest.call import Addresses, addresses_of
from udfs.forest.layout import Arrays, scale, scratch
from udfs.forest.state import Parameters, StateError
from udfs.forest.stream import keep_living_rows

__all__ = ["REASONS", "AnomalyDetector", "Detections", "Rule", "StateError"]


class AnomalyDetector:
    """Alerts for a stream of rows of numbers: one alert per event, and none for what happens regularly.

    A random cut forest scores each row together with the range and standard deviation of the last 48 rows. The
    threshold adapts to the stream (see :mod:`udfs.detector.decisions`). There are no alerts in the first 32 rows, and
    the threshold is higher for the first `sub_sample_size` rows. Columns may differ in magnitude: each is scaled by
    its own past values.

    Not a replacement for an alarm on a fixed limit. It does not see values that are unusual only for the time of day.

    Parameters
    ----------
    dimensions : int
        Numeric columns of a row, 1 to 30.
    seed : int
        0 to 2**64 - 1. The same seed and the same input give the same results, however they are split into calls.
    number_of_trees : int
        1 to 1000.
    sub_sample_size : int
        Rows that a tree samples, 10 to 1000. They come from about the last `10 * sub_sample_size` rows.
    rules : sequence of Rule
        Which alerts to withhold: one rule for each column, or one for all.
    again : float
        Within a run, alert again when the smoothed score is this many times its recent level. inf: never.
    quiet_rows : int
        No alert for this many rows after an alert. If the anomaly still goes on then, it is reported then.
    quiet_time : float
        No alert for this many seconds after an alert. Requires `times`.
    missing : str
        How to treat a row with a missing value (NaN): "skip" it, or use the "previous" or the "expected" value.
    interval : float
        Seconds between rows. A gap in `times` is filled with missing rows, at most 48 per gap. 0: never.
    threshold : float
        At least 1; lower gives more alerts. Scores are relative to the stream's own rows: one value serves all streams.

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
        """Score each row and decide on an alert, then learn the row.

        Parameters
        ----------
        points : array, (n, dimensions)
            NaN is a missing value.
        times : array, (n,), or None
            Seconds; required with `quiet_time` or `interval`.

        Raises
        ------
        ValueError
            For another shape or an infinite number. Nothing is learned then.
        """
        return self.sweep(points, times, ())[0]

    def sweep(
        self, points: ArrayLike, times: ArrayLike | None, thresholds: Iterable[float]
    ) -> tuple[Detections, dict[float, NDArray[np.bool_]]]:
        """As :meth:`detect_many`, and which of these rows would be alerts with each of other thresholds.

        Scores don't depend on the threshold, so each row is scored once and only the decision is repeated.
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
                self._take(rescaled(self._state))
            inside = {t: (state, alerts[t][start:stop]) for t, state in others.items()}
            parts.append(self._judge(rows[start:stop], seconds[start:stop], inside))
        if len(seconds):
            self._state.state[LAST_TIME] = seconds[-1]
        found = joined(parts)
        return (found, alerts) if given is None else (found[given], {t: a[given] for t, a in alerts.items()})

    def update_many(self, points: ArrayLike, times: ArrayLike | None = None) -> None:
        """Learn from history without reporting anything (a warm start)."""
        self.detect_many(points, times)

    @property
    def parameters(self) -> DetectorParameters:
        """The parameters that it was made with."""
        return self._state.parameters

    @property
    def rows(self) -> int:
        """How many rows it has learned; skipped rows don't count."""
        return int(self._state.state[ROWS])

    @property
    def bytes_in_memory(self) -> int:
        """Memory that its unpacked forests take."""
        forests = [arrays for arrays in (self._state.arrays, self._state.young) if arrays]
        # `links` is the memory of `nodes`.
        return sum(a.nbytes for arrays in forests for name, a in arrays._asdict().items() if name != "links")

    def to_bytes(self) -> bytes:
        """All state that later results depend on, packed."""
        keep_living_rows(self._state.arrays, self._addresses.scratch)
        return detector_state.pack(self._state)

    @classmethod
    def from_bytes(cls, data: bytes) -> "AnomalyDetector":
        """The detector that `to_bytes` packed. It continues with bit-identical results.

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

    def _take(self, state: DetectorState) -> None:
        self._state = state
        p = state.parameters
        # Sorted ascending; until the window is full only the first `held` values count.
        held = min(self.rows, WINDOW)
        self._ordered = np.zeros_like(state.window)
        self._ordered[:, :held] = np.sort(state.window[:, :held], axis=1)
        self._soften()
        self._addresses = _addresses(p.forest, state.arrays)
        many = max(1.0, (p.sub_sample_size / 256) ** 0.055)
        self._factors = np.array([scale(state.arrays) * many, 0.0, 0.0])
        self._young_addresses = np.zeros(0, np.int64)
        if state.young and p.young:
            self._young_alive = _addresses(p.young, state.young)
            self._young_addresses = self._young_alive.numbers
            self._factors[1:] = scale(state.young), 1.0 / p.young.time_decay

    def _soften(self) -> None:
        # With log2(mass + 1), a value seen once before never scores higher than one never seen. With KDA's log2(mass)
        # it does, which gives false alarms on columns with few distinct values, such as counts.
        for arrays in (self._state.arrays, self._state.young):
            if arrays:
                masses = np.arange(len(arrays.logarithms))
                arrays.logarithms[:] = np.round(np.log2(masses + 1.0), 12)

    def _judge(self, rows: Any, seconds: Any, others: Mapping[float, tuple[Any, Any]]) -> Detections:
        """Detections for rows with the same scales. `others`: by threshold, its state and its alerts to fill in."""
        p, s, before = self.parameters, self._state, self.rows
        n, d = rows.shape
        taken, room = np.empty(n, np.int64), np.empty(n + 4)
        band, far = np.empty((n, 3, d)), np.empty((n, d))
        reals, wholes, flags = (
            np.empty((REALS, n)),
            np.empty((WHOLES, n), np.int64),
            np.empty((FLAGS, n), np.bool_),
        )
        count = judge(
            self._addresses.numbers,
            self._young_addresses,
            rows,
            seconds,
            MISSING.index(p.missing),
            s.window,
            self._ordered,
            s.columns,
            s.scales,
            s.state,
            p.rule_numbers,
            p.decision_numbers,
            float(p.threshold),
            self._factors,
            room,
            np.empty((n, FEATURES * d), np.float32),
            taken,
            band,
            far,
            reals,
            wholes,
            flags,
        )
        if s.young and before + count >= p.sub_sample_size:
            self._take(s._replace(young=None))
        for threshold, (state, alerts) in others.items():
            reasons = np.zeros(n, np.int64)
            unused = (np.empty(n), np.empty(n), reasons, np.empty(n, np.bool_))
            asked = (p.rule_numbers, p.decision_numbers, float(threshold))
            decide(state, taken[:count], room[:count], seconds, band, far, *asked, *unused)
            alerts[:] = reasons == ALERT
        score, smoothed, limit, grade, confidence = reals
        alert, in_run = flags
        bands = (band[:, 0], band[:, 1], band[:, 2])
        return Detections(score, smoothed, limit, grade, alert, in_run, confidence, *bands, *wholes)


def _addresses(p: Parameters, arrays: Arrays) -> Addresses:
    return addresses_of(arrays, scratch(p.number_of_trees, p.sub_sample_size, p.dimensions * p.shingle_size))
