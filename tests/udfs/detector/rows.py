"""Series of numbers, and what a detector found in them."""

from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from udfs.anomaly_detector import Detections

SMALL = {"number_of_trees": 10, "sub_sample_size": 32}


def noise(rows: int = 1_000, columns: int = 1, seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(20, 1, (rows, columns))


def stepped(step: float = 9.0, at: int = 800) -> NDArray[np.float64]:
    values = noise()
    values[at:] += step
    return values


def equal(one: Detections, other: Detections) -> bool:
    # Before the first row nothing is expected: NaN.
    return all(
        np.array_equal(getattr(one, f.name), getattr(other, f.name), equal_nan=True) for f in fields(one)
    )


def rows_of(found: Detections) -> list[int]:
    rows: list[int] = np.flatnonzero(found.alert).tolist()
    return rows
