"""Flink's planner as the page uses it: errors with their places, columns, and whether saved state still fits."""

from pathlib import Path

import pytest

from console.controller import Controller
from console.standby import Standby, StandbyError
from console.workbench import Workbench
from infra import saved_state
from pipeline.catalog import JOBS, read
from tests.console.bench import Idle, bench, unreachable
from workbench.checked import check

YAML = """\
title: T
sources:
  ticks: {stream: ticks, columns: {symbol: VARCHAR(8), price: DOUBLE}}
relations:
  - means
destinations:
  - {of: means, type: none}
"""
MEANS = """\
SELECT symbol, AVG(price) AS mean, window_time AS rowtime
FROM TABLE(TUMBLE(TABLE ticks, DESCRIPTOR(rowtime), INTERVAL '10' SECOND))
GROUP BY symbol, window_start, window_end, window_time
"""


def test_a_process_that_does_not_answer_is_ended() -> None:
    checked = check("x", "X", "flink", {"application.yaml": YAML, "means.sql": MEANS})
    silent = Standby(patience=0.3)
    with pytest.raises(StandbyError, match="no answer"):
        silent.plan("x", checked, "application.yaml")
    assert silent._process is None


def test_state_that_no_longer_fits_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Known:
        """A process with a fixed answer: two steps have saved state, and one of them still exists."""

        def plan(self, *_: object) -> dict[str, object]:
            return {"relations": {}, "operators": {"a": "forest scores"}, "saved": ["a", "b"]}

    workbench: Workbench = bench(tmp_path, {"ctr": Controller(read(JOBS / "ctr"), unreachable, Idle())})
    monkeypatch.setattr(workbench, "standby", Known())
    monkeypatch.setattr(saved_state, "known_operators", lambda name: {"b": "GroupWindow"})
    files = workbench.document("ctr")["files"]
    scores = files["scores.sql"].replace("SELECT", "SELECT DISTINCT", 1)
    _, found = workbench.plan("ctr", files | {"scores.sql": f"-- another\n{scores}"})
    assert found["state"]["summary"] == "The state of 1 step is dropped, that of 1 step is kept."
    assert {"name": "GroupWindow", "effect": "dropped"} in found["state"]["steps"]
    effects = {r["name"]: (r["effect"], r["why"]) for r in found["state"]["relations"]}
    assert effects["scored_ctr"] == ("same", "")
    assert effects["scores"] == ("changed", "its own definition")
    assert effects["anomalies"] == ("changed", "what it reads: scores")
