"""docs/your_application.md: its files are those that are tested, its commands run, its tests hold."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest
from typer.testing import CliRunner

from cli import check
from cli.main import COMMANDS, app
from infra.paths import ROOT
from pipeline.application import Application, read
from pipeline.relations import KINDS
from tests.jobs.conftest import Flink
from tests.jobs.conftest import mini_flink as mini_flink  # a fixture
from tests.waiting import until

PAGE = (ROOT / "docs" / "your_application.md").read_text()
FLEET = ROOT / "tests" / "applications" / "fleet"
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", PAGE, re.DOTALL)


def block(language: str, beginning: str) -> str:
    [found] = [text for name, text in BLOCKS if name == language and text.startswith(beginning)]
    return found


def test_the_pages_files_are_the_ones_that_are_tested() -> None:
    assert block("yaml", "title:") == (FLEET / "application.yaml").read_text()
    assert block("yaml", "- name:") == (FLEET / "tests.yaml").read_text()
    assert block("sql", "-- A vehicle's averages") == (FLEET / "by_minute.sql").read_text()
    assert block("sql", "-- Minutes that scored") == (FLEET / "anomalies.sql").read_text()


def test_the_page_names_every_key_and_kind() -> None:
    for key in Application.model_fields.keys() - {"name", "folder", "queries"}:
        assert f"`{key}`" in PAGE, key
    for kind in KINDS:
        assert kind == "view" or f"`{{{kind}: name" in PAGE, kind


def test_it_is_as_small_as_the_page_says() -> None:
    files = [
        path for path in FLEET.iterdir() if path.suffix in (".yaml", ".sql") and path.name != "tests.yaml"
    ]
    lines = sum(len(path.read_text().splitlines()) for path in files)
    assert len(files) <= 5
    assert f"That is all: {lines} lines." in PAGE
    assert lines <= 60


@pytest.mark.flink
def test_its_tests_hold(mini_flink: Flink, tmp_path: Path) -> None:
    depots = tmp_path / "depots.csv"
    depots.write_text("V1,North\n")
    fleet = read(FLEET)
    (case,) = check.read_cases(fleet)
    here = case.model_copy(update={"properties": {"depots.path": depots.as_uri()}})
    assert list(check.differences(mini_flink.environment(), fleet, here)) == []


@pytest.mark.kinesis
@pytest.mark.flink
def test_its_sql_can_be_printed(mini_flink: Flink) -> None:
    # What the command tells a JVM of its own is not reported the one of all tests.
    with mock.patch.dict(os.environ):
        done = CliRunner().invoke(app, ["sql", str(FLEET), "--endpoint", "http://127.0.0.1:1"])
    assert done.exit_code == 0, done.output
    assert "'connector' = 'kinesis'" in done.output


@pytest.mark.aws
@pytest.mark.kinesis
@pytest.mark.flink
def test_its_commands_run(tmp_path: Path) -> None:
    """Those of its first two steps, as they stand there, in an empty folder; the job for as long as it takes."""
    environment = os.environ | {
        "KDA_STATE": str(tmp_path / "state"),
        "PYTHONPATH": str(ROOT),
        # Wide enough for all columns.
        "COLUMNS": "160",
    }
    (tmp_path / "vehicle.template").write_text(block("", '{"vehicle"'))

    def kda(line: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "cli.main", *shlex.split(line, comments=True)[1:]],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, (line, done.stdout, done.stderr)
        return done.stdout

    lines = [
        line for name, text in BLOCKS if name == "" for line in text.splitlines() if line.startswith("kda ")
    ]
    first, job = lines[: lines.index("kda run ./fleet --tap")], "kda run ./fleet --tap"
    assert job in lines
    try:
        for line in first:
            kda(line.replace("--seconds 60", "--count 300").replace("--rate 20", "--rate 200"))
        assert {p.name for p in (tmp_path / "fleet").iterdir()} == {"application.yaml", "anomalies.sql"}
        run = subprocess.Popen(
            [sys.executable, "-m", "cli.main", *shlex.split(job)[1:], "-p", "source.position=TRIM_HORIZON"],
            cwd=tmp_path,
            env=environment,
            stdout=(tmp_path / "run.log").open("w"),
            stderr=subprocess.STDOUT,
        )
        try:
            log, watched = tmp_path / "run.log", "kda watch ./fleet --seconds 3 --rows 1"
            until(lambda: run.poll() is not None or "started" in log.read_text(), "the start")
            until(lambda: run.poll() is not None or "anomaly_score" in kda(watched), "scores")
            assert run.poll() is None, log.read_text()
            assert "running" in kda("kda status")
        finally:
            run.terminate()
            run.wait(120)
        assert "savepoint" in (tmp_path / "run.log").read_text()
    finally:
        kda("kda local down")


def test_every_command_on_the_page_is_one(tmp_path: Path) -> None:
    for line in re.findall(r"(?m)^kda .*$|`kda ([a-z]+)", PAGE):
        command = line.split()[1] if line.startswith("kda ") else line
        assert not command or command in COMMANDS, line
