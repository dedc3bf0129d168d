"""Flink's planner, asked by the page: errors with their places, columns, and what becomes of saved state."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from console.controller import Controller
from console.planner import Planner, PlannerError
from console.workbench import Workbench
from infra import flink
from pipeline.catalog import JOBS, read
from tests.console.bench import Idle, asked, bench, unreachable
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


@pytest.fixture(scope="module")
def planner() -> Iterator[Planner]:
    made = Planner()
    yield made
    made.close()


@pytest.mark.flink
def test_what_flink_says_of_a_draft(planner: Planner, tmp_path: Path) -> None:
    workbench = bench(tmp_path, {"ctr": Controller(read(JOBS / "ctr"), unreachable, Idle())})
    workbench.planner = planner
    ask = asked(workbench)
    copy = {"name": "planned", "from": {"kind": "copy", "application": "ctr"}}
    assert ask("POST", "/api/applications", json=copy).status_code == 201
    files = {"application.yaml": YAML, "means.sql": MEANS}

    def plan(**changed: str) -> dict[str, object]:
        answer = ask("POST", "/api/applications/planned/plan", json={"files": files | changed})
        assert answer.status_code == 200, answer.text
        return answer.json()

    found = plan()
    assert found["problems"] == []
    (means,) = [r for r in found["relations"] if r["name"] == "means"]  # type: ignore[attr-defined]
    assert [(c["name"], c["type"]) for c in means["columns"]][:2] == [
        ("symbol", "VARCHAR(8)"),
        ("mean", "DOUBLE"),
    ]
    assert found["state"]["summary"] == "There is no saved state yet."  # type: ignore[index]
    wrong = plan(**{"means.sql": MEANS.replace("AVG(price)", "AVG(prise)")})["problems"]
    (problem,) = wrong  # type: ignore[misc]
    assert (problem["file"], problem["line"], problem["column"]) == ("means.sql", 1, 20)
    assert "nearest is price" in problem["message"]
    unwindowed = "SELECT symbol, COUNT(*) AS n FROM ticks GROUP BY symbol"
    changed = YAML.replace("type: none", "type: kinesis, stream: out")
    (problem,) = plan(**{"means.sql": unwindowed, "application.yaml": changed})["problems"]  # type: ignore[misc]
    assert "aggregate in a window" in problem["message"]


def test_a_planner_that_does_not_answer_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    checked = check("x", "X", "flink", {"application.yaml": YAML, "means.sql": MEANS})
    silent = Planner(patience=0.3)
    with pytest.raises(PlannerError, match="no answer"):
        silent.plan("x", checked, "application.yaml")
    assert silent._process is None


def test_state_that_no_longer_fits_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Known:
        """A planner whose answer is known: two steps have saved state, and one of them is still there."""

        def plan(self, *_: object) -> dict[str, object]:
            return {"relations": {}, "operators": {"a": "forest scores"}, "saved": ["a", "b"]}

    workbench: Workbench = bench(tmp_path, {"ctr": Controller(read(JOBS / "ctr"), unreachable, Idle())})
    monkeypatch.setattr(workbench, "planner", Known())
    monkeypatch.setattr(flink, "known_operators", lambda name: {"b": "GroupWindow"})
    files = workbench.document("ctr")["files"]
    scores = files["scores.sql"].replace("SELECT", "SELECT DISTINCT", 1)
    _, found = workbench.plan("ctr", files | {"scores.sql": f"-- another\n{scores}"})
    assert found["state"]["summary"] == "The state of 1 step is left behind, that of 1 step goes on."
    assert {"name": "GroupWindow", "effect": "left behind"} in found["state"]["steps"]
    effects = {r["name"]: (r["effect"], r["why"]) for r in found["state"]["relations"]}
    assert effects["scored_ctr"] == ("same", "")
    assert effects["scores"] == ("changed", "its own definition")
    assert effects["anomalies"] == ("changed", "what it reads: scores")
