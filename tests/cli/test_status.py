"""`kda status`: each job's line, and the exit code that says whether something is wrong."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from cli import status
from infra.flink_health import Health, health

app = typer.Typer()
app.command()(status.status)


@pytest.fixture(autouse=True)
def _no_aws(monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_a_killed_job_is_not_a_stopped_one(tmp_path: Path) -> None:
    assert health("x", tmp_path) == Health("stopped")
    (tmp_path / "running").mkdir()
    # No process has an id above the kernel's greatest.
    left = {"pid": 2**22 + 1, "rest": "http://127.0.0.1:1", "job_id": "1"}
    (tmp_path / "running" / "x.json").write_text(json.dumps(left))
    assert health("x", tmp_path) == Health("lost")
    (tmp_path / "running" / "x.json").write_text("rubbish")
    assert health("x", tmp_path) == Health("stopped")
