"""What Flink's REST interface tells of a job."""

from typing import Any

import pytest

from infra import flink_rest


def test_a_checkpoint_that_never_began_did_not_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    # Five were due before Python was up (counted, not in the history); one failed when a worker was killed.
    checkpoints = {
        "counts": {"restored": 1, "total": 7, "in_progress": 0, "completed": 1, "failed": 6},
        "latest": {"completed": {"id": 1, "latest_ack_timestamp": 1_700_000_000_000}, "failed": {"id": 2}},
        "history": [{"id": 2, "status": "FAILED"}, {"id": 1, "status": "COMPLETED"}],
    }
    answers: dict[str, Any] = {
        "http://flink/jobs/1": {"state": "RUNNING", "vertices": []},
        "http://flink/jobs/1/checkpoints": checkpoints,
    }
    monkeypatch.setattr(flink_rest, "get", answers.__getitem__)
    state = flink_rest.job_state("http://flink", "1")
    assert state is not None
    assert (state.checkpoints, state.failed_checkpoints, state.restored) == (1, 1, 1)
    assert state.last_checkpoint == 1_700_000_000_000


def test_the_metrics_that_are_asked_for_come_from_all_chains(monkeypatch: pytest.MonkeyPatch) -> None:
    chains = "http://flink/jobs/1/vertices"
    late = [{"id": "Window.late", "sum": 2.0, "max": 1.0}]
    answers: dict[str, Any] = {
        "http://flink/jobs/1": {"vertices": [{"id": "a"}, {"id": "b"}, {"id": "c"}]},
        f"{chains}/a/subtasks/metrics": [{"id": "Window.late"}, {"id": "busy"}],
        f"{chains}/a/subtasks/metrics?get=Window.late&agg=sum,max": late,
        f"{chains}/b/subtasks/metrics": [{"id": "0.behind"}],
        f"{chains}/b/subtasks/metrics?get=0.behind&agg=sum,max": [{"id": "0.behind", "sum": 3.0, "max": 3.0}],
        f"{chains}/c/subtasks/metrics": [{"id": "busy"}],
    }
    monkeypatch.setattr(flink_rest, "get", answers.__getitem__)
    found = flink_rest.metrics("http://flink", "1", "late", "behind")
    assert found == [*late, {"id": "0.behind", "sum": 3.0, "max": 3.0}]
    assert flink_rest.metrics("http://gone", "1", "late") == []
