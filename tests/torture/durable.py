"""AWS services that survive kill -9: npm's kinesalite and dynalite write to LevelDB before they answer.

The other emulators would lose data that they had acknowledged: ministack keeps everything but S3's finished objects in
memory until it is stopped, and kinesis-local writes its whole memory to a file now and then.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra import child
from infra.loopback import free_port
from tests.torture import npm

#: Package and version by service.
PACKAGES = {"kinesis": ("kinesalite", "3.3.3"), "dynamodb": ("dynalite", "4.0.0")}

_START_SECONDS = 240.0
# Their own command lines listen on every interface.
_SERVER = """
const [name, path, port] = process.argv.slice(1)
require(name)({path, createStreamMs: 50, createTableMs: 50}).listen(+port, '127.0.0.1')
"""


class Durable:
    """A service with its data in a folder, which can be killed and started again at the same address.

    Parameters
    ----------
    service : str
        ``kinesis`` or ``dynamodb``.
    folder : Path
        For data and log.
    """

    def __init__(self, service: str, folder: Path) -> None:
        self.service = service
        self._folder = folder
        self._port = free_port()
        self.endpoint = f"http://127.0.0.1:{self._port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the service; return when it answers."""
        package, version = PACKAGES[self.service]
        if reason := npm.install(package, version):
            pytest.skip(reason)
        self._folder.mkdir(parents=True, exist_ok=True)
        log = self._folder / f"{package}.log"
        command = [npm.NODE, "-e", _SERVER, package, self._folder / package, str(self._port)]
        self._process = child.start(command, log, cwd=npm.FOLDER, append=True)
        child.wait_until(self._process, self._answers, _START_SECONDS, log)

    def kill(self) -> None:
        """Kill the service with SIGKILL."""
        if self._process:
            child.kill(self._process)

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self._port), 1):
            return True
        return False


@contextlib.contextmanager
def running_durable(service: str, folder: Path) -> Iterator[Durable]:
    """Run a durable service until the block ends."""
    durable = Durable(service, folder)
    try:
        durable.start()
        yield durable
    finally:
        durable.kill()
