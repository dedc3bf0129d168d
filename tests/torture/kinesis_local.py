"""A Kinesis that splits and merges shards as AWS does: the npm package kinesis-local, run by node."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.paths import BUILD

VERSION = "0.6.2"
PACKAGE = BUILD / "kinesis-local" / "node_modules" / "kinesis-local"
_START_SECONDS = 30.0


def free_port() -> int:
    """A port of loopback that nobody uses at this moment."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@functools.cache
def install() -> str | None:
    """Install the package under ``build/``, once; return why that is not possible, or None."""
    if not shutil.which("node") or not shutil.which("npm"):
        return "node and npm are required for kinesis-local (apt-get install nodejs npm): resharding is NOT tested"
    if not (PACKAGE / "main.js").exists():
        folder = BUILD / "kinesis-local"
        folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            ["npm", "install", "--prefix", folder, "--no-audit", "--no-fund", f"kinesis-local@{VERSION}"],
            capture_output=True,
            text=True,
            timeout=120,
        )
        if done.returncode:
            return f"npm could not install kinesis-local: resharding is NOT tested: {done.stderr[-300:]}"
    return None


@contextlib.contextmanager
def running_kinesis(folder: Path, port: int = 0) -> Iterator[str]:
    """Run it for as long as the block lasts; yield its endpoint. Skips the test, with the reason, when it can't run.

    Parameters
    ----------
    folder : Path
        For its log.
    port : int
        0: any free one.
    """
    if reason := install():
        pytest.skip(reason)
    port = port or free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "KINESIS_MOCK_PLAIN_PORT": str(port),
        "KINESIS_MOCK_TLS_PORT": str(free_port()),
        "LOG_LEVEL": "ERROR",
        # Its answers to splits, merges and creations: half a second by default.
        "CREATE_STREAM_DURATION": "50ms",
        "SPLIT_SHARD_DURATION": "50ms",
        "MERGE_SHARDS_DURATION": "50ms",
        "SHARD_LIMIT": "100",
    }
    with (folder / "kinesis-local.log").open("ab") as log:
        process = subprocess.Popen(
            ["node", "main.js"],
            cwd=PACKAGE,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        endpoint = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + _START_SECONDS
        while not _answers(endpoint):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"kinesis-local did not come up: see {folder / 'kinesis-local.log'}")
            time.sleep(0.05)
        yield endpoint
    finally:
        process.kill()
        process.wait()


def _answers(endpoint: str) -> bool:
    try:
        urllib.request.urlopen(f"{endpoint}/healthcheck", timeout=2).close()
        return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
