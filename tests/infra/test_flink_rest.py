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
