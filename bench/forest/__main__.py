"""`python -m bench.forest`: our random cut forest against AWS's Java library.

Speed on every stream (interleaved rounds, per CPU second), quality on the lab streams (krcf's too, AWS's in Rust),
sizes and times. krcf is left out of the speed: it is half as fast as Java, and would take half of the time.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from statistics import median

import llvmlite.binding
import numpy as np
import psutil
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from bench.forest.rivals import TREES, JavaForest, Run, krcf_forest, learn_only, ours, ours_one_by_one
from bench.forest.streams import Stream, lab_streams, repeating_streams
from udfs.random_cut_forest import RandomCutForest
from udfs.warm_up import warm_up

ROUNDS = 2
WARM_UP, MEASURED = 5_000, 10_000
SEEDS = range(1, 6)

Forest = Callable[[Stream, int, int], Run]


def spread(values: list[float]) -> str:
    return f"{median(values):,.2f} ({min(values):,.2f}-{max(values):,.2f})"


def compiled_for() -> str:
    """LLVM's name of the processor that the forest is compiled for."""
    return os.environ.get("NUMBA_CPU_NAME") or str(llvmlite.binding.get_host_cpu_name())


def speed(console: Console, java: Forest) -> None:
    """Measure speed in interleaved rounds, so that a busy machine slows down all forests alike."""
    rivals: dict[str, Forest] = {
        "AWS Java 4.2.0": java,
        "ours, in batches": ours,
        "ours, one by one": ours_one_by_one,
    }
    streams = lab_streams(WARM_UP + MEASURED, seed=1) + repeating_streams(WARM_UP + MEASURED, seed=1)
    for stream in streams:
        java(stream, 0, WARM_UP)
    table = Table(
        "stream",
        "forest",
        "points / CPU s",
        "× Java, median (range)",
        title=f"Speed: {ROUNDS} rounds, compiled for {compiled_for()}",
    )
    for stream in streams:
        rates: dict[str, list[float]] = {name: [] for name in rivals}
        for seed in range(ROUNDS):
            for name, forest in rivals.items():
                rates[name].append(forest(stream, seed, WARM_UP).points_per_second)
        for name, values in rates.items():
            ratios = [value / base for value, base in zip(values, rates["AWS Java 4.2.0"], strict=True)]
            table.add_row(stream.name, name, f"{median(values):,.0f}", spread(ratios))
        table.add_section()
    console.print(table)


def area_under_curve(scores: NDArray[np.float64], anomalous: NDArray[np.bool_]) -> float:
    """Probability that an anomaly scores higher than an ordinary point."""
    ranks = np.argsort(np.argsort(scores))
    positives = int(anomalous.sum())
    return float(
        (ranks[anomalous].sum() - positives * (positives - 1) / 2) / (positives * (len(scores) - positives))
    )


def recall(scores: NDArray[np.float64], anomalous: NDArray[np.bool_]) -> float:
    """Share of the n anomalies that are among the n highest scores."""
    highest = np.argsort(scores)[-int(anomalous.sum()) :]
    return float(anomalous[highest].mean())


def new_values(stream: Stream) -> NDArray[np.bool_]:
    """Which records are new values, not equal to an earlier one; False while the forest fills its first sample."""
    first = np.zeros(len(stream.records), bool)
    first[np.unique(stream.records, axis=0, return_index=True)[1]] = True
    first[: stream.sub_sample_size + stream.shingle_size - 1] = False
    return first


