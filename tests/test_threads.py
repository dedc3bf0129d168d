"""A thread that dies unnoticed fails its test, unless it is Beam's or PyFlink's own."""

import subprocess
import sys
from pathlib import Path

import pytest

from infra.paths import ROOT

TEST = """
import os, runpy, threading

beam = runpy.run_path(os.path.abspath("site-packages/apache_beam/reader.py"))["run"]
ours = runpy.run_path(os.path.abspath("udfs/worker.py"))["run"]

def test_a_thread_dies():
    thread = threading.Thread(target={target})
    thread.start()
    thread.join()
"""


@pytest.mark.parametrize(
    ("target", "passed"),
    [
        ("ours", False),
        ("lambda: 1 / 0", False),
        ("lambda: beam(ours)", False),
        ("beam", True),
    ],
)
def test_only_threads_of_beam_and_pyflink_may_die(target: str, passed: bool, tmp_path: Path) -> None:
    for path, code in {
        "site-packages/apache_beam/reader.py": "def run(function=None):\n    function() if function else 1 / 0\n",
        "udfs/worker.py": "def run():\n    raise RuntimeError('ours')\n",
        "elsewhere/test_it.py": TEST.format(target=target),
    }.items():
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_text(code)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", ROOT / "pyproject.toml"]
    done = subprocess.run(
        [*command, "--rootdir", tmp_path, tmp_path / "elsewhere"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == (0 if passed else 1), done.stdout + done.stderr
    assert passed or "PytestUnhandledThreadExceptionWarning" in done.stdout
