"""Made streams with the alerts that a person would want of each."""

import numpy as np
from numpy.typing import NDArray

Stream = NDArray[np.float64]
ROWS = 5_000
DAY = 288


def ordinary(kind: str, seed: int) -> Stream:
    """5,000 rows in which nothing happens."""
    rng, time = np.random.default_rng(seed), np.arange(ROWS)
    day = np.sin(2 * np.pi * time / DAY)
    return {
        "normal noise": lambda: rng.normal(size=ROWS),
        "constant": lambda: np.full(ROWS, 5.0),
        "daily pattern": lambda: 10 + 5 * day,
        "noisy daily pattern": lambda: 10 + 5 * day + 0.5 * rng.normal(size=ROWS),
        "daily shifts": lambda: 10 + 5.0 * (time % DAY < 96) + 0.5 * rng.normal(size=ROWS),
        "counts": lambda: rng.poisson(1.0, ROWS).astype(float),
        "large counts": lambda: rng.poisson(10.0, ROWS).astype(float),
        "few counts": lambda: rng.poisson(0.3, ROWS).astype(float),
        "daily spike": lambda: rng.normal(size=ROWS) + 10.0 * (time % DAY == 200),
        "hourly spike": lambda: rng.normal(size=ROWS) + 10.0 * (time % 24 == 20),
        "heavy tails": lambda: rng.standard_t(3, ROWS),
    }[kind]()


EVENT = 1_500


def event(kind: str, seed: int) -> Stream:
    """3,000 rows of normal noise with something that happens at row 1,500."""
    rng = np.random.default_rng(1_000 + seed)
    values = rng.normal(size=2 * EVENT)
    after, sign = slice(EVENT, None), 1 if seed % 2 else -1
    if kind.startswith("level step of "):
        values[after] += sign * float(kind.removeprefix("level step of "))
    elif kind == "spike of 10":
        values[EVENT] += 10 * sign
    elif kind == "flat line":
        values[after] = values[EVENT - 1]
    elif kind == "amplitude times 4":
        values[after] *= 4
    elif kind == "amplitude a quarter":
        values[after] /= 4
    elif kind == "drop to nothing":
        values = 50 + 5 * values
        values[after] = 0
    elif kind.startswith("after a trend"):
        # 10 sigmas in 700 rows; it has ended 100 or 20 rows before, or goes on.
        end = {
            "after a trend": 100,
            "after a trend that just ended": 20,
            "after a trend that goes on": -EVENT,
        }[kind]
        time = np.arange(len(values))
        values += np.clip((time - 700) / 70, 0, max((EVENT - end - 700) / 70, 0))
        values[after] += 10
    else:
        raise ValueError(kind)
    return values
