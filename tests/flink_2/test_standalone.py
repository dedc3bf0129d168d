"""The package on a standalone cluster of Flink 2, which has only what the managed service has: files in, files out."""

from pathlib import Path

import pytest

from tests.deployed.cluster import Cluster, managed_runtime, unpacked
from tests.flink_2 import trucks

pytestmark = pytest.mark.flink


def test_a_recording_runs_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    code = unpacked(trucks.imported(tmp_path), tmp_path / "code")
    assert not (code / "lib").exists()
    celsius = trucks.temperatures(100)
    # The later file first: a recording goes by the records' own times.
    trucks.put(tmp_path, "a", celsius[60:], 60)
    trucks.put(tmp_path, "b", celsius[:60], 0)
    groups = trucks.properties(tmp_path) | {"job": {"name": "trucks"}}
    groups["source"] |= {"type": "recording"}
    with Cluster(managed_runtime(tmp_path / "runtime"), tmp_path / "cluster").running(1) as cluster:
        submitted = cluster.run(code, groups, tmp_path / "properties.json")
        assert submitted.returncode == 0, submitted.stdout + submitted.stderr

        def finished() -> bool:
            (job,) = cluster.get("/jobs/overview")["jobs"]
            assert job["state"] != "FAILED", cluster.get(f"/jobs/{job['jid']}/exceptions")
            return bool(job["state"] == "FINISHED")

        cluster.wait(finished, "the end of the job")
    rows = trucks.found(tmp_path / "scored")
    assert len(rows) == 100
    assert {row["TRUCK"]: row["ANOMALY_SCORE"] for row in rows} == trucks.scores(celsius)
    assert [error["error_name"] for error in trucks.found(tmp_path / "errors")] == ["INVALID_JSON"] * 2
