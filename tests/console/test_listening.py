"""A running `kda console`: which address it listens on, and where its token appears."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from infra.paths import ROOT
from tests.canaries import leaks
from tests.readers import LOOPBACK, listening
from tests.waiting import until

Found = TypeVar("Found")
TOKEN = "canary-console-token-5"
#: The command as if bound to an address that others can reach, with a known token; here it stays on loopback.
OPEN = f"""
import secrets
from cli import console, main
console.is_loopback = lambda host: False
secrets.token_urlsafe = lambda size: {TOKEN!r}
main.app()
"""


@contextlib.contextmanager
def running_console(folder: Path, *python: str) -> Iterator[tuple[int, int, Path]]:
    """The console's process, its port, and the file with its output."""
    command = [sys.executable, *python, "console", "--port", "0", "--endpoint", "http://127.0.0.1:1"]
    # The job's properties are refused, so it writes its log and ends at once.
    command += ["-p", "ctr.source.position=yesterday"]
    said = folder / "console.out"
    with said.open("wb") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=out, cwd=ROOT, env=os.environ | {"KDA_STATE": str(folder / "state")}
        )
    try:
        address = until(lambda: re.search(r"http://127\.0\.0\.1:(\d+)/", said.read_text()), "address")
        port = int(address[1])
        until(lambda: answers(port), "answer")
        yield process.pid, port, said
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
        return True
    return False


def ask(port: int, path: str, **headers: str) -> int:
    """The status of a response; a request with a body is sent as by a script of the console's own page."""
    url = f"http://127.0.0.1:{port}"
    request = urllib.request.Request(url + path, headers=headers)
    if path.startswith("/api/applications/"):
        request = urllib.request.Request(url + path, b"", headers | {"Origin": url})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        return refused.code


def test_it_listens_on_loopback_alone(tmp_path: Path) -> None:
    with running_console(tmp_path, "-m", "cli.main") as (pid, port, _):
        found = listening(pid)
        assert ("127.0.0.1", port) in found
        assert sorted(a for a in found if a[0] not in LOOPBACK) == []
        # A process that listens on every address listens on this one too.
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", port), timeout=5)


def test_the_token_is_shown_on_the_terminal_and_written_nowhere(tmp_path: Path) -> None:
    with running_console(tmp_path, "-c", OPEN) as (_, port, said):
        assert ask(port, "/api/applications") == 401
        assert ask(port, f"/?token={TOKEN}x") == 401
        assert ask(port, f"/?token={TOKEN}") == 401, "urllib keeps no cookie, and so is asked again"
        assert ask(port, "/api/applications", Cookie=f"kda_console={TOKEN}") == 200
        assert ask(port, "/api/applications/ctr/job/start", Cookie=f"kda_console={TOKEN}") in (200, 202, 204)
        log = tmp_path / "state" / "console" / "ctr.log"
        until(lambda: log.exists() and "source.position" in log.read_text(), "job's log")
    reported = said.read_text()
    assert reported.count(TOKEN) == 1
    assert leaks(tmp_path / "state", reported.replace(TOKEN, "", 1), of={"token": TOKEN}) == []
