"""`kda backtest`: a recording through an application up to its detector, by several settings."""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest import mock

import pytest
from rich.console import Console
from typer.testing import CliRunner

from cli import backtest
from cli.main import app
from tests.jobs.conftest import Flink
from tests.jobs.conftest import mini_flink as mini_flink  # a fixture

START = datetime(2026, 3, 2, tzinfo=UTC)
DESCRIPTION = """
title: Watched
sources:
  rows: {stream: s, columns: {x: DOUBLE}}
relations:
  - doubled
  - {detector: watched, of: doubled, columns: x, sub_sample_size: 32}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "application.yaml").write_text(DESCRIPTION)
    (tmp_path / "app" / "doubled.sql").write_text("-- A row each.\nSELECT 2 * x AS x, rowtime FROM `rows`\n")
    values = [10 + 0.1 * (k % 7) for k in range(90)] + [40.0] * 10
    times = [START + timedelta(minutes=k) for k in range(100)]
    lines = [json.dumps({"x": x, "event_time": t.isoformat()}) for x, t in zip(values, times, strict=True)]
    (tmp_path / "day.jsonl").write_text("\n".join(lines) + "\n")
    (tmp_path / "labels.csv").write_text("2026-03-02T01:29:00Z,2026-03-02T01:40:00Z\n")
    return tmp_path


@pytest.mark.flink
def test_alerts_by_setting_with_labels(mini_flink: Flink, folder: Path) -> None:
    recording = ["--recording", str(folder / "day.jsonl"), "--labels", str(folder / "labels.csv")]
    command = ["backtest", str(folder / "app"), *recording, "--try", "side=below", "--suggest"]
    command += ["--chart", str(folder / "chart.html")]
    # The environment that it sets for a JVM must not stay, and the table must not wrap.
    wide = Console(width=160, soft_wrap=True, highlight=False)
    with mock.patch.dict(os.environ), mock.patch.object(backtest, "_out", wide):
        done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    assert "2026-03-02 01:30:00.000  x HIGH 80, expected 2" in done.stdout
    rows = [[cell.strip() for cell in line.split("│")] for line in done.stdout.splitlines() if "│" in line]
    by_setting = {row[1]: row[2:-1] for row in rows}
    assert by_setting["as it is"] == ["100", "1", "10.00", "100 %", "100 %", "60 s"]
    assert by_setting["side=below"][:2] == ["100", "0"]
    (better,) = (name for name in by_setting if name.startswith("sub_sample_size=32 threshold="))
    assert by_setting[better][-2:] == ["100 %", "60 s"]
    assert "window 60 rows come every 60 s" in done.stdout
    assert (folder / "chart.html").stat().st_size > 1_000_000, "its library is in it"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--detector", "other"], "must be a detector of app: watched"),
        (["--try", "side=up"], "detector.side"),
    ],
)
def test_what_can_not_be_is_reported(folder: Path, arguments: list[str], message: str) -> None:
    recording = ["--recording", str(folder / "day.jsonl")]
    result = CliRunner().invoke(app, ["backtest", str(folder / "app"), *recording, *arguments])
    assert result.exit_code == 1
    assert message in result.output
