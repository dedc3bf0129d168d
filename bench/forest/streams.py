"""The streams of the bench: the labs' own, made from a seed, with the anomalies marked."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Stream:
    """Records (n, columns), which of them are anomalies, and the forest the lab scores them with."""

    name: str
    records: NDArray[np.float64]
    anomalous: NDArray[np.bool_]
    sub_sample_size: int
    shingle_size: int = 1

    @property
    def columns(self) -> int:
        return self.records.shape[1]


def click_through_rate(n: int, seed: int) -> Stream:
    """Lab 1: clicks per 10 s over impressions per 10 s, in per cent; in 2 % of the windows three senders more."""
    rng = np.random.default_rng(seed)
    impressions = np.maximum(rng.poisson(200, n), 1)
    anomalous = rng.random(n) < 0.02
    clicks = rng.poisson(np.where(anomalous, 800, 200))
    return Stream("CTR, 1-D, 12 samples", (clicks / impressions * 100)[:, None], anomalous, 12)


def price_and_quantity(n: int, seed: int) -> Stream:
    """Lab 3: prices and quantities, 5 % of them with both significantly higher."""
    rng = np.random.default_rng(seed)
    anomalous = rng.random(n) < 0.05
    price = rng.normal(100, 10, n) * np.where(anomalous, rng.uniform(2, 4, n), 1)
    quantity = rng.normal(300, 50, n) * np.where(anomalous, rng.uniform(2, 4, n), 1)
    return Stream("price and quantity, 2-D, 256 samples", np.column_stack([price, quantity]), anomalous, 256)


def wave(n: int, seed: int) -> Stream:
    """A noisy daily wave with short bursts of noise: each value ordinary, their order not."""
    rng = np.random.default_rng(seed)
    values = 50 + 20 * np.sin(np.arange(n) * 2 * np.pi / 48) + rng.normal(0, 1, n)
    anomalous = np.zeros(n, bool)
    for start in rng.choice(n - 8, n // 400, replace=False):
        anomalous[start : start + 8] = True
    values[anomalous] = rng.uniform(30, 70, anomalous.sum())
    return Stream("wave, 1-D, shingle 8, 256 samples", values[:, None], anomalous, 256, 8)


def all_streams(n: int, seed: int) -> list[Stream]:
    """One of each."""
    return [click_through_rate(n, seed), price_and_quantity(n, seed), wave(n, seed)]
