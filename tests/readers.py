"""Reads what a job did, from outside: a stream's records, a file sink's finished files, Flink's Python workers."""

import contextlib
import re
from pathlib import Path
from typing import Any

import psutil

from infra import local
from infra.stream_reader import all_records


def on_stream(kinesis: Any, name: str) -> list[bytes]:
    """All records of a Kinesis stream, shard by shard, oldest first."""
    return [record["Data"] for record in all_records(kinesis, name)]


def finished(folder: Path) -> list[Path]:
    """Files below a folder that Flink's file sink has committed; none if the folder is not there yet."""
    return [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith((".", "_"))]


def python_workers(of: int | None = None) -> list[int]:
    """Process ids of Flink's Python workers that descend from a process, by default from this one."""
    found = []
    with contextlib.suppress(psutil.Error):
        for process in psutil.Process(of).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if re.search("beam_boot|beam_worker", " ".join(process.cmdline())):
                    found.append(process.pid)
    return found


def local_aws_pid(data: Path, what: str, but: str = "no such thing") -> int:
    """The one process of the local AWS on `data` that has `what` in its command line."""
    (found,) = local_aws_pids(data, what, but)
    return found


def local_aws_pids(data: Path, what: str, but: str = "no such thing") -> list[int]:
    """The processes of the local AWS on `data` that have `what` in their command line."""
    lines = {pid: " ".join(psutil.Process(pid).cmdline()) for pid in local.processes(data)}
    return [pid for pid, line in lines.items() if what in line and but not in line]


def alive(pid: int) -> bool:
    """Whether a process is there and not a zombie."""
    with contextlib.suppress(psutil.Error):
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    return False


def resident(pid: int) -> float:
    """Resident memory of a process in MB; 0 if it has ended."""
    with contextlib.suppress(psutil.Error):
        return float(psutil.Process(pid).memory_info().rss) / 1e6
    return 0.0


LOOPBACK = ("127.0.0.1", "::ffff:127.0.0.1", "::1")


def listening(pid: int) -> set[tuple[str, int]]:
    """Addresses and ports on which a process and its descendants listen."""
    found = set()
    parent = psutil.Process(pid)
    for process in (parent, *parent.children(recursive=True)):
        with contextlib.suppress(psutil.Error):
            sockets = process.net_connections("tcp")
            found |= {tuple(s.laddr) for s in sockets if s.status == psutil.CONN_LISTEN}
    return found
