"""A process with Flink at hand becomes a command, and ends as that command ends."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra.paths import ROOT

pytestmark = pytest.mark.flink


def test_it_becomes_a_command_and_ends_with_it_or_with_the_asker(tmp_path: Path) -> None:
    environment = os.environ | {"KDA_STATE": str(tmp_path)}
    command = [sys.executable, "-m", "cli.standby", "http://127.0.0.1:1"]
    process, idle = (
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment
        )
        for _ in range(2)
    )
    assert process.stdin
    assert idle.stdin
    process.stdin.write(json.dumps({"run": ["list"], "log": str(tmp_path / "log")}) + "\n")
    process.stdin.flush()
    idle.stdin.close()
    # The thread that waits for the asker's end must not abort a process that ends by itself.
    assert process.wait(240) == 0
    assert "sessions" in (tmp_path / "log").read_text()
    assert idle.wait(240) == 0
    for ended in (process, idle):
        assert ended.stdout
        assert ended.stdout.read() == ""
        ended.stdout.close()
    process.stdin.close()