def quality(console: Console, java: Forest) -> None:
    """Compare scores as means over seeds: one forest's scores differ by seed too, as the row "other seeds" shows."""
    table = Table(
        "stream",
        "forest",
        "correlation with Java",
        "mean / Java's",
        "AUC",
        "recall",
        title=f"Quality: 4,000 points, mean of {len(SEEDS)} seeds",
    )
    for stream in lab_streams(4_000, seed=2):
        assert stream.anomalous is not None
        chosen = new_values(stream)
        learned = np.arange(len(chosen)) >= stream.sub_sample_size + stream.shingle_size - 1
        runs = {
            "AWS Java 4.2.0": [java(stream, seed, 0).scores for seed in SEEDS],
            "AWS Java, other seeds": [java(stream, seed + 100, 0).scores for seed in SEEDS],
            "krcf": [krcf_forest(stream, seed, 0).scores for seed in SEEDS],
            "ours": [ours(stream, seed, 0).scores for seed in SEEDS],
        }
        reference = np.mean(runs["AWS Java 4.2.0"], axis=0)[chosen]
        for name, scores in runs.items():
            mean = np.mean(scores, axis=0)[chosen]
            anomalous = stream.anomalous[learned]
            table.add_row(
                stream.name,
                name,
                f"{np.corrcoef(mean, reference)[0, 1]:.4f}",
                f"{mean.mean() / reference.mean():.3f}",
                f"{np.mean([area_under_curve(one[learned], anomalous) for one in scores]):.4f}",
                f"{np.mean([recall(one[learned], anomalous) for one in scores]):.3f}",
            )
        table.add_section()
    console.print(table)


def milliseconds(function: Callable[[], object], times: int = 51) -> str:
    spent = []
    for _ in range(times):
        start = time.perf_counter()
        function()
        spent.append((time.perf_counter() - start) * 1e3)
    return spread(spent)


def resident_megabytes() -> float:
    return float(psutil.Process().memory_info().rss) / 1e6


def where_time_goes(console: Console) -> None:
    """Nanoseconds per tree and point, with and without scoring."""
    table = Table("stream", "score and learn, ns", "learn only, ns", title="One point in one tree")
    for stream in lab_streams(WARM_UP + MEASURED, seed=1):
        both, learning = [], []
        for seed in range(ROUNDS):
            both.append(1e9 / TREES / ours(stream, seed, WARM_UP).points_per_second)
            learning.append(1e9 / TREES / learn_only(stream, seed, WARM_UP).points_per_second)
        table.add_row(stream.name, spread(both), spread(learning))
    console.print(table)


def sizes(console: Console) -> None:
    """Size of saved state, memory of many forests, and time to the first score of a new process."""
    table = Table("what", "value", title="Sizes and times")
    forest = RandomCutForest(2)
    forest.score_many(np.random.default_rng(1).normal(size=(20_000, 2)))
    data = forest.to_bytes()
    table.add_row("saved state, 2-D, 100 trees, 256 samples, 20,000 points", f"{len(data):,} bytes")
    table.add_row("to_bytes, ms", milliseconds(forest.to_bytes))
    table.add_row("from_bytes, ms", milliseconds(lambda: RandomCutForest.from_bytes(data)))
    points = np.random.default_rng(1).normal(size=(200, 1))
    before, count = resident_megabytes(), 10_000
    forests = [RandomCutForest(1, 30, 64, seed=k) for k in range(count)]
    for small in forests:
        small.score_many(points)
    grown = resident_megabytes() - before
    table.add_row(f"{count:,} forests (1-D, 30 trees, 64 samples, 200 points each)", f"{grown:,.0f} MB")
    table.add_row("one of them saved", f"{len(forests[0].to_bytes()):,} bytes")
    code = (
        "import time; start = time.perf_counter()\n"
        "from udfs.warm_up import warm_up; warm_up()\n"
        "print(time.perf_counter() - start)"
    )
    fresh = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    table.add_row("first score of a fresh process, compiled before, s", f"{float(fresh.stdout):.2f}")
    console.print(table)


def main() -> None:
    console = Console(width=120)
    with console.status("loading the compiled forest (compiling takes about a minute, the first time)"):
        warm_up()
    with JavaForest() as java:
        speed(console, java)
        quality(console, java)
    where_time_goes(console)
    sizes(console)


if __name__ == "__main__":
    main()
