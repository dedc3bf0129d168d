"""`python -m bench.detection`: CPU time per row of our detector, of its forest alone, and of AWS's detector.

AWS's is ThresholdedRandomCutForest. Detector and forest are also measured inside Flink's function.
"""

import struct
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from udfs.anomaly_detector import AnomalyDetector
from udfs.detector.function import DetectorFunction, DetectorOptions
from udfs.forest.function import ForestFunction, ForestOptions
from udfs.random_cut_forest import RandomCutForest

ORACLE = Path(__file__).parent / "oracle"
ROWS, WARM_UP, ROUNDS = 40_000, 20_000, 3
#: Rows in a function's batch: rows measured.
BATCHES = {1: 4_000, 10: 10_000, 100: 20_000, 1_000: 20_000}
Values = NDArray[np.float64]


def detector(values: Values) -> float:
    """Our detector's microseconds of CPU per row, in one batch."""
    ours = AnomalyDetector()
    ours.update_many(values[:WARM_UP, None])
    return _spent(lambda: ours.detect_many(values[WARM_UP:, None]), ROWS - WARM_UP)


def forest(values: Values) -> float:
    """Microseconds of CPU per row of a forest of the detector's size, over value, range and deviation."""
    rows, alone = features(values), RandomCutForest(3, 50, 256, 2560)
    alone.update_many(rows[:WARM_UP])
    return _spent(lambda: alone.score_many(rows[WARM_UP:]), ROWS - WARM_UP)


def features(values: Values) -> Values:
    """The columns of a detector's forest: the value, and range and deviation of the last 48 values."""
    windows = np.lib.stride_tricks.sliding_window_view(np.r_[np.full(47, values[0]), values], 48)
    return np.column_stack((values, np.ptp(windows, axis=1), windows.std(axis=1)))


def trcf(values: Values, shingle: int) -> float:
    """Microseconds of CPU per row of AWS's detector."""
    jar = ORACLE / "target" / "detector-oracle.jar"
    if not jar.exists():
        subprocess.run(["mvn", "-q", "-B", "package"], cwd=ORACLE, check=True)
    asked = struct.pack(">3i", shingle, len(values), WARM_UP) + values.astype(">f8").tobytes()
    command = ["java", "-XX:+UseSerialGC", "-Xmx1g", "-jar", str(jar)]
    answer = subprocess.run(command, input=asked, capture_output=True, check=True).stdout
    return float(struct.unpack(">qi", answer)[0] / 1e3 / (len(values) - WARM_UP))


class State:
    """Stands in for Flink's state, whose cost is not measured here; it keeps nothing."""

    def __init__(self) -> None:
        self.get_state = self.get_list_state = lambda descriptor: self

    def get(self) -> None:
        """Return None: nothing was saved."""

    value = clear = get

    def add(self, value: Any) -> None:
        """Drop the value."""

    update = add


def in_function(function: Any, rows: list[list[float]], batch: int) -> float:
    """Microseconds of CPU per row of a Flink function, for batches of ``batch`` rows."""
    function.open(State())
    times = [60_000 * k for k in range(len(rows))]
    for start in range(0, WARM_UP, 1_000):
        function.process_batch("", rows[start : start + 1_000], times[start : start + 1_000])
    end = WARM_UP + BATCHES[batch]

    def work() -> None:
        for start in range(WARM_UP, end, batch):
            function.process_batch("", rows[start : start + batch], times[start : start + batch])

    return _spent(work, BATCHES[batch])


def _spent(work: Callable[[], object], rows: int) -> float:
    start = time.process_time()
    work()
    return (time.process_time() - start) * 1e6 / rows


def compared(forms: dict[str, Callable[[], float]], first: str) -> list[tuple[str, float, str]]:
    """Name, median cost, and ratio to the cost of ``first`` (median and range) of each form, by interleaved rounds."""
    costs = [{name: form() for name, form in forms.items()} for _ in range(ROUNDS)]
    found = []
    for name in forms:
        ratios = [cost[name] / cost[first] for cost in costs]
        spread = f"{median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"
        found.append((name, median(cost[name] for cost in costs), spread))
    return found


def main() -> None:
    """Run interleaved rounds, so that other load on the machine affects all forms alike."""
    time_of_day = np.arange(ROWS) / 288 * 2 * np.pi
    values = 10 + 5 * np.sin(time_of_day) + np.random.default_rng(0).normal(size=ROWS)
    detector(values)  # loads the compiled code
    print("| | microseconds of CPU a row | times the detector's |\n| --- | --- | --- |")
    forms: dict[str, Callable[[], float]] = {
        "detector": lambda: detector(values),
        "its forest alone": lambda: forest(values),
        "AWS, shingle 1": lambda: trcf(values, 1),
        "AWS, shingle 8": lambda: trcf(values, 8),
    }
    for name, cost, ratio in compared(forms, "detector"):
        print(f"| {name} | {cost:.1f} | {ratio} |")
    print(
        "\n| rows together, in Flink's function | detector | its forest | ratio |\n| --- | --- | --- | --- |"
    )
    ours, theirs = values[:, None].tolist(), features(values).tolist()
    options = DetectorOptions(("x",)), ForestOptions(("x", "range", "deviation"), 50, 256, 2_560)
    for batch in BATCHES:
        functions: dict[str, Callable[[], float]] = {
            "forest": lambda n=batch: in_function(ForestFunction(options[1].columns, options[1]), theirs, n),  # type: ignore[misc]
            "detector": lambda n=batch: in_function(DetectorFunction(("x",), options[0]), ours, n),  # type: ignore[misc]
        }
        (_, alone, _), (_, cost, ratio) = compared(functions, "forest")
        print(f"| {batch} | {cost:.1f} | {alone:.1f} | {ratio} |")
    print("\n| rows seen | detector saved, bytes | above its forest |\n| --- | --- | --- |")
    for rows in (100, 255, 3_000):
        whole, alone_ = AnomalyDetector(), RandomCutForest(3, 50, 256, 2_560)
        whole.update_many(values[:rows, None])
        alone_.update_many(features(values)[:rows])
        size = len(whole.to_bytes())
        print(f"| {rows:,} | {size:,} | {size - len(alone_.to_bytes()):,} |")


if __name__ == "__main__":
    main()
