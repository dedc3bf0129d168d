"""The `kda` command as a process."""

import signal
import subprocess
import sys

import pytest

#: Ctrl-C (or an error) at the moment when a module is looked for.
INTERRUPTED = """
import os, signal, sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            {deed}
sys.meta_path.insert(0, Finder())
# As in a terminal: what is started in the background ignores Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)
from cli.main import app
app(["list"])
"""


def run(module: str, deed: str) -> subprocess.CompletedProcess[str]:
    program = INTERRUPTED.format(module=module, deed=deed)
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60
    )


# A shell shows both as 130.
@pytest.mark.parametrize(("module", "code"), [("typer", -signal.SIGINT), ("cli.run", 130)])
def test_ctrl_c_among_the_imports_is_quiet(module: str, code: int) -> None:
    done = run(module, "os.kill(os.getpid(), signal.SIGINT)")
    assert (done.returncode, done.stdout, done.stderr) == (code, "", "")


def test_an_error_among_the_imports_is_reported() -> None:
    done = run("cli.run", "raise OSError('no room')")
    assert done.returncode == 1
    assert "OSError: no room" in done.stderr
