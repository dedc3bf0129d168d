"""The forests that are compared, each as a call: (stream, forest's seed, warm-up) -> scores, points per CPU second."""

import struct
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import krcf
import numpy as np
from numpy.typing import NDArray

from bench.forest.streams import Stream
from udfs.random_cut_forest import RandomCutForest

TREES = 100
TIME_DECAY = 100_000
ORACLE = Path(__file__).parent / "oracle"


class Run(NamedTuple):
    scores: NDArray[np.float64]
    points_per_second: float


def ours(stream: Stream, seed: int, warm_up: int) -> Run:
    """Our forest, in batches."""
    forest = RandomCutForest(
        stream.columns, TREES, stream.sub_sample_size, TIME_DECAY, stream.shingle_size, seed
    )
    before = forest.score_many(stream.records[:warm_up])
    start = time.process_time()
    after = forest.score_many(stream.records[warm_up:])
    spent = time.process_time() - start
    return Run(np.concatenate([before, after]), len(after) / spent)


def ours_one_by_one(stream: Stream, seed: int, warm_up: int) -> Run:
    """Our forest, one call a record."""
    forest = RandomCutForest(
        stream.columns, TREES, stream.sub_sample_size, TIME_DECAY, stream.shingle_size, seed
    )
    scores = np.zeros(len(stream.records))
    scores[:warm_up] = forest.score_many(stream.records[:warm_up])
    start = time.process_time()
    for k in range(warm_up, len(scores)):
        scores[k] = forest.score_many(stream.records[k : k + 1])[0]
    spent = time.process_time() - start
    return Run(scores, (len(scores) - warm_up) / spent)


def learn_only(stream: Stream, seed: int, warm_up: int) -> Run:
    """Our forest, learning without scoring."""
    forest = RandomCutForest(
        stream.columns, TREES, stream.sub_sample_size, TIME_DECAY, stream.shingle_size, seed
    )
    forest.score_many(stream.records[:warm_up])
    start = time.process_time()
    forest.update_many(stream.records[warm_up:])
    spent = time.process_time() - start
    return Run(np.zeros(0), (len(stream.records) - warm_up) / spent)


def krcf_forest(stream: Stream, seed: int, warm_up: int) -> Run:
    """krcf, a forest in Rust."""
    forest = krcf.RandomCutForest(
        {
            "dimensions": stream.columns,
            "shingle_size": stream.shingle_size,
            "num_trees": TREES,
            "sample_size": stream.sub_sample_size,
            "output_after": stream.sub_sample_size,
            "random_seed": seed,
            "time_decay": 1.0 / TIME_DECAY,
            "initial_accept_fraction": 1.0,
            "parallel_execution_enabled": False,
            "internal_shingling": True,
        }
    )
    scores = []
    start = 0.0
    for k, record in enumerate(stream.records.tolist()):
        if k == warm_up:
            start = time.process_time()
        scores.append(forest.score(record))
        forest.update(record)
    spent = time.process_time() - start
    return Run(np.array(scores), (len(scores) - warm_up) / spent)


class JavaForest:
    """AWS's Java library in a process of its own; its CPU time is that of the whole process."""

    def __enter__(self) -> "JavaForest":
        jar = ORACLE / "target" / "forest-oracle.jar"
        if not jar.exists():
            subprocess.run(["mvn", "-q", "-B", "package"], cwd=ORACLE, check=True)
        self.process = subprocess.Popen(
            ["java", "-XX:+UseSerialGC", "-Xmx1g", "-jar", str(jar)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.communicate()

    def __call__(self, stream: Stream, seed: int, warm_up: int) -> Run:
        assert self.process.stdin
        assert self.process.stdout
        n = len(stream.records)
        head = struct.pack(
            "<6i2q",
            TREES,
            stream.sub_sample_size,
            stream.columns,
            stream.shingle_size,
            n,
            warm_up,
            TIME_DECAY,
            seed,
        )
        self.process.stdin.write(head + stream.records.astype("<f8").tobytes())
        self.process.stdin.flush()
        answer = self.process.stdout.read(8 + 8 * n)
        nanoseconds = struct.unpack_from("<q", answer)[0]
        return Run(np.frombuffer(answer, "<f8", n, 8).copy(), (n - warm_up) / (nanoseconds / 1e9))
