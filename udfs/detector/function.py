"""The anomaly detector as a Flink function: takes a key's rows in order and adds the results to each.

State is kept in the same way as the forests' (see :mod:`udfs.forest.function`): a base of packed detectors, and a log
of the rows since. The log holds a row's time as its last number.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from operator import itemgetter
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from pyflink.common import Row, Types
from pyflink.datastream import KeyedProcessFunction
from pyflink.datastream.state import ListStateDescriptor, ValueStateDescriptor

from udfs.forest.bucket import Entry, ForestBucket
from udfs.forest.live import LiveForests
from udfs.key_groups import USUAL
from udfs.row_batches import take_batches

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from udfs.anomaly_detector import AnomalyDetector
    from udfs.detector.detections import Detections
    from udfs.detector.rules import Rule

#: The most memory for a worker's unpacked detectors, if there is one for each key; the others stay packed.
MOST_BYTES = 1_500_000_000
#: Columns added to a row, before ``expected_x``, ``low_x`` and ``high_x`` for each column x.
RESULTS = {
    "anomaly_score": "DOUBLE",
    "smoothed_score": "DOUBLE",
    "anomaly_threshold": "DOUBLE",
    "anomaly_grade": "DOUBLE",
    "alert": "BOOLEAN",
    "in_run": "BOOLEAN",
    "confidence": "DOUBLE",
    "anomaly_column": "STRING",
    "direction": "STRING",
    "reason": "STRING",
}
_DIRECTIONS = {1: "HIGH", -1: "LOW", 0: "PATTERN"}


@dataclass(frozen=True)
class DetectorOptions:
    """What to watch, and how. For other parameters see :class:`udfs.anomaly_detector.AnomalyDetector`.

    Parameters
    ----------
    columns : tuple of str
        1-30 numeric columns.
    partition_by : str or None
        A column; each of its values has its own detector. None: one detector for all rows.
    buckets : int
        Parts that the state is divided into with ``partition_by``, 16 to 1,024. At most this many subtasks share it,
        and saved state can't be divided again.
    tell_from : float
        Seconds since the epoch. The detector learns earlier rows but reports no alerts for them.
    idle_expiry : timedelta
        A detector without rows for this long is dropped; zero: never.
    """

    columns: tuple[str, ...]
    partition_by: str | None = None
    buckets: int = USUAL
    number_of_trees: int = 50
    sub_sample_size: int = 256
    seed: int = 0
    rules: tuple[Rule, ...] = ()
    again: float = 1.5
    quiet_rows: int = 0
    quiet_time: timedelta = timedelta(0)
    missing: str = "skip"
    interval: timedelta = timedelta(0)
    threshold: float = 1.5
    tell_from: float = 0.0
    idle_expiry: timedelta = timedelta(0)

    @property
    def results(self) -> dict[str, str]:
        """Names and types of the columns added to a row."""
        bands = {
            f"{kind}_{column}": "DOUBLE" for column in self.columns for kind in ("expected", "low", "high")
        }
        return RESULTS | bands

    def detector(self) -> AnomalyDetector:
        """A new detector. Imported here, on the worker: compiled code can't be pickled."""
        from udfs.anomaly_detector import AnomalyDetector

        return AnomalyDetector(
            len(self.columns),
            self.seed,
            number_of_trees=self.number_of_trees,
            sub_sample_size=self.sub_sample_size,
            rules=self.rules,
            again=self.again,
            quiet_rows=self.quiet_rows,
            quiet_time=self.quiet_time.total_seconds(),
            missing=self.missing,
            interval=self.interval.total_seconds(),
            threshold=self.threshold,
        )


class TimedDetector:
    """A detector whose rows hold their time, in seconds, after their values."""

    def __init__(self, detector: AnomalyDetector) -> None:
        self._detector = detector

    def detect_many(self, points: NDArray[np.float64]) -> Detections:
        """Score and learn rows."""
        return self._detector.detect_many(points[:, :-1], points[:, -1])

    def update_many(self, points: NDArray[np.float64]) -> None:
        """Learn rows; the results are dropped."""
        self.detect_many(points)

    def to_bytes(self) -> bytes:
        """The detector, packed."""
        return self._detector.to_bytes()


