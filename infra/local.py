"""The local AWS: starts, finds and ends ministack as a process of this clone.

There is no pid file. The emulator and every worker that it forks have the data folder's path in their environment
(`MARK`), so the process table says what runs. It can't be outdated, a reused process id is never mistaken, and workers
that outlived a killed emulator are found too. Processes end with their parents by ``prctl``, so it needs Linux.
"""

import contextlib
import fcntl
import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from base.aws import Aws
from base.errors import KdaError
from infra import supervisor
from infra.loopback import free_port
from infra.paths import STATE

DATA = STATE / "aws"
#: Environment variable that marks the processes of the emulator that runs on a data folder.
MARK = "KDA_LOCAL_AWS"
HOST = "127.0.0.1"

_START_SECONDS = 60.0
_END_SECONDS = 10.0
_ANSWER_SECONDS = 5.0
_LOCK_SECONDS = 120.0
_POLL_SECONDS = 0.05
# A free port may be taken by another process before it is used.
_FREE_PORT_TRIES = 3
# Supervisors that this process started: `end` collects their exit codes, so that they don't stay as zombies.
_children: list[subprocess.Popen[bytes]] = []


class LocalAwsError(KdaError):
    """The local AWS can't be started or ended; the message says why in one line."""


@dataclass(frozen=True)
class Started:
    """The result of `start`.

    Attributes
    ----------
    endpoint : str
        URL to give to clients.
    already_running : bool
        It ran before, and was not changed.
    remains_ended : tuple of int
        Ids of processes that an earlier emulator had left, and that were killed.
    """

    endpoint: str
    already_running: bool = False
    remains_ended: tuple[int, ...] = ()


def find(data: Path = DATA) -> str | None:
    """Return the endpoint of the emulator that runs on `data`, or None if none answers."""
    ports = set(processes(data).values())
    return next((_endpoint(port) for port in ports if _answers(data, port)), None)


def processes(data: Path = DATA) -> dict[int, int]:
    """Return the port by process id of all processes that belong to the emulator on `data`."""
    mark, found = str(data.resolve()), {}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):  # it has ended, or is another user's
            environment = process.environ()
            if environment.get(MARK) == mark:
                found[process.pid] = int(environment.get("GATEWAY_PORT", 0))
    return found


def start(port: int = 0, data: Path = DATA, *, with_parent: bool = False) -> Started:
    """Start the emulator, unless it runs already; return once it answers.

    Parameters
    ----------
    port : int
        1–65535, or 0 for any free one.
    data : Path
        Folder of its objects, temporary files and log; created if missing.
    with_parent : bool
        End it when the calling process ends, even if that is killed.

    Raises
    ------
    LocalAwsError
        The port is taken, the folder can't be written, or the emulator doesn't start.
    """
    if (endpoint := find(data)) is not None:
        if port and endpoint != _endpoint(port):
            raise LocalAwsError(f"the local AWS runs at {endpoint} already, not at port {port}: end it first")
        return Started(endpoint, already_running=True)
    remains = end(data)
    _make_folders(data)
    for attempt in range(_FREE_PORT_TRIES):
        chosen = port or free_port()
        if port and not _is_free(port):
            raise LocalAwsError(f"port {port} of {HOST} is in use: choose another, or none for any free one")
        try:
            _spawn(chosen, data, with_parent)
            return Started(_endpoint(chosen), remains_ended=remains)
        except LocalAwsError:
            if port or _is_free(chosen) or attempt == _FREE_PORT_TRIES - 1:
                raise
    raise AssertionError("unreachable")


def end(data: Path = DATA) -> tuple[int, ...]:
    """Kill all processes of the emulator on `data`; return their ids (none if none ran)."""
    ended: set[int] = set()
    deadline = time.monotonic() + _END_SECONDS
    # Repeat until none is left: a worker may have been forked while the table was read.
    while running := processes(data):
        if time.monotonic() > deadline:
            raise LocalAwsError(f"processes {sorted(running)} of the local AWS don't end after SIGKILL")
        for pid in running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        ended |= running.keys()
        time.sleep(_POLL_SECONDS)
    _children[:] = [child for child in _children if child.poll() is None]
    return tuple(sorted(ended))


