"""`kda console`: mistakes in one line, before anything is started."""

import socket
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from cli import console
from infra.paths import ROOT

app = typer.Typer()
app.command()(console.console)
LOCAL = ("--endpoint", "http://127.0.0.1:1")


@pytest.mark.parametrize("given", ["window.size=1", "none.window.size=1", "ctr.window.size"])
def test_a_property_names_its_application(given: str) -> None:
    result = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["-p", given, *LOCAL])
    assert result.exit_code == 2
    assert "required APPLICATION.GROUP.KEY=VALUE" in result.output


@pytest.mark.parametrize(
    ("names", "reason"),
    [(["none"], "must be one of"), (["ctr", "jobs/ctr/"], "two applications are called ctr")],
)
def test_applications_are_found_or_missed(
    names: list[str], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    result = CliRunner(env={"COLUMNS": "200"}).invoke(app, [*names, *LOCAL])
    assert result.exit_code == 2
    assert reason in result.output


def test_a_broken_application_is_left_out_and_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "application.yaml").write_text("title: [")
    monkeypatch.setattr(console, "APPLICATIONS", tmp_path)
    found = console._applications([])
    assert set(found) == {"ctr", "sessions", "trades"}


def test_a_taken_port_is_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        result = CliRunner().invoke(app, ["--port", str(taken.getsockname()[1]), *LOCAL])
    assert result.exit_code == 1
    assert "choose another with --port" in result.output


def test_the_applications_properties_are_not_the_consoles() -> None:
    result = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["--aws", "-p", "ctr.window.size=1"])
    assert result.exit_code == 2
    assert "kda deploy update -p" in result.output
