"""`kda status`: each job's line, and the exit code that says whether something is wrong."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from base.aws import Aws
from cli import status
from infra import flink
from infra.flink_health import Health, health
from pipeline.catalog import JOBS, read

app = typer.Typer()
app.command()(status.status)


@pytest.fixture(autouse=True)
def _no_aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(status, "APPLICATIONS", tmp_path / "applications")
    started = flink.started_here
    monkeypatch.setattr(status.flink, "started_here", lambda: started(tmp_path))

    def none(endpoint: Any, aws: bool) -> None:
        raise typer.BadParameter("no local AWS runs")

    monkeypatch.setattr(status.target, "choose", none)


def kda(monkeypatch: pytest.MonkeyPatch, found: Health) -> Any:
    monkeypatch.setattr(status, "health", lambda job: found if job == "trades" else Health("stopped"))
    return CliRunner(env={"COLUMNS": "80"}).invoke(app, [])


def test_a_running_job(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Health(
        "running",
        url="http://127.0.0.1:1/#/job",
        checkpoints=3,
        checkpoint_age=4.4,
        late=2,
        behind_seconds=1.25,
    )
    result = kda(monkeypatch, found)
    assert result.exit_code == 0
    line = next(line for line in result.output.splitlines() if "trades" in line)
    assert "trades: Flink's page http://127.0.0.1:1" in result.output.splitlines()
    assert [cell.strip() for cell in line.strip("│ ").split("│")] == [
        "trades", "running", "4 s ago", "0", "1.2 s", "2", "no AWS",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "found", [Health("lost"), Health("restarting", "KeyError: 'price'", url="http://x/#")]
)
def test_a_job_in_trouble_is_an_exit_code(monkeypatch: pytest.MonkeyPatch, found: Health) -> None:
    result = kda(monkeypatch, found)
    assert result.exit_code == 1
    assert ("killed" if found.state == "lost" else "trades: restarting: KeyError: 'price'") in result.output


def test_what_runs_from_another_folder_is_shown_with_its_errors(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fleet = Path(__file__).parents[1] / "console" / "fleet"
    asked = []

    def errors(chosen: Any, kinesis: Any) -> str:
        asked.append((chosen.error_stream, kinesis.meta.endpoint_url))
        return "3"

    monkeypatch.setattr(status.target, "choose", lambda endpoint, aws: Aws.local("http://x"))
    monkeypatch.setattr(status, "_errors", errors)
    with flink.registered("fleet", 1, "1", tmp_path, fleet), flink.registered("gone", 1, "1", tmp_path):
        result = kda(monkeypatch, Health("stopped"))
    lines = {line.strip("│ ").split()[0]: line for line in result.output.splitlines() if "stopped" in line}
    assert set(lines) == {"ctr", "fleet", "gone", "sessions", "trades"}
    assert "no AWS" not in result.output
    assert ("fleet-errors", "http://x") in asked
    assert "unreadable" in lines["gone"]


def test_a_stream_that_is_not_there_is_no_missing_aws() -> None:
    chosen = read(JOBS / "ctr")
    assert status._errors(chosen, status._kinesis(Aws.local("http://127.0.0.1:1"))) == "no answer"


def test_a_killed_job_is_not_a_stopped_one(tmp_path: Path) -> None:
    assert health("x", tmp_path) == Health("stopped")
    (tmp_path / "running").mkdir()
    # No process has an id above the kernel's greatest.
    left = {"pid": 2**22 + 1, "rest": "http://127.0.0.1:1", "job_id": "1"}
    (tmp_path / "running" / "x.json").write_text(json.dumps(left))
    assert health("x", tmp_path) == Health("lost")
    (tmp_path / "running" / "x.json").write_text("rubbish")
    assert health("x", tmp_path) == Health("stopped")
