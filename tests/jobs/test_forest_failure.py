"""The worker process of a forest and a detector is killed: their scores are those of a run without failure."""

import contextlib
import json
import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

from infra import flink_rest
from infra.loopback import free_port
from tests.jobs.conftest import Flink
from tests.readers import finished, python_workers
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
#: By this row the state has the whole forest and, separately, the records learned since: both must be restored.
ENOUGH = LONGEST_LOG + 1_000

# Numbered rows that go on where they were after a restore, a millisecond apart. Few: each checkpoint has all that are
# still to come.
_SOURCE = """
    CREATE TEMPORARY TABLE numbers (
        id BIGINT,
        a AS CAST(MOD(id * id, 1009) AS DOUBLE),
        b AS CAST(MOD(id * 7919, 499) AS DOUBLE) / 7,
        rowtime AS TO_TIMESTAMP_LTZ(id, 3),
        WATERMARK FOR rowtime AS rowtime
    ) WITH (
        'connector' = 'datagen', 'rows-per-second' = '3000',
        'fields.id.kind' = 'sequence', 'fields.id.start' = '0', 'fields.id.end' = '100000'
    )
"""


def test_scores_after_a_killed_worker_equal_those_without_failure(
    mini_flink: Flink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Otherwise a mini-cluster's Python functions run in threads of this process.
    monkeypatch.setenv("_python_worker_execution_mode", "process")
    port = free_port()
    table_env = mini_flink.environment(
        python__executable=sys.executable,
        # A cluster of its own, whose folders and port the test knows.
        execution__target="local",
        rest__port=str(port),
        rest__bind_port=str(port),
        io__tmp__dirs=str(tmp_path / "local"),
        state__backend__type="rocksdb",
        execution__checkpointing__interval="1 s",
        restart_strategy__type="fixed-delay",
        restart_strategy__fixed_delay__attempts="10",
        restart_strategy__fixed_delay__delay="100 ms",
    )
    table_env.execute_sql(_SOURCE)
    numbers = table_env.from_path("numbers")
    forest = ForestOptions(("a", "b"), **FOREST)  # type: ignore[arg-type]
    detector = DetectorOptions(("a", "b"), **DETECTOR)  # type: ignore[arg-type]
    table_env.create_temporary_view("by_forest", random_cut_forest(table_env, numbers, forest)[0])
    table_env.create_temporary_view("by_detector", detect_anomalies(table_env, numbers, detector))
    rows = tmp_path / "rows"
    rows.mkdir()
    table_env.execute_sql(
        "CREATE TEMPORARY TABLE scored (kind STRING, id BIGINT, score DOUBLE) WITH ("
        f" 'connector' = 'filesystem', 'format' = 'json', 'path' = '{rows.as_uri()}',"
        " 'sink.rolling-policy.rollover-interval' = '500 ms', 'sink.rolling-policy.check-interval' = '500 ms')"
    )
    # The smoothed score depends on all of a detector's state.
    query = (
        "SELECT 'forest', id, anomaly_score FROM by_forest"
        " UNION ALL SELECT 'detector', id, smoothed_score FROM by_detector"
    )
    job = table_env.execute_sql(f"INSERT INTO scored {query}").get_job_client()
    restored = f"http://127.0.0.1:{port}/jobs/{job.get_job_id()}/checkpoints"
    try:
        until(lambda: lines(rows) >= 2 * ENOUGH, "rows before the failure")
        killed = python_workers()
        assert killed, "no worker runs in a process of its own"
        assert list((tmp_path / "local").rglob("CURRENT")), "no RocksDB"
        for pid in killed:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        until(lambda: flink_rest.get(restored)["counts"]["restored"] >= 1, "the restore")
        before = lines(rows)
        until(lambda: lines(rows) >= before + 2_000, "rows after the failure")
        assert not set(killed) & set(python_workers())
    finally:
        job.cancel().result()
    found: dict[str, dict[int, float]] = {"forest": {}, "detector": {}}
    for row in (json.loads(line) for file in finished(rows) for line in file.read_text().splitlines()):
        assert row["id"] not in found[row["kind"]], "a row came twice"
        found[row["kind"]][row["id"]] = row["score"]
    for kind, scores in found.items():
        ids = np.arange(len(scores))
        points = np.column_stack([ids * ids % 1009, ids * 7919 % 499 / 7])
        unbroken = (
            RandomCutForest(2, **FOREST).score_many(points)
            if kind == "forest"
            else AnomalyDetector(2, **DETECTOR).detect_many(points).smoothed  # type: ignore[arg-type]
        )
        assert len(scores) > ENOUGH, kind
        assert scores == dict(enumerate(unbroken.tolist())), kind


def lines(folder: Path) -> int:
    return sum(file.read_bytes().count(b"\n") for file in finished(folder))