def remove(data: Path = DATA) -> tuple[int, ...]:
    """End the emulator on `data` and delete its folder; return the ids of the processes ended."""
    ended = end(data)
    shutil.rmtree(data, ignore_errors=True)
    return ended


@contextlib.contextmanager
def lock(data: Path = DATA) -> Iterator[None]:
    """Let one command at a time change the emulator on `data`; the kernel releases the lock if the process dies."""
    path = data.with_name(data.name + ".lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("w")
    except OSError as error:
        raise LocalAwsError(f"{path.parent} must be a folder that can be written: {error}") from error
    with file:
        deadline = time.monotonic() + _LOCK_SECONDS
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise LocalAwsError("another command is using the local AWS: try again later") from None
                time.sleep(_POLL_SECONDS)
        yield


@contextlib.contextmanager
def running_local_aws(data: Path, port: int = 0) -> Iterator[Aws]:
    """Run an emulator on `data` for as long as the block lasts; yield it.

    It ends with the block, and with the calling process even if that is killed. The folder is kept.
    """
    with lock(data):
        started = start(port, data, with_parent=True)
    if started.already_running:
        raise LocalAwsError(f"the local AWS runs at {started.endpoint} already: end it with `kda local down`")
    try:
        yield Aws.local(started.endpoint)
    finally:
        end(data)


def _endpoint(port: int) -> str:
    return f"http://{HOST}:{port}"


def _make_folders(data: Path) -> None:
    # A killed emulator leaves the unpacked code of its Lambda workers.
    shutil.rmtree(data / "tmp", ignore_errors=True)
    try:
        for name in ("s3", "state", "tmp"):
            (data / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LocalAwsError(f"{data} must be a folder that can be written: {error}") from error


def _spawn(port: int, data: Path, with_parent: bool) -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")} | {
        MARK: str(data.resolve()),
        "GATEWAY_PORT": str(port),
        "BIND_HOST": HOST,
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        # S3 objects survive a killed emulator; everything else is made again from the templates.
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(data / "s3"),
        "STATE_DIR": str(data / "state"),
        "TMPDIR": str(data / "tmp"),
        # For the Lambda functions, which call AWS on this machine.
        "NO_PROXY": f"{HOST},localhost",
        "no_proxy": f"{HOST},localhost",
    }
    log = data / "ministack.log"
    command = [sys.executable, "-m", "ministack"]
    with open(log, "w") as output:
        process = subprocess.Popen(
            [sys.executable, "-P", supervisor.__file__, str(os.getpid() if with_parent else 0), *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=data,
            start_new_session=True,
        )
    _children.append(process)
    try:
        deadline = time.monotonic() + _START_SECONDS
        while not _answers(data, port):
            if process.poll() is not None or time.monotonic() > deadline:
                last = (log.read_text(errors="replace").strip() or "nothing").splitlines()[-1]
                raise LocalAwsError(
                    f"the local AWS did not start at port {port}; the last line of its log: {last}"
                )
            time.sleep(_POLL_SECONDS)
    except BaseException:
        process.kill()
        process.wait()
        end(data)
        raise


def _answers(data: Path, port: int) -> bool:
    """Whether the emulator on `data` is healthy and is the one that listens at the port."""
    if not _listens(processes(data), port):
        return False
    connection = http.client.HTTPConnection(HOST, port, timeout=_ANSWER_SECONDS)
    try:
        connection.request("GET", "/_ministack/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _listens(pids: dict[int, int], port: int) -> bool:
    """Whether one of the processes holds the listening socket of `port`."""
    for pid in pids:
        with contextlib.suppress(psutil.Error):
            sockets = psutil.Process(pid).net_connections("tcp4")
            if any(s.status == psutil.CONN_LISTEN and s.laddr.port == port for s in sockets):
                return True
    return False


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True
