"""A detector's parameters, and the rules that withhold alerts."""

import json
import math
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from base.errors import InvalidValue
from udfs.forest.state import Parameters

SIDES = {"both": 0, "above": 1, "below": -1}
#: How to treat a row with a missing value, by name.
MISSING = ("skip", "previous", "expected")
#: Samples of the smaller forest that is used until the detector's own forest is full.
YOUNG_SAMPLES = 32
#: The time decay of a detector's forests, as a multiple of their samples.
DECAY_PER_SAMPLE = 10
#: With fewer samples than this, scores are lower, as the highest is log2(samples), and have to be scaled up.
_FEW = 32


@dataclass(frozen=True)
class Rule:
    """Which misses of a column may raise an alert.

    With several columns an alert passes if any of them lets it pass.

    Parameters
    ----------
    side : str
        "above" or "below": only values above or below the expected one; "both": either.
    ignore_within : float
        Misses up to this much, in the column's unit, raise no alert.
    ignore_within_percent : float
        Misses up to this percentage of the expected value raise no alert. This can hide real anomalies: leave it at 0
        unless small changes never matter.
    """

    side: str = "both"
    ignore_within: float = 0.0
    ignore_within_percent: float = 0.0

    def __post_init__(self) -> None:
        if self.side not in SIDES:
            raise InvalidValue(f"rule.side must be one of {', '.join(SIDES)}, got {self.side!r}")
        for name in ("ignore_within", "ignore_within_percent"):
            _number(f"rule.{name}", getattr(self, name), 0.0)

    def numbers(self) -> tuple[float, float, float]:
        """The rule as the compiled code takes it."""
        return float(SIDES[self.side]), float(self.ignore_within), self.ignore_within_percent / 100.0


@dataclass(frozen=True)
class DetectorParameters:
    """A detector's parameters; see :class:`udfs.anomaly_detector.AnomalyDetector`."""

    dimensions: int = 1
    number_of_trees: int = 50
    sub_sample_size: int = 256
    seed: int = 0
    rules: tuple[Rule, ...] = ()
    again: float = 1.5
    quiet_rows: int = 0
    quiet_time: float = 0.0
    missing: str = "skip"
    interval: float = 0.0
    threshold: float = 1.5

    def __post_init__(self) -> None:
        _ = self.forest
        if self.rules and len(self.rules) not in (1, self.dimensions):
            raise InvalidValue(
                f"detector.rules must be none, one for all columns, or one for each of {self.dimensions}, "
                f"got {len(self.rules)}"
            )
        _number("detector.threshold", self.threshold, 1.0)
        _number("detector.again", self.again, 1.0, infinite=True)
        for name in ("quiet_rows", "quiet_time", "interval"):
            _number(f"detector.{name}", getattr(self, name), 0.0)
        if self.missing not in MISSING:
            raise InvalidValue(f"detector.missing must be one of {', '.join(MISSING)}, got {self.missing!r}")

    @cached_property
    def forest(self) -> Parameters:
        """Parameters of its forest. A point is all columns' features, laid out like a shingle of `FEATURES` records."""
        from udfs.detector.features import FEATURES

        decay = DECAY_PER_SAMPLE * self.sub_sample_size if isinstance(self.sub_sample_size, int) else 1
        trees, samples, seed = self.number_of_trees, self.sub_sample_size, self.seed
        return Parameters(self.dimensions, trees, samples, decay, FEATURES, seed).checked()

    @cached_property
    def young(self) -> Parameters | None:
        """Parameters of the smaller forest that is used at first; None if the detector's own is full soon enough."""
        if self.sub_sample_size <= 2 * YOUNG_SAMPLES:
            return None
        return replace(
            self.forest, sub_sample_size=YOUNG_SAMPLES, time_decay=DECAY_PER_SAMPLE * YOUNG_SAMPLES
        )

    @property
    def learning(self) -> int:
        """Rows without a score, and so without an alert."""
        return self.young.sub_sample_size if self.young else self.sub_sample_size

    @cached_property
    def rule_numbers(self) -> NDArray[np.float64]:
        """The rule of each column: (dimensions, 3)."""
        rules = self.rules or (Rule(),)
        each = rules * self.dimensions if len(rules) == 1 else rules
        return np.array([rule.numbers() for rule in each])

    @cached_property
    def decision_numbers(self) -> NDArray[np.float64]:
        """The array `asked` of :mod:`udfs.detector.decisions`."""
        factor = math.sqrt(self.dimensions) * max(1.0, (_FEW / self.sub_sample_size) ** 0.27)
        own = (self.again, self.quiet_rows, self.quiet_time)
        return np.array(
            [*own, self.forest.time_decay, self.learning, self.sub_sample_size, factor], np.float64
        )

    def to_json(self) -> bytes:
        """The parameters that differ from the defaults, as JSON."""
        default = {field.name: field.default for field in fields(self)}
        return json.dumps({k: v for k, v in asdict(self).items() if v != default[k]}).encode()

    @classmethod
    def from_json(cls, data: bytes) -> "DetectorParameters":
        """What `to_json` wrote; ValueError or TypeError for anything else."""
        values: dict[str, Any] = json.loads(data)
        rules = tuple(Rule(**rule) for rule in values.pop("rules", ()))
        return cls(**values, rules=rules)


def _number(name: str, value: object, least: float, *, infinite: bool = False) -> None:
    good = isinstance(value, int | float) and not isinstance(value, bool) and value >= least
    if not good or (math.isinf(value) and not infinite):  # type: ignore[arg-type]
        raise InvalidValue(f"{name} must be a number of at least {least:g}, got {value!r}")
