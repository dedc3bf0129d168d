"""Scale a detector's columns, so that a column with widely spread values does not dominate the score."""

from typing import Any

import numpy as np

from udfs.detector.features import FEATURES, MEAN, SPREAD
from udfs.detector.state import DetectorState, standing_in
from udfs.forest.layout import USED, scratch
from udfs.forest.state import ForestState, pack, unpack
from udfs.forest.stream import keep_living_rows

#: Rows before the first scaling.
_FIRST = 16
#: The spread assumed for a column that has never changed, relative to its value: any change is large then.
_SMALL_PART = 1 / 128


def due_rows(rows: Any, before: int, samples: int, *, skipping: bool) -> list[int]:
    """Rows before which to check the scales: after 16, 32, 64, ... rows seen, and then every `samples` rows.

    Parameters
    ----------
    rows : array, (n, columns)
        Input rows. One column needs no scaling.
    before : int
        Rows seen before these.
    samples : int
        Samples of a tree.
    skipping : bool
        Whether rows with a missing value are skipped; otherwise only those before the first complete row are.
    """
    if rows.shape[1] == 1 or _next_look(before, samples) >= before + len(rows):
        return []
    counts = ~np.isnan(rows).any(axis=1)
    if not skipping:
        counts = np.logical_or.accumulate(counts) | (before > 0)
    seen = before + np.cumsum(counts) - counts
    looked = np.where(seen < samples, seen & (seen - 1) == 0, seen % samples == 0)
    return [int(k) for k in np.flatnonzero(counts & (seen >= _FIRST) & looked)]


def _next_look(seen: int, samples: int) -> int:
    """The first number of rows, from `seen` on, after which the scales are checked."""
    seen = max(seen, _FIRST)
    if seen < samples:
        return min(1 << (seen - 1).bit_length(), samples)
    return -(-seen // samples) * samples


def rescaled(state: DetectorState) -> DetectorState:
    """The state with new scales for columns whose spread has doubled or halved since their last scaling.

    Scales are powers of two, so scaling the numbers in the forest keeps their order and loses no bit.
    """
    spread = state.columns[:, SPREAD]
    spread = np.where(spread > 0.0, spread, np.maximum(np.abs(state.columns[:, MEAN]), 1.0) * _SMALL_PART)
    wanted, now = -np.log2(spread), np.log2(state.scales)
    exponents = np.where(np.abs(wanted - now) > 1.0, np.clip(np.rint(wanted), -100, 100), now)
    if (exponents == now).all():
        return state
    p, arrays = state.parameters.forest, state.arrays
    keep_living_rows(arrays, scratch(p.number_of_trees, p.sub_sample_size, p.dimensions * p.shingle_size))
    arrays.points[: arrays.counts[USED]] *= np.repeat(np.exp2(exponents - now), FEATURES).astype(np.float32)
    arrays = unpack(pack(ForestState(p, np.zeros((0, 0), np.float32), arrays))).arrays
    return state._replace(
        scales=np.exp2(exponents), arrays=arrays, young=standing_in(state.parameters, arrays)
    )
