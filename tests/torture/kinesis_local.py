"""A Kinesis that splits and merges shards as AWS does: the npm package kinesis-local, run by node."""

from __future__ import annotations

import contextlib
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra import child
from infra.loopback import free_port
from tests.torture import npm

VERSION = "0.6.2"
_START_SECONDS = 240.0
# It listens on every address, and has no option for another.
_SERVER = """
const {Server} = require('net')
const listen = Server.prototype.listen
Server.prototype.listen = function (port, ...rest) { return listen.call(this, port, '127.0.0.1', rest.at(-1)) }
require('./main.js')
"""


@contextlib.contextmanager
def running_kinesis(folder: Path, port: int = 0) -> Iterator[str]:
    """Run kinesis-local until the block ends; yield its endpoint. Skips the test, with the reason, if it can't run.

    Parameters
    ----------
    folder : Path
        For the log.
    port : int
        Port to listen on; 0: any free one.
    """
    if reason := npm.install("kinesis-local", VERSION):
        pytest.skip(reason)
    port = port or free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "KINESIS_MOCK_PLAIN_PORT": str(port),
        "KINESIS_MOCK_TLS_PORT": str(free_port()),
        "LOG_LEVEL": "ERROR",
        # The delay of its answers to splits, merges and creations; half a second by default.
        "CREATE_STREAM_DURATION": "50ms",
        "SPLIT_SHARD_DURATION": "50ms",
        "MERGE_SHARDS_DURATION": "50ms",
        "SHARD_LIMIT": "100",
    }
    log, endpoint = folder / "kinesis-local.log", f"http://127.0.0.1:{port}"
    command = [npm.NODE, "-e", _SERVER]
    process = child.start(command, log, cwd=npm.package("kinesis-local"), env=environment, append=True)
    try:
        child.wait_until(process, lambda: _answers(endpoint), _START_SECONDS, log)
        yield endpoint
    finally:
        child.kill(process)


def _answers(endpoint: str) -> bool:
    try:
        urllib.request.urlopen(f"{endpoint}/healthcheck", timeout=2).close()
        return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
