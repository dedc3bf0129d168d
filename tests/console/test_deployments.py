"""Deploying from the page: the cost is shown first, and a local console deploys nothing."""

import sys
from pathlib import Path

import pytest

from console.controller import Controller
from console.deployments import Deployments, command
from pipeline.catalog import JOBS, read
from tests.console.bench import Idle, asked, bench, unreachable
from tests.waiting import until
from workbench.store import StoreError


def test_resources_and_cost_are_shown_before_deploying(tmp_path: Path) -> None:
    trades = read(JOBS / "trades")
    ask = asked(bench(tmp_path, {"trades": Controller(trades, unreachable, Idle())}))
    found = ask("GET", "/api/applications/trades/deploy").json()
    # As docs/deploy.md sums it up.
    assert (round(found["cost"]["running_an_hour"], 2), found["cost"]["stopped_an_hour"]) == (0.27, 0.045)
    assert {"type": "Kinesis Stream", "name": "Demo-samples"} in found["resources"]
    assert any("kinesis:GetRecords" in statement["actions"] for statement in found["role"])
    assert found["state"] == {"possible": False, "running": False, "failed": False, "lines": []}
    answer = ask("POST", "/api/applications/trades/deploy")
    assert (answer.status_code, "kda console --aws" in answer.json()["error"]) == (409, True)
    assert command(trades)[2:5] == ["cli.main", "deploy", "up"]


def test_a_deployments_output_and_end_are_shown(tmp_path: Path) -> None:
    script = "import sys; print('made 3 resources'); input(); sys.exit(0)"
    deployments = Deployments(tmp_path, lambda application: [sys.executable, "-c", script])
    trades = read(JOBS / "trades")
    deployments.start(trades)
    # It has no stdin: a program that asks a question ends.
    until(lambda: deployments.state("trades")["failed"], "the end")
    assert deployments.state("trades")["lines"][0] == "made 3 resources"
    waiting = Deployments(tmp_path, lambda application: [sys.executable, "-c", "import time; time.sleep(60)"])
    waiting.start(trades)
    with pytest.raises(StoreError, match="being deployed already"):
        waiting.start(trades)
    waiting._running["trades"].kill()
    waiting._running["trades"].wait()
