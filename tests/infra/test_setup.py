"""setup.sh names what is missing in one line, with the command that installs it."""

import shutil
import subprocess
from pathlib import Path

import pytest

from infra.paths import ROOT

#: What the script itself needs of a system.
TOOLS = ("sh", "cat", "cksum", "dirname", "grep", "mkdir", "readlink", "rm", "sed", "uname", "tail", "sleep")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The files that the set-up reads, and nothing built."""
    folder = tmp_path / "clone"
    for name in ("requirements.lock", "pyproject.toml", "flink-conf/pom.xml", "infra/setup.sh"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    return folder


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A folder of commands for an ordinary user: no Python, no Java, no Maven."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in TOOLS:
        (folder / name).symlink_to(shutil.which(name) or name)
    stub(folder / "id", "echo 1000")
    return folder


def stub(path: Path, line: str) -> None:
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)


def set_up(clone: Path, path: Path) -> subprocess.CompletedProcess[str]:
    # Where the clone itself is searched for a JDK, none is found.
    environment = {"PATH": str(path), "JAVA_HOME": str(clone)}
    return subprocess.run(
        ["sh", "infra/setup.sh"], cwd=clone, env=environment, capture_output=True, text=True, timeout=60
    )


def test_maven_is_missing(clone: Path, tools: Path) -> None:
    stub(tools / "python3.11", "exit 0")
    (clone / "bin").mkdir()
    stub(clone / "bin" / "javac", "echo javac 17.0.1")
    done = set_up(clone, tools)
    assert done.returncode == 1
    assert done.stderr.splitlines() == ["setup: Maven is missing: sudo apt-get install -y maven"]


def test_a_path_with_a_space_is_refused(clone: Path, tools: Path) -> None:
    moved = clone.rename(clone.parent / "my clone")
    done = set_up(moved, tools)
    assert done.returncode == 1
    assert f"this is {moved}: move the clone" in done.stderr
    assert not (moved / "build").exists()


def test_a_second_run_does_nothing(clone: Path, tools: Path) -> None:
    inputs = "requirements.lock pyproject.toml flink-conf/pom.xml infra/setup.sh"
    state = subprocess.run(
        f"cat {inputs} | cksum", shell=True, cwd=clone, capture_output=True, text=True
    ).stdout
    for path, text in {"build/ready": state.strip(), ".venv/bin/kda": ""}.items():
        (clone / path).parent.mkdir(parents=True)
        (clone / path).write_text(text)
    (clone / ".venv/bin/kda").chmod(0o755)
    done = set_up(clone, tools)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
