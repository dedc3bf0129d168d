"""Each column's share of a score, and its JSON as RANDOM_CUT_FOREST_WITH_EXPLANATION gives it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from base.errors import InvalidValue


@dataclass(frozen=True)
class Attribution:
    """Each column's share of a score, for values that are too high and too low.

    Parameters
    ----------
    high, low
        Arrays of length `dimensions`. All numbers are >= 0 and add up to the score.
    """

    high: NDArray[np.float64]
    low: NDArray[np.float64]

    def to_json(self, columns: Sequence[str] | None = None, with_directionality: bool = True) -> str:
        """JSON of the columns by name ("0", "1", ... if None), each with its share and optionally its direction.

        Examples
        --------
        >>> Attribution(np.array([1.5, 0.0]), np.array([0.5, 0.0])).to_json(["PRICE", "QTY"])[:72]
        '{"PRICE":{"DIRECTION":"HIGH","STRENGTH":"2.0000","ATTRIBUTION_SCORE":"2.'
        """
        names = [str(k) for k in range(len(self.high))] if columns is None else list(columns)
        if len(names) != len(self.high):
            raise InvalidValue(f"columns must have {len(self.high)} names, got {len(names)}")
        score = float(self.high.sum() + self.low.sum())
        shares = {
            name: _column(high, low, score, with_directionality)
            for name, high, low in zip(names, self.high, self.low, strict=True)
        }
        return json.dumps(shares, separators=(",", ":"), ensure_ascii=False)


def _column(high: float, low: float, score: float, with_directionality: bool) -> dict[str, str]:
    share = {"ATTRIBUTION_SCORE": f"{high + low:.4f}"}
    if not with_directionality:
        return share
    # Derived from AWS's only example, so it may differ from KDA's formula (docs/forest.md).
    strength = abs(high - low) * score
    return {"DIRECTION": "HIGH" if high > low else "LOW", "STRENGTH": f"{strength:.4f}"} | share
