"""Reads what a job did, from outside: a stream's records, a file sink's finished files, Flink's Python workers."""

import os
from pathlib import Path
from typing import Any

from infra.stream_reader import all_records


def on_stream(kinesis: Any, name: str) -> list[bytes]:
    """All records of a Kinesis stream, shard by shard, oldest first."""
    return [record["Data"] for record in all_records(kinesis, name)]


def finished(folder: Path) -> list[Path]:
    """Files below a folder that Flink's file sink has committed; none if the folder is not there yet."""
    return [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith((".", "_"))]


def python_workers() -> list[int]:
    """Process ids of Flink's Python workers that descend from this process."""
    parents, workers = {}, []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(path.name)] = int(path.joinpath("stat").read_text().rsplit(")", 1)[1].split()[1])
            if b"beam_boot" in path.joinpath("cmdline").read_bytes():
                workers.append(int(path.name))
        except (OSError, IndexError):
            continue

    def ours(pid: int) -> bool:
        return pid == os.getpid() or (pid in parents and ours(parents[pid]))

    return [pid for pid in workers if ours(pid)]