class DetectorArena:
    """Memory for a worker's detectors, with the interface of :class:`udfs.forest.arena.Arena`.

    Parameters
    ----------
    options : DetectorOptions
        Of each detector.
    most_bytes : int
        Of all detectors together; there is always room for one.
    """

    #: Detectors can't be scored together in one call.
    scores_each = False

    def __init__(self, options: DetectorOptions, most_bytes: int) -> None:
        self._options = options
        self.room = max(1, most_bytes // options.detector().bytes_in_memory)
        self._allocated = 0

    @property
    def is_full(self) -> bool:
        """Whether there is no room for another detector."""
        return self._allocated >= self.room

    def allocate(self, packed: bytes | None = None) -> tuple[int, TimedDetector]:
        """Make room for a detector: the one in `packed`, or a new one. Returns slot and detector.

        Raises
        ------
        StateError
            (a ValueError) if the bytes are not a detector, or one made with other options.
        """
        from udfs.anomaly_detector import AnomalyDetector, StateError

        detector = self._options.detector()
        if packed is not None:
            wanted = detector.parameters
            detector = AnomalyDetector.from_bytes(packed)
            if detector.parameters != wanted:
                raise StateError(
                    f"saved detector: it was made with {detector.parameters}, the job asks for {wanted};"
                    " set the job's parameters back to the saved ones, or start it without the saved state"
                )
        self._allocated += 1
        return 0, TimedDetector(detector)

    def free(self, slot: int) -> None:
        """Free the room of one detector."""
        self._allocated -= 1


class DetectorFunction(KeyedProcessFunction):  # type: ignore[misc]
    """Scores rows with the detector of their key, each before it is learned. Flink's own key is the bucket.

    Parameters
    ----------
    fields : sequence of str
        The names of a row's values, in order.
    options : DetectorOptions
        What to watch, and how.
    """

    def __init__(self, fields: Sequence[str], options: DetectorOptions) -> None:
        fields = tuple(fields)
        self._options = options
        self._indices = [fields.index(c) for c in options.columns]
        first = self._indices[0]
        # For one column a slice: itemgetter of one index would return the number, not a sequence.
        self._numbers = (
            itemgetter(*self._indices) if len(self._indices) > 1 else itemgetter(slice(first, first + 1))
        )
        self._key = fields.index(options.partition_by) if options.partition_by else None

    def open(self, runtime_context: Any) -> None:
        """Declare the state."""
        self._base = runtime_context.get_state(ValueStateDescriptor("detectors", Types.PICKLED_BYTE_ARRAY()))
        self._log = runtime_context.get_list_state(
            ListStateDescriptor("learned_since", Types.PICKLED_BYTE_ARRAY())
        )
        take_batches(self)
        self._buckets: dict[str, ForestBucket] = {}
        arena = DetectorArena(self._options, MOST_BYTES if self._key is not None else 0)
        self._live = LiveForests(cast("Any", arena))

    def process_element(self, value: Any, ctx: KeyedProcessFunction.Context) -> Iterator[Row]:
        """Score one row, if batches are not available."""
        for values in self.process_batch(ctx.get_current_key(), [list(value)], [ctx.timestamp()]):
            yield Row(*values)

    def process_batch(self, key: str, rows: list[Any], times: list[int]) -> list[list[Any]]:
        """Score rows of one bucket."""
        # None, NaN and infinity are missing values.
        points = np.empty((len(rows), len(self._indices) + 1))
        points[:, :-1] = list(map(self._numbers, rows))
        points[:, -1] = times
        points[:, -1] /= 1000
        if not np.isfinite(points).all():
            points[~np.isfinite(points)] = np.nan
        names = [""] * len(rows) if self._key is None else [_hashable(row[self._key]) for row in rows]
        # Expiry follows the stream's time, so it does not matter how long a job was stopped.
        moments = times if self._options.idle_expiry else [0] * len(rows)
        entry = Entry(moments, names, points)
        bucket = self._bucket(key)
        found = bucket.score(entry, cast("Any", self._found))
        if bucket.log_is_long:
            self._base.update(bucket.base(moments[-1]))
            self._log.clear()
        else:
            self._log.add(entry.packed())
        return [[*row, score, *others] for row, (score, others) in zip(rows, found, strict=True)]

    def _bucket(self, name: str) -> ForestBucket:
        bucket = self._buckets.get(name)
        if bucket is None:
            log = map(Entry.unpacked, self._log.get() or ())
            idle_expiry = self._options.idle_expiry // timedelta(milliseconds=1)
            bucket = ForestBucket(
                self._live,
                idle_expiry,
                self._base.value(),
                log,
                self._options.buckets if self._key is not None else 1,
            )
            self._buckets[name] = bucket
        return bucket

    def _found(self, detector: TimedDetector, points: Any) -> tuple[Any, list[tuple[Any, ...]]]:
        """Scores, and the other results of each row."""
        from udfs.detector.detections import REASONS

        found = detector.detect_many(points)
        names = self._options.columns
        alerts, reasons = found.alert.tolist(), [REASONS[k] for k in found.reason.tolist()]
        if self._options.tell_from:
            # Earlier rows are history: learned, not reported.
            for k in np.flatnonzero(found.alert & (points[:, -1] < self._options.tell_from)):
                alerts[k], reasons[k] = False, "HISTORY"
        bands = [
            band[:, c].tolist() for c in range(len(names)) for band in (found.expected, found.low, found.high)
        ]
        columns: list[list[Any]] = [
            found.smoothed.tolist(),
            found.threshold.tolist(),
            found.grade.tolist(),
            alerts,
            found.in_run.tolist(),
            found.confidence.tolist(),
            [names[k] for k in found.column.tolist()],
            [_DIRECTIONS[k] for k in found.direction.tolist()],
            reasons,
        ]
        if any(band[0] != band[0] for band in bands):  # no value is expected before the first row
            bands = [[None if x != x else x for x in band] for band in bands]
        columns += bands
        return found.score, list(zip(*columns, strict=True))


def _hashable(key: Any) -> Any:
    return key if type(key) in (str, int) or key is None else str(key)
