"""The worker process of a forest, or of a detector, is killed: scores are those of an unbroken run, on each backend."""

import contextlib
import json
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from infra import flink_rest
from tests.jobs.conftest import Flink
from tests.waiting import until
from udfs.anomaly_detector import AnomalyDetector
from udfs.detector.function import DetectorOptions
from udfs.detector.table import detect_anomalies
from udfs.forest.bucket import LONGEST_LOG
from udfs.forest.function import ForestOptions
from udfs.forest.table import random_cut_forest
from udfs.random_cut_forest import RandomCutForest

pytestmark = pytest.mark.flink

FOREST = {"number_of_trees": 10, "sub_sample_size": 32, "time_decay": 500, "shingle_size": 2, "seed": 4}
DETECTOR = {"number_of_trees": 10, "sub_sample_size": 32, "seed": 4}
#: Behind this row the forest was written down whole, and records learned since beside it: both must come back.
ENOUGH = LONGEST_LOG + 1_000

# Numbered rows that go on where they were after a restore, a millisecond apart.
_SOURCE = """
    CREATE TEMPORARY TABLE numbers (
        id BIGINT,
        a AS CAST(MOD(id * id, 1009) AS DOUBLE),
        b AS CAST(MOD(id * 7919, 499) AS DOUBLE) / 7,
        rowtime AS TO_TIMESTAMP_LTZ(id, 3),
        WATERMARK FOR rowtime AS rowtime
    ) WITH (
        'connector' = 'datagen', 'rows-per-second' = '6000',
        'fields.id.kind' = 'sequence', 'fields.id.start' = '0', 'fields.id.end' = '1000000'
    )
"""


def scored_by_forest(table_env: Any, numbers: Any) -> Any:
    options = ForestOptions(("a", "b"), **FOREST)  # type: ignore[arg-type]
    return random_cut_forest(table_env, numbers, options)[0]


def scored_by_detector(table_env: Any, numbers: Any) -> Any:
    return detect_anomalies(table_env, numbers, DetectorOptions(("a", "b"), **DETECTOR))  # type: ignore[arg-type]


@pytest.mark.parametrize(("kind", "backend"), [("forest", "hashmap"), ("detector", "rocksdb")])
def test_scores_after_a_killed_worker_are_those_of_an_unbroken_run(
    kind: str, backend: str, mini_flink: Flink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A mini-cluster's Python functions would otherwise run in threads of this process.
    monkeypatch.setenv("_python_worker_execution_mode", "process")
    port = free_port()
    table_env = mini_flink.environment(
        python__executable=sys.executable,
        rest__port=str(port),
        rest__bind_port=str(port),
        io__tmp__dirs=str(tmp_path / "local"),
        state__backend__type=backend,
        execution__checkpointing__interval="1 s",
        restart_strategy__type="fixed-delay",
        restart_strategy__fixed_delay__attempts="10",
        restart_strategy__fixed_delay__delay="100 ms",
    )
    table_env.execute_sql(_SOURCE)
    scored = {"forest": scored_by_forest, "detector": scored_by_detector}[kind](
        table_env, table_env.from_path("numbers")
    )
    rows = tmp_path / "rows"
    rows.mkdir()
    table_env.execute_sql(
        f"CREATE TEMPORARY TABLE scored (id BIGINT, score DOUBLE) WITH ('connector' = 'filesystem', 'format' = 'json',"
        f" 'path' = '{rows.as_uri()}', 'sink.rolling-policy.rollover-interval' = '500 ms',"
        " 'sink.rolling-policy.check-interval' = '500 ms')"
    )
    table_env.create_temporary_view("with_scores", scored)
    # The smoothed score depends on all of a detector's state.
    score = {"forest": "anomaly_score", "detector": "smoothed_score"}[kind]
    job = table_env.execute_sql(f"INSERT INTO scored SELECT id, {score} FROM with_scores").get_job_client()
    restored = f"http://127.0.0.1:{port}/jobs/{job.get_job_id()}/checkpoints"
    try:
        until(lambda: lines(rows) >= ENOUGH, "rows before the failure")
        killed = workers()
        assert killed, "no worker runs in a process of its own"
        assert bool(list((tmp_path / "local").rglob("CURRENT"))) == (backend == "rocksdb")
        for pid in killed:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        until(lambda: flink_rest.get(restored)["counts"]["restored"] >= 1, "the restore")
        before = lines(rows)
        until(lambda: lines(rows) >= before + 1_000, "rows after the failure")
        assert not set(killed) & set(workers())
    finally:
        job.cancel().result()
    found = [json.loads(line) for file in parts(rows) for line in file.read_text().splitlines()]
    found.sort(key=lambda row: row["id"])
    ids = np.arange(len(found))
    assert [row["id"] for row in found] == ids.tolist()
    points = np.column_stack([ids * ids % 1009, ids * 7919 % 499 / 7])
    unbroken = {
        "forest": lambda: RandomCutForest(2, **FOREST).score_many(points),
        "detector": lambda: AnomalyDetector(2, **DETECTOR).detect_many(points).smoothed,  # type: ignore[arg-type]
    }[kind]()
    assert [row["score"] for row in found] == unbroken.tolist()


def parts(folder: Path) -> list[Path]:
    """Files that a checkpoint has committed."""
    return [f for f in folder.iterdir() if not f.name.startswith((".", "_"))]


def lines(folder: Path) -> int:
    return sum(file.read_bytes().count(b"\n") for file in parts(folder))


def workers() -> list[int]:
    """Python worker processes below this one."""
    parents, names = {}, {}
    for process in Path("/proc").iterdir():
        try:
            pid = int(process.name)
            parents[pid] = int((process / "stat").read_text().rpartition(")")[2].split()[1])
            names[pid] = (process / "cmdline").read_bytes()
        except (OSError, ValueError):
            continue

    def ours(pid: int) -> bool:
        while pid > 1 and pid != os.getpid():
            pid = parents.get(pid, 0)
        return pid == os.getpid()

    return [pid for pid, name in names.items() if b"beam_boot" in name and ours(pid)]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
