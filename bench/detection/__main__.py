"""What a row costs: our detector, the forest under it alone, and AWS's ThresholdedRandomCutForest.

python -m bench.detection
"""

import struct
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray

from udfs.anomaly_detector import AnomalyDetector
from udfs.random_cut_forest import RandomCutForest

ORACLE = Path(__file__).parent / "oracle"
ROWS, WARM_UP, ROUNDS = 40_000, 20_000, 3


def detector(values: NDArray[np.float64]) -> float:
    """Microseconds of CPU a row, in one batch."""
    ours = AnomalyDetector()
    ours.update_many(values[:WARM_UP, None])
    return _spent(lambda: ours.detect_many(values[WARM_UP:, None]))


def forest(values: NDArray[np.float64]) -> float:
    """The same of a forest of the detector's size, over value, range and deviation."""
    windows = np.lib.stride_tricks.sliding_window_view(np.r_[np.full(47, values[0]), values], 48)
    rows = np.column_stack((values, np.ptp(windows, axis=1), windows.std(axis=1)))
    alone = RandomCutForest(3, 50, 256, 2560)
    alone.update_many(rows[:WARM_UP])
    return _spent(lambda: alone.score_many(rows[WARM_UP:]))


def trcf(values: NDArray[np.float64], shingle: int) -> float:
    """The same of AWS's detector."""
    jar = ORACLE / "target" / "detector-oracle.jar"
    if not jar.exists():
        subprocess.run(["mvn", "-q", "-B", "package"], cwd=ORACLE, check=True)
    asked = struct.pack(">3i", shingle, len(values), WARM_UP) + values.astype(">f8").tobytes()
    command = ["java", "-XX:+UseSerialGC", "-Xmx1g", "-jar", str(jar)]
    answer = subprocess.run(command, input=asked, capture_output=True, check=True).stdout
    return float(struct.unpack(">qi", answer)[0] / 1e3 / (len(values) - WARM_UP))


def _spent(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return (time.process_time() - start) * 1e6 / (ROWS - WARM_UP)


def main() -> None:
    """Interleaved rounds, so that what else the machine does meets all of them."""
    time_of_day = np.arange(ROWS) / 288 * 2 * np.pi
    values = 10 + 5 * np.sin(time_of_day) + np.random.default_rng(0).normal(size=ROWS)
    forms: dict[str, Callable[[NDArray[np.float64]], float]] = {
        "detector": detector,
        "its forest alone": forest,
        "AWS, shingle 1": lambda v: trcf(v, 1),
        "AWS, shingle 8": lambda v: trcf(v, 8),
    }
    detector(values)  # loads what is compiled
    costs: dict[str, list[float]] = {name: [] for name in forms}
    for _ in range(ROUNDS):
        for name, form in forms.items():
            costs[name].append(form(values))
    ours = median(costs["detector"])
    print("| | microseconds of CPU a row | times the detector's |\n| --- | --- | --- |")
    for name, spent in costs.items():
        print(f"| {name} | {median(spent):.1f} | {median(spent) / ours:.2f} |")


if __name__ == "__main__":
    main()
