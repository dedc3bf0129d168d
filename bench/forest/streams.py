"""Streams to measure forests with, made from a seed: the labs', with marked anomalies, and some of repeated values."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Stream:
    """Records (n, columns), the parameters of their forest, and, in a lab's stream, which records are anomalies."""

    name: str
    records: NDArray[np.float64]
    sub_sample_size: int
    shingle_size: int = 1
    anomalous: NDArray[np.bool_] | None = None

    @property
    def columns(self) -> int:
        return self.records.shape[1]


def click_through_rate(n: int, seed: int) -> Stream:
    """Lab 1: clicks per 10 s over impressions per 10 s, in per cent; in 2 % of the windows four times the clicks."""
    rng = np.random.default_rng(seed)
    impressions = np.maximum(rng.poisson(200, n), 1)
    anomalous = rng.random(n) < 0.02
    clicks = rng.poisson(np.where(anomalous, 800, 200))
    return Stream("CTR, 12 samples", (clicks / impressions * 100)[:, None], 12, anomalous=anomalous)


def price_and_quantity(n: int, seed: int) -> Stream:
    """Lab 3: prices and quantities; in 5 % of the records both are two to four times higher."""
    rng = np.random.default_rng(seed)
    anomalous = rng.random(n) < 0.05
    price = rng.normal(100, 10, n) * np.where(anomalous, rng.uniform(2, 4, n), 1)
    quantity = rng.normal(300, 50, n) * np.where(anomalous, rng.uniform(2, 4, n), 1)
    return Stream("price and quantity, 2-D", np.column_stack([price, quantity]), 256, anomalous=anomalous)


def wave(n: int, seed: int) -> Stream:
    """A noisy daily wave with short bursts of noise: their values are ordinary, the order of the values is not."""
    rng = np.random.default_rng(seed)
    values = 50 + 20 * np.sin(np.arange(n) * 2 * np.pi / 48) + rng.normal(0, 1, n)
    anomalous = np.zeros(n, bool)
    for start in rng.choice(n - 8, n // 400, replace=False):
        anomalous[start : start + 8] = True
    values[anomalous] = rng.uniform(30, 70, anomalous.sum())
    return Stream("wave, shingle 8", values[:, None], 256, 8, anomalous)


def lab_streams(n: int, seed: int) -> list[Stream]:
    """Three streams in which nearly every value is new."""
    return [click_through_rate(n, seed), price_and_quantity(n, seed), wave(n, seed)]


def repeating_streams(n: int, seed: int) -> list[Stream]:
    """Streams whose values repeat, as in most real streams, and a continuous one to compare with."""
    rng = np.random.default_rng(seed)

    def rate(clicks: int) -> NDArray[np.float64]:
        clicked, shown = rng.poisson(clicks, n), np.maximum(rng.poisson(clicks, n), 1)
        return np.asarray(clicked / shown * 100, np.float64)

    columns = {
        "continuous, 12 samples": (rng.normal(size=n), 12, 1),
        "CTR of 10 clicks, 12 samples": (rate(10), 12, 1),
        "CTR of 100 clicks, 12 samples": (rate(100), 12, 1),
        "whole numbers 0-99": (rng.integers(0, 100, n), 256, 1),
        "whole numbers 0-999": (rng.integers(0, 1000, n), 256, 1),
        "97 % one value": (np.where(rng.random(n) < 0.97, 100.0, rng.normal(100, 20, n)), 256, 1),
        "percent, one decimal": (rng.normal(50, 10, n).round(1), 256, 1),
        "whole numbers 1-49, 2-D": (rng.integers(1, 50, (n, 2)), 256, 1),
        "whole numbers, shingle 8": (rng.integers(0, 100, n), 256, 8),
    }
    return [
        Stream(name, np.asarray(values, float).reshape(n, -1), samples, shingle)
        for name, (values, samples, shingle) in columns.items()
    ]
