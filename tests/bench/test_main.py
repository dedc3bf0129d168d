"""`python -m bench`: what it starts ends with it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.readers import alive
from tests.waiting import until

# A part that starts a process of its own, as the JVM is.
PART = """
import pathlib, subprocess
child = subprocess.Popen(["sleep", "600"])
pathlib.Path("child.new").write_text(str(child.pid))
pathlib.Path("child.new").rename("child")
child.wait()
"""
BENCH = "from bench import __main__ as bench; bench.PARTS = ('part',); bench.machine = str; bench.main()"


def test_what_a_part_started_ends_with_the_bench(tmp_path: Path) -> None:
    (tmp_path / "part.py").write_text(PART)
    with subprocess.Popen([sys.executable, "-c", BENCH], cwd=tmp_path, stdout=subprocess.DEVNULL) as bench:
        until((tmp_path / "child").exists, "the part's process")
        assert bench.poll() is None
        child = int((tmp_path / "child").read_text())
        bench.terminate()
    try:
        assert bench.returncode == 128 + signal.SIGTERM
        until(lambda: not alive(child), "its end")
    finally:
        if alive(child):
            os.kill(child, signal.SIGKILL)
