"""The emulator that splits shards can only be reached from this machine."""

import socket
from pathlib import Path

import pytest

from tests.torture.kinesis_local import running_kinesis


def test_it_listens_on_one_address_of_loopback(tmp_path: Path) -> None:
    with running_kinesis(tmp_path) as endpoint:
        port = int(endpoint.rpartition(":")[2])
        # A process that listens on every address listens on this one too.
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", port), timeout=5)
